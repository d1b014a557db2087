//! Workflows of GitHub Actions in a transition: a step waits for the run that is dispatched for it, and takes over how
//! that ended. Who dispatches, looks and cancels is elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::perform;
use super::state::{Execution, StepError, StepState, StepStatus};
use super::waiting::Waiting;
use crate::definition::ErrorClass;

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowRun {
    /// GitHub's id of it.
    pub id: u64,
    /// Its page.
    pub url: String,
}

/// The workflow that a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedWorkflow {
    /// Since when it is to be dispatched: no run from before that is its own.
    pub since: Timestamp,
    /// Whether GitHub has taken it: it is never dispatched again for this attempt then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dispatched: bool,
    /// Its run, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<WorkflowRun>,
    /// When the step fails, and the run is cancelled.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// Why a step fails whose run ended so; nothing where it ended well. Conclusions are those of
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run>.
pub fn bad_conclusion(conclusion: &str) -> Option<StepError> {
    let (class, words) = match conclusion {
        "success" | "neutral" | "skipped" => return None,
        "failure" => (ErrorClass::Refused, "the workflow failed".to_owned()),
        "cancelled" => (ErrorClass::Refused, "the workflow was cancelled".to_owned()),
        "timed_out" => (ErrorClass::Timeout, "the workflow took longer than GitHub allows".to_owned()),
        "startup_failure" => (ErrorClass::Refused, "the workflow could not start".to_owned()),
        "stale" => (ErrorClass::ServerError, "GitHub gave the workflow up".to_owned()),
        other => (ErrorClass::Refused, format!("the workflow ended as `{other}`")),
    };
    Some(StepError::new(class, words))
}

/// The attempt is handed to GitHub: from here on the step waits.
pub(super) fn awaited(transition: &mut Transition<'_>, key: &str, attempt: u32) -> Result<(), Refusal> {
    let timeout = perform::running(transition, key, attempt)?.timeout_ms;
    let due_at = timeout.and_then(|timeout| perform::after(transition.now, timeout));
    wait(transition, key, AwaitedWorkflow { since: transition.now, dispatched: false, run: None, due_at });
    Ok(())
}

/// GitHub has taken it; its run is known, or will be.
pub(super) fn started(
    transition: &mut Transition<'_>,
    key: &str,
    attempt: u32,
    run: Option<WorkflowRun>,
) -> Result<(), Refusal> {
    let mut awaited = waits(transition, key, attempt)?.clone();
    match (&awaited.run, run) {
        (None, None) if awaited.dispatched => return Err(Refusal::Repeated),
        (Some(known), Some(run)) if known.id == run.id => return Err(Refusal::Repeated),
        (Some(_), _) => return Err(Refusal::Stale { step: key.to_owned(), attempt }),
        (None, run) => awaited.run = run,
    }
    awaited.dispatched = true;
    wait(transition, key, awaited);
    Ok(())
}

/// The run ended, or there is none to be had.
pub(super) fn ended(
    transition: &mut Transition<'_>,
    key: &str,
    attempt: u32,
    result: Result<Value, StepError>,
) -> Result<(), Refusal> {
    waits(transition, key, attempt)?;
    match result {
        Ok(output) => transition.emit_step(key, None, EventKind::StepCompleted { output, usage: None }),
        Err(error) => perform::failed(transition, key, error, None),
    }
    Ok(())
}

/// The step's time is over before the run's: it goes on without it, and whoever talks to GitHub cancels it.
pub(super) fn expire(transition: &mut Transition<'_>, key: &str) {
    let error = StepError::new(ErrorClass::Timeout, "the workflow took longer than the step's `timeout`");
    perform::failed(transition, key, error, None);
}

fn wait(transition: &mut Transition<'_>, key: &str, awaited: AwaitedWorkflow) {
    let waiting = Waiting::Workflow(awaited);
    transition.emit_step(key, None, EventKind::StepWaiting { waiting });
}

fn waits<'t>(transition: &'t Transition<'_>, key: &str, attempt: u32) -> Result<&'t AwaitedWorkflow, Refusal> {
    let unknown = || Refusal::UnknownStep { step: key.to_owned() };
    let state = transition.execution.steps.get(key).ok_or_else(unknown)?;
    awaited_by(state, attempt).ok_or_else(|| Refusal::Stale { step: key.to_owned(), attempt })
}

/// The workflow that this attempt of a step waits for.
pub fn awaited_by(state: &StepState, attempt: u32) -> Option<&AwaitedWorkflow> {
    match &state.waiting {
        Some(Waiting::Workflow(awaited)) if state.status == StepStatus::Waiting && state.attempt == attempt => {
            Some(awaited)
        }
        _ => None,
    }
}

/// Runs that nobody waits for any more although they have not ended: the step was cancelled, or its time was over.
pub fn abandoned_runs(before: &Execution, after: &Execution) -> Vec<WorkflowRun> {
    let run = |state: &StepState| match &state.waiting {
        Some(Waiting::Workflow(awaited)) => awaited.run.clone(),
        _ => None,
    };
    let given_up = before.steps.iter().filter_map(|(key, state)| {
        let awaited = run(state)?;
        let now = after.steps.get(key)?;
        let still = run(now).as_ref() == Some(&awaited);
        // A run that ended has told so itself. One whose step had no time left has not.
        let by_itself = match now.status {
            StepStatus::Completed => true,
            StepStatus::Failed | StepStatus::Waiting => {
                now.error.as_ref().is_none_or(|error| error.class != ErrorClass::Timeout)
            }
            _ => false,
        };
        (!still && !by_itself).then_some(awaited)
    });
    given_up.collect()
}
