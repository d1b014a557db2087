//! Sub-processes in a transition: a step whose child runs waits for its end, and takes over what it gave.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::perform;
use super::signal::Signal;
use super::state::{Execution, ExecutionId, ExecutionStatus, StepError, StepStatus};
use super::waiting::Waiting;
use crate::definition::ErrorClass;

/// Sub-processes that may be within each other, the outermost execution not counted.
pub const MAX_DEPTH: u32 = 16;

/// The child of an attempt runs.
pub(super) fn started(
    transition: &mut Transition<'_>,
    key: &str,
    attempt: u32,
    execution: ExecutionId,
) -> Result<(), Refusal> {
    let timeout = perform::running(transition, key, attempt)?.timeout_ms;
    let due_at = timeout.and_then(|timeout| perform::after(transition.now, timeout));
    let waiting = Waiting::Process { execution, due_at };
    transition.emit_step(key, None, EventKind::StepWaiting { waiting });
    Ok(())
}

/// The child ended.
pub(super) fn ended(
    transition: &mut Transition<'_>,
    key: &str,
    execution: ExecutionId,
    result: Result<Value, StepError>,
) -> Result<(), Refusal> {
    let state = transition.execution.steps.get(key).ok_or_else(|| Refusal::UnknownStep { step: key.to_owned() })?;
    let waits = matches!(&state.waiting, Some(Waiting::Process { execution: child, .. }) if *child == execution);
    if state.status != StepStatus::Waiting || !waits {
        return Err(Refusal::Stale { step: key.to_owned(), attempt: state.attempt });
    }
    match result {
        Ok(output) => transition.emit_step(key, None, EventKind::StepCompleted { output, usage: None }),
        Err(error) => perform::failed(transition, key, error, None),
    }
    Ok(())
}

/// The step's time is over before the child's: the step goes on without it, and whoever runs the child cancels it.
pub(super) fn expire(transition: &mut Transition<'_>, key: &str) {
    let error = StepError::new(ErrorClass::Timeout, "the sub-process took longer than the step's `timeout`");
    perform::failed(transition, key, error, None);
}

/// What other executions have to be told of a transition: a parent that its child ended, a child that nobody waits for
/// it any more. Whoever runs executions delivers it.
pub fn signals_to_others(before: Option<&Execution>, after: &Execution) -> Vec<(ExecutionId, Signal)> {
    let ended = after.status.is_final() && before.is_none_or(|before| !before.status.is_final());
    let to_parent = after.parent.as_ref().filter(|parent| ended && parent.waits).map(|parent| {
        let signal = Signal::ChildEnded { step: parent.step.clone(), execution: after.id, result: result(after) };
        (parent.execution, signal)
    });
    let still = awaited(after);
    let given_up = before.into_iter().flat_map(|before| &before.steps).filter_map(|(key, step)| {
        let Some(Waiting::Process { execution, .. }) = &step.waiting else { return None };
        let now = after.steps.get(key)?;
        // A child that ended has told so itself. One whose time was over has not, and one that ended because its own
        // was is told in vain.
        let by_itself = match now.status {
            StepStatus::Completed => true,
            StepStatus::Failed | StepStatus::Waiting => {
                now.error.as_ref().is_none_or(|error| error.class != ErrorClass::Timeout)
            }
            _ => false,
        };
        (!still.contains(execution) && !by_itself).then(|| {
            let reason = format!("step `{key}` of execution {} no longer waits for it", after.id);
            (*execution, Signal::Cancel { actor: None, reason })
        })
    });
    to_parent.into_iter().chain(given_up).collect()
}

fn awaited(execution: &Execution) -> BTreeSet<ExecutionId> {
    let waiting = execution.steps.open().filter_map(|(_, step)| step.waiting.as_ref());
    let children = waiting.filter_map(|waiting| match waiting {
        Waiting::Process { execution, .. } => Some(*execution),
        _ => None,
    });
    children.collect()
}

/// What a step takes from the execution that it waited for.
fn result(child: &Execution) -> Result<Value, StepError> {
    let name = &child.process;
    match (child.status, &child.error) {
        (ExecutionStatus::Completed, _) => Ok(child.outputs.clone().unwrap_or_else(|| json!({}))),
        (ExecutionStatus::Failed, Some(error)) => {
            Err(StepError::new(error.class, format!("the sub-process `{name}` failed: {}", error.message)))
        }
        (status, _) => {
            Err(StepError::new(ErrorClass::Refused, format!("the sub-process `{name}` was {}", status.as_str())))
        }
    }
}
