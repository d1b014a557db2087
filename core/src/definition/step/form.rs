//! `form`: people answer questions; the answers are the step's output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::human_approval::Escalation;
use crate::definition::{Approvers, Fields, Text};
use crate::source::Spanned;
use crate::value::Duration;

/// The fields of `form`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// A headline.
    #[serde(default)]
    pub title: Option<Text>,
    /// What is asked and why, in Markdown.
    #[serde(default)]
    pub description: Option<Text>,
    /// The questions.
    #[schemars(extend("minProperties" = 1))]
    pub fields: Fields,
    /// Who may answer. Absent: whoever may write to the repository.
    #[serde(default)]
    pub assignees: Option<Spanned<Approvers>>,
    /// What happens at the deadline (fail).
    #[serde(default)]
    pub on_timeout: FormTimeout,
    /// When to remind, counted from the request.
    #[serde(default)]
    pub reminders: Vec<Spanned<Duration>>,
    /// Who is added when, counted from the request.
    #[serde(default)]
    pub escalate: Vec<Spanned<Escalation>>,
}

/// What happens when nobody answered in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormTimeout {
    /// The step fails with `timeout`.
    #[default]
    Fail,
    /// The step completes with the fields' defaults and nothing else.
    Continue,
}
