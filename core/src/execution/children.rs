//! Sub-processes in a transition: a step whose child runs waits for its end, and takes over what it gave.

use serde_json::Value;

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::perform;
use super::state::{ExecutionId, StepError, StepStatus};
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
