//! Steps that wait for each other: knots of the graph, and a shortest circle of each, which a person can read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::{Graph, StepIndex};

/// From how many steps of a knot a shorter circle is looked for. More would cost the square of a knot's size.
const STARTS: usize = 64;

pub(super) fn circles(graph: &Graph<'_>) -> Vec<Vec<StepIndex>> {
    let knots = knots(graph);
    let mut members: BTreeMap<usize, Vec<StepIndex>> = BTreeMap::new();
    for (index, knot) in knots.iter().enumerate() {
        members.entry(*knot).or_default().push(index);
    }
    let mut circles: Vec<Vec<StepIndex>> = members
        .values()
        .filter_map(|steps| {
            let through = steps.iter().take(STARTS).filter_map(|start| shortest(graph, &knots, *start));
            through.min_by_key(Vec::len)
        })
        .map(from_first)
        .collect();
    circles.sort();
    circles
}

/// Turns a circle so that the step written first begins it.
fn from_first(mut circle: Vec<StepIndex>) -> Vec<StepIndex> {
    let first = circle.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(place, _)| place);
    circle.rotate_left(first);
    circle
}

/// A shortest way from a step back to itself, each step waiting for the next.
fn shortest(graph: &Graph<'_>, knots: &[usize], start: StepIndex) -> Option<Vec<StepIndex>> {
    let mut came_from: BTreeMap<StepIndex, StepIndex> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(step) = open.pop_front() {
        for edge in graph.before(step).iter().filter(|edge| knots[edge.from] == knots[start]) {
            if edge.from == start {
                let mut circle = vec![step];
                while let Some(previous) = circle.last().and_then(|last| came_from.get(last)) {
                    circle.push(*previous);
                }
                circle.reverse();
                return Some(circle);
            }
            if let Entry::Vacant(place) = came_from.entry(edge.from) {
                place.insert(step);
                open.push_back(edge.from);
            }
        }
    }
    None
}

/// Which knot each step belongs to: steps that reach each other share a number. Kosaraju's algorithm, without recursion.
fn knots(graph: &Graph<'_>) -> Vec<usize> {
    let count = graph.len();
    let mut finished = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for root in 0..count {
        let mut stack = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((step, next)) = stack.pop() {
            match graph.after(step).get(next) {
                Some(child) => {
                    stack.push((step, next + 1));
                    if !std::mem::replace(&mut seen[*child], true) {
                        stack.push((*child, 0));
                    }
                }
                None => finished.push(step),
            }
        }
    }
    let mut knots = vec![usize::MAX; count];
    for root in finished.into_iter().rev() {
        let mut open = vec![root];
        while let Some(step) = open.pop() {
            if knots[step] == usize::MAX {
                knots[step] = root;
                open.extend(graph.before(step).iter().map(|edge| edge.from));
            }
        }
    }
    knots
}
