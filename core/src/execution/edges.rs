//! The edge rule of the language: how an edge ends, and what a step does about the ends of its edges.
//! `docs/edges.md` shows it as a truth table, and a test runs that table against this file.

use super::address::{self, items_of, step_of};
use super::event::SkipReason;
use super::plan::Edge;
use super::state::{Execution, StepState, StepStatus};
use crate::definition::step::{Join, OnFailure, RunOn};

/// How an edge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EdgeEnd {
    /// The step before it completed, or failed with `on_failure: continue`.
    Ok,
    /// The step before it was skipped, or the gateway took another way.
    Neutral,
    /// The step before it failed or was cancelled.
    Bad,
}

/// What a step does about its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is not due yet.
    Wait,
    /// It runs, if its `when` holds.
    Run,
    /// It is skipped.
    Skip(SkipReason),
}

/// How this edge of the step with this key ended; nothing while the step before it has not. Inside of an item it is
/// the step before it in the same item.
pub fn edge_end(execution: &Execution, edge: &Edge, key: &str) -> Option<EdgeEnd> {
    let from = before(execution, edge, key)?;
    let end = match from.status {
        StepStatus::Completed if edge.gateway => taken(from, step_of(key)),
        StepStatus::Completed => EdgeEnd::Ok,
        StepStatus::Skipped => EdgeEnd::Neutral,
        StepStatus::Failed if from.on_failure == OnFailure::Continue && edge.gateway => EdgeEnd::Neutral,
        StepStatus::Failed if from.on_failure == OnFailure::Continue => EdgeEnd::Ok,
        StepStatus::Failed | StepStatus::Cancelled => EdgeEnd::Bad,
        StepStatus::Pending | StepStatus::Running | StepStatus::Waiting => return None,
    };
    Some(end)
}

fn before<'e>(execution: &'e Execution, edge: &Edge, key: &str) -> Option<&'e StepState> {
    match items_of(key) {
        "" => execution.steps.get(&edge.from),
        items => execution.steps.get(&address::key(&edge.from, items)),
    }
}

fn taken(gateway: &StepState, target: &str) -> EdgeEnd {
    let taken = gateway.output.as_ref().and_then(|output| output.get("taken")).and_then(|taken| taken.as_array());
    let includes = taken.is_some_and(|ids| ids.iter().any(|id| id.as_str() == Some(target)));
    if includes { EdgeEnd::Ok } else { EdgeEnd::Neutral }
}

/// What follows from the ends of a step's edges.
pub fn readiness(join: Join, run_on: RunOn, ends: &[Option<EdgeEnd>]) -> Readiness {
    if run_on == RunOn::Compensation {
        return Readiness::Wait;
    }
    let starts_early = join == Join::Any && run_on != RunOn::Failure;
    if starts_early && ends.contains(&Some(EdgeEnd::Ok)) {
        return Readiness::Run;
    }
    if ends.contains(&None) {
        return Readiness::Wait;
    }
    let bad = ends.contains(&Some(EdgeEnd::Bad));
    let ok = ends.contains(&Some(EdgeEnd::Ok));
    match run_on {
        RunOn::Success if bad => Readiness::Skip(SkipReason::DependencyFailed),
        RunOn::Success if ok || ends.is_empty() => Readiness::Run,
        RunOn::Success => Readiness::Skip(SkipReason::DependencySkipped),
        RunOn::Failure if bad => Readiness::Run,
        RunOn::Failure => Readiness::Skip(SkipReason::NothingFailed),
        RunOn::Always | RunOn::Compensation => Readiness::Run,
    }
}

/// Why a step whose edges are all neutral was skipped: a gateway's choice is told apart from a skipped chain.
pub(super) fn refine(execution: &Execution, edges: &[Edge], key: &str, reason: SkipReason) -> SkipReason {
    let gateway_chose = edges.iter().any(|edge| {
        edge.gateway && before(execution, edge, key).is_some_and(|from| from.status == StepStatus::Completed)
    });
    if reason == SkipReason::DependencySkipped && gateway_chose { SkipReason::NotTaken } else { reason }
}
