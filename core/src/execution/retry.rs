//! Retry by hand: an execution that failed or was cancelled goes on from what failed.

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::plan::Plan;
use super::state::{ExecutionStatus, StepStatus};
use crate::approval::Person;
use crate::definition::step::{OnFailure, RunOn};

/// Begins again with the steps that failed or were cancelled, all that follows from them, and compensations.
pub(super) fn retry(transition: &mut Transition<'_>, actor: Option<Person>, only: Option<&str>) -> Result<(), Refusal> {
    let status = transition.execution.status;
    if !matches!(status, ExecutionStatus::Failed | ExecutionStatus::Cancelled) {
        return Err(Refusal::NothingToRetry { status });
    }
    let ended_badly = |id: &str| {
        transition.execution.steps.get(id).is_some_and(|step| match step.status {
            StepStatus::Cancelled => true,
            StepStatus::Failed => step.on_failure == OnFailure::Fail,
            _ => false,
        })
    };
    let mut again: Vec<String> = match only {
        Some(id) if transition.plan.step(id).is_none() => {
            return Err(Refusal::UnknownStep { step: id.to_owned() });
        }
        Some(id) if !ended_badly(id) => return Err(Refusal::NothingToRetry { status }),
        Some(id) => vec![id.to_owned()],
        None => transition.plan.steps.keys().filter(|id| ended_badly(id)).cloned().collect(),
    };
    add_descendants(transition.plan, &mut again);
    let compensations = transition.plan.steps.iter().filter(|(_, step)| step.step.run_on == RunOn::Compensation);
    again.extend(compensations.map(|(id, _)| id.clone()));
    let due_at = transition.execution_due_at();
    transition.emit_by(actor, EventKind::ExecutionRetried { steps: again, due_at });
    Ok(())
}

fn add_descendants(plan: &Plan, ids: &mut Vec<String>) {
    let mut next = 0;
    while let Some(id) = ids.get(next).cloned() {
        next += 1;
        for (other, planned) in &plan.steps {
            if planned.edges.iter().any(|edge| edge.from == id) && !ids.contains(other) {
                ids.push(other.clone());
            }
        }
    }
}
