//! `mcp_call`: one operation of a tool of `.flow/tools/`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api_call::Expect;
use crate::source::Spanned;

/// The fields of `mcp_call`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct McpCall {
    /// A tool's name.
    pub tool: Spanned<String>,
    /// One of its operations.
    pub operation: Spanned<String>,
    /// The operation's arguments.
    #[serde(default)]
    pub arguments: IndexMap<Spanned<String>, Spanned<Value>>,
    /// What a good result is.
    #[serde(default)]
    pub expect: Option<Expect>,
}
