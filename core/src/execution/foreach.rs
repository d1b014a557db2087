//! `foreach` in a transition: how its list is opened, which items begin, how an item ends, and what follows for the
//! step. Inside of an item the steps follow the same rules as those of a process.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::address::{self, inside, items_of};
use super::advance;
use super::context::{self, Place};
use super::decide::Transition;
use super::event::EventKind;
use super::items::{BodyStep, Items};
use super::perform;
use super::plan::PlannedStep;
use super::retry;
use super::state::{StepError, StepStatus};
use super::waiting::Waiting;
use crate::definition::step::{Foreach, OnFailure, RunOn};
use crate::definition::{ErrorClass, StepKind};
use crate::expression::Context;

/// Items that one `foreach` may have. Every transition stores the state of all of them.
pub const MAX_ITEMS: usize = 1_000;
/// Steps that one execution may have, those of all items counted.
pub const MAX_STEPS: usize = 10_000;

/// The list of a `foreach`, evaluated.
pub(super) fn items(
    transition: &Transition<'_>,
    foreach: &Foreach,
    context: &Context,
) -> Result<Vec<Value>, StepError> {
    let wrong = |message: String| StepError::new(ErrorClass::Expression, format!("`items` {message}"));
    let items = match perform::evaluate("items", &foreach.items.value, context)?.value {
        Value::Array(items) => items,
        Value::Null => return Err(wrong("is empty (null), and a list is needed".to_owned())),
        Value::String(_) => return Err(wrong("gave a text, and a list is needed".to_owned())),
        Value::Object(_) => return Err(wrong("gave a map, and a list is needed".to_owned())),
        other => return Err(wrong(format!("gave {other}, and a list is needed"))),
    };
    if items.len() > MAX_ITEMS {
        return Err(wrong(format!("has {} items; at most {MAX_ITEMS} are allowed", items.len())));
    }
    let steps = items.len().saturating_mul(foreach.steps.len()).saturating_add(transition.execution.steps.len());
    if steps > MAX_STEPS {
        return Err(wrong(format!(
            "has {} items, with which the execution would have {steps} steps; at most {MAX_STEPS} are allowed",
            items.len()
        )));
    }
    Ok(items)
}

/// The list is known: its items can begin. An empty one is done.
pub(super) fn open(
    transition: &mut Transition<'_>,
    key: &str,
    planned: &PlannedStep,
    total: usize,
    due_at: Option<Timestamp>,
) {
    if total == 0 {
        return transition.emit_step(key, None, EventKind::StepCompleted { output: json!([]), usage: None });
    }
    let body = planned.body.iter().map(|(id, step)| BodyStep {
        id: id.clone(),
        step_type: step.step.step_type(),
        name: step.literal_name(),
        on_failure: step.step.on_failure,
    });
    let body = body.collect();
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    transition.emit_step(key, None, EventKind::ItemsOpened { total, body, due_at });
}

/// Goes on with what failed or was interrupted: another attempt of the step.
pub(super) fn again(transition: &mut Transition<'_>, key: &str, planned: &PlannedStep) {
    let plan = transition.plan;
    for resumed in retry::items_again(transition, key, planned) {
        let due_at = plan.step(&resumed.foreach).and_then(|it| perform::due_at(transition, &resumed.foreach, it));
        let kind = EventKind::ItemsResumed { items: resumed.items, steps: resumed.steps, due_at };
        transition.emit_step(&resumed.foreach, None, kind);
    }
}

/// One pass over the items under way; whether anything happened.
pub(super) fn advance(transition: &mut Transition<'_>, key: &str, planned: &PlannedStep) -> bool {
    let StepKind::Foreach(foreach) = &planned.step.kind else { return false };
    let mut progressed = false;
    for index in open_items(transition, key) {
        let items = inside(items_of(key), index);
        progressed |= advance::scope(transition, &planned.body, &items);
        if let Some(end) = item_end(transition, key, planned, foreach, &items, index) {
            transition.emit_step(key, None, end);
            progressed = true;
        }
    }
    while let Some(index) = next_item(transition, key, foreach) {
        transition.emit_step(key, None, EventKind::ItemStarted { index });
        progressed = true;
    }
    progressed | conclude(transition, key, foreach)
}

/// Whether the step has items under way, or some to come.
pub(super) fn is_under_way(transition: &Transition<'_>, key: &str) -> bool {
    transition.execution.steps.get(key).is_some_and(|step| matches!(step.waiting, Some(Waiting::Items { .. })))
}

fn state<'t>(transition: &'t Transition<'_>, key: &str) -> Option<&'t Items> {
    transition.execution.steps.get(key)?.items.as_deref()
}

fn open_items(transition: &Transition<'_>, key: &str) -> Vec<u32> {
    state(transition, key).map(|items| items.open.clone()).unwrap_or_default()
}

/// The item that may begin now. None begins any more once one failed that is not tolerated, or the execution ends.
fn next_item(transition: &Transition<'_>, key: &str, foreach: &Foreach) -> Option<u32> {
    let items = state(transition, key)?;
    let room = items.open.len() < foreach.max_parallel as usize;
    let gives_up = foreach.on_item_failure == OnFailure::Fail && items.failed().is_some();
    if !room || gives_up || transition.execution.ending.is_some() || transition.execution.is_held() {
        return None;
    }
    items.next()
}

/// How an item ended; nothing while it has not.
fn item_end(
    transition: &Transition<'_>,
    key: &str,
    planned: &PlannedStep,
    foreach: &Foreach,
    items: &str,
    index: u32,
) -> Option<EventKind> {
    let mut cancelled = false;
    let mut failed = None;
    for (id, step) in &planned.body {
        let step_key = address::key(id, items);
        let state = transition.execution.steps.get(&step_key)?;
        match (state.status, step.step.run_on) {
            (_, RunOn::Compensation) => {}
            (StepStatus::Failed, _) if state.on_failure == OnFailure::Fail && failed.is_none() => {
                failed = state.error.clone().map(|error| StepError { step: error.step.or(Some(step_key)), ..error });
            }
            (StepStatus::Cancelled, _) => cancelled = true,
            (status, _) if !status.is_final() => return None,
            _ => {}
        }
    }
    if let Some(error) = failed {
        return Some(EventKind::ItemFailed { index, error });
    }
    if cancelled {
        return Some(EventKind::ItemCancelled { index });
    }
    Some(match result(transition, key, planned, foreach, items) {
        Ok(result) => EventKind::ItemCompleted { index, result },
        Err(error) => EventKind::ItemFailed { index, error },
    })
}

/// What an item gives: its `result`, or else the output of the body's last step.
fn result(
    transition: &Transition<'_>,
    key: &str,
    planned: &PlannedStep,
    foreach: &Foreach,
    items: &str,
) -> Result<Value, StepError> {
    match &foreach.result {
        Some(result) => {
            let place = Place::inside(key, items);
            let context = context::reading(transition.plan, &transition.execution, place, &planned.reads);
            Ok(perform::evaluate("result", &Value::String(result.value.clone()), &context)?.value)
        }
        None => {
            let last = planned.body.iter().rev().find(|(_, step)| step.step.run_on != RunOn::Compensation);
            let last = last.and_then(|(id, _)| transition.execution.steps.get(&address::key(id, items)));
            Ok(last.and_then(|step| step.output.clone()).unwrap_or_default())
        }
    }
}

/// Ends the step once no item is under way and none begins any more.
fn conclude(transition: &mut Transition<'_>, key: &str, foreach: &Foreach) -> bool {
    let Some(items) = state(transition, key).filter(|_| is_under_way(transition, key)) else { return false };
    let more = transition.execution.is_held() && items.next().is_some();
    if !items.open.is_empty() || more || next_item(transition, key, foreach).is_some() {
        return false;
    }
    let failure = items.failed().filter(|_| foreach.on_item_failure == OnFailure::Fail);
    let failure = failure.map(|(index, item)| (index, item.error.clone()));
    let (is_complete, results) = (items.is_complete(), items.results());
    match failure {
        Some((index, error)) => {
            let error = error.unwrap_or_else(|| StepError::new(ErrorClass::Refused, "it failed"));
            // What was asked of the item's next try is not asked of the list's.
            let message = format!("item {index}: {}", error.message);
            let error = StepError { message, retry_after_ms: None, ..error };
            fail(transition, key, error);
        }
        None if is_complete => {
            let output = Value::Array(results);
            transition.emit_step(key, None, EventKind::StepCompleted { output, usage: None });
        }
        None => transition.emit_step(key, None, EventKind::StepCancelled),
    }
    true
}

/// The step failed. While the execution ends its items are not tried again.
fn fail(transition: &mut Transition<'_>, key: &str, error: StepError) {
    if transition.execution.ending.is_some() {
        transition.emit_step(key, None, EventKind::StepFailed { error, usage: None });
    } else {
        perform::failed(transition, key, error, None);
    }
}

/// The step's time is over: its items go no further.
pub(super) fn expire(transition: &mut Transition<'_>, key: &str) {
    for step in steps_within(transition, key) {
        transition.emit_step(&step, None, EventKind::StepCancelled);
    }
    let error = StepError::new(ErrorClass::Timeout, "its items took longer than the step's `timeout`");
    fail(transition, key, error);
}

/// The keys of the steps inside of a `foreach` that have not ended, compensations left out.
fn steps_within(transition: &Transition<'_>, key: &str) -> Vec<String> {
    let Some(planned) = transition.plan.step(key) else { return Vec::new() };
    let mut open = Vec::new();
    collect_open(transition, key, planned, &mut open);
    open
}

fn collect_open(transition: &Transition<'_>, key: &str, planned: &PlannedStep, open: &mut Vec<String>) {
    for index in open_items(transition, key) {
        let items = inside(items_of(key), index);
        for (id, step) in &planned.body {
            let step_key = address::key(id, &items);
            if step.step.run_on == RunOn::Compensation {
                continue;
            }
            if is_under_way(transition, &step_key) {
                collect_open(transition, &step_key, step, open);
            }
            if transition.execution.steps.get(&step_key).is_some_and(|state| !state.status.is_final()) {
                open.push(step_key);
            }
        }
    }
}
