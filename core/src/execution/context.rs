//! What expressions see of an execution. A decision makes only what the fields at hand read.

use serde_json::{Map, Value, json};

use super::address::{innermost, items_of, outermost, step_of};
use super::plan::Plan;
use super::reads::Reads;
use super::state::{Execution, StepState, StepStatus};
use crate::definition::StepKind;
use crate::expression::Context;

/// Where an expression stands: at a step, or inside of the body of a `foreach` as its `result` does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The step's key, or that of the `foreach`.
    pub(super) key: &'a str,
    /// The items around the expression.
    pub(super) items: &'a str,
}

impl<'a> Place<'a> {
    /// At a step.
    pub(super) fn at(key: &'a str) -> Self {
        Self { key, items: items_of(key) }
    }

    /// Inside of the body of the `foreach` with this key, in the item that `items` ends with.
    pub(super) fn inside(key: &'a str, items: &'a str) -> Self {
        Self { key, items }
    }

    fn is_inside(&self) -> bool {
        self.items.len() > items_of(self.key).len()
    }
}

/// Everything that the outputs of a process can see: `inputs`, `context`, `trigger`, `execution` and the steps that
/// have ended, those inside of bodies left out.
pub fn of(plan: &Plan, execution: &Execution) -> Context {
    let mut context = Context::new();
    context.set("inputs", Value::Object(execution.inputs.clone()));
    context.set("context", constants(plan));
    context.set("trigger", trigger(execution));
    context.set("execution", about(execution));
    let ended = execution.steps.iter().filter(|(key, step)| step.status.is_final() && items_of(key).is_empty());
    context.set("steps", Value::Object(ended.map(|(id, step)| (id.clone(), ended_step(execution, step))).collect()));
    context
}

/// What the fields see that read this, at a place.
pub(super) fn reading(plan: &Plan, execution: &Execution, place: Place<'_>, reads: &Reads) -> Context {
    let mut context = roots(plan, execution, reads);
    if reads.root("steps") {
        let steps = match reads.steps() {
            Some(ids) => in_reach(plan, execution, place, ids),
            None => in_reach(plan, execution, place, plan.ids()),
        };
        context.set("steps", Value::Object(steps));
    }
    items(plan, execution, place, reads, &mut context);
    context
}

/// What the outputs of a process see.
pub(super) fn of_outputs(plan: &Plan, execution: &Execution) -> Context {
    let reads = &plan.outputs_read;
    let mut context = roots(plan, execution, reads);
    if reads.root("steps") {
        let steps = match reads.steps() {
            Some(ids) => ended(execution, ids.map(|id| (id, id.to_owned()))),
            None => ended(execution, plan.steps.keys().map(|id| (id.as_str(), id.clone()))),
        };
        context.set("steps", Value::Object(steps));
    }
    context
}

/// What is known of an execution before any of its steps.
pub(super) fn of_start(plan: &Plan, execution: &Execution) -> Context {
    roots(plan, execution, &plan.group_reads)
}

fn roots(plan: &Plan, execution: &Execution, reads: &Reads) -> Context {
    let mut context = Context::new();
    if reads.root("inputs") {
        context.set("inputs", Value::Object(execution.inputs.clone()));
    }
    if reads.root("context") {
        context.set("context", constants(plan));
    }
    if reads.root("trigger") {
        context.set("trigger", trigger(execution));
    }
    if reads.root("execution") {
        context.set("execution", about(execution));
    }
    context
}

fn in_reach<'id>(
    plan: &Plan,
    execution: &Execution,
    place: Place<'_>,
    ids: impl Iterator<Item = &'id str>,
) -> Map<String, Value> {
    ended(
        execution,
        ids.filter_map(|id| Some((id, plan.reach(step_of(place.key), place.is_inside(), place.items, id)?))),
    )
}

/// The steps that have ended, of these ids and keys.
fn ended<'id>(execution: &Execution, steps: impl Iterator<Item = (&'id str, String)>) -> Map<String, Value> {
    steps
        .filter_map(|(id, key)| {
            let step = execution.steps.get(&key).filter(|step| step.status.is_final())?;
            Some((id.to_owned(), ended_step(execution, step)))
        })
        .collect()
}

/// The item of each `foreach` around a place, by its name; `index` is that of the innermost.
fn items(plan: &Plan, execution: &Execution, place: Place<'_>, reads: &Reads, context: &mut Context) {
    let mut around = plan.around(place.key);
    if place.is_inside() {
        around.extend(plan.step(place.key));
    }
    for (depth, foreach) in around.into_iter().enumerate() {
        let StepKind::Foreach(fields) = &foreach.step.kind else { continue };
        let Some((items, index)) = innermost(outermost(place.items, depth + 1)) else { continue };
        let name = fields.item_name.as_ref().map_or("item", |name| name.value.as_str());
        if reads.root(name) {
            let key = super::address::key(foreach.step.id.as_str(), items);
            let list = execution.steps.get(&key).and_then(|step| step.input.get("items"));
            let item = list.and_then(|list| list.get(index as usize)).cloned();
            context.set(name, item.unwrap_or_default());
        }
        if reads.root("index") {
            context.set("index", json!(index));
        }
    }
}

fn constants(plan: &Plan) -> Value {
    let constants = plan.process.header.context.iter().map(|(name, value)| (name.value.clone(), value.value.clone()));
    Value::Object(constants.collect())
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

fn ended_step(execution: &Execution, step: &StepState) -> Value {
    let mut value = Map::new();
    value.insert("status".to_owned(), json!(step.status));
    value.insert("attempts".to_owned(), json!(step.attempt));
    if step.status == StepStatus::Completed {
        let output = step.output.as_ref().map(|output| execution.whole(output));
        value.insert("output".to_owned(), output.unwrap_or_default());
    }
    let error = step.error.as_ref().filter(|_| step.status == StepStatus::Failed);
    value.insert("error".to_owned(), json!(error));
    Value::Object(value)
}
