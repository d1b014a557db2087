//! Events given to the API, in a transition: the steps that wait for one go on with what came with it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::{self, Place};
use super::decide::Transition;
use super::event::EventKind;
use super::perform;
use super::plan::PlannedStep;
use super::state::{StepError, StepState, StepStatus};
use super::waiting::Waiting;
use crate::definition::step::wait::WaitEvent;
use crate::definition::{ErrorClass, StepKind};
use crate::expression::{Context, condition, evaluate_json};

/// An event as it was given to the API.
pub(super) struct Received {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) payload: Value,
}

/// Every step that waits for this event and that it matches goes on.
pub(super) fn received(transition: &mut Transition<'_>, event: &Received) {
    let plan = transition.plan;
    // Whether it came since the execution started is known to the store, which tells only of those that did. Its order
    // is the truth: by their times two servers may disagree, and a clock may be set back.
    let waits = |step: &StepState| {
        matches!(&step.waiting, Some(Waiting::Event { name, .. }) if *name == event.name)
            && step.status == StepStatus::Waiting
    };
    let steps = transition.execution.steps.open().filter(|(_, step)| waits(step));
    let waiting: Vec<String> = steps.map(|(key, _)| key.clone()).collect();
    for key in waiting {
        let Some(planned) = plan.step(&key) else { continue };
        let StepKind::Wait(wait) = &planned.step.kind else { continue };
        let Some(fields) = &wait.event else { continue };
        if matches(transition, &key, planned, fields, event) {
            let output = json!({"at": event.at.to_string(), "payload": event.payload});
            transition.emit_step(&key, None, EventKind::StepCompleted { output, usage: None });
        }
    }
}

/// Whether the event is the one that is waited for. One that the expression cannot be evaluated for is not: what
/// somebody else sends under the same name must not fail the step.
fn matches(
    transition: &Transition<'_>,
    key: &str,
    planned: &PlannedStep,
    fields: &WaitEvent,
    event: &Received,
) -> bool {
    let Some(matches) = &fields.matches else { return true };
    let mut context: Context = context::reading(transition.plan, &transition.execution, Place::at(key), &planned.reads);
    context.set("event", json!({"name": event.name, "id": event.id, "payload": event.payload}));
    let value = evaluate_json(&Value::String(matches.value.clone()), &context);
    value.and_then(|rendered| condition(&rendered.value)).unwrap_or(false)
}

/// The step's time is over.
pub(super) fn expire(transition: &mut Transition<'_>, key: &str, name: &str) {
    let error = StepError::new(ErrorClass::Timeout, format!("no event `{name}` came in time"));
    perform::failed(transition, key, error, None);
}
