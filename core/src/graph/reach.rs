//! Which steps have ended before which: the ancestors of every step at once, as sets of bits, so that asking costs
//! nothing and making them grows with steps times steps over 64.

use super::{Graph, StepIndex};

/// A set of steps of one graph.
#[derive(Debug, Clone)]
pub struct StepSet(Vec<u64>);

impl StepSet {
    /// An empty set for a graph of so many steps.
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    /// The steps that something holds of.
    pub fn of(count: usize, holds: impl Fn(StepIndex) -> bool) -> Self {
        let mut set = Self::none(count);
        (0..count).filter(|step| holds(*step)).for_each(|step| set.add(step));
        set
    }

    /// Puts a step into it.
    pub fn add(&mut self, step: StepIndex) {
        if let Some(word) = self.0.get_mut(step / 64) {
            *word |= 1 << (step % 64);
        }
    }

    /// Puts all steps of another set into it.
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, more)| *own |= more);
    }

    /// Takes out the steps that are not in another set.
    pub fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, more)| *own &= more);
    }

    /// Whether a step is in it.
    pub fn has(&self, step: StepIndex) -> bool {
        self.0.get(step / 64).is_some_and(|word| word & (1 << (step % 64)) != 0)
    }

    /// Whether some step is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(one, two)| one & two != 0)
    }

    /// Whether no step is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// The ancestors of every step: all that have ended whenever it starts.
#[derive(Debug)]
pub struct Reach(Vec<StepSet>);

impl Reach {
    /// The ancestors of every step of a graph.
    pub fn of(graph: &Graph<'_>) -> Self {
        let count = graph.len();
        let mut sets = vec![StepSet::none(count); count];
        let mut is_done = StepSet::none(count);
        for step in graph.order() {
            let mut set = StepSet::none(count);
            for edge in graph.before(*step) {
                set.add(edge.from);
                set.add_all(&sets[edge.from]);
            }
            sets[*step] = set;
            is_done.add(*step);
        }
        // Steps on a circle and behind one have no order.
        for step in (0..count).filter(|step| !is_done.has(*step)) {
            let ancestors = graph.ancestors(step);
            ancestors.into_iter().for_each(|ancestor| sets[step].add(ancestor));
        }
        Self(sets)
    }

    /// The ancestors of a step.
    pub fn before(&self, step: StepIndex) -> &StepSet {
        &self.0[step]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::definition::repository::Repository;
    use crate::graph::{Graph, Reach};

    #[test]
    fn the_same_as_following_each_edge() {
        let text = "name: a\nversion: 1\nsteps:\n  - {id: d, type: set, depends_on: [b, c], values: {x: 1}}\n  - {id: a, type: set, values: {x: 1}}\n  - {id: b, type: set, depends_on: a, values: {x: 1}}\n  - {id: c, type: set, depends_on: a, values: {x: 1}}\n  - {id: e, type: set, depends_on: [f, a], values: {x: 1}}\n  - {id: f, type: set, depends_on: e, values: {x: 1}}\n  - {id: g, type: set, depends_on: f, values: {x: 1}}\n";
        let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.to_owned())]);
        let (_, process) = repository.process("a").unwrap();
        let graph = Graph::of(process);
        let reach = Reach::of(&graph);
        for step in 0..graph.len() {
            let ancestors = graph.ancestors(step);
            assert!(
                (0..graph.len()).all(|other| reach.before(step).has(other) == ancestors.contains(&other)),
                "{step}"
            );
        }
    }
}
