//! The codes of rules in `# flowctl: ignore[…]`, those that are found there first; and the comment itself.

use super::{Completion, CompletionKind};
use crate::editor::cursor::Cursor;
use crate::source::Span;
use crate::validate::rules;

/// What may be written in a comment.
pub(super) fn codes(cursor: &Cursor<'_>, comment: Span) -> Vec<Completion> {
    let before = cursor.outline.slice(Span { start: comment.start, end: cursor.offset });
    let Some((start, list)) = before.split_once("ignore[") else { return begun(cursor, before) };
    if start.trim_start_matches('#').trim() != "flowctl:" || list.contains(']') {
        return Vec::new();
    }
    let typed = list.rsplit(',').next().unwrap_or_default().trim_start();
    let word_start = cursor.offset as usize - typed.len();
    let after = cursor.outline.slice(Span { start: cursor.offset, end: comment.end });
    let rest = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(after.len());
    let replace = Span::new(word_start, cursor.offset as usize + rest);
    let named =
        rules::RULES.iter().map(|rule| {
            Completion::new(rule.code, CompletionKind::Code, replace)
                .detail(Some(rule.name))
                .documentation(Some(format!("{}.\n\n{}", rule.summary, rule.reason.trim())))
        });
    named.collect()
}

/// A comment in which nothing but the beginning of the words has been typed.
fn begun(cursor: &Cursor<'_>, before: &str) -> Vec<Completion> {
    let typed = before.trim_start_matches('#').trim_start();
    if !"flowctl: ignore[".starts_with(typed) {
        return Vec::new();
    }
    let replace = Span::new(cursor.offset as usize - typed.len(), cursor.offset as usize);
    let mut suppression = Completion::new("flowctl: ignore[…]", CompletionKind::Part, replace)
        .documentation(Some("Suppresses a finding of this line, or of the next one. It needs a reason."));
    suppression.text = "flowctl: ignore[] ".to_owned();
    suppression.snippet = Some("flowctl: ignore[${1:FLOW}] ${2:because …}".to_owned());
    vec![suppression]
}
