//! Which conditions have come out how before a step runs: those of the steps that every way to it passes, and those of
//! the branches that every way to it takes. Only what is so on all ways is told. Knows no expressions.

use std::collections::BTreeMap;

use super::reach::StepSet;
use super::{Edge, Graph, StepIndex};
use crate::definition::schema::MAX_STEPS;
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::{OnFailure, RunOn, StepKind};

/// Where a condition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    /// A step's `when`.
    When(StepIndex),
    /// The `when` of a gateway's branch, by its place.
    Branch(StepIndex, usize),
}

/// A condition that has come out one way.
pub(crate) type Guard = (Condition, bool);

/// Most guards of one graph; of what is beyond that nothing is known.
const MAX_GUARDS: usize = 4_096;

/// The guards of a graph's steps.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    guards: Vec<Guard>,
    places: BTreeMap<Guard, usize>,
    /// For each step those that hold when its edges let it run.
    before: Vec<StepSet>,
}

impl Guards {
    /// The guards of a graph. Steps on a circle have none.
    pub(crate) fn of(graph: &Graph<'_>) -> Self {
        let mut guards = Self::default();
        if graph.len() > MAX_STEPS {
            return guards;
        }
        for (index, step) in graph.steps().enumerate() {
            if step.when.is_some() {
                guards.add((Condition::When(index), true));
            }
            if let StepKind::Gateway(gateway) = &step.kind {
                let conditional = (0..gateway.branches.len()).filter(|branch| gateway.branches[*branch].when.is_some());
                for branch in conditional {
                    guards.add((Condition::Branch(index, branch), true));
                    guards.add((Condition::Branch(index, branch), false));
                }
            }
        }
        guards.before = vec![StepSet::none(guards.guards.len()); graph.len()];
        if guards.guards.is_empty() {
            return guards;
        }
        // A compensation runs after steps that need not come before it in the order.
        let (undoing, others): (Vec<_>, Vec<_>) =
            graph.order().iter().copied().partition(|step| graph.step(*step).run_on == RunOn::Compensation);
        for step in others.into_iter().chain(undoing) {
            guards.before[step] = guards.at(graph, step);
        }
        guards
    }

    fn add(&mut self, guard: Guard) {
        if self.guards.len() < MAX_GUARDS {
            self.places.insert(guard, self.guards.len());
            self.guards.push(guard);
        }
    }

    /// Every guard, by its place.
    pub(crate) fn all(&self) -> &[Guard] {
        &self.guards
    }

    /// Whether a guard holds whenever a step runs, and already when its own `when` is asked.
    pub(crate) fn holds(&self, guard: usize, step: StepIndex, at_when: bool) -> bool {
        let is_own = self.guards.get(guard) == Some(&(Condition::When(step), true));
        (is_own && !at_when) || self.before.get(step).is_some_and(|before| before.has(guard))
    }

    fn at(&self, graph: &Graph<'_>, step: StepIndex) -> StepSet {
        let run_on = graph.step(step).run_on;
        let mut common: Option<StepSet> = None;
        let mut meet = |way: StepSet| match &mut common {
            Some(common) => common.keep(&way),
            None => common = Some(way),
        };
        match run_on {
            RunOn::Success => graph.before(step).iter().for_each(|edge| meet(self.along(graph, *edge, step))),
            RunOn::Compensation => graph.undone_by(step).for_each(|undone| meet(self.after(graph, undone, true))),
            RunOn::Failure | RunOn::Always => {}
        }
        common.unwrap_or_else(|| StepSet::none(self.guards.len()))
    }

    /// What holds where a step has run; where it has only failed, its own condition may be what failed.
    fn after(&self, graph: &Graph<'_>, step: StepIndex, has_completed: bool) -> StepSet {
        let mut holding = self.before[step].clone();
        if let Some(own) = self.places.get(&(Condition::When(step), true))
            && (has_completed || graph.step(step).on_failure == OnFailure::Fail)
        {
            holding.add(*own);
        }
        holding
    }

    /// What holds where an edge to a step turned out well.
    fn along(&self, graph: &Graph<'_>, edge: Edge, step: StepIndex) -> StepSet {
        let StepKind::Gateway(gateway) = &graph.step(edge.from).kind else {
            return self.after(graph, edge.from, false);
        };
        // An edge of a gateway that fails is never well.
        let mut holding = self.after(graph, edge.from, edge.gateway);
        let leads = |branch: usize| {
            let mut targets = gateway.branches[branch].to.iter();
            targets.any(|target| target.as_str() == graph.step(step).id.as_str())
        };
        let mut leading = (0..gateway.branches.len()).filter(|branch| leads(*branch));
        let (Some(way), None, true) = (leading.next(), leading.next(), edge.gateway) else { return holding };
        let mut add = |branch: usize, outcome: bool| {
            let place = self.places.get(&(Condition::Branch(edge.from, branch), outcome));
            place.into_iter().for_each(|place| holding.add(*place));
        };
        let is_otherwise = gateway.branches[way].when.is_none();
        if !is_otherwise {
            add(way, true);
        }
        match (is_otherwise, gateway.mode) {
            (true, _) => (0..gateway.branches.len()).for_each(|branch| add(branch, false)),
            (false, GatewayMode::First) => (0..way).for_each(|branch| add(branch, false)),
            (false, GatewayMode::All) => {}
        }
        holding
    }
}
