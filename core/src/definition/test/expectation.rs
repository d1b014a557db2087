//! What a case expects.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::{Duration, StepId};

/// What must have happened; what is not written is not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestExpectation {
    /// How the execution ended; `waiting` where nothing more happens by itself.
    #[serde(default)]
    pub status: Option<Spanned<ExpectedStatus>>,
    /// A part of the execution's error.
    #[serde(default)]
    pub error: Option<Spanned<String>>,
    /// How long it took.
    #[serde(default)]
    pub took: Option<Spanned<Duration>>,
    /// The steps that completed or failed, in the order in which they did.
    #[serde(default)]
    pub path: Option<Spanned<Vec<Spanned<StepId>>>>,
    /// The steps that were skipped, in any order.
    #[serde(default)]
    pub skipped: Option<Spanned<Vec<Spanned<StepId>>>>,
    /// Single steps.
    #[serde(default)]
    pub steps: IndexMap<Spanned<StepId>, ExpectedStep>,
    /// The execution's outputs, all of them.
    #[serde(default)]
    pub outputs: Option<Spanned<Value>>,
    /// A part of the execution's outputs: mappings may hold more keys.
    #[serde(default)]
    pub outputs_contain: Option<Spanned<Value>>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedStatus {
    /// Well.
    Completed,
    /// Badly.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It waits, and nothing more happens by itself.
    Waiting,
}

impl ExpectedStatus {
    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
        }
    }
}

/// What must have become of a step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedStep {
    /// Its status.
    #[serde(default)]
    pub status: Option<Spanned<ExpectedStepStatus>>,
    /// Its output, all of it.
    #[serde(default)]
    pub output: Option<Spanned<Value>>,
    /// A part of its output: mappings may hold more keys.
    #[serde(default)]
    pub output_contains: Option<Spanned<Value>>,
    /// A part of its error.
    #[serde(default)]
    pub error: Option<Spanned<String>>,
    /// How many attempts it took.
    #[serde(default)]
    pub attempts: Option<Spanned<u32>>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedStepStatus {
    /// It was never due.
    Pending,
    /// It waits.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was not due.
    Skipped,
    /// It was interrupted.
    Cancelled,
}

impl ExpectedStepStatus {
    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}
