//! How an execution comes to be: inputs checked and filled in, every step pending.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::context;
use super::event::{Event, EventKind};
use super::large::AtHand;
use super::plan::Plan;
use super::state::{Execution, ExecutionId, ExecutionStatus, Group, Parent, StepState, Subject, TenantId, TriggerInfo};
use crate::definition::field::{defaults, faults_of_filled, schema_of_fields};
use crate::expression::evaluate_json;

/// What is needed to make an execution.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// `owner/name`, or the name of a local repository.
    pub repository: String,
    /// GitHub's id of that repository, where it is known.
    pub repository_id: Option<u64>,
    /// The commit of the definition.
    pub revision: String,
    /// What started it.
    pub trigger: TriggerInfo,
    /// Where it is shown.
    pub subject: Option<Subject>,
    /// The inputs as given.
    pub inputs: Map<String, Value>,
    /// Its page.
    pub url: Option<String>,
}

/// Why an execution cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Inputs that do not fit.
    #[error("the inputs do not fit: {}", .faults.iter().map(|(field, fault)| format!("`{field}` {fault}")).collect::<Vec<_>>().join("; "))]
    WrongInputs {
        /// Each fault with its input.
        faults: Vec<(String, String)>,
    },
    /// The group that it belongs to cannot be told.
    #[error("`concurrency.group`: {reason}")]
    Group {
        /// Why.
        reason: String,
    },
}

/// Characters of a group's key; it is an index of the database.
const MAX_GROUP: usize = 200;

/// Makes an execution and its first event.
///
/// # Errors
/// Where the inputs do not fit the process.
pub fn create(plan: &Plan, new: NewExecution, now: Timestamp) -> Result<(Execution, Event), StartError> {
    create_for(plan, new, None, now)
}

/// Makes the execution of a sub-process and its first event.
///
/// # Errors
/// As [`create`].
pub fn create_child(
    plan: &Plan,
    new: NewExecution,
    parent: Parent,
    now: Timestamp,
) -> Result<(Execution, Event), StartError> {
    create_for(plan, new, Some(parent), now)
}

fn create_for(
    plan: &Plan,
    new: NewExecution,
    parent: Option<Parent>,
    now: Timestamp,
) -> Result<(Execution, Event), StartError> {
    let header = &plan.process.header;
    let mut inputs = defaults(&header.inputs);
    let given = Value::Object(new.inputs.clone());
    inputs.extend(new.inputs);
    let faults = faults_of_filled(&schema_of_fields(&header.inputs), &Value::Object(inputs.clone()), &given);
    if !faults.is_empty() {
        return Err(StartError::WrongInputs { faults });
    }
    let steps = plan.steps.iter().map(|(id, planned)| {
        (id.clone(), StepState::pending(planned.step.step_type(), planned.literal_name(), planned.step.on_failure))
    });
    let mut execution = Execution {
        id: new.id,
        tenant: new.tenant,
        repository: new.repository,
        repository_id: new.repository_id,
        process: header.name.as_str().to_owned(),
        process_version: header.version.get(),
        revision: new.revision,
        digest: plan.digest.clone(),
        status: ExecutionStatus::Pending,
        trigger: TriggerInfo { payload: plan.kept_of_payload(new.trigger.payload), ..new.trigger },
        subject: new.subject,
        inputs,
        outputs: None,
        error: None,
        url: new.url,
        created_at: now,
        started_at: None,
        completed_at: None,
        due_at: None,
        retries: 0,
        ending: None,
        completions: 0,
        group: None,
        held: None,
        delegations: Vec::new(),
        pushers: Vec::new(),
        base: None,
        parent,
        at_hand: AtHand::default(),
        steps: steps.collect(),
    };
    execution.group = group(plan, &execution)?;
    let kind = EventKind::ExecutionCreated { execution: Box::new(execution.clone()) };
    let actor = execution.trigger.actor.clone();
    Ok((execution, Event { at: now, step: None, attempt: None, actor, kind }))
}

fn group(plan: &Plan, execution: &Execution) -> Result<Option<Group>, StartError> {
    let Some(concurrency) = &plan.process.header.concurrency else { return Ok(None) };
    let wrong = |reason: String| StartError::Group { reason };
    let context = context::of_start(plan, execution);
    let key = evaluate_json(&Value::String(concurrency.group.value.clone()), &context);
    let key = match key.map_err(|error| wrong(error.to_string()))?.value {
        Value::String(key) => key,
        Value::Null => return Err(wrong("it is empty (null)".to_owned())),
        other => other.to_string(),
    };
    if key.is_empty() || key.chars().count() > MAX_GROUP {
        return Err(wrong(format!("it must have 1 to {MAX_GROUP} characters, and has {}", key.chars().count())));
    }
    Ok(Some(Group { key, on_conflict: concurrency.on_conflict }))
}
