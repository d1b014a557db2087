//! Events.

use flowctl_core::definition::step::{OnFailure, StepType};
use flowctl_core::execution::{EventKind, StepState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::execution::WaitingView;
use super::large::inline;
use super::people::{DecisionView, PersonView};
use crate::store::StoredEvent;

/// One fact about an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Its number within the execution, from 1, without gaps.
    pub seq: u64,
    /// What happened: `execution.started`, `step.completed`, `approval.decided`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The execution.
    pub execution: Uuid,
    /// The step, where it is about one.
    pub step: Option<String>,
    /// The step's attempt.
    pub attempt: Option<u32>,
    /// The person behind it.
    pub actor: Option<PersonView>,
    /// What there is to say about it; depends on the type.
    #[schema(value_type = Value)]
    pub data: Value,
}

impl EventView {
    /// An event as it is stored.
    pub fn of(execution: Uuid, stored: &StoredEvent) -> Self {
        let event = &stored.event;
        Self {
            seq: stored.seq,
            kind: event.kind.name().to_owned(),
            at: event.at,
            execution,
            step: event.step.clone(),
            attempt: event.attempt,
            actor: event.actor.as_ref().map(PersonView::of),
            data: data(execution, event.step.as_deref().unwrap_or_default(), event.attempt, &event.kind),
        }
    }
}

/// What there is to say, in the forms that the rest of the API has; what only the engine needs is left out.
fn data(execution: Uuid, step: &str, attempt: Option<u32>, kind: &EventKind) -> Value {
    match kind {
        EventKind::ExecutionCreated { execution } => json!({
            "tenant": execution.tenant,
            "repository": execution.repository,
            "process": execution.process,
            "version": execution.process_version,
            "revision": execution.revision,
            "digest": execution.digest,
            "trigger": execution.trigger,
            "inputs": execution.inputs,
        }),
        EventKind::StepStarted { input, timeout_ms, .. } => json!({"input": input, "timeout_ms": timeout_ms}),
        EventKind::StepWaiting { waiting } => {
            let asked = StepState {
                attempt: attempt.unwrap_or(0),
                ..StepState::pending(StepType::Wait, None, OnFailure::default())
            };
            json!({"waiting_for": WaitingView::of(execution, step, &asked, waiting)})
        }
        EventKind::DecisionRecorded { decision } => json!({"decision": DecisionView::of(decision)}),
        other => match serde_json::to_value(other) {
            Ok(Value::Object(mut members)) => {
                let mut data = members.shift_remove("data").unwrap_or(Value::Null);
                if let Some(output) = data.get_mut("output") {
                    *output = inline(output, || format!("executions/{execution}/steps/{step}/output"));
                }
                data
            }
            _ => Value::Null,
        },
    }
}
