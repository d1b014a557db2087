//! Keys of a mapping that are not there yet, required ones first, each with the shape of its value; whole steps.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Completion, CompletionKind};
use crate::definition::repository::FileKind;
use crate::definition::step::StepType;
use crate::editor::View;
use crate::editor::cursor::Cursor;
use crate::editor::meaning::{self, Sort};
use crate::editor::outline::{Outline, Part, Role, Spot};
use crate::editor::schema::{self, Key, Place};
use crate::editor::values_of;

/// The keys that may stand at a place.
pub(super) fn completions(view: &View<'_>, cursor: &Cursor<'_>, spot: &Spot) -> Vec<Completion> {
    let Some(root) = schema::of_kind(cursor.file.kind) else { return Vec::new() };
    let place = schema::at(root, &cursor.outline, &spot.path);
    let there = present(&cursor.outline, spot);
    let mut found: Vec<Completion> = place
        .keys()
        .into_iter()
        .filter(|key| !there.contains(key.name))
        .map(|key| {
            let value = place.value_of(&key);
            completion(&key, &value, spot)
        })
        .collect();
    if is_step(cursor.file.kind, &spot.path) && there.is_empty() {
        found.extend(steps(spot, ""));
    }
    let deeper = deeper(cursor, spot);
    for one in &mut found {
        one.snippet = one.snippet.take().map(|snippet| snippet.replace('\n', &format!("\n{deeper}")));
        one.text = one.text.replace('\n', &format!("\n{deeper}"));
    }
    found.extend(names(view, cursor, spot, &there));
    found
}

/// An item of a list that is about to be begun, with its dash.
pub(super) fn items(cursor: &Cursor<'_>, spot: &Spot) -> Vec<Completion> {
    let mut path = spot.path.clone();
    path.push(Part::Item(0));
    match is_step(cursor.file.kind, &path) {
        true => steps(spot, "- "),
        false => Vec::new(),
    }
}

/// Editors begin further lines where the line of the cursor begins: behind a dash that is not deep enough.
fn deeper(cursor: &Cursor<'_>, spot: &Spot) -> String {
    let line = cursor.file.source.line_span(cursor.file.source.position(cursor.offset).line);
    let text = cursor.file.source.slice(line);
    let indent = text.len() - text.trim_start_matches(' ').len();
    " ".repeat(spot.column.map_or(0, |column| column.saturating_sub(indent)))
}

fn is_step(kind: FileKind, path: &[Part]) -> bool {
    kind == FileKind::Process && meaning::in_step(path).is_some_and(|(depth, _)| depth == path.len())
}

/// The keys that stand there already, the one that is being typed left out.
fn present<'t>(outline: &Outline<'t>, spot: &Spot) -> BTreeSet<&'t str> {
    let Some(node) = spot.node.filter(|_| spot.role == Role::Key) else { return BTreeSet::new() };
    let others = outline.entries(node).iter().filter(|entry| entry.key != spot.word);
    others.map(|entry| outline.slice(entry.key)).collect()
}

fn completion(key: &Key<'_>, value: &Place<'_>, spot: &Spot) -> Completion {
    let mut one = Completion::new(key.name, CompletionKind::Key, spot.word)
        .rank(if key.required { 10 } else { 40 })
        .detail(if key.required { Some("required") } else { None })
        .documentation(key.description);
    if spot.has_colon {
        return one;
    }
    one.text = format!("{}: ", key.name);
    let shape = shape(key, value, spot);
    one.snippet = Some(format!("{}:{shape}", key.name));
    one
}

/// What follows the colon: the beginning of the right shape.
fn shape(key: &Key<'_>, value: &Place<'_>, spot: &Spot) -> String {
    let in_lines = spot.column.is_some();
    let choices: Vec<String> =
        value.choices().into_iter().filter(|choice| !choice.is_example).map(|choice| choice.text).collect();
    if key.name == "when" || key.name == "items" && schema::is_anything(key.schema) {
        return " \"{{ $0 }}\"".to_owned();
    }
    match value.type_name() {
        Some("object") if !value.keys().is_empty() && in_lines => "\n  $0".to_owned(),
        Some("object") if in_lines => "\n  $0".to_owned(),
        Some("object") => " {$0}".to_owned(),
        Some("array") if value.item().allows_mapping() && in_lines => "\n  - $0".to_owned(),
        Some("array") => " [$0]".to_owned(),
        _ if (2..=12).contains(&choices.len()) => format!(" ${{1|{}|}}", ordered(choices, value).join(",")),
        _ => match value.choices().iter().find(|choice| choice.is_example) {
            Some(example) if !is_name(key.name) => format!(" ${{1:{}}}", escaped(&example.text)),
            _ => " $0".to_owned(),
        },
    }
}

/// Keys whose value is a name that the author gives: an example would only be in the way.
fn is_name(key: &str) -> bool {
    matches!(key, "id" | "name" | "compensate_with" | "depends_on" | "process")
}

/// What is not the default comes first: a key is written to say something else.
fn ordered(mut choices: Vec<String>, value: &Place<'_>) -> Vec<String> {
    let default = value.default().map(|default| match default {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    choices.sort_by_key(|choice| Some(choice) == default.as_ref());
    choices.into_iter().map(|choice| escaped(&choice)).collect()
}

/// A text in a snippet: `$`, `}`, `,` and `|` have a meaning there.
pub(super) fn escaped(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '$' | '}' | '\\' | ',' | '|') {
            written.push('\\');
        }
        written.push(character);
    }
    written
}

/// Whole steps, by type.
fn steps(spot: &Spot, dash: &str) -> Vec<Completion> {
    let one = |step_type: StepType| {
        let mut one = Completion::new(format!("{step_type} step"), CompletionKind::Part, spot.word)
            .rank(60)
            .documentation(values_of::about_step_type(step_type));
        let indent = if dash.is_empty() { "" } else { "  " };
        let lines = skeleton(step_type);
        one.snippet = Some(format!(
            "{dash}id: ${{1:{step_type}}}\n{indent}type: {step_type}{}",
            lines.replace('\n', &format!("\n{indent}"))
        ));
        one.text = format!("{dash}id: {step_type}\n{indent}type: {step_type}\n");
        one
    };
    StepType::ALL.into_iter().map(one).collect()
}

/// What a step of a type needs beyond its id and type.
fn skeleton(step_type: StepType) -> &'static str {
    match step_type {
        StepType::AgentTask => "\nagent: ${2:agent}\nmessage: $0",
        StepType::AiGenerate => {
            "\nmodel: ${2:default}\nprompt: ${3:prompt}\noutput_schema:\n  type: object\n  required: [${4:text}]\n  properties:\n    ${4:text}: {type: string}$0"
        }
        StepType::HumanApproval => "\napprovers: {role: ${2|write,maintain,admin|}}\ntimeout: ${3:3d}$0",
        StepType::Form => {
            "\nfields:\n  ${2:name}: {type: ${3|string,integer,number,boolean,date,list|}, required: true}$0"
        }
        StepType::Gateway => {
            "\nbranches:\n  - when: \"{{ ${2:condition} }}\"\n    to: [${3:step}]\n  - otherwise: true\n    to: [${4:step}]$0"
        }
        StepType::ApiCall => "\nurl: ${2:https://}$0",
        StepType::McpCall => "\ntool: ${2:tool}\noperation: ${3:operation}$0",
        StepType::Workflow => "\nworkflow: ${2:file.yml}$0",
        StepType::Process => "\nprocess: ${2:process}$0",
        StepType::Foreach => "\nitems: \"{{ ${2:list} }}\"\nsteps:\n  - id: ${3:each}\n    type: $0",
        StepType::Wait => "\nfor: ${2:1h}$0",
        StepType::Set => "\nvalues:\n  ${2:name}: $0",
        StepType::Notify => "\nchannel: ${2|email,slack,webhook,comment|}\nmessage: $0",
    }
}

/// Keys that are names of something else: the variables of a prompt, the inputs of a sub-process, steps in tests.
fn names(view: &View<'_>, cursor: &Cursor<'_>, spot: &Spot, there: &BTreeSet<&str>) -> Vec<Completion> {
    let Some(meaning) = meaning::of_key(cursor.file.kind, &spot.path, cursor.step_type()) else { return Vec::new() };
    if meaning.defines {
        return Vec::new();
    }
    let named = values_of::named(view, cursor, meaning);
    let missing = named.into_iter().filter(|name| !there.contains(name.name.as_str()));
    missing
        .map(|name| {
            let kind = if meaning.sort == Sort::Rule { CompletionKind::Code } else { CompletionKind::Name };
            let mut one = Completion::new(name.name.clone(), kind, spot.word)
                .rank(name.rank)
                .detail(name.detail)
                .documentation(name.documentation);
            if !spot.has_colon {
                one.text = format!("{}: ", name.name);
            }
            one
        })
        .collect()
}
