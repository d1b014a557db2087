//! Executions and their steps.

use flowctl_core::execution::timeline::{Row, Timeline};
use flowctl_core::execution::{Execution, ExecutionStatus, StepError, StepState, StepStatus, Waiting};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::large::{inline, inline_map};
use super::people::{ApproversView, DecisionView, MissingView, PersonView, name};
use super::usage::{CallView, UsageView};
use crate::identity::resume::{Claims, ResumeTokens};
use crate::store::approval_id;

/// How an execution stands.
#[derive(ToSchema)]
#[schema(as = ExecutionStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum ExecutionStatusSchema {
    Pending,
    Running,
    Waiting,
    Completed,
    Failed,
    Cancelled,
}

/// How a step stands.
#[derive(ToSchema)]
#[schema(as = StepStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum StepStatusSchema {
    Pending,
    Running,
    Waiting,
    Completed,
    Failed,
    Skipped,
    Cancelled,
}

/// One run of a process at one commit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionView {
    /// A UUIDv7.
    pub id: Uuid,
    /// Whose it is: the account that installed the App, or `local`.
    pub tenant: String,
    /// `owner/name`, or the name of a local repository.
    pub repository: String,
    /// The process's name.
    pub process: String,
    /// The process's version.
    pub version: u32,
    /// The commit whose definition it follows.
    pub revision: String,
    /// The digest of that definition with all that it refers to.
    pub digest: String,
    /// How it stands.
    #[schema(value_type = ExecutionStatusSchema)]
    pub status: ExecutionStatus,
    /// What started it.
    pub trigger: TriggerView,
    /// Its inputs, defaults filled in. In a list, a reference `{"$large_output": {"sha256": …, "bytes": …, "at":
    /// "executions/ID"}}` in the place of more than 8,192 bytes of JSON.
    #[schema(value_type = Object)]
    pub inputs: Map<String, Value>,
    /// Its outputs, once it completed. In a list, a reference in the place of what is large.
    #[schema(value_type = Value)]
    pub outputs: Option<Value>,
    /// Why it failed. Of one that was cancelled the reason, with the class `cancelled`; not in a list.
    pub error: Option<ErrorView>,
    /// What its steps cost: `0.0123 USD`, or `1.9 EUR + 1.5 USD + unknown` where a part has no known price.
    pub cost: Option<String>,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its first step could start.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// From its start to its end, or to now, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its page.
    pub url: Option<String>,
    /// Its steps in the order of the definition, then those inside of `foreach`.
    pub steps: Vec<StepView>,
}

/// What started an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Trigger)]
pub struct TriggerView {
    /// The trigger's key: `manual`, `pull_request`, `comment`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Who caused it.
    pub actor: Option<PersonView>,
    /// What came with it. In a list, a reference in the place of what is large.
    #[schema(value_type = Value)]
    pub payload: Value,
    /// The pull request, where there is one.
    #[schema(value_type = Value)]
    pub pull_request: Option<Value>,
}

/// Why something failed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Failure)]
pub struct ErrorView {
    /// What kind of failure.
    pub class: String,
    /// For people.
    pub message: String,
    /// The step, for an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl ErrorView {
    fn of(error: &StepError) -> Self {
        Self { class: name(&error.class), message: error.message.clone(), step: error.step.clone() }
    }
}

/// One step of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Step)]
pub struct StepView {
    /// Its id; inside of a `foreach` with the item, as `deploy[2]`.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub step_type: String,
    /// Its name for people.
    pub name: String,
    /// How it stands.
    #[schema(value_type = StepStatusSchema)]
    pub status: StepStatus,
    /// The attempt under way or the last one; 0 before the first.
    pub attempt: u32,
    /// When its first attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// From its start to its end, or to now, in milliseconds.
    pub duration_ms: Option<u64>,
    /// What it was given; secrets are `***`. In a list, a reference in the place of what is large.
    #[schema(value_type = Value)]
    pub input: Value,
    /// What it gave. In the place of more than 8,192 bytes of JSON stands a reference: `{"$large_output": {"sha256": …,
    /// "bytes": …, "at": "executions/ID/steps/STEP/output"}}`, with the digest and the length of the JSON text and where
    /// it is asked for below `/api/v1/`.
    #[schema(value_type = Value)]
    pub output: Option<Value>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<ErrorView>,
    /// Why it was skipped.
    pub skipped: Option<String>,
    /// What it cost, as the execution says it.
    pub cost: Option<String>,
    /// What it used of models, all attempts together.
    #[serde(default)]
    pub usage: Option<UsageView>,
    /// Every word said about it, in order.
    pub decisions: Vec<DecisionView>,
    /// What it waits for.
    pub waiting_for: Option<WaitingView>,
}

/// What a step waits for. Which members there are depends on `kind`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = WaitingFor)]
pub struct WaitingView {
    /// `approval`, `form`, `timer`, `retry`, `event`, `process`, `workflow`, `items`.
    pub kind: String,
    /// The approval's id, to decide on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Uuid>,
    /// The question's headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The question in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who is asked to approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<ApproversView>,
    /// Who is still missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Vec<MissingView>>,
    /// The commit that is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How urgent it is: `low`, `normal`, `high`, `urgent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The JSON Schema of a form's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
    /// What a form takes where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub defaults: Option<Map<String, Value>>,
    /// Who may answer a form; nothing: whoever may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignees: Option<ApproversView>,
    /// The event's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The sub-process's execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Uuid>,
    /// The page of a workflow's run, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How many items a `foreach` has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many of them have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// The call of a tool that an approval would allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallView>,
    /// When it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub requested_at: Option<Timestamp>,
    /// The deadline, or the moment that is waited for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// For administrators: lets whoever holds it answer once, with `POST …/resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
}

impl ExecutionView {
    /// An execution as it stands. Durations are up to `now` for what is under way. With `tokens` each question carries
    /// a resume token: for administrators only.
    pub fn of(execution: &Execution, now: Timestamp, tokens: Option<&ResumeTokens>) -> Self {
        let timeline = Timeline::of_all(execution, now);
        let steps = timeline.rows.iter().filter_map(|row| {
            let state = execution.steps.get(&row.id)?;
            Some(StepView::of(execution, row, state, now, tokens))
        });
        let trigger = &execution.trigger;
        Self {
            id: execution.id,
            tenant: execution.tenant.0.clone(),
            repository: execution.repository.clone(),
            process: execution.process.clone(),
            version: execution.process_version,
            revision: execution.revision.clone(),
            digest: execution.digest.clone(),
            status: execution.status,
            trigger: TriggerView {
                kind: trigger.kind.clone(),
                actor: trigger.actor.as_ref().map(PersonView::of),
                payload: trigger.payload.clone(),
                pull_request: trigger.pull_request.as_ref().map(|pull_request| json!(pull_request)),
            },
            inputs: execution.inputs.clone(),
            outputs: execution.outputs.clone(),
            error: execution.error.as_ref().map(ErrorView::of),
            cost: execution.cost(),
            created_at: execution.created_at,
            started_at: execution.started_at,
            completed_at: execution.completed_at,
            duration_ms: timeline.duration_ms,
            url: execution.url.clone(),
            steps: steps.collect(),
        }
    }
}

impl ExecutionView {
    /// The same for a list, where values that are large are referred to only.
    #[must_use]
    pub(in crate::api) fn in_list(self) -> Self {
        let at = || format!("executions/{}", self.id);
        let TriggerView { kind, actor, payload, pull_request } = self.trigger;
        Self {
            trigger: TriggerView { payload: inline(&payload, at), kind, actor, pull_request },
            inputs: inline_map(self.inputs, at),
            outputs: self.outputs.map(|outputs| inline(&outputs, at)),
            steps: self.steps.into_iter().map(|step| StepView { input: inline(&step.input, at), ..step }).collect(),
            ..self
        }
    }
}

impl StepView {
    fn of(execution: &Execution, row: &Row, state: &StepState, now: Timestamp, tokens: Option<&ResumeTokens>) -> Self {
        let mut waiting_for =
            state.waiting.as_ref().map(|waiting| WaitingView::of(execution.id, &row.id, state, waiting));
        if let (Some(waiting), Some(tokens), false) = (&mut waiting_for, tokens, execution.status.is_final()) {
            waiting.resume_token = Claims::of(execution, &row.id, state, now).map(|claims| tokens.issue(&claims));
        }
        Self {
            id: row.id.clone(),
            step_type: row.step_type.to_owned(),
            name: row.name.clone(),
            status: row.status,
            attempt: row.attempt,
            started_at: row.started_at,
            completed_at: row.completed_at,
            duration_ms: row.duration_ms,
            input: Value::clone(&state.input),
            output: state.output.as_ref().map(|output| {
                // Where the store keeps large outputs apart the state holds the reference already.
                inline(output, || format!("executions/{}/steps/{}/output", execution.id, row.id))
            }),
            error: state.error.as_ref().map(ErrorView::of),
            skipped: state.skipped.map(|reason| reason.words().to_owned()),
            cost: row.cost.clone(),
            usage: state.usage.as_ref().map(UsageView::of),
            decisions: state.decisions.iter().map(DecisionView::of).collect(),
            waiting_for,
        }
    }
}

impl WaitingView {
    pub(super) fn of(execution: Uuid, step: &str, state: &StepState, waiting: &Waiting) -> Self {
        let kind = |kind: &str| Self { kind: kind.to_owned(), ..Self::default() };
        match waiting {
            Waiting::Approval(request) => {
                let verdict = flowctl_core::approval::evaluate(&request.requirement, &state.decisions);
                Self {
                    approval: Some(approval_id(execution, step, state.attempt, request.requested_at)),
                    title: Some(request.title.clone()),
                    description: Some(request.description.clone()),
                    approvers: Some(ApproversView::of(&request.requirement)),
                    missing: Some(verdict.missing.iter().map(MissingView::of).collect()),
                    commit: request.head_sha.clone(),
                    priority: Some(name(&request.priority)),
                    call: request.call.as_deref().map(CallView::of),
                    requested_at: Some(request.requested_at),
                    due_at: request.due_at,
                    ..kind("approval")
                }
            }
            Waiting::Form(request) => Self {
                title: Some(request.title.clone()),
                description: Some(request.description.clone()),
                schema: Some(request.schema.clone()),
                defaults: Some(request.defaults.clone()).filter(|defaults| !defaults.is_empty()),
                assignees: request.assignees.as_ref().map(ApproversView::of),
                requested_at: Some(request.requested_at),
                due_at: request.due_at,
                ..kind("form")
            },
            Waiting::Timer { until, .. } => Self { due_at: Some(*until), ..kind("timer") },
            Waiting::Retry { at } => Self { due_at: Some(*at), ..kind("retry") },
            Waiting::Event { name, due_at, .. } => Self { name: Some(name.clone()), due_at: *due_at, ..kind("event") },
            Waiting::Process { execution, due_at } => {
                Self { execution: Some(*execution), due_at: *due_at, ..kind("process") }
            }
            Waiting::Workflow(awaited) => Self {
                url: awaited.run.as_ref().map(|run| run.url.clone()),
                requested_at: Some(awaited.since),
                due_at: awaited.due_at,
                ..kind("workflow")
            },
            Waiting::Items { due_at } => {
                let items = state.items.as_ref();
                Self {
                    total: items.map(|items| u64::from(items.total)),
                    ended: items.map(|items| items.ended() as u64),
                    due_at: *due_at,
                    ..kind("items")
                }
            }
        }
    }
}

/// How an execution stands, as a parameter.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum ExecutionStatusParameter {
    Pending,
    Running,
    Waiting,
    Completed,
    Failed,
    Cancelled,
}
