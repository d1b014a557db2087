//! What an approval shows to those who give it: the values that its title and description print whole. A value that is
//! printed in part, under a condition, or only counted is not shown.

use crate::dataflow::{Field, FieldIndex, Flow, Owner, StepNumber, reads_inside};
use crate::definition::step::StepType;
use crate::expression::{Reference, Template};

/// Filters that print all of a value.
const WHOLE: &[&str] = &["default", "trim", "string", "tojson", "indent", "escape", "e"];
/// Most values that are followed from one approval.
const MAX_FOLLOWED: usize = 256;

/// One value that is shown.
#[derive(Debug, Clone)]
pub(super) struct Value {
    reference: Reference,
    /// The innermost `foreach` around the reader: items mean something only there.
    body: Option<StepNumber>,
}

/// All that an approval shows: directly, and through what a `set` prints whole into a value that is shown.
/// `ended` says whether a step has ended whenever the approval is asked for.
pub(super) fn shown_by(
    flow: &Flow,
    approval: StepNumber,
    bodies: &[Option<StepNumber>],
    ended: &dyn Fn(StepNumber) -> bool,
) -> Vec<Value> {
    let has_title = flow.fields_of(approval).any(|(_, field)| field.key == "title");
    let prints = |field: &Field| match field.key.as_str() {
        "description" | "title" => true,
        // Without a title the step's name stands in its place.
        "name" => !has_title,
        _ => false,
    };
    let mut shown: Vec<Value> = Vec::new();
    let mut open: Vec<FieldIndex> =
        flow.fields_of(approval).filter(|(_, field)| prints(field)).map(|(index, _)| index).collect();
    while let Some(field) = open.pop() {
        let Owner::Step(owner) = flow.fields()[field].owner else { continue };
        for reading in flow.readings(field) {
            let Some((template, reference)) = flow.reference(reading) else { continue };
            if shown.len() >= MAX_FOLLOWED
                || !prints_whole(template, reference)
                || !surely_there(flow, reference, ended)
            {
                continue;
            }
            let body = bodies.get(owner).copied().flatten();
            shown.push(Value { reference: reference.clone(), body });
            open.extend(value_of_set(flow, reference));
        }
    }
    shown
}

/// The field of a `set` that a reference reads whole.
fn value_of_set(flow: &Flow, reference: &Reference) -> Option<FieldIndex> {
    let (Some("output"), Some(name), 4) = (reference.name(2), reference.name(3), reference.path.len()) else {
        return None;
    };
    let step = flow.step(reference.name(1)?).filter(|_| reference.root() == "steps")?;
    if flow.step_type(step) != Some(StepType::Set) {
        return None;
    }
    flow.fields_of(step).find(|(_, field)| field.entry.as_deref() == Some(name)).map(|(index, _)| index)
}

/// A step that may end only later could show its default, and give its value to others.
fn surely_there(flow: &Flow, reference: &Reference, ended: &dyn Fn(StepNumber) -> bool) -> bool {
    let read = reference.name(1).and_then(|id| flow.step(id));
    reference.root() != "steps" || (!reference.has_default && !reference.conditional) || read.is_some_and(ended)
}

/// Whether a template prints a reference whole, whatever else it prints.
fn prints_whole(template: &Template, reference: &Reference) -> bool {
    if template.has_statements() {
        return false;
    }
    let text = template.text();
    let before = text.get(..reference.range.start).unwrap_or_default();
    let after = text.get(reference.range.end..).unwrap_or_default();
    let (Some(opened), Some(closed)) = (before.rfind("{{"), after.find("}}")) else { return false };
    let before = before[opened + 2..].trim_start_matches('-').trim();
    let filters = after[..closed].trim_end_matches('-').trim();
    let whole = |filter: &str| {
        let name: String = filter.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        WHOLE.contains(&name.as_str())
    };
    let rest = match filters.strip_prefix('|') {
        Some(rest) => rest.split('|').all(whole) && !outside_calls(rest),
        None => filters.is_empty(),
    };
    before.is_empty() && rest
}

/// Whether anything but names of filters and their arguments stands in a chain of filters.
fn outside_calls(filters: &str) -> bool {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    let mut outside = String::new();
    for c in filters.chars() {
        match (quote, c) {
            (Some(mark), c) => quote = (c != mark).then_some(mark),
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, c) if depth == 0 => outside.push(c),
            _ => {}
        }
    }
    outside.chars().any(|c| !c.is_alphanumeric() && !matches!(c, '_' | '|' | ' ' | '\n' | '\r' | '\t'))
        || outside.split('|').any(|name| name.split_whitespace().count() != 1)
}

/// Whether a value that is shown is all of what a step reads.
pub(super) fn covers(value: &Value, read: &Reference, body: Option<StepNumber>) -> bool {
    let everywhere = matches!(read.root(), "trigger" | "inputs" | "steps" | "context" | "execution");
    (everywhere || value.body == body) && reads_inside(read, &value.reference)
}
