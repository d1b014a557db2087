//! The inside of `{{ … }}`: roots, steps that have run by then, fields with their types, filters and tests.

use super::{Completion, CompletionKind};
use crate::editor::View;
use crate::editor::cursor::Cursor;
use crate::editor::expression::{Expects, Inside, TAGS};
use crate::editor::fields;
use crate::expression::{Callable, CallableKind, catalogue};

/// What may be written at a place inside of an expression.
pub(super) fn completions(view: &View<'_>, cursor: &Cursor<'_>) -> Vec<Completion> {
    let Some(inside) = &cursor.inside else { return Vec::new() };
    let mut found = words(view, cursor, inside);
    found.extend(expected(view, cursor, inside));
    found
}

/// The words that what is compared may be.
fn words(view: &View<'_>, cursor: &Cursor<'_>, inside: &Inside) -> Vec<Completion> {
    let Some(chain) = &inside.compared else { return Vec::new() };
    let quote = if inside.expects == Expects::Text { String::new() } else { inside.quote.to_string() };
    let words = fields::words(view, cursor, chain).into_iter();
    words
        .map(|word| {
            let mut one = Completion::new(&*word, CompletionKind::Choice, inside.word).rank(5);
            one.text = format!("{quote}{word}{quote}");
            one
        })
        .collect()
}

fn expected(view: &View<'_>, cursor: &Cursor<'_>, inside: &Inside) -> Vec<Completion> {
    match &inside.expects {
        Expects::Text => Vec::new(),
        Expects::Filter => callables(cursor, CallableKind::Filter),
        Expects::Test => {
            let mut found = callables(cursor, CallableKind::Test);
            found.push(word(cursor, "not", "The opposite of the test that follows."));
            found
        }
        Expects::Tag => TAGS.iter().map(|tag| word(cursor, tag, "A tag of texts.")).collect(),
        Expects::Operator => {
            let operators = [
                ("and", "Both hold."),
                ("or", "One of both holds."),
                ("in", "Is it among them?"),
                ("is", "A test follows."),
                ("if", "`A if CONDITION else B`."),
                ("else", "`A if CONDITION else B`."),
            ];
            operators.into_iter().map(|(name, summary)| word(cursor, name, summary)).collect()
        }
        Expects::Name(before) if before.is_empty() => {
            let mut found = named(view, cursor, &[]);
            found.extend(callables(cursor, CallableKind::Function));
            found
        }
        Expects::Name(before) => named(view, cursor, before),
    }
}

fn named(view: &View<'_>, cursor: &Cursor<'_>, before: &[String]) -> Vec<Completion> {
    let Some(inside) = &cursor.inside else { return Vec::new() };
    let fields = fields::below(view, cursor, before);
    fields
        .into_iter()
        .map(|field| {
            let kind = if before.is_empty() { CompletionKind::Name } else { CompletionKind::Field };
            let optional = if field.optional { ", may be missing" } else { "" };
            let detail = field.kind.map(|kind| format!("{kind}{optional}"));
            Completion::new(field.name, kind, inside.word)
                .detail(detail)
                .documentation(field.description)
                .rank(field.rank)
        })
        .collect()
}

fn callables(cursor: &Cursor<'_>, kind: CallableKind) -> Vec<Completion> {
    let Some(inside) = &cursor.inside else { return Vec::new() };
    let of_kind = catalogue().iter().filter(|callable| callable.kind == kind);
    of_kind
        .map(|callable| {
            let mut one = Completion::new(callable.name, CompletionKind::Function, inside.word)
                .detail(Some(callable.signature()))
                .documentation(Some(callable.summary))
                .rank(70);
            one.snippet = call(callable);
            one
        })
        .collect()
}

/// A call with its required parameters to fill in.
fn call(callable: &Callable) -> Option<String> {
    let required: Vec<String> = callable
        .parameters
        .iter()
        .filter(|parameter| !parameter.optional)
        .enumerate()
        .map(|(index, parameter)| format!("${{{}:{}}}", index + 1, parameter.name))
        .collect();
    let is_called = !required.is_empty() || callable.kind == CallableKind::Function;
    is_called.then(|| format!("{}({})", callable.name, required.join(", ")))
}

fn word(cursor: &Cursor<'_>, name: &str, summary: &str) -> Completion {
    let span = cursor.inside.as_ref().map(|inside| inside.word).unwrap_or_default();
    Completion::new(name, CompletionKind::Word, span).documentation(Some(summary)).rank(80)
}
