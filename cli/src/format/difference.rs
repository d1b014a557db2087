//! A difference for people: what asks less first, then every definition with what changed. Readable at 80 columns and
//! without colour.

use flowctl_core::diff::{Change, ChangeKind, DefinitionChange, Difference, LineKind, Side, Status, Weakening};

use super::plural;
use crate::terminal::{BOLD, DIM, ERROR, GOOD, WARNING};

/// Columns of a line.
const WIDTH: usize = 80;

/// The whole difference, and a line that counts.
pub fn difference(difference: &Difference) -> String {
    let mut text = String::new();
    for weakening in &difference.weakenings {
        of_weakening(weakening, &mut text);
    }
    let (shown, formatting): (Vec<_>, Vec<_>) =
        difference.definitions.iter().partition(|one| one.status != Status::Formatting);
    for definition in shown {
        of_definition(definition, &mut text);
    }
    for definition in formatting {
        text.push_str(&format!("{} {DIM}only formatting{DIM:#}\n", path(definition)));
    }
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    text.push_str(&summary(difference));
    text
}

fn of_weakening(weakening: &Weakening, text: &mut String) {
    let Weakening { kind, definition, step, message, place, .. } = weakening;
    let step = step.as_deref().map(|step| format!(", step {}", visible(step))).unwrap_or_default();
    let was = if place.side == Side::Before { " (as it was)" } else { "" };
    text.push_str(&format!("{ERROR}weaker[{}]{ERROR:#}: {BOLD}{}{BOLD:#}\n", kind.name(), kind.title()));
    text.push_str(&format!(
        "  {}:{}{was}  {}{step}\n",
        visible(&place.path),
        place.range.start.line,
        visible(definition)
    ));
    wrapped(&visible(message), "  ", text);
    text.push('\n');
}

fn path(definition: &DefinitionChange) -> String {
    visible(definition.path_after.as_deref().or(definition.path_before.as_deref()).unwrap_or_default())
}

fn of_definition(definition: &DefinitionChange, text: &mut String) {
    let status = match definition.status {
        Status::Added => "new",
        Status::Removed => "gone",
        Status::Renamed => "renamed",
        Status::Moved => "moved",
        Status::Changed | Status::Formatting => "changed",
        Status::Unreadable => "cannot be read",
    };
    let was = definition.name_before.as_deref().map(|was| format!(" (was {})", visible(was))).unwrap_or_default();
    text.push_str(&format!("{BOLD}{} {}{BOLD:#}{was}: {status}\n", definition.kind, visible(&definition.name)));
    match (&definition.path_before, &definition.path_after) {
        (Some(before), Some(after)) if before != after => {
            text.push_str(&format!("  {DIM}{} → {}{DIM:#}\n", visible(before), visible(after)));
        }
        _ => text.push_str(&format!("  {DIM}{}{DIM:#}\n", path(definition))),
    }
    let mut step: Option<&str> = None;
    for change in &definition.changes {
        of_change(change, &mut step, text);
    }
    text.push('\n');
}

/// One change; changes of one step that follow each other stand under its name.
fn of_change<'a>(change: &'a Change, step: &mut Option<&'a str>, text: &mut String) {
    let indent = if change.step.is_some() { "    " } else { "  " };
    let value = |value: &Option<String>| visible(value.as_deref().unwrap_or_default());
    let (before, after) = (value(&change.before), value(&change.after));
    let new_step = change.step.as_deref() != *step;
    *step = change.step.as_deref();
    if let Some(name) = change.step.as_deref().filter(|_| new_step) {
        let name = visible(name);
        match change.kind {
            ChangeKind::Added if change.key.is_empty() => text.push_str(&format!("  {GOOD}+{GOOD:#} step {name}\n")),
            ChangeKind::Removed if change.key.is_empty() => {
                text.push_str(&format!("  {ERROR}-{ERROR:#} step {name}\n"))
            }
            _ => text.push_str(&format!("  {WARNING}~{WARNING:#} step {name}\n")),
        }
    }
    let key = visible(&change.key);
    let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
    match change.kind {
        ChangeKind::Added => signed(indent, "+", &format!("{key}{after}"), text),
        ChangeKind::Removed => signed(indent, "-", &format!("{key}{before}"), text),
        ChangeKind::Changed if change.before.is_some() => changed(indent, &key, &before, &after, text),
        ChangeKind::Changed => signed(indent, "~", key.trim_end_matches([':', ' ']), text),
        ChangeKind::Renamed => signed(indent, "~", &format!("it was called {before}"), text),
        ChangeKind::Moved => signed(indent, "~", &format!("it lies in {after}, not in {before}"), text),
        ChangeKind::Reordered => changed(indent, &format!("{key}another order: "), &before, &after, text),
        ChangeKind::WaitsFor => signed(indent, "+", &format!("now runs after {after}"), text),
        ChangeKind::NoLongerWaitsFor => signed(indent, "-", &format!("does not wait for {before} any more"), text),
    }
    if let Some(note) = &change.note {
        wrapped(&visible(note), &format!("{indent}  "), text);
    }
    for line in &change.lines {
        let (sign, style) = match line.kind {
            LineKind::Same => (" ", DIM),
            LineKind::Removed => ("-", ERROR),
            LineKind::Added => ("+", GOOD),
            LineKind::Gap => ("…", DIM),
        };
        let line = format!("{indent}  {style}{sign} {}{style:#}", visible(&line.text));
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// `before → after` on one line where it fits, else on two.
fn changed(indent: &str, key: &str, before: &str, after: &str, text: &mut String) {
    let line = format!("{key}{before} → {after}");
    if indent.len() + 2 + line.chars().count() <= WIDTH {
        signed(indent, "~", &line, text);
        return;
    }
    signed(indent, "~", key.trim_end_matches([':', ' ']), text);
    let inner = format!("{indent}  ");
    signed(&inner, "-", before, text);
    signed(&inner, "+", after, text);
}

fn signed(indent: &str, sign: &str, words: &str, text: &mut String) {
    let style = match sign {
        "+" => GOOD,
        "-" => ERROR,
        _ => WARNING,
    };
    let mut lines = String::new();
    wrapped(words, &format!("{indent}  "), &mut lines);
    let rest = lines.get(indent.len() + 2..).unwrap_or("\n");
    text.push_str(&format!("{indent}{style}{sign}{style:#} {rest}"));
}

/// Words in lines of at most 80 columns; a longer word stands alone.
fn wrapped(words: &str, indent: &str, text: &mut String) {
    let mut column = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        if column == 0 {
            text.push_str(indent);
            column = indent.len() + length;
        } else if column + 1 + length > WIDTH {
            text.push('\n');
            text.push_str(indent);
            column = indent.len() + length;
        } else {
            text.push(' ');
            column += 1 + length;
        }
        text.push_str(word);
    }
    text.push('\n');
}

/// Without what a terminal would obey.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

fn summary(difference: &Difference) -> String {
    let summary = &difference.summary;
    let mut parts = Vec::new();
    let mut count = |count: usize, what: &str| {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    };
    count(summary.added, "new");
    count(summary.removed, "gone");
    count(summary.changed, "changed");
    count(summary.formatting, "only formatted");
    match (summary.weakenings, parts.is_empty()) {
        (0, true) => "no difference".to_owned(),
        (0, false) => format!("{GOOD}nothing asks less{GOOD:#}; {}", parts.join(", ")),
        (weakenings, true) => format!("{ERROR}{}{ERROR:#}", plural(weakenings, "weakening", "weakenings")),
        (weakenings, false) => {
            format!("{ERROR}{}{ERROR:#}; {}", plural(weakenings, "weakening", "weakenings"), parts.join(", "))
        }
    }
}
