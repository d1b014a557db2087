//! The steps of a process as its outline has them, and what runs before what: also while the file is broken.

use std::collections::{BTreeMap, BTreeSet};

use super::outline::{NodeIndex, Outline, Shape};
use crate::source::Span;

/// Deepest nesting of `foreach` bodies that is looked into.
const MAX_BODIES: usize = 16;

/// A step.
#[derive(Debug, Clone)]
pub struct StepOutline<'t> {
    /// Its id as written; empty where it has none yet.
    pub id: &'t str,
    /// Where its id is; its mapping's start where it has none.
    pub id_span: Span,
    /// Its type as written.
    pub step_type: &'t str,
    /// Its name for people.
    pub name: &'t str,
    /// Its mapping.
    pub node: NodeIndex,
    /// The `foreach` whose body it stands in.
    pub parent: Option<usize>,
    depends_on: Vec<&'t str>,
    targets: Vec<&'t str>,
    /// Whether it runs only to undo another.
    pub is_compensation: bool,
}

/// Every step, bodies after their owner.
#[derive(Debug, Clone)]
pub struct Steps<'t> {
    /// The steps in the order of the text.
    pub all: Vec<StepOutline<'t>>,
    before: Vec<BTreeSet<usize>>,
}

impl<'t> Steps<'t> {
    /// The steps of a process.
    pub fn of(outline: &Outline<'t>) -> Self {
        let mut all = Vec::new();
        if let Some(list) = outline.get(outline.root(), "steps") {
            collect(outline, list, None, 0, &mut all);
        }
        let mut by_id: BTreeMap<(Option<usize>, &str), usize> = BTreeMap::new();
        for (index, step) in all.iter().enumerate() {
            by_id.entry((step.parent, step.id)).or_insert(index);
        }
        let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); all.len()];
        for (index, step) in all.iter().enumerate() {
            before[index].extend(step.depends_on.iter().filter_map(|id| by_id.get(&(step.parent, *id))));
            for target in step.targets.iter().filter_map(|id| by_id.get(&(step.parent, *id))) {
                before[*target].insert(index);
            }
        }
        Self { all, before }
    }

    /// The place of the step with this mapping.
    pub fn at(&self, node: NodeIndex) -> Option<usize> {
        self.all.iter().position(|step| step.node == node)
    }

    /// Every step that has ended when this one runs: what it waits for, and what the `foreach` around it waits for.
    pub fn ancestors(&self, index: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![index];
        while let Some(step) = open.pop() {
            let around = self.all.get(step).and_then(|step| step.parent);
            // The `foreach` itself has not ended; what it waits for has.
            let above = around.into_iter().flat_map(|around| self.before.get(around).into_iter().flatten());
            for earlier in self.before.get(step).into_iter().flatten().chain(above) {
                if found.insert(*earlier) {
                    open.push(*earlier);
                }
            }
        }
        found
    }

    /// Every step that waits for this one, directly or not.
    pub fn descendants(&self, index: usize) -> BTreeSet<usize> {
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.all.len()];
        for (step, before) in self.before.iter().enumerate() {
            before.iter().for_each(|earlier| after[*earlier].push(step));
        }
        let mut found = BTreeSet::new();
        let mut open = vec![index];
        while let Some(step) = open.pop() {
            for later in after.get(step).into_iter().flatten() {
                if found.insert(*later) {
                    open.push(*later);
                }
            }
        }
        found
    }

    /// The places of the steps of each body; those of the process first, then by the place of their `foreach`.
    pub fn by_parent(&self) -> BTreeMap<Option<usize>, Vec<usize>> {
        let mut bodies: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (index, step) in self.all.iter().enumerate() {
            bodies.entry(step.parent).or_default().push(index);
        }
        bodies
    }
}

fn collect<'t>(
    outline: &Outline<'t>,
    list: NodeIndex,
    parent: Option<usize>,
    depth: usize,
    all: &mut Vec<StepOutline<'t>>,
) {
    for item in outline.items(list) {
        let node = item.value;
        if !matches!(outline.node(node).shape, Shape::Mapping(_)) {
            continue;
        }
        let scalar = |key: &str| outline.get(node, key).and_then(|value| outline.scalar(value)).unwrap_or_default();
        let id_span = outline.get(node, "id").map_or(outline.node(node).span, |id| outline.node(id).span);
        let depends_on = outline.get(node, "depends_on").map(|value| words(outline, value)).unwrap_or_default();
        let branches = outline.get(node, "branches").into_iter().flat_map(|list| outline.items(list));
        let targets = branches.filter_map(|branch| outline.get(branch.value, "to")).flat_map(|to| words(outline, to));
        let targets = targets.collect();
        let index = all.len();
        all.push(StepOutline {
            id: scalar("id"),
            id_span,
            step_type: scalar("type"),
            name: scalar("name"),
            node,
            parent,
            depends_on,
            targets,
            is_compensation: scalar("run_on") == "compensation",
        });
        if depth < MAX_BODIES
            && let Some(body) = outline.get(node, "steps")
        {
            collect(outline, body, Some(index), depth + 1, all);
        }
    }
}

/// A word, or a list of them.
fn words<'t>(outline: &Outline<'t>, node: NodeIndex) -> Vec<&'t str> {
    match outline.scalar(node) {
        Some(word) => vec![word],
        None => outline.items(node).iter().filter_map(|item| outline.scalar(item.value)).collect(),
    }
}
