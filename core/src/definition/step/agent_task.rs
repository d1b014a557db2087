//! `agent_task`: an agent of `.flow/agents/` works on a message with its tools, within a budget.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{Approvers, Text};
use crate::source::Spanned;
use crate::value::Money;

/// The fields of `agent_task`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTask {
    /// An agent's name.
    pub agent: Spanned<String>,
    /// What it is asked.
    pub message: Text,
    /// The shape of its answer: a JSON Schema, or a path below `.flow/schemas/`.
    #[serde(default)]
    #[schemars(schema_with = "crate::definition::schema::schema_or_path")]
    pub output_schema: Option<Spanned<Value>>,
    /// The tools it may use, of those the agent has.
    #[serde(default)]
    pub tools: Option<Vec<Spanned<String>>>,
    /// Who may allow, beside those of the agent, a call of a tool that people are asked about, and how many (whoever the agent asks).
    #[serde(default)]
    pub approvers: Option<Spanned<Approvers>>,
    /// A policy of `.flow/policies/` that says who; with `approvers` both are needed.
    #[serde(default)]
    pub policy: Option<Spanned<String>>,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// Whether it remembers the thread (new).
    #[serde(default)]
    pub session: Session,
}

/// What an agent or a generation may spend.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Money.
    #[serde(default)]
    pub max_cost: Option<Spanned<Money>>,
    /// Tokens, in and out together.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u64>,
    /// Turns of the model.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_turns: Option<u32>,
    /// Calls of tools.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tool_calls: Option<u32>,
}

/// Whether an agent remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// It begins anew.
    #[default]
    New,
    /// It remembers the thread of the pull request or issue.
    Thread,
}
