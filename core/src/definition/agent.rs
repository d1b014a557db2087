//! An agent: `.flow/agents/NAME.yaml`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process::SpendingLimit;
use super::step::agent_task::Budget;
use super::{Approvers, Text};
use crate::source::Spanned;

/// An agent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The agent's name; the file's name without its ending.
    pub name: Spanned<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// An alias of `flow.yaml`, `provider/model`, or `mock`.
    pub model: Spanned<String>,
    /// What it is told about its work.
    #[serde(default)]
    pub instructions: Option<Text>,
    /// How free the model is, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// The tools it may use, of `.flow/tools/`.
    #[serde(default)]
    pub tools: Vec<Spanned<String>>,
    /// Who may allow a call of a tool that people are asked about, and how many (one person who may write).
    #[serde(default)]
    pub approvers: Option<Spanned<Approvers>>,
    /// A policy of `.flow/policies/` that says who; with `approvers` both are needed.
    #[serde(default)]
    pub policy: Option<Spanned<String>>,
    /// Whether it remembers (none).
    #[serde(default)]
    pub memory: Memory,
    /// What it may spend on one task.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// What all its tasks may cost in a calendar month, in UTC.
    #[serde(default)]
    pub monthly_budget: Option<SpendingLimit>,
}

/// Whether an agent remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Nothing.
    #[default]
    None,
    /// The thread of its pull request or issue.
    Thread,
}
