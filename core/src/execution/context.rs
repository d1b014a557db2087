//! What expressions see of an execution.

use serde_json::{Map, Value, json};

use super::plan::Plan;
use super::state::{Execution, StepStatus};
use crate::expression::Context;

/// The roots of a step's expressions: `inputs`, `context`, `trigger`, `execution` and the steps that have ended.
pub fn of(plan: &Plan, execution: &Execution) -> Context {
    let mut context = Context::new();
    context.set("inputs", Value::Object(execution.inputs.clone()));
    let constants: Map<String, Value> =
        plan.process.header.context.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect();
    context.set("context", Value::Object(constants));
    context.set("trigger", trigger(execution));
    context.set("execution", about(execution));
    context.set("steps", steps(execution));
    context
}

fn trigger(execution: &Execution) -> Value {
    let trigger = &execution.trigger;
    let mut value = Map::new();
    value.insert("type".to_owned(), json!(trigger.kind));
    value.insert("actor".to_owned(), json!(trigger.actor.as_ref().map(|actor| &actor.login)));
    value.insert("payload".to_owned(), trigger.payload.clone());
    if let Some(pull_request) = &trigger.pull_request {
        value.insert("pull_request".to_owned(), json!(pull_request));
    }
    Value::Object(value)
}

fn about(execution: &Execution) -> Value {
    json!({
        "id": execution.id.to_string(),
        "process": execution.process,
        "version": execution.process_version,
        "revision": execution.revision,
        "repository": execution.repository,
        "url": execution.url,
        "started_at": execution.started_at.map(|at| at.to_string()),
    })
}

fn steps(execution: &Execution) -> Value {
    let ended = execution.steps.iter().filter(|(_, step)| step.status.is_final());
    let steps: Map<String, Value> = ended
        .map(|(id, step)| {
            let mut value = Map::new();
            value.insert("status".to_owned(), json!(step.status));
            value.insert("attempts".to_owned(), json!(step.attempt));
            if let (StepStatus::Completed, Some(output)) = (step.status, &step.output) {
                value.insert("output".to_owned(), output.clone());
            }
            let error = step.error.as_ref().filter(|_| step.status == StepStatus::Failed);
            value.insert("error".to_owned(), json!(error));
            (id.clone(), Value::Object(value))
        })
        .collect();
    Value::Object(steps)
}
