//! Decisions under another name: a `set` that holds what a step gave, a process that returns what its approval decided.
//! Conditions that ask about a copy are read as if they asked about what was copied; where that cannot be followed, it is
//! said, so that nobody invents a run that cannot happen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::conditions::bare;
use super::model::{Fate, completions};
use crate::definition::step::{AllSteps, StepKind};
use crate::definition::{Process, Step};
use crate::expression::{Context, Reference, Template};
use crate::graph::{Graph, StepIndex};
use crate::source::Spanned;
use crate::value::Duration;

/// Finds processes by their names.
pub(super) type Children<'c, 'p> = &'c dyn Fn(&str) -> Option<&'p Process>;

/// No process is known.
pub(super) fn no_children<'p>(_: &str) -> Option<&'p Process> {
    None
}

/// How often a copy of a copy is followed.
const MAX_COPIES: usize = 8;
/// Longest condition that is written out.
const MAX_TEXT: usize = 4_096;

/// The copies of a list of steps.
pub(super) struct Copies<'c, 'p> {
    pub(super) graph: &'c Graph<'p>,
    children: Children<'c, 'p>,
    /// The processes that return a decision, each with its output.
    returned: BTreeMap<StepIndex, Returned<'p>>,
}

/// A decision that a process returns.
pub(super) struct Returned<'p> {
    /// The output that is the decision; where there is none, a name that no output has.
    pub(super) key: String,
    /// Outputs that ask how it was decided, each with what it asks of `key`.
    asked: BTreeMap<&'p str, Asked>,
    /// The approval that was decided, in that process.
    pub(super) approval: &'p Step,
    /// `defaults.timeout` of that process.
    default_timeout: Option<Spanned<Duration>>,
}

/// An expression about a decision: what stands before, between and behind the places where it reads the decision.
#[derive(Clone)]
struct Asked(Vec<String>);

impl Asked {
    /// Whether it is the decision itself.
    fn is_plain(&self) -> bool {
        self.0.len() == 2 && self.0.iter().all(String::is_empty)
    }
}

/// The decision of an approval that an output of a process tells: the first as it is, or the first that is asked about.
pub(super) fn returned(process: &Process) -> Option<Returned<'_>> {
    let outputs =
        || process.header.outputs.iter().filter_map(|(key, value)| Some((key.value.as_str(), value.value.as_str()?)));
    let told = || outputs().filter_map(|(_, text)| asked(process, text));
    let (approval, _) = told().find(|(_, asked)| asked.is_plain()).or_else(|| told().next())?;
    let mut asked_of: BTreeMap<&str, Asked> = BTreeMap::new();
    let mut plain = None;
    for (key, text) in outputs() {
        match asked(process, text).filter(|(of, _)| of.id.as_str() == approval.id.as_str()) {
            Some((_, asked)) if asked.is_plain() => plain = plain.or(Some(key.to_owned())),
            Some((_, asked)) => drop(asked_of.insert(key, asked)),
            None => {}
        }
    }
    let is_taken = |name: &str| process.header.outputs.iter().any(|(key, _)| key.value == name);
    let key = plain.unwrap_or_else(|| {
        let mut name = "decision".to_owned();
        while is_taken(&name) {
            name.push('_');
        }
        name
    });
    Some(Returned { key, asked: asked_of, approval, default_timeout: process.header.defaults.timeout })
}

/// The approval about whose decision alone an output asks.
fn asked<'p>(process: &'p Process, text: &str) -> Option<(&'p Step, Asked)> {
    let inside = bare(text);
    let template = Template::parse(&format!("{{{{ {inside} }}}}")).ok()?;
    let before = "{{ ".len();
    let id = template.references().first()?.name(1)?;
    let approval = process.steps.iter().find(|step| step.id.as_str() == id)?;
    let mut parts = Vec::new();
    let mut from = 0;
    for reference in template.references() {
        let read = format!("steps.{id}.output.decision");
        let range = reference.range.start - before..reference.range.end - before;
        if inside.get(range.clone())? != read || reference.has_default || reference.conditional {
            return None;
        }
        parts.push(inside.get(from..range.start)?.to_owned());
        from = range.end;
    }
    parts.push(inside.get(from..)?.to_owned());
    let is_native = Template::parse(text).is_ok_and(|template| template.is_native());
    (is_native && matches!(approval.kind, StepKind::HumanApproval(_))).then_some((approval, Asked(parts)))
}

impl<'c, 'p> Copies<'c, 'p> {
    pub(super) fn of(graph: &'c Graph<'p>, children: Children<'c, 'p>) -> Self {
        let mut found = BTreeMap::new();
        for (index, step) in graph.steps().enumerate() {
            if let StepKind::Process(call) = &step.kind
                && call.wait
                && let Some(returned) = children(call.process.as_str()).and_then(returned)
            {
                found.insert(index, returned);
            }
        }
        Self { graph, children, returned: found }
    }

    /// The field of a step's output that is the decision that people gave.
    pub(super) fn decision(&self, step: StepIndex) -> Option<&str> {
        match self.graph.step(step).kind {
            StepKind::HumanApproval(_) => Some("decision"),
            _ => self.returned.get(&step).map(|returned| returned.key.as_str()),
        }
    }

    /// What says after a step that people approved, as an author writes it.
    pub(super) fn approved(&self, step: StepIndex) -> Option<String> {
        let id = self.graph.step(step).id.as_str();
        let Some(returned) = self.returned.get(&step) else {
            return self.decision(step).map(|key| format!("steps.{id}.output.{key} == 'approved'"));
        };
        let is_output = |name: &str| {
            let StepKind::Process(call) = &self.graph.step(step).kind else { return false };
            let child = (self.children)(call.process.as_str());
            child.is_some_and(|child| child.header.outputs.keys().any(|key| key.value == name))
        };
        if is_output(&returned.key) {
            return Some(format!("steps.{id}.output.{} == 'approved'", returned.key));
        }
        let is_so = |asked: &Asked, word: &str| {
            let text = format!("{{{{ {} }}}}", asked.0.join(format!("'{word}'").as_str()));
            let value = Template::parse(&text).ok()?.evaluate(&Context::new()).ok()?;
            value.as_bool()
        };
        returned.asked.iter().find_map(|(name, asked)| {
            let truths = ["approved", "rejected", "expired"].map(|word| is_so(asked, word));
            match truths {
                [Some(true), Some(false), Some(false)] => Some(format!("steps.{id}.output.{name}")),
                [Some(false), Some(true), Some(true)] => Some(format!("not steps.{id}.output.{name}")),
                _ => None,
            }
        })
    }

    /// How the approval may complete whose decision a process returns; such a process completes with it.
    /// `default` is how long a step may take where neither it nor its process says so.
    pub(super) fn ends(&self, step: StepIndex, default: Option<Spanned<Duration>>) -> Option<Vec<Fate>> {
        let ends = |returned: &Returned<'_>| completions(returned.approval, returned.default_timeout.or(default));
        self.returned.get(&step).map(ends)
    }

    /// A condition that asks about copies, asking about what was copied, and the steps that hold the copies.
    pub(super) fn written_out(&self, condition: &str) -> (String, Vec<StepIndex>) {
        let mut text = condition.to_owned();
        let mut holders = Vec::new();
        for _ in 0..MAX_COPIES {
            match self.written_out_once(&text, &mut holders) {
                Some(next) if next.len() <= MAX_TEXT => text = next,
                _ => break,
            }
        }
        (text, holders)
    }

    fn written_out_once(&self, text: &str, holders: &mut Vec<StepIndex>) -> Option<String> {
        let template = Template::parse(&format!("{{{{ {text} }}}}")).ok()?;
        let before = "{{ ".len();
        let mut copies = template.references().iter().rev().filter_map(|reference| self.copied(reference));
        let (holder, reference, copied) = copies.next()?;
        holders.push(holder);
        let range = reference.range.start - before..reference.range.end - before;
        let is_whole = text.get(range.clone())?.len() == text.len();
        let mut written = text.to_owned();
        let is_chain = copied.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let copied = if is_whole || is_chain { copied } else { format!("({copied})") };
        written.replace_range(range, &copied);
        Some(written)
    }

    /// The expression that a `set` holds, or a process returns, where a chain reads it, and that step.
    fn copied<'t>(&self, reference: &'t Reference) -> Option<(StepIndex, &'t Reference, String)> {
        let (holder, key) = self.read_of(reference)?;
        let is_plain = reference.path.len() == 4 && !reference.has_default && !reference.conditional;
        if let Some(returned) = self.returned.get(&holder) {
            let asked = returned.asked.get(key).filter(|_| is_plain)?;
            let chain = format!("steps.{}.output.{}", self.graph.step(holder).id.as_str(), returned.key);
            return Some((holder, reference, asked.0.join(chain.as_str())));
        }
        let StepKind::Set(set) = &self.graph.step(holder).kind else { return None };
        let (_, value) = set.values.iter().find(|(name, _)| name.value == key)?;
        let text = value.value.as_str()?;
        let template = Template::parse(text).ok()?;
        (is_plain && template.is_native()).then(|| (holder, reference, bare(text)))
    }

    fn read_of<'t>(&self, reference: &'t Reference) -> Option<(StepIndex, &'t str)> {
        let is_output = reference.root() == "steps" && reference.name(2) == Some("output");
        is_output.then_some((self.graph.find(reference.name(1)?)?, reference.name(3)?))
    }

    /// Whether what a chain reads may say how people decided, or how a step ended.
    pub(super) fn may_tell_an_outcome(&self, reference: &Reference) -> bool {
        let decides = |(step, key)| self.decision(step) == Some(key);
        self.read_of(reference).is_some_and(decides) || tells(self.graph, reference, self.children, MAX_COPIES)
    }
}

fn tells(graph: &Graph<'_>, reference: &Reference, children: Children<'_, '_>, depth: usize) -> bool {
    if reference.root() != "steps" {
        return false;
    }
    let Some(step) = reference.name(1).and_then(|id| graph.find(id)) else { return true };
    if reference.name(2) != Some("output") || depth == 0 {
        return true;
    }
    let key = reference.name(3);
    let wanted = |name: &str| key.is_none_or(|key| key == name);
    let any = |graph: &Graph<'_>, value: &Value| {
        texts(value).into_iter().any(|text| {
            let template = Template::parse(text).ok();
            let mut references = template.iter().flat_map(Template::references);
            references.any(|reference| tells(graph, reference, children, depth - 1))
        })
    };
    match &graph.step(step).kind {
        StepKind::HumanApproval(_) | StepKind::Gateway(_) => true,
        StepKind::Set(set) => {
            set.values.iter().any(|(name, value)| wanted(name.value.as_str()) && any(graph, &value.value))
        }
        StepKind::Process(call) => match children(call.process.as_str()) {
            Some(child) => {
                let inner = Graph::of(child);
                child
                    .header
                    .outputs
                    .iter()
                    .any(|(name, value)| wanted(name.value.as_str()) && any(&inner, &value.value))
            }
            None => true,
        },
        StepKind::Foreach(foreach) => {
            let decides = |step: &Step| {
                matches!(step.kind, StepKind::HumanApproval(_) | StepKind::Process(_) | StepKind::Gateway(_))
            };
            AllSteps::of(&foreach.steps).any(decides)
        }
        _ => false,
    }
}

/// The texts in a value.
fn texts(value: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => found.push(text.as_str()),
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            _ => {}
        }
    }
    found
}
