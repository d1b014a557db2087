//! One definition before and after: what happened to it and what differs in it.

use super::matching::{Match, Renames, name};
use super::model::{Change, ChangeKind, DefinitionChange, Place, Side, Status};
use super::tree::{Comparison, Path};
use super::{step, text};
use crate::definition::repository::{Definition, File, FileKind, Form};
use crate::source::{Node, Span};

/// What became of a definition; nothing where its files are the same.
pub(super) fn compare(matched: &Match<'_>) -> Option<DefinitionChange> {
    let (status, changes) = match (matched.before, matched.after) {
        (Some(before), Some(after)) => of_both(before, after)?,
        (Some(before), None) => (Status::Removed, keys(Side::Before, before)),
        (None, Some(after)) => (Status::Added, keys(Side::After, after)),
        (None, None) => return None,
    };
    let file = matched.after.or(matched.before)?;
    let name_now = name(file);
    let name_before = matched.before.map(name).filter(|before| *before != name_now);
    let path = |file: Option<&File>| file.map(|file| file.source.path().to_owned());
    Some(DefinitionChange {
        kind: file.kind.as_str(),
        name: name_now,
        status,
        name_before,
        path_before: path(matched.before),
        path_after: path(matched.after),
        changes,
        file_kind: file.kind,
    })
}

fn of_both(before: &File, after: &File) -> Option<(Status, Vec<Change>)> {
    let moved = before.source.path() != after.source.path();
    let same = before.source.text() == after.source.text() && before.form == after.form;
    if same && !moved {
        return None;
    }
    let is_text = |file: &File| file.form == Form::Text && file.faults.is_empty();
    let is_read = |file: &File| is_text(file) && (file.kind == FileKind::Prompt || file.definition.is_some());
    if before.kind == FileKind::Unknown || !is_read(before) || !is_read(after) {
        let changes = if same { Vec::new() } else { vec![whole(before, after)] };
        let status = if before.kind == FileKind::Unknown { Status::Changed } else { Status::Unreadable };
        return Some((status, changes));
    }
    let changes = match before.kind {
        FileKind::Process => step::compare(before, after),
        _ => plain(before, after),
    };
    let status = match () {
        () if name(before) != name(after) => Status::Renamed,
        () if moved => Status::Moved,
        () if changes.is_empty() => Status::Formatting,
        () => Status::Changed,
    };
    Some((status, changes))
}

/// The texts line by line: where their meaning is not known.
fn whole(before: &File, after: &File) -> Change {
    Change {
        kind: ChangeKind::Changed,
        step: None,
        key: String::new(),
        before: None,
        after: None,
        lines: text::lines(before.source.text(), after.source.text()),
        note: Some("What it means is not known: the file could not be read on one of the two sides.".to_owned()),
        place: Place::of(Side::After, after, Span::default()),
    }
}

fn root(file: &File) -> Option<Node<'_>> {
    file.document.root().map(|root| file.document.node(root))
}

/// A definition without steps; a prompt has its template besides.
fn plain(before: &File, after: &File) -> Vec<Change> {
    let renames = Renames::default();
    let mut comparison = Comparison::new(before, after, &renames);
    let path = Path::root();
    match (root(before), root(after)) {
        (Some(old), Some(new)) => comparison.values(&path, old, new),
        (Some(old), None) => comparison.removed(&path, old, old),
        (None, Some(new)) => comparison.added(&path, new, new),
        (None, None) => {}
    }
    let (Some(Definition::Prompt(old)), Some(Definition::Prompt(new))) = (&before.definition, &after.definition) else {
        return comparison.changes;
    };
    if old.template != new.template {
        let start = new.template_start as usize;
        let place = Place::of(Side::After, after, Span::new(start, start));
        let template = path.key("template");
        comparison.push(ChangeKind::Changed, &template, (None, None), place).lines =
            text::lines(&old.template, &new.template);
    }
    comparison.changes
}

/// What a definition that is new or gone consists of: its steps, or its keys.
fn keys(side: Side, file: &File) -> Vec<Change> {
    if file.kind == FileKind::Process {
        return step::listed(side, file);
    }
    let entries = root(file).into_iter().flat_map(|root| root.entries().collect::<Vec<_>>());
    entries
        .map(|(key, value)| Change {
            kind: if side == Side::After { ChangeKind::Added } else { ChangeKind::Removed },
            step: None,
            key: key.as_str().unwrap_or_default().to_owned(),
            before: (side == Side::Before).then(|| text::shown(value)),
            after: (side == Side::After).then(|| text::shown(value)),
            lines: Vec::new(),
            note: None,
            place: Place::of(side, file, key.span()),
        })
        .collect()
}
