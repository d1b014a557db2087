//! What a process says that its texts read: constants, defaults of inputs, values of `set` steps, the conditions of steps and
//! the items of loops. A text that is the same in both commits may mean something else by them.

use std::collections::BTreeMap;
use std::iter::once;

use serde_json::Value;

use super::ProcessAt;
use crate::definition::Step;
use crate::definition::step::StepKind;
use crate::diff::matching::Renames;
use crate::diff::model::Side;
use crate::diff::text::short;
use crate::expression::{Reference, Template};

/// What is said under each name that a text can read, such as `context.limit` and `steps.facts.output.big`.
struct Said(BTreeMap<String, Entry>);

#[derive(Default)]
struct Entry {
    /// What is said, with constants in their places.
    value: String,
    /// The names that it reads itself.
    reads: Vec<String>,
}

impl Said {
    fn of(at: &ProcessAt<'_>, renames: &Renames) -> Self {
        let header = &at.process.header;
        let mut said = Self(BTreeMap::new());
        for (name, value) in &header.context {
            said.add(format!("context.{}", name.value), value.value.to_string(), Vec::new());
        }
        for (name, field) in &header.inputs {
            let default = field.default.as_ref().map_or_else(|| "nothing".to_owned(), |value| value.value.to_string());
            said.add(format!("inputs.{}", name.value), default, Vec::new());
        }
        for step in at.process.all_steps() {
            said.add_step(at, step);
        }
        if at.side == Side::After { said } else { said.renamed(renames) }
    }

    fn add_step(&mut self, at: &ProcessAt<'_>, step: &Step) {
        let name = format!("steps.{}", step.id.as_str());
        let when = at.when(step).unwrap_or("true");
        let runs = format!("{} when {}", step.step_type(), at.constants.resolved(when));
        self.add(name.clone(), runs, names_of(at, when));
        match &step.kind {
            StepKind::Set(set) => {
                for (key, value) in &set.values {
                    self.add_value(at, format!("{name}.output.{}", key.value), &value.value);
                }
            }
            StepKind::Foreach(foreach) => {
                let item = foreach.item_name.as_ref().map_or("item", |name| name.value.as_str());
                self.add_value(at, item.to_owned(), &foreach.items.value);
            }
            _ => {}
        }
    }

    fn add_value(&mut self, at: &ProcessAt<'_>, name: String, value: &Value) {
        let mut reads = Vec::new();
        let resolved = resolved(at, value, &mut reads);
        self.add(name, resolved.to_string(), reads);
    }

    /// Loops may give their items one name: what any of them says counts.
    fn add(&mut self, name: String, value: String, reads: Vec<String>) {
        let entry = self.0.entry(name).or_default();
        if !entry.value.is_empty() {
            entry.value.push_str(", ");
        }
        entry.value.push_str(&value);
        entry.reads.extend(reads);
    }

    /// By the names that steps have now.
    fn renamed(self, renames: &Renames) -> Self {
        let entries = self.0.into_iter().map(|(name, entry)| {
            let value = renames.applied(&entry.value, false);
            (renames.applied(&name, false), Entry { value, ..entry })
        });
        Self(entries.collect())
    }

    /// Everything that is said under a name: itself, what it is a part of, and its parts.
    fn under<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let wholes = name.match_indices('.').map(|(end, _)| &name[..end]).chain(once(name));
        let parts = self.0.range(format!("{name}.")..).map(|(part, _)| part.as_str());
        let parts = parts.take_while(move |part| part.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
        wholes.filter_map(|whole| self.0.get_key_value(whole)).map(|(known, _)| known.as_str()).chain(parts)
    }
}

/// A value with its constants; beside it the names that its texts read.
fn resolved(at: &ProcessAt<'_>, value: &Value, reads: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) => {
            reads.extend(names_of(at, text));
            at.constants.value(text).unwrap_or_else(|| Value::from(at.constants.resolved(text)))
        }
        Value::Array(items) => items.iter().map(|item| resolved(at, item, reads)).collect(),
        Value::Object(entries) => entries.iter().map(|(key, item)| (key.clone(), resolved(at, item, reads))).collect(),
        other => other.clone(),
    }
}

/// The names that a text reads; none where it reads constants alone: then its value says it all.
fn names_of(at: &ProcessAt<'_>, text: &str) -> Vec<String> {
    if at.constants.value(text).is_some() { Vec::new() } else { names(text) }
}

/// The names that a text reads, as far as they are written out.
pub(super) fn names(text: &str) -> Vec<String> {
    let template = Template::parse(text);
    template.iter().flat_map(Template::references).map(name).collect()
}

/// The name that is read, as far as it is written out.
fn name(reference: &Reference) -> String {
    let parts: Vec<&str> = (0..reference.path.len()).map_while(|place| reference.name(place)).collect();
    parts.join(".")
}

/// What a process says otherwise than before.
#[derive(Default)]
pub(super) struct Changes {
    after: Option<Said>,
    /// How, by each name under which something else is said now, by itself or by what it reads.
    by_name: BTreeMap<String, String>,
}

impl Changes {
    pub(super) fn between(before: &ProcessAt<'_>, after: &ProcessAt<'_>, renames: &Renames) -> Self {
        let (was, is) = (Said::of(before, renames), Said::of(after, renames));
        // What is new or gone changes the texts that read it, and is seen there.
        let mut by_name = BTreeMap::new();
        for (name, entry) in &is.0 {
            if let Some(was) = was.0.get(name).filter(|was| was.value != entry.value) {
                by_name.insert(name.clone(), told(name, &was.value, &entry.value));
            }
        }
        if by_name.is_empty() {
            return Self::default();
        }
        let by_name = with_readers(&is, by_name);
        Self { after: Some(is), by_name }
    }

    /// How a text that reads as before means something else now, in words.
    pub(super) fn of(&self, text: &str) -> Option<&str> {
        let after = self.after.as_ref()?;
        names(text)
            .iter()
            .find_map(|name| after.under(name).find_map(|known| self.by_name.get(known)))
            .map(String::as_str)
    }
}

/// The same with all that read it, directly or through others.
fn with_readers(said: &Said, mut by_name: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut readers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, entry) in &said.0 {
        for read in entry.reads.iter().flat_map(|read| said.under(read)) {
            readers.entry(read).or_default().push(name);
        }
    }
    let mut open: Vec<String> = by_name.keys().cloned().collect();
    while let Some(changed) = open.pop() {
        let how = by_name.get(&changed).cloned().unwrap_or_default();
        for reader in readers.remove(changed.as_str()).into_iter().flatten() {
            if !by_name.contains_key(reader) {
                by_name.insert(reader.to_owned(), how.clone());
                open.push(reader.to_owned());
            }
        }
    }
    by_name
}

fn told(name: &str, was: &str, is: &str) -> String {
    let what = if name.starts_with("inputs.") { format!("the default of `{name}`") } else { format!("`{name}`") };
    format!("{what} was `{}` and is `{}`", short(was), short(is))
}
