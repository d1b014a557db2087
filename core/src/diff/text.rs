//! What an author wrote, as one line or as lines that changed. Secrets in plain text are not repeated.

use similar::{ChangeTag, TextDiff};

use super::model::{Line, LineKind};
use crate::source::{Kind, Node};
use crate::validate::secrets::masked;

/// Characters of a value that is shown on one line.
const SHOWN: usize = 160;
/// A text of more than this many characters is shown by its lines.
const LONG: usize = 60;
/// Lines around a change.
const AROUND: usize = 2;
/// Lines of one text that are shown at most.
const MAX_LINES: usize = 200;
/// Lines before times lines after that are compared one by one; the rest is shown as gone and new.
const MAX_WORK: usize = 1_000_000;

/// A node as its author wrote it, on one line.
pub(super) fn shown(node: Node<'_>) -> String {
    let mut text = String::new();
    write(node, &mut text);
    masked(&shortened(&text))
}

/// A value on one line.
pub(super) fn short(text: &str) -> String {
    masked(&shortened(&text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn write(node: Node<'_>, text: &mut String) {
    if text.len() > SHOWN * 4 {
        return;
    }
    match node.kind() {
        Kind::Scalar => text.push_str(&scalar(node)),
        Kind::Sequence => {
            text.push('[');
            for (place, item) in node.items().into_iter().flatten().enumerate() {
                text.push_str(if place > 0 { ", " } else { "" });
                write(item, text);
                if text.len() > SHOWN * 4 {
                    break;
                }
            }
            text.push(']');
        }
        Kind::Mapping => {
            text.push('{');
            for (place, (key, value)) in node.entries().enumerate() {
                text.push_str(if place > 0 { ", " } else { "" });
                text.push_str(key.as_str().unwrap_or_default());
                text.push_str(": ");
                write(value, text);
                if text.len() > SHOWN * 4 {
                    break;
                }
            }
            text.push('}');
        }
    }
}

/// A scalar as written; a block by its value.
fn scalar(node: Node<'_>) -> String {
    let Some(scalar) = node.as_scalar() else { return String::new() };
    let written = node.document().text().get(node.outer_span().range()).unwrap_or_default();
    if scalar.value.is_empty() && !scalar.is_quoted() {
        return "null".to_owned();
    }
    if written.is_empty() || written.contains(['\n', '\r']) {
        let head: String = scalar.value.chars().take(SHOWN * 2).collect();
        return head.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    written.chars().take(SHOWN * 2).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(SHOWN - 1).collect();
    kept.push('…');
    kept
}

/// Whether two texts are better compared by their lines.
pub(super) fn is_long(before: &str, after: &str) -> bool {
    let long = |text: &str| text.trim_end().contains('\n') || text.chars().nth(LONG).is_some();
    long(before) && long(after) && (before.trim_end().contains('\n') || after.trim_end().contains('\n'))
}

/// The lines that differ, with some around them.
pub(super) fn lines(before: &str, after: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let rest = (&old[start..], &new[start..]);
    let end = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(one, other)| one == other).count();
    let (gone, come) = (&rest.0[..rest.0.len() - end], &rest.1[..rest.1.len() - end]);
    let mut all: Vec<Line> = old[..start].iter().map(|text| line(LineKind::Same, text)).collect();
    if gone.len().saturating_mul(come.len()) > MAX_WORK {
        all.extend(gone.iter().map(|text| line(LineKind::Removed, text)));
        all.extend(come.iter().map(|text| line(LineKind::Added, text)));
    } else {
        let diff = TextDiff::from_slices(gone, come);
        all.extend(diff.iter_all_changes().map(|change| {
            let kind = match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            };
            line(kind, change.value())
        }));
    }
    all.extend(old[old.len() - end..].iter().map(|text| line(LineKind::Same, text)));
    around_changes(all)
}

fn line(kind: LineKind, text: &str) -> Line {
    Line { kind, text: text.to_owned() }
}

/// Leaves out what is far from every change.
fn around_changes(all: Vec<Line>) -> Vec<Line> {
    let mut near = vec![false; all.len()];
    for (place, _) in all.iter().enumerate().filter(|(_, line)| line.kind != LineKind::Same) {
        near[place.saturating_sub(AROUND)..(place + AROUND + 1).min(all.len())].fill(true);
    }
    let mut kept: Vec<Line> = Vec::new();
    for (line, near) in all.into_iter().zip(near) {
        if near && kept.len() < MAX_LINES {
            kept.push(Line { text: masked(&line.text), ..line });
        } else if kept.last().is_none_or(|last| last.kind != LineKind::Gap) {
            kept.push(Line { kind: LineKind::Gap, text: String::new() });
        }
    }
    kept
}
