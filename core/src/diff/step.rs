//! A process before and after: its header, its steps, and what runs before what.

use super::edges;
use super::matching::{Written, steps, written_steps};
use super::model::{Change, ChangeKind, Place, Side};
use super::text;
use super::tree::{Comparison, Path};
use crate::definition::repository::File;

/// Keys of a step that are told otherwise: its id as a name, its edges by the graph, its body by the steps in it.
const TOLD_OTHERWISE: &[&str] = &["id", "depends_on", "steps"];

/// What differs between two processes, in the order of the file as it is now.
pub(super) fn compare(before: &File, after: &File) -> Vec<Change> {
    let (old, new) = (written_steps(before), written_steps(after));
    let (matches, renames) = steps((before, &old), (after, &new));
    let mut comparison = Comparison::new(before, after, &renames);
    let root = |file: &'_ File| file.document.root();
    if let (Some(old_root), Some(new_root)) = (root(before), root(after)) {
        let (old_root, new_root) = (before.document.node(old_root), after.document.node(new_root));
        comparison.mappings(&Path::root(), old_root, new_root, &["steps"]);
    }
    for (place, step) in new.iter().enumerate() {
        comparison.step = Some(step.id.clone());
        match matches.before[place] {
            Some(was) => of_step(&mut comparison, (before, &old[was]), (after, step)),
            None => comparison.changes.push(whole(Side::After, after, step)),
        }
    }
    let gone = old.iter().enumerate().filter(|(place, _)| matches.after[*place].is_none());
    comparison.changes.extend(gone.map(|(_, step)| whole(Side::Before, before, step)));
    let mut changes = comparison.changes;
    changes.extend(edges::compare((before, &old), (after, &new), &renames));
    changes
}

fn of_step<'d>(
    comparison: &mut Comparison<'d>,
    (_, before): (&File, &Written<'d>),
    (after_file, after): (&File, &Written<'d>),
) {
    let place = || {
        let at = after.node.get("id").unwrap_or(after.node);
        Place::of(Side::After, after_file, at.pointing_span())
    };
    let here = Path::root();
    if before.id != after.id {
        let names = (Some(before.id.clone()), Some(after.id.clone()));
        comparison.push(ChangeKind::Renamed, &here, names, place());
    }
    let inside = before.inside.as_deref().map(|id| comparison.renames.of(id).to_owned());
    if inside != after.inside {
        let told = |inside: &Option<String>| inside.clone().unwrap_or_else(|| "the process".to_owned());
        let from_to = (Some(told(&inside)), Some(told(&after.inside)));
        comparison.push(ChangeKind::Moved, &here, from_to, place());
    }
    comparison.mappings(&here, before.node, after.node, TOLD_OTHERWISE);
}

/// A step that is new or gone.
fn whole(side: Side, file: &File, step: &Written<'_>) -> Change {
    let shown = text::shown(step.node);
    let is_new = side == Side::After;
    let at = step.node.get("id").unwrap_or(step.node);
    Change {
        kind: if is_new { ChangeKind::Added } else { ChangeKind::Removed },
        step: Some(step.id.clone()),
        key: String::new(),
        before: (!is_new).then(|| shown.clone()),
        after: is_new.then_some(shown),
        lines: Vec::new(),
        note: None,
        place: Place::of(side, file, at.pointing_span()),
    }
}

/// The steps of a process that is new or gone.
pub(super) fn listed(side: Side, file: &File) -> Vec<Change> {
    written_steps(file).iter().map(|step| whole(side, file, step)).collect()
}
