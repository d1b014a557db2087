//! Values: the words that a key takes, examples of how a duration or a time table is written, names of what there is.

use std::collections::BTreeSet;

use super::{Completion, CompletionKind};
use crate::editor::View;
use crate::editor::cursor::Cursor;
use crate::editor::meaning::{self, Sort};
use crate::editor::outline::{Part, Shape, Spot, Style};
use crate::editor::schema;
use crate::editor::values_of;

/// The values that may stand at a place.
pub(super) fn completions(view: &View<'_>, cursor: &Cursor<'_>, spot: &Spot) -> Vec<Completion> {
    let is_block = spot.node.is_some_and(|node| matches!(cursor.outline.node(node).shape, Shape::Scalar(Style::Block)));
    if is_block {
        return Vec::new();
    }
    let meaning = meaning::of_value(cursor.file.kind, &spot.path, cursor.step_type());
    if let Some(meaning) = meaning {
        if meaning.defines {
            return own_name(cursor, spot, meaning.sort);
        }
        let taken = beside(cursor, &spot.path);
        let named = values_of::named(view, cursor, meaning);
        return named
            .into_iter()
            .filter(|name| !taken.contains(name.name.as_str()))
            .map(|name| {
                let kind = match meaning.sort {
                    Sort::StepType => CompletionKind::Choice,
                    sort if sort.file_kind().is_some() || sort == Sort::Workflow => CompletionKind::File,
                    _ => CompletionKind::Name,
                };
                let one = Completion::new(name.name.clone(), kind, spot.word);
                spaced(cursor, spot, one.rank(name.rank).detail(name.detail).documentation(name.documentation))
            })
            .collect();
    }
    let Some(root) = schema::of_kind(cursor.file.kind) else { return Vec::new() };
    let place = schema::at(root, &cursor.outline, &spot.path);
    let taken = beside(cursor, &spot.path);
    let choices = place.choices().into_iter().filter(|choice| !taken.contains(choice.text.as_str()));
    choices
        .map(|choice| {
            let kind = if choice.is_example { CompletionKind::Example } else { CompletionKind::Choice };
            let one = Completion::new(choice.text, kind, spot.word);
            let one = one.rank(if choice.is_example { 45 } else { 20 }).documentation(choice.description);
            spaced(cursor, spot, one)
        })
        .collect()
}

/// A value right behind its colon needs a space before it.
fn spaced(cursor: &Cursor<'_>, spot: &Spot, mut one: Completion) -> Completion {
    let before = cursor.outline.text().get(..spot.word.start as usize).unwrap_or_default();
    if before.ends_with(':') && spot.word.is_empty() {
        one.text = format!(" {}", one.text);
    }
    one
}

/// The other items of the list around a place: an item is not offered twice.
fn beside<'t>(cursor: &Cursor<'t>, path: &[Part]) -> BTreeSet<&'t str> {
    let Some((Part::Item(own), list)) = path.split_last() else { return BTreeSet::new() };
    let Some(list) = cursor.outline.at(list) else { return BTreeSet::new() };
    let items = cursor.outline.items(list).iter().enumerate().filter(|(index, _)| index != own);
    items.filter_map(|(_, item)| cursor.outline.scalar(item.value)).collect()
}

/// Names that are given here: of a file, the one that its path demands.
fn own_name(cursor: &Cursor<'_>, spot: &Spot, sort: Sort) -> Vec<Completion> {
    if sort.file_kind().is_none() {
        return Vec::new();
    }
    let name = crate::definition::repository::stem(cursor.file.source.path());
    let one = Completion::new(name, CompletionKind::Name, spot.word).detail(Some("the file's name")).rank(10);
    vec![spaced(cursor, spot, one)]
}
