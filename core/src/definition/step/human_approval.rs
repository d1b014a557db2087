//! `human_approval`: people approve or reject before the process goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::{Approvers, Text};
use crate::source::Spanned;
use crate::value::Duration;

/// The fields of `human_approval`. One of `approvers` and `policy` is needed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HumanApproval {
    /// A headline.
    #[serde(default)]
    pub title: Option<Text>,
    /// What is to be approved, in Markdown.
    #[serde(default)]
    pub description: Option<Text>,
    /// Who may approve, and how many.
    #[serde(default)]
    pub approvers: Option<Spanned<Approvers>>,
    /// A policy of `.flow/policies/` that says who.
    #[serde(default)]
    pub policy: Option<Spanned<String>>,
    /// Whether the author and contributors of the change count (false).
    #[serde(default)]
    pub allow_author: bool,
    /// What happens at the deadline (reject).
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// What a rejection does (fail).
    #[serde(default)]
    pub on_reject: OnReject,
    /// When to remind, counted from the request.
    #[serde(default)]
    pub reminders: Vec<Spanned<Duration>>,
    /// Who is added when, counted from the request.
    #[serde(default)]
    pub escalate: Vec<Spanned<Escalation>>,
    /// Whether approvals survive a push (never).
    #[serde(default)]
    pub keep_on_push: KeepOnPush,
    /// When a decision needs a note (never).
    #[serde(default)]
    pub note_required: NoteRequired,
    /// How urgent it is (normal).
    #[serde(default)]
    pub priority: Priority,
}

/// What happens when nobody decided in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// It counts as a rejection.
    #[default]
    Reject,
    /// The step fails with `timeout`.
    Fail,
    /// It counts as approved.
    Approve,
    /// The next level of `escalate` is added and the deadline starts anew; after the last one it is a rejection.
    Escalate,
    /// The step completes with `decision: expired`.
    Continue,
}

/// What a rejection does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// The step fails.
    #[default]
    Fail,
    /// The step completes with `decision: rejected`.
    Continue,
}

/// Whether approvals survive a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepOnPush {
    /// A new commit dismisses them.
    #[default]
    Never,
    /// They stay where the new commit has the same tree.
    SameTree,
    /// They stay.
    Always,
}

/// When a decision needs a note.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteRequired {
    /// Never.
    #[default]
    Never,
    /// A rejection does.
    OnReject,
    /// Each does.
    Always,
}

/// How urgent a request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Soon.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// The same, where it is not as usual.
    pub fn unusual(self) -> Option<&'static str> {
        (self != Self::Normal).then(|| self.as_str())
    }
}

/// One level of an escalation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the request.
    pub after: Spanned<Duration>,
    /// Who is added.
    pub to: Spanned<Approvers>,
}
