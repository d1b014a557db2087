//! What a step waits for: people, time. The request is what people were shown, and decisions are bound to it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal::ShownCall;
use super::state::ExecutionId;
use super::workflow::AwaitedWorkflow;
use crate::approval::codeowners::Owned;
use crate::approval::{DecisionKind, Requirement};
use crate::definition::step::form::FormTimeout;
use crate::definition::step::human_approval::{KeepOnPush, NoteRequired, OnReject, OnTimeout, Priority};

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// People's approval.
    Approval(Box<ApprovalRequest>),
    /// A person's answers.
    Form(Box<FormRequest>),
    /// A moment.
    Timer {
        /// Until when.
        until: Timestamp,
        /// When the step fails, where that is before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<Timestamp>,
    },
    /// The next attempt.
    Retry {
        /// When it starts.
        at: Timestamp,
    },
    /// An event given to the API.
    Event {
        /// Its name.
        name: String,
        /// Events count from here on.
        since: Timestamp,
        /// When the step fails.
        #[serde(default)]
        due_at: Option<Timestamp>,
    },
    /// The end of a sub-process.
    Process {
        /// Its execution.
        execution: ExecutionId,
        /// When the step fails, and the sub-process is cancelled.
        #[serde(default)]
        due_at: Option<Timestamp>,
    },
    /// A workflow of GitHub Actions.
    Workflow(AwaitedWorkflow),
    /// The items of a `foreach`.
    Items {
        /// When the step fails, and its items are cancelled.
        #[serde(default)]
        due_at: Option<Timestamp>,
    },
}

/// What people are asked to approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The headline.
    pub title: String,
    /// What is to be approved, in Markdown.
    pub description: String,
    /// Who is needed; escalation adds to it.
    pub requirement: Requirement,
    /// Whether the author and contributors count.
    pub allow_author: bool,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// The commit that is shown with it, where there is one.
    #[serde(default)]
    pub head_sha: Option<String>,
    /// Since when that commit is shown: what was said before was said about another one.
    pub shown_since: Timestamp,
    /// Since when the pull request goes to another branch than before, where that happened while it was asked: there the same
    /// commit is another change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_since: Option<Timestamp>,
    /// The deadline.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// How long a deadline is, in milliseconds; escalation starts it anew.
    #[serde(default)]
    pub patience_ms: Option<u64>,
    /// What happens at the deadline.
    pub on_timeout: OnTimeout,
    /// What a rejection does.
    pub on_reject: OnReject,
    /// Whether approvals survive a push.
    pub keep_on_push: KeepOnPush,
    /// When a decision needs a note.
    pub note_required: NoteRequired,
    /// How urgent it is.
    pub priority: Priority,
    /// Levels of escalation not yet reached, the next one first.
    #[serde(default)]
    pub escalate: Vec<Level>,
    /// Reminders not yet given, the next one first.
    #[serde(default)]
    pub reminders: Vec<Timestamp>,
    /// The call of a tool that is to be allowed, where an attempt asks and not the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<ShownCall>>,
}

impl ApprovalRequest {
    /// Since when it asks what it asks now: about another base it is another question.
    pub fn asked_since(&self) -> Timestamp {
        self.base_since.map_or(self.requested_at, |since| since.max(self.requested_at))
    }

    /// Whether a decision of this kind counts only with a note.
    pub fn needs_note(&self, kind: DecisionKind) -> bool {
        match self.note_required {
            _ if kind == DecisionKind::Override => true,
            NoteRequired::Never => false,
            NoteRequired::OnReject => kind == DecisionKind::Reject,
            NoteRequired::Always => kind != DecisionKind::Withdraw,
        }
    }
}

/// A level of escalation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// When it is reached.
    pub at: Timestamp,
    /// Who is added.
    pub to: Requirement,
}

/// What a person is asked to fill in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormRequest {
    /// The headline.
    pub title: String,
    /// What is asked and why, in Markdown.
    pub description: String,
    /// The JSON Schema of the answers.
    pub schema: Value,
    /// Values where none is given.
    #[serde(default)]
    pub defaults: serde_json::Map<String, Value>,
    /// Who may answer; nobody in particular: whoever may write.
    #[serde(default)]
    pub assignees: Option<Requirement>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// The deadline.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// What happens at the deadline.
    pub on_timeout: FormTimeout,
    /// Levels of escalation not yet reached, the next one first.
    #[serde(default)]
    pub escalate: Vec<Level>,
    /// Reminders not yet given, the next one first.
    #[serde(default)]
    pub reminders: Vec<Timestamp>,
}

impl Waiting {
    /// When something is due without anybody's doing.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self {
            Self::Approval(request) => first(request.due_at, &request.escalate, &request.reminders),
            Self::Form(request) => first(request.due_at, &request.escalate, &request.reminders),
            Self::Timer { until, due_at } => Some(due_at.map_or(*until, |due_at| due_at.min(*until))),
            Self::Retry { at } => Some(*at),
            Self::Event { due_at, .. } | Self::Process { due_at, .. } | Self::Items { due_at } => *due_at,
            Self::Workflow(awaited) => awaited.due_at,
        }
    }

    /// The deadline of what a person is asked.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Approval(request) => request.due_at,
            Self::Form(request) => request.due_at,
            Self::Event { due_at, .. }
            | Self::Process { due_at, .. }
            | Self::Items { due_at }
            | Self::Timer { due_at, .. } => *due_at,
            Self::Workflow(awaited) => awaited.due_at,
            Self::Retry { .. } => None,
        }
    }

    /// Takes the reminders that are due off the list.
    pub(super) fn drop_reminders(&mut self, now: Timestamp) {
        match self {
            Self::Approval(request) => request.reminders.retain(|at| *at > now),
            Self::Form(request) => request.reminders.retain(|at| *at > now),
            _ => {}
        }
    }

    /// Who is asked: whoever is named where that is a question to people.
    pub fn requirement(&self) -> Option<&Requirement> {
        match self {
            Self::Approval(request) => Some(&request.requirement),
            Self::Form(request) => request.assignees.as_ref(),
            _ => None,
        }
    }

    /// Knows from now on who owns what is changed.
    pub(super) fn learn_owners(&mut self, owned: &Owned) {
        match self {
            Self::Approval(request) => request.requirement = request.requirement.with_owned(owned),
            Self::Form(request) => request.assignees = request.assignees.as_ref().map(|who| who.with_owned(owned)),
            _ => {}
        }
    }

    /// Reaches the next level of escalation: its people are added, and a new deadline may start.
    pub(super) fn escalate(&mut self, due_at: Option<Timestamp>) {
        match self {
            Self::Approval(request) if !request.escalate.is_empty() => {
                let level = request.escalate.remove(0);
                request.requirement = widened(request.requirement.clone(), level.to);
                request.due_at = due_at.or(request.due_at);
            }
            Self::Form(request) if !request.escalate.is_empty() => {
                let level = request.escalate.remove(0);
                request.assignees = Some(match request.assignees.take() {
                    Some(assignees) => widened(assignees, level.to),
                    None => level.to,
                });
                request.due_at = due_at.or(request.due_at);
            }
            _ => {}
        }
    }
}

/// Escalation adds people: either group suffices. The first one keeps its leaves' indices, so that earlier decisions
/// go on counting.
fn widened(requirement: Requirement, added: Requirement) -> Requirement {
    match requirement {
        Requirement::Any { mut of, count: 1 } => {
            of.push(added);
            Requirement::Any { of, count: 1 }
        }
        other => Requirement::Any { of: vec![other, added], count: 1 },
    }
}

fn first(due_at: Option<Timestamp>, escalate: &[Level], reminders: &[Timestamp]) -> Option<Timestamp> {
    due_at.into_iter().chain(escalate.first().map(|level| level.at)).chain(reminders.first().copied()).min()
}
