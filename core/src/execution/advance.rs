//! What is due next: steps whose edges have ended start or are skipped, until nothing more follows.

use super::decide::Transition;
use super::edges::{Readiness, edge_end, readiness, refine};
use super::event::{EventKind, SkipReason};
use super::plan::{Plan, PlannedStep};
use super::state::{Execution, ExecutionStatus, StepError, StepStatus};
use super::{context, finish, perform};
use crate::definition::ErrorClass;
use crate::definition::step::RunOn;
use crate::expression::{condition, evaluate_json};

/// Starts and skips whatever is due, then ends the execution or says that it waits.
pub(super) fn settle(transition: &mut Transition<'_>) {
    if transition.execution.status == ExecutionStatus::Pending || transition.execution.status.is_final() {
        return;
    }
    loop {
        while advance_once(transition) {}
        if !finish::proceed(transition) {
            break;
        }
    }
}

/// Whether the step may still start or go on although the execution is ending: compensations and `always` steps.
pub(super) fn outlives_the_end(plan: &Plan, execution: &Execution, id: &str) -> bool {
    let pending = execution.steps.get(id).is_some_and(|step| step.status == StepStatus::Pending);
    let run_on = plan.step(id).map(|planned| planned.step.run_on);
    pending && matches!(run_on, Some(RunOn::Always | RunOn::Compensation))
}

/// One pass over the pending steps in the order of the definition; whether anything happened.
fn advance_once(transition: &mut Transition<'_>) -> bool {
    let plan = transition.plan;
    let mut progressed = false;
    for (id, planned) in &plan.steps {
        let pending = transition.execution.steps.get(id).is_some_and(|step| step.status == StepStatus::Pending);
        if !pending || held_back(transition, planned) {
            continue;
        }
        let ends: Vec<_> = planned.edges.iter().map(|edge| edge_end(&transition.execution, edge, id)).collect();
        match readiness(planned.step.join, planned.step.run_on, &ends) {
            Readiness::Wait => continue,
            Readiness::Run => start_if_wanted(transition, id, planned),
            Readiness::Skip(reason) => {
                let reason = refine(&transition.execution, &planned.edges, reason);
                transition.emit_step(id, None, EventKind::StepSkipped { reason });
            }
        }
        progressed = true;
    }
    progressed
}

/// While an execution ends only `always` steps start, and only after the compensations.
fn held_back(transition: &Transition<'_>, planned: &PlannedStep) -> bool {
    transition.execution.ending.is_some()
        && (planned.step.run_on != RunOn::Always || finish::is_compensating(transition))
}

fn start_if_wanted(transition: &mut Transition<'_>, id: &str, planned: &PlannedStep) {
    match wanted(transition, planned) {
        Ok(true) => perform::start(transition, id, planned),
        Ok(false) => transition.emit_step(id, None, EventKind::StepSkipped { reason: SkipReason::Condition }),
        Err(error) => transition.emit_step(id, None, EventKind::StepFailed { error, usage: None }),
    }
}

/// Whether the step's `when` holds.
fn wanted(transition: &Transition<'_>, planned: &PlannedStep) -> Result<bool, StepError> {
    let Some(when) = &planned.step.when else { return Ok(true) };
    let context = context::of(transition.plan, &transition.execution);
    let failed = |message: String| StepError::new(ErrorClass::Expression, format!("`when`: {message}"));
    let rendered = evaluate_json(&when.value, &context).map_err(|error| failed(error.to_string()))?;
    condition(&rendered.value).map_err(|error| failed(error.to_string()))
}
