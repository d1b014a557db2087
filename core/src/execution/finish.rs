//! How an execution ends: compensations in reverse order of completion, then its outcome; or that it waits.

use serde_json::{Map, Value};

use super::address::{depth, items_of};
use super::advance;
use super::context;
use super::decide::Transition;
use super::event::{EventKind, SkipReason};
use super::perform;
use super::plan::{PlannedStep, compensation};
use super::state::{Ending, ExecutionStatus, StepError, StepStatus};
use super::waiting::Waiting;
use crate::definition::ErrorClass;
use crate::definition::step::{OnFailure, RunOn};
use crate::expression::evaluate_json;

/// Ends the execution where nothing is under way any more. Whether there is something new to advance.
pub(super) fn proceed(transition: &mut Transition<'_>) -> bool {
    if under_way(transition) {
        settle_status(transition);
        return false;
    }
    if let Some(ending) = bad_end(transition) {
        transition.emit(EventKind::ExecutionEnding { ending });
        return true;
    }
    if transition.execution.ending.is_some() && start_next_compensation(transition) {
        return true;
    }
    if transition.execution.ending.is_some() && open_steps(transition).next().is_some() {
        return release(transition);
    }
    skip_unused_compensations(transition);
    conclude(transition);
    false
}

/// How an execution ends that does not end well; nothing where it does, or where that is known already. A step that was
/// cancelled with the whole execution, and not retried with the others, leaves it cancelled.
fn bad_end(transition: &Transition<'_>) -> Option<Ending> {
    if transition.execution.ending.is_some() {
        return None;
    }
    if failed_step(transition).is_some() {
        return Some(Ending::Failed);
    }
    let stays = |id: &&String| {
        let state = transition.execution.steps.get(id);
        state.is_some_and(|state| state.status == StepStatus::Cancelled) && !is_compensation(transition, id)
    };
    let id = transition.plan.steps.keys().find(stays)?;
    Some(Ending::Cancelled { reason: format!("`{id}` was cancelled, and has not been retried") })
}

/// Whether a step runs, waits, or is still to come by its edges. While the execution ends, a `foreach` is as far as
/// the steps inside of it are.
fn under_way(transition: &Transition<'_>) -> bool {
    let ending = transition.execution.ending.is_some();
    transition.execution.steps.open().any(|(key, step)| match step.status {
        StepStatus::Running => true,
        StepStatus::Waiting => !ending || !matches!(step.waiting, Some(Waiting::Items { .. })),
        StepStatus::Pending => !ending && items_of(key).is_empty() && !is_compensation(transition, key),
        _ => false,
    })
}

fn is_compensation(transition: &Transition<'_>, id: &str) -> bool {
    transition.plan.step(id).is_some_and(|planned| planned.step.run_on == RunOn::Compensation)
}

fn open_steps<'t>(transition: &'t Transition<'_>) -> impl Iterator<Item = &'t String> {
    let pending = transition.execution.steps.open().filter(|(_, step)| step.status == StepStatus::Pending);
    let pending = pending.filter(|(key, _)| !is_compensation(transition, key)).map(|(key, _)| key);
    pending.filter(|key| advance::is_open(&transition.execution, key, transition.plan))
}

/// What is pending at the end and cannot become due any more is cancelled; the innermost first, since what its end
/// brings about may become due.
fn release(transition: &mut Transition<'_>) -> bool {
    let deepest = open_steps(transition).map(|key| depth(items_of(key))).max().unwrap_or(0);
    let open: Vec<String> = open_steps(transition).filter(|key| depth(items_of(key)) == deepest).cloned().collect();
    for key in open {
        transition.emit_step(&key, None, EventKind::StepCancelled);
    }
    true
}

/// Whether a compensation runs or is still to come.
pub(super) fn is_compensating(transition: &Transition<'_>) -> bool {
    let runs = transition.execution.steps.open().any(|(id, step)| {
        matches!(step.status, StepStatus::Running | StepStatus::Waiting) && is_compensation(transition, id)
    });
    runs || next_compensation(transition).is_some()
}

fn start_next_compensation(transition: &mut Transition<'_>) -> bool {
    let Some((undo, planned)) = next_compensation(transition) else { return false };
    perform::start(transition, &undo, planned);
    true
}

/// The compensation of the step that completed last and has not been undone. They run one at a time.
fn next_compensation<'plan>(transition: &Transition<'plan>) -> Option<(String, &'plan PlannedStep)> {
    let mut completed: Vec<(u32, &String)> = transition
        .execution
        .steps
        .iter()
        .filter(|(_, step)| step.status == StepStatus::Completed)
        .map(|(id, step)| (step.completion, id))
        .collect();
    completed.sort_unstable_by(|a, b| b.cmp(a));
    let plan = transition.plan;
    completed.into_iter().find_map(|(_, id)| {
        let (undo, planned) = compensation(plan, id)?;
        let pending = transition.execution.steps.get(&undo).is_some_and(|s| s.status == StepStatus::Pending);
        pending.then_some((undo, planned))
    })
}

fn skip_unused_compensations(transition: &mut Transition<'_>) {
    let unused: Vec<String> = transition
        .execution
        .steps
        .iter()
        .filter(|(_, step)| step.status == StepStatus::Pending)
        .map(|(id, _)| id.clone())
        .collect();
    for id in unused {
        transition.emit_step(&id, None, EventKind::StepSkipped { reason: SkipReason::NothingToUndo });
    }
}

/// The first step, in the order of the definition, whose failure nothing tolerates. One inside of a `foreach` fails
/// that, or nothing.
fn failed_step(transition: &Transition<'_>) -> Option<StepError> {
    transition.plan.steps.keys().find_map(|id| {
        let step = transition.execution.steps.get(id)?;
        let fails =
            step.status == StepStatus::Failed && step.on_failure == OnFailure::Fail && !is_compensation(transition, id);
        let error = step.error.clone().filter(|_| fails)?;
        Some(StepError { step: error.step.or_else(|| Some(id.clone())), ..error })
    })
}

fn conclude(transition: &mut Transition<'_>) {
    let kind = match transition.execution.ending.clone() {
        Some(Ending::Cancelled { reason }) => EventKind::ExecutionCancelled { reason },
        Some(Ending::TimedOut) => EventKind::ExecutionFailed {
            error: StepError::new(ErrorClass::Timeout, "it took longer than `defaults.execution_timeout` allows"),
        },
        Some(Ending::Failed) | None => match failed_step(transition) {
            Some(error) => EventKind::ExecutionFailed { error },
            None => match outputs(transition) {
                Ok(outputs) => EventKind::ExecutionCompleted { outputs },
                Err(error) => EventKind::ExecutionFailed { error },
            },
        },
    };
    transition.emit(kind);
}

fn outputs(transition: &Transition<'_>) -> Result<Value, StepError> {
    let context = context::of_outputs(transition.plan, &transition.execution);
    let mut outputs = Map::new();
    for (name, expression) in &transition.plan.process.header.outputs {
        let rendered = evaluate_json(&expression.value, &context)
            .map_err(|error| StepError::new(ErrorClass::Expression, format!("output `{}`: {error}", name.value)))?;
        outputs.insert(name.value.clone(), rendered.value);
    }
    Ok(Value::Object(outputs))
}

/// Says whether the execution waits or runs, where that changed.
fn settle_status(transition: &mut Transition<'_>) {
    let runs = transition.execution.steps.open().any(|(_, step)| match step.status {
        StepStatus::Running => true,
        StepStatus::Waiting => matches!(step.waiting, Some(Waiting::Retry { .. })),
        _ => false,
    });
    match (transition.execution.status, runs) {
        (ExecutionStatus::Running, false) => transition.emit(EventKind::ExecutionWaiting),
        (ExecutionStatus::Waiting, true) => transition.emit(EventKind::ExecutionResumed),
        _ => {}
    }
}
