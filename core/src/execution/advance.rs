//! What is due next: steps whose edges have ended start or are skipped, until nothing more follows.

use std::borrow::Cow;
use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::address::{self, innermost, items_of};
use super::context::Place;
use super::decide::Transition;
use super::edges::{Readiness, edge_end, readiness, refine};
use super::event::{EventKind, SkipReason};
use super::plan::{Plan, PlannedStep};
use super::state::{Execution, ExecutionStatus, StepError, StepStatus};
use super::{context, finish, foreach, perform};
use crate::definition::ErrorClass;
use crate::definition::step::RunOn;
use crate::expression::{condition, evaluate_json};

/// Starts and skips whatever is due, then ends the execution or says that it waits.
pub(super) fn settle(transition: &mut Transition<'_>) {
    // One that was cancelled before it started has an end and nothing to do until then.
    let queued = transition.execution.status == ExecutionStatus::Pending && transition.execution.ending.is_none();
    if queued || transition.execution.status.is_final() {
        return;
    }
    loop {
        while advance_once(transition) {}
        if !finish::proceed(transition) {
            break;
        }
    }
}

/// The steps that may still start although the execution is ending (compensations and `always` steps), and every
/// `foreach` that such a step is inside of.
pub(super) fn outlive_the_end(plan: &Plan, execution: &Execution) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    let pending = execution.steps.open().filter(|(_, step)| step.status == StepStatus::Pending);
    for (key, _) in pending {
        match plan.step(key).map(|planned| planned.step.run_on) {
            Some(RunOn::Compensation) => {
                kept.insert(key.clone());
            }
            // One that never started has nothing to clear up.
            Some(RunOn::Always) if execution.status != ExecutionStatus::Pending && is_open(execution, key, plan) => {
                kept.insert(key.clone());
                kept.extend(around(plan, key));
            }
            _ => {}
        }
    }
    kept
}

/// Whether every item that a step is inside of is under way.
pub(super) fn is_open(execution: &Execution, key: &str, plan: &Plan) -> bool {
    let mut items = items_of(key);
    around(plan, key).all(|foreach| {
        let Some((around, index)) = innermost(items) else { return false };
        items = around;
        let state = execution.steps.get(&foreach).and_then(|step| step.items.as_deref());
        state.is_some_and(|items| items.open.contains(&index))
    })
}

/// The keys of the `foreach` steps around a step, innermost first.
fn around(plan: &Plan, key: &str) -> impl Iterator<Item = String> {
    let ids: Vec<&str> = plan.around(key).into_iter().map(|foreach| foreach.step.id.as_str()).collect();
    let mut items = items_of(key);
    let keys: Vec<String> = ids
        .into_iter()
        .rev()
        .map(|id| {
            items = innermost(items).map_or("", |(around, _)| around);
            address::key(id, items)
        })
        .collect();
    keys.into_iter()
}

/// One pass over the pending steps in the order of the definition; whether anything happened.
fn advance_once(transition: &mut Transition<'_>) -> bool {
    let plan = transition.plan;
    scope(transition, &plan.steps, "")
}

/// One pass over the steps of the process, or of an item, and over the items that are inside of them.
pub(super) fn scope(transition: &mut Transition<'_>, steps: &IndexMap<String, PlannedStep>, items: &str) -> bool {
    let mut progressed = false;
    for (id, planned) in steps {
        let key = if items.is_empty() { Cow::Borrowed(id.as_str()) } else { Cow::Owned(address::key(id, items)) };
        let Some(status) = transition.execution.steps.get(&key).map(|step| step.status) else { continue };
        if status == StepStatus::Pending {
            progressed |= advance_step(transition, &key, planned);
        }
        if foreach::is_under_way(transition, &key) {
            progressed |= foreach::advance(transition, &key, planned);
        }
    }
    progressed
}

fn advance_step(transition: &mut Transition<'_>, key: &str, planned: &PlannedStep) -> bool {
    if held_back(transition, planned) {
        return false;
    }
    let ends: Vec<_> = planned.edges.iter().map(|edge| edge_end(&transition.execution, edge, key)).collect();
    match readiness(planned.step.join, planned.step.run_on, &ends) {
        Readiness::Wait => return false,
        Readiness::Run => start_if_wanted(transition, key, planned),
        Readiness::Skip(reason) => {
            let reason = refine(&transition.execution, &planned.edges, key, reason);
            transition.emit_step(key, None, EventKind::StepSkipped { reason });
        }
    }
    true
}

/// While somebody holds it nothing starts; while it ends only `always` steps do, and only after the compensations.
fn held_back(transition: &Transition<'_>, planned: &PlannedStep) -> bool {
    transition.execution.is_held()
        || transition.execution.ending.is_some()
            && (planned.step.run_on != RunOn::Always || finish::is_compensating(transition))
}

fn start_if_wanted(transition: &mut Transition<'_>, key: &str, planned: &PlannedStep) {
    match wanted(transition, key, planned) {
        Ok(true) => perform::start(transition, key, planned),
        Ok(false) => transition.emit_step(key, None, EventKind::StepSkipped { reason: SkipReason::Condition }),
        Err(error) => transition.emit_step(key, None, EventKind::StepFailed { error, usage: None }),
    }
}

/// Whether the step's `when` holds.
fn wanted(transition: &Transition<'_>, key: &str, planned: &PlannedStep) -> Result<bool, StepError> {
    let Some(when) = &planned.step.when else { return Ok(true) };
    let context = context::reading(transition.plan, &transition.execution, Place::at(key), &planned.reads);
    let failed = |message: String| StepError::new(ErrorClass::Expression, format!("`when`: {message}"));
    let rendered = evaluate_json(&when.value, &context).map_err(|error| failed(error.to_string()))?;
    condition(&rendered.value).map_err(|error| failed(error.to_string()))
}
