//! What models and tools did in a step: what was used, what was recorded, what is asked.

use flowctl_core::execution::{ShownCall, Usage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a step used of models.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// The model that answered last, with its provider.
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Calls of models, repairs included.
    pub calls: u32,
    /// What it cost, as far as that is known.
    pub cost: Option<String>,
    /// What it cost in further currencies.
    pub other_costs: Vec<String>,
    /// Whether a part of it has no known price, so that it cost more than is said.
    pub unpriced: bool,
    /// Whether a part of it is a guess and not what the provider said.
    pub estimated: bool,
}

impl UsageView {
    /// What was used.
    pub fn of(usage: &Usage) -> Self {
        let unpriced = usage.is_unpriced();
        let Usage { model, input_tokens, output_tokens, cost, other_costs, estimated, calls, .. } = usage.clone();
        Self { model, input_tokens, output_tokens, calls, cost, other_costs, unpriced, estimated }
    }

    /// The same, to be summed.
    pub fn usage(&self) -> Usage {
        let Self { model, input_tokens, output_tokens, calls, cost, other_costs, unpriced, estimated } = self.clone();
        Usage { model, input_tokens, output_tokens, cost, other_costs, unpriced, estimated, calls }
    }
}

/// A call of a tool that is to be allowed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = ToolCall)]
pub struct CallView {
    /// The tool.
    pub tool: String,
    /// Its operation.
    pub operation: String,
    /// What it would be given; secrets are `***`.
    #[schema(value_type = Value)]
    pub arguments: Value,
    /// SHA-256 of the three in canonical JSON: what is allowed is this call and no other.
    pub digest: String,
}

impl CallView {
    /// A call as people are shown it.
    pub fn of(call: &ShownCall) -> Self {
        let ShownCall { tool, operation, arguments, digest, .. } = call.clone();
        Self { tool, operation, arguments, digest }
    }
}

/// An entry of the trace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = TraceEntry)]
pub struct TraceView {
    /// The event's number within the execution.
    pub seq: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The step.
    pub step: String,
    /// Its attempt.
    pub attempt: u32,
    /// What was recorded, whole. Its `kind` is one of `message`, `model_asked`, `model_answered`, `model_failed`,
    /// `tool_call_begun`, `tool_call_ended`, `approval_asked`, `approval_decided`, `tools_left_out`, `summary`.
    #[schema(value_type = Value)]
    pub entry: Value,
}
