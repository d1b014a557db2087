//! What an expression can read: roots, and the fields of what a chain gives, with their types.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::View;
use super::cursor::{Cursor, Understood};
use super::outline::Part;
use super::steps::Steps;
use crate::definition::repository::{Definition, Repository};
use crate::types::text::{Item, Owner};
use crate::types::{FieldAt, Type, TypeAt, Types};

/// A field that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What kind of value it is, where that is known.
    pub kind: Option<String>,
    /// Whether it may be missing.
    pub optional: bool,
    /// What its author or the language says about it.
    pub description: Option<String>,
    /// Its rank: smaller ones come first.
    pub rank: u8,
}

impl Field {
    fn new(name: impl Into<String>, kind: Option<String>, description: Option<&str>) -> Self {
        Self { name: name.into(), kind, optional: false, description: description.map(str::to_owned), rank: 20 }
    }
}

/// What can be read at every place of a process.
const ROOTS: [(&str, &str); 5] = [
    ("inputs", "What the start gave."),
    ("steps", "The steps that have run by then: `steps.ID.output`."),
    ("trigger", "What started the execution."),
    ("context", "The constants of the process."),
    ("execution", "This execution."),
];

/// What stands behind a chain of names; behind none, the roots.
pub fn below(view: &View<'_>, cursor: &Cursor<'_>, chain: &[String]) -> Vec<Field> {
    let chain = &of_item(cursor, chain);
    let Some((root, rest)) = chain.split_first() else { return roots(cursor) };
    if root == "loop" && rest.is_empty() && !cursor.loops.is_empty() {
        return LOOP
            .iter()
            .map(|(name, kind, about)| Field::new(*name, Some((*kind).to_owned()), Some(about)))
            .collect();
    }
    if root == "steps" && rest.is_empty() && !cursor.in_template() {
        return steps(cursor);
    }
    let path = cursor.file.source.path();
    let repository = understood(view, cursor);
    let types = Types::of(&repository);
    let found = types.fields_of(path, &owner(&repository, cursor), &written(chain));
    found.into_iter().map(field).collect()
}

/// The words that what a chain gives may be; none where that is not known.
pub fn words(view: &View<'_>, cursor: &Cursor<'_>, chain: &[String]) -> Vec<String> {
    let repository = understood(view, cursor);
    let types = Types::of(&repository);
    let chain = written(&of_item(cursor, chain));
    let of = types.chain_of(cursor.file.source.path(), &owner(&repository, cursor), &chain);
    of.known_words().unwrap_or_default().iter().map(|word| word.to_string()).collect()
}

/// A chain that begins with the item of a loop, from the list that it is an item of.
fn of_item(cursor: &Cursor<'_>, chain: &[String]) -> Vec<String> {
    let mut chain = chain.to_vec();
    // Each loop is a step further out.
    for one in cursor.loops.iter().rev() {
        if chain.first() == Some(&one.name)
            && let Some(list) = &one.list
        {
            chain = list.iter().cloned().chain([String::new()]).chain(chain.drain(1..)).collect();
        }
    }
    chain
}

/// What a loop of a text says of itself.
/// (<https://jinja.palletsprojects.com/en/stable/templates/#for>)
const LOOP: [(&str, &str, &str); 5] = [
    ("index", "a whole number", "How many items there were, with this one."),
    ("index0", "a whole number", "How many items there were before."),
    ("first", "true or false", "Whether this is the first item."),
    ("last", "true or false", "Whether this is the last item."),
    ("length", "a whole number", "How many items there are."),
];

/// What is known about the name at a place: its type, and what its author wrote about it.
pub fn at(view: &View<'_>, cursor: &Cursor<'_>, chain: &[String]) -> Option<Field> {
    let (last, before) = chain.split_last()?;
    if before.is_empty() && cursor.loops.iter().any(|one| one.name == *last) {
        let repository = understood(view, cursor);
        let item = written(&of_item(cursor, chain));
        let owner = owner(&repository, cursor);
        let of = Types::of(&repository).chain_of(cursor.file.source.path(), &owner, &item);
        return Some(Field::new(last, kind(&of), Some("The item of the loop.")));
    }
    let types = Types::of(view.repository);
    if let Some(TypeAt { of, description, .. }) = types.type_at(cursor.file.source.path(), cursor.offset as usize)
        && !of.is_unknown()
    {
        let listed = below(view, cursor, before).into_iter().find(|field| field.name == *last);
        let (optional, said) = listed.map_or((false, None), |field| (field.optional, field.description));
        let description = description.or(said);
        return Some(Field { optional, description, ..Field::new(last, kind(&of), None) });
    }
    below(view, cursor, before).into_iter().find(|field| field.name == *last)
}

/// The repository with the cursor's file as far as it is understood.
fn understood(view: &View<'_>, cursor: &Cursor<'_>) -> Repository {
    let mut repository = view.repository.clone();
    if let Understood::Mended(file) = cursor.understood() {
        repository.files.insert(Arc::from(cursor.file.source.path()), file);
    }
    repository
}

/// Who reads at the cursor.
fn owner(repository: &Repository, cursor: &Cursor<'_>) -> Owner {
    let Some(step) = cursor.step() else { return Owner::Outputs };
    let file = repository.files.get(cursor.file.source.path());
    let Some(Definition::Process(process)) = file.and_then(|file| file.definition.as_ref()) else {
        return Owner::Outputs;
    };
    let items = cursor.items().into_iter();
    let items = items.filter_map(|(name, id)| Some(Item { name, foreach: process.step(id?)?.node })).collect();
    Owner::Step { id: cursor.scalar_of(step, "id").map(str::to_owned), items }
}

/// A chain as an expression writes it.
fn written(chain: &[String]) -> String {
    let mut text = String::new();
    for name in chain {
        let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        match (name.is_empty(), is_word) {
            (true, _) => text.push_str("[0]"),
            (false, true) if text.is_empty() => text.push_str(name),
            (false, true) => text.extend([".", name]),
            (false, false) => text.push_str(&format!("[{}]", serde_json::Value::from(name.as_str()))),
        }
    }
    text
}

fn kind(of: &Type) -> Option<String> {
    (!of.is_unknown()).then(|| of.to_string())
}

fn field(at: FieldAt) -> Field {
    Field { optional: at.optional, ..Field::new(at.name, kind(&at.of), at.description.as_deref()) }
}

fn roots(cursor: &Cursor<'_>) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    for one in cursor.loops.iter().rev() {
        found.push(Field { rank: 10, ..Field::new(&one.name, None, Some("The item of the loop.")) });
    }
    if !cursor.loops.is_empty() {
        found.push(Field { rank: 30, ..Field::new("loop", None, Some("Which item it is.")) });
    }
    if cursor.in_template() {
        found.push(Field::new("variables", None, Some("The variables of this prompt.")));
        return found;
    }
    found.extend(ROOTS.iter().map(|(name, description)| Field::new(*name, None, Some(description))));
    for (name, step) in cursor.items() {
        let of = step.map(|id| format!("The item of `{id}`.")).unwrap_or_default();
        found.insert(0, Field { rank: 10, ..Field::new(name, None, Some(&of)) });
        if !found.iter().any(|field| field.name == "index") {
            found.push(Field::new("index", Some("a whole number".to_owned()), Some("The item's place, from 0.")));
        }
    }
    let path = cursor.spot.as_ref().map(|spot| spot.path.as_slice()).unwrap_or_default();
    const SECRET_PLACES: [&str; 6] = ["url", "query", "headers", "body", "body_text", "arguments"];
    if path.iter().any(|part| part.key().is_some_and(|key| SECRET_PLACES.contains(&key))) {
        found.push(Field { rank: 30, ..Field::new("secrets", None, Some("A secret of the server: `secrets.NAME`.")) });
    }
    if matches!(path, [.., Part::Key(event), Part::Key(matches)] if event == "event" && matches == "match") {
        found.push(Field { rank: 10, ..Field::new("event", None, Some("The event that arrived.")) });
    }
    found
}

/// The steps of the process, those that have ended by then first.
fn steps(cursor: &Cursor<'_>) -> Vec<Field> {
    let steps = Steps::of(&cursor.outline);
    let own = cursor.step().and_then(|node| steps.at(node));
    let before: Option<BTreeSet<usize>> = own.map(|own| steps.ancestors(own));
    let mut found = Vec::new();
    for (index, step) in steps.all.iter().enumerate() {
        if step.id.is_empty() || Some(index) == own {
            continue;
        }
        let has_run = before.as_ref().map_or(step.parent.is_none(), |before| before.contains(&index));
        let late = if has_run { "" } else { ", need not have run by then" };
        let name = if step.name.is_empty() { None } else { Some(step.name) };
        let rank = if has_run { 10 } else { 90 };
        found.push(Field { rank, ..Field::new(step.id, Some(format!("{}{late}", step.step_type)), name) });
    }
    found
}
