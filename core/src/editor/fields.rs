//! What an expression can read: roots, and the fields of what a chain gives, with their types.

use std::collections::BTreeSet;

use super::View;
use super::cursor::Cursor;
use super::outline::Part;
use super::steps::Steps;
use crate::definition::Process;
use crate::definition::repository::{Definition, File};
use crate::validate::output;
use crate::validate::shape::Shape;

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
    let Some((root, rest)) = chain.split_first() else { return roots(cursor) };
    if cursor.in_template() {
        return variables(cursor, root, rest);
    }
    if root == "steps" && rest.is_empty() {
        return steps(cursor);
    }
    if root == "secrets" {
        return Vec::new();
    }
    let understood = cursor.understood();
    let Some(Definition::Process(process)) = &understood.file().definition else { return Vec::new() };
    shape(view, understood.file(), process, chain).map(|shape| fields_of(&shape)).unwrap_or_default()
}

/// The field at the end of a chain, with what is known about it.
pub fn at(view: &View<'_>, cursor: &Cursor<'_>, chain: &[String]) -> Option<Field> {
    let (last, before) = chain.split_last()?;
    below(view, cursor, before).into_iter().find(|field| field.name == *last)
}

fn roots(cursor: &Cursor<'_>) -> Vec<Field> {
    if cursor.in_template() {
        return vec![Field::new("variables", None, Some("The variables of this prompt."))];
    }
    let mut found: Vec<Field> =
        ROOTS.iter().map(|(name, description)| Field::new(*name, None, Some(description))).collect();
    for (name, step) in cursor.items() {
        let of = step.map(|id| format!("The item of `{id}`.")).unwrap_or_default();
        found.insert(0, Field { rank: 10, ..Field::new(name, None, Some(&of)) });
        if !found.iter().any(|field| field.name == "index") {
            found.push(Field::new("index", Some("a whole number".to_owned()), Some("The item's place, from 0.")));
        }
    }
    let path = cursor.spot.as_ref().map(|spot| spot.path.as_slice()).unwrap_or_default();
    let takes_secrets = path
        .iter()
        .any(|part| matches!(part.key(), Some("url" | "query" | "headers" | "body" | "body_text" | "arguments")));
    if takes_secrets {
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

fn variables(cursor: &Cursor<'_>, root: &str, rest: &[String]) -> Vec<Field> {
    let Some(Definition::Prompt(prompt)) = &cursor.file.definition else { return Vec::new() };
    if root != "variables" {
        return Vec::new();
    }
    if !rest.is_empty() {
        return Vec::new();
    }
    let mut fields = fields_of(&Shape::of_fields(&prompt.header.variables, false));
    for field in &mut fields {
        let declared =
            prompt.header.variables.iter().find(|(name, _)| name.value == field.name).map(|(_, field)| field);
        field.description = declared.and_then(|declared| declared.description.as_ref()).map(ToString::to_string);
    }
    fields
}

fn shape(view: &View<'_>, file: &File, process: &Process, chain: &[String]) -> Option<Shape> {
    let (root, rest) = chain.split_first()?;
    let (mut shape, rest) = match root.as_str() {
        "inputs" => (output::inputs(file, process), rest),
        "context" => (output::context(file, process), rest),
        "trigger" => (output::trigger(process), rest),
        "execution" => (output::execution(), rest),
        "steps" => {
            let (id, rest) = rest.split_first()?;
            (output::step(view.repository, file, process.step(id)?), rest)
        }
        _ => return None,
    };
    for name in rest {
        shape = match &shape {
            Shape::Map(map) => map.fields.get(name)?.shape.clone(),
            Shape::List(item) if name.is_empty() => (**item).clone(),
            _ => return None,
        };
    }
    Some(shape)
}

fn fields_of(shape: &Shape) -> Vec<Field> {
    let Shape::Map(map) = shape else { return Vec::new() };
    let fields = map.fields.iter().map(|(name, part)| Field {
        optional: part.optional,
        ..Field::new(name.clone(), part.shape.noun().map(str::to_owned), None)
    });
    fields.collect()
}
