//! What now runs after what, and what does not any more: by `depends_on` and by the gateways that name a step.

use std::collections::{BTreeMap, BTreeSet};

use super::matching::{Renames, Written};
use super::model::{Change, ChangeKind, Place, Side};
use crate::definition::repository::File;
use crate::source::{Kind, Node, NodeId};

/// Edges that are gone times all edges: beyond this nobody is told whether the order remains through others.
const MAX_WORK: usize = 4_000_000;

/// An edge from a step to one that waits for it.
type Edge = (String, String);

/// Edges with the node that makes each.
fn edges(steps: &[Written<'_>], renames: Option<&Renames>) -> BTreeMap<Edge, NodeId> {
    let name = |id: &str| renames.map_or(id, |renames| renames.of(id)).to_owned();
    let mut found = BTreeMap::new();
    for step in steps {
        for before in named(step.node.get("depends_on")) {
            found.entry((name(before.0), name(&step.id))).or_insert(before.1);
        }
        let branches = step.node.get("branches").filter(|_| is_gateway(step.node));
        for branch in branches.into_iter().flat_map(|list| list.items().into_iter().flatten()) {
            for target in named(branch.get("to")) {
                found.entry((name(&step.id), name(target.0))).or_insert(target.1);
            }
        }
    }
    found
}

fn is_gateway(step: Node<'_>) -> bool {
    step.get("type").and_then(|kind| kind.as_str()) == Some("gateway")
}

/// The ids in a value: one, or a list of them.
fn named(value: Option<Node<'_>>) -> Vec<(&str, NodeId)> {
    let Some(value) = value else { return Vec::new() };
    let of = |node: Node<'_>| node.id();
    match value.kind() {
        Kind::Scalar => value.as_str().filter(|id| !id.is_empty()).map(|id| (id, of(value))).into_iter().collect(),
        Kind::Sequence => {
            value.items().into_iter().flatten().filter_map(|item| Some((item.as_str()?, of(item)))).collect()
        }
        Kind::Mapping => Vec::new(),
    }
}

/// What differs in the order of steps.
pub(super) fn compare(
    (before, old): (&File, &[Written<'_>]),
    (after, new): (&File, &[Written<'_>]),
    renames: &Renames,
) -> Vec<Change> {
    let (was, is) = (edges(old, Some(renames)), edges(new, None));
    let ids = |steps: &[Written<'_>]| -> BTreeSet<String> { steps.iter().map(|step| step.id.clone()).collect() };
    let (old_ids, new_ids): (BTreeSet<String>, BTreeSet<String>) =
        (ids(old).iter().map(|id| renames.of(id).to_owned()).collect(), ids(new));
    let come = is.iter().filter(|(edge, _)| !was.contains_key(*edge));
    let gone: Vec<(&Edge, &NodeId)> = was.iter().filter(|(edge, _)| !is.contains_key(*edge)).collect();
    // A step that is new or gone brings or takes its own edges: what it says is told as a whole.
    let mut changes: Vec<Change> = come
        .filter(|((_, to), _)| old_ids.contains(to))
        .map(|(edge, node)| change(ChangeKind::WaitsFor, edge, Side::After, after, *node, None))
        .collect();
    let order = (gone.len().saturating_mul(is.len()) <= MAX_WORK).then(|| following(&is));
    for (edge, node) in gone.into_iter().filter(|((_, to), _)| new_ids.contains(to)) {
        let remains = order.as_ref().is_some_and(|order| comes_after(order, edge));
        let note = match (remains, new_ids.contains(&edge.0)) {
            (true, _) => Some(format!("It still comes after `{}`, through other steps.", edge.0)),
            (false, true) if order.is_some() => Some(format!("It does not come after `{}` any more.", edge.0)),
            _ => None,
        };
        changes.push(change(ChangeKind::NoLongerWaitsFor, edge, Side::Before, before, *node, note));
    }
    changes
}

fn change(kind: ChangeKind, edge: &Edge, side: Side, file: &File, node: NodeId, note: Option<String>) -> Change {
    let is_new = side == Side::After;
    Change {
        kind,
        step: Some(edge.1.clone()),
        key: "depends_on".to_owned(),
        before: (!is_new).then(|| edge.0.clone()),
        after: is_new.then(|| edge.0.clone()),
        lines: Vec::new(),
        note,
        place: Place::of(side, file, file.document.node(node).pointing_span()),
    }
}

/// The steps that wait for each step.
fn following(edges: &BTreeMap<Edge, NodeId>) -> BTreeMap<&str, Vec<&str>> {
    let mut following: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        following.entry(from).or_default().push(to);
    }
    following
}

/// Whether the edge's second step still comes after the first, through others.
fn comes_after(following: &BTreeMap<&str, Vec<&str>>, (from, to): &Edge) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![from.as_str()];
    while let Some(step) = open.pop() {
        for next in following.get(step).into_iter().flatten() {
            if *next == to.as_str() {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}
