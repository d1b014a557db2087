//! The graph of a process: its steps, the edges between them, their order, and what must have run before what.
//! Pure reading of a definition; how an execution walks the graph is `execution`'s, what is wrong with it `validate`'s.

mod ascii;
mod circle;
mod condition;
mod dot;
mod guards;
mod layout;
mod marks;
mod mermaid;
mod never;
mod reach;
mod svg;
mod words;
mod worlds;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::definition::step::StepKind;
use crate::definition::{Process, Step};
use crate::source::{MAX_KNOWN, MAX_MISSPELT, closest};

pub use ascii::{ascii, ascii_marked};
pub(crate) use condition::Required;
pub use dot::dot;
pub(crate) use guards::{Condition, Guards};
pub use marks::{Mark, Marks};
pub use mermaid::{mermaid, mermaid_marked};
pub(crate) use never::{Never, never};
pub use reach::{Reach, StepSet};
pub use svg::svg;
pub(crate) use worlds::Question;
pub use worlds::{Missing, Moment};

/// Most edges of a process that is drawn: a picture of more shows nothing, and takes very long to make.
pub const MAX_DRAWN: usize = 20_000;

/// How many edges a process has where those are too many to draw, bodies of `foreach` included. What is only listed,
/// as Mermaid and DOT do, has no such limit.
pub fn too_many_to_draw(process: &Process) -> Option<usize> {
    let mut edges = 0;
    let mut open: Vec<&[Step]> = vec![&process.steps];
    while let Some(steps) = open.pop() {
        for step in steps {
            edges += step.depends_on.len();
            match &step.kind {
                StepKind::Gateway(gateway) => {
                    edges += gateway.branches.iter().map(|branch| branch.to.len()).sum::<usize>();
                }
                StepKind::Foreach(foreach) => open.push(&foreach.steps),
                _ => {}
            }
        }
    }
    (edges > MAX_DRAWN).then_some(edges)
}

/// A step's place among the steps of its graph, from 0.
pub type StepIndex = usize;

/// An edge to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The step before it.
    pub from: StepIndex,
    /// Whether that step is a gateway that names this one.
    pub gateway: bool,
}

/// Steps and the edges between them. A misspelt name makes the edge that was meant, so that one mistake does not bring
/// others with it; a name like no step's makes none. Of steps with one id the first counts.
#[derive(Debug)]
pub struct Graph<'process> {
    steps: Vec<&'process Step>,
    by_id: HashMap<&'process str, StepIndex>,
    /// What names mean that no step has.
    misspelt: BTreeMap<&'process str, Option<StepIndex>>,
    before: Vec<Vec<Edge>>,
    after: Vec<Vec<StepIndex>>,
    order: Vec<StepIndex>,
}

impl<'process> Graph<'process> {
    /// The graph of a process's own steps.
    pub fn of(process: &'process Process) -> Self {
        Self::of_steps(&process.steps)
    }

    /// The graph of a list of steps: a process's own, or the body of a `foreach`.
    pub fn of_steps(steps: &'process [Step]) -> Self {
        let mut by_id = HashMap::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            by_id.entry(step.id.as_str()).or_insert(index);
        }
        let mut before: Vec<BTreeMap<StepIndex, bool>> = vec![BTreeMap::new(); steps.len()];
        let mut misspelt: BTreeMap<&str, Option<StepIndex>> = BTreeMap::new();
        for (index, step) in steps.iter().enumerate() {
            let mut meant = |name: &'process str| {
                let known = || steps.iter().map(|step| step.id.as_str()).take(MAX_KNOWN);
                let is_one_too_many = misspelt.len() >= MAX_MISSPELT;
                let near = || if is_one_too_many { None } else { closest(name, known()).map(|id| by_id[id]) };
                let mut near = || *misspelt.entry(name).or_insert_with(near);
                by_id.get(name).copied().or_else(|| near().filter(|near| *near != index))
            };
            for name in &step.depends_on {
                if let Some(from) = meant(name.as_str()) {
                    before[index].entry(from).or_insert(false);
                }
            }
            let StepKind::Gateway(gateway) = &step.kind else { continue };
            for target in gateway.branches.iter().flat_map(|branch| &branch.to) {
                if let Some(to) = meant(target.as_str()) {
                    before[to].insert(index, true);
                }
            }
        }
        let before: Vec<Vec<Edge>> = before
            .into_iter()
            .map(|edges| edges.into_iter().map(|(from, gateway)| Edge { from, gateway }).collect())
            .collect();
        let mut after = vec![Vec::new(); steps.len()];
        for (to, edges) in before.iter().enumerate() {
            for edge in edges {
                after[edge.from].push(to);
            }
        }
        let order = order(&before, &after);
        Self { steps: steps.iter().collect(), by_id, misspelt, before, after, order }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step at a place.
    pub fn step(&self, index: StepIndex) -> &'process Step {
        self.steps[index]
    }

    /// The steps in the order written.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &'process Step> + '_ {
        self.steps.iter().copied()
    }

    /// The place of the step with this id.
    pub fn find(&self, id: &str) -> Option<StepIndex> {
        self.by_id.get(id).copied()
    }

    /// The place of the step that a name in `depends_on` or in a gateway's branch means: the one with this id, or the one
    /// whose id is near to it.
    pub fn meant(&self, name: &str) -> Option<StepIndex> {
        self.find(name).or_else(|| self.misspelt.get(name).copied().flatten())
    }

    /// What a step waits for.
    pub fn before(&self, index: StepIndex) -> &[Edge] {
        &self.before[index]
    }

    /// Which steps wait for a step.
    pub fn after(&self, index: StepIndex) -> &[StepIndex] {
        &self.after[index]
    }

    /// Every step after all that it waits for; where that leaves a choice, in the order written. Steps on a circle, and
    /// those behind one, are not in it.
    pub fn order(&self) -> &[StepIndex] {
        &self.order
    }

    /// The steps that have ended whenever this one starts: all that it waits for, and what those wait for.
    pub fn ancestors(&self, index: StepIndex) -> BTreeSet<StepIndex> {
        let mut found = BTreeSet::new();
        let mut open: Vec<StepIndex> = self.before[index].iter().map(|edge| edge.from).collect();
        while let Some(step) = open.pop() {
            if found.insert(step) {
                open.extend(self.before[step].iter().map(|edge| edge.from));
            }
        }
        found
    }

    /// One circle for each knot of steps that wait for each other: a shortest one, beginning with the step written
    /// first. A step that waits for itself is a circle of one.
    pub fn circles(&self) -> Vec<Vec<StepIndex>> {
        circle::circles(self)
    }

    /// The steps that this one undoes.
    pub fn undone_by(&self, index: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        let id = self.steps[index].id.as_str();
        let undoes = move |step: &Step| step.compensate_with.as_ref().is_some_and(|undo| undo.as_str() == id);
        self.steps.iter().enumerate().filter(move |(_, step)| undoes(step)).map(|(index, _)| index)
    }
}

/// Kahn's algorithm; of the steps that are free the one written first comes first.
fn order(before: &[Vec<Edge>], after: &[Vec<StepIndex>]) -> Vec<StepIndex> {
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut free: BTreeSet<StepIndex> = (0..before.len()).filter(|index| waiting[*index] == 0).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(index) = free.pop_first() {
        order.push(index);
        for next in &after[index] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.insert(*next);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests;
