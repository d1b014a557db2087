//! A tool: `.flow/tools/NAME.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Text;
use super::step::api_call::Method;
use crate::source::Spanned;

/// A tool: an MCP server, an OpenAPI document, or one HTTP call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The tool's name; the file's name without its ending.
    pub name: Spanned<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Spanned<ToolType>,
    /// The program of an MCP server and its arguments.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// The address of an MCP server or of an HTTP call; of an OpenAPI document: what its paths begin with.
    #[serde(default)]
    pub url: Option<Text>,
    /// What an MCP server's program finds in its environment, beside what every program needs.
    #[serde(default)]
    pub env: IndexMap<Spanned<String>, Text>,
    /// The method of an HTTP call (GET).
    #[serde(default)]
    pub method: Option<Method>,
    /// The OpenAPI document: a path below `.flow/schemas/` or an address.
    #[serde(default)]
    pub document: Option<Text>,
    /// The operations that may be used. Absent: all.
    #[serde(default)]
    pub operations: Option<Vec<Spanned<String>>>,
    /// Headers of each call.
    #[serde(default)]
    pub headers: IndexMap<Spanned<String>, Text>,
    /// The shape of an HTTP tool's arguments.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::schema_or_path")]
    pub input_schema: Option<Spanned<Value>>,
    /// When a person must allow a call before it is made (writes).
    #[serde(default)]
    pub approval: ToolApproval,
}

/// What a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolType {
    /// An MCP server.
    Mcp,
    /// The operations of an OpenAPI document.
    Openapi,
    /// One HTTP call.
    Http,
}

/// When a person must allow a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolApproval {
    /// Never.
    Never,
    /// Before a call that writes.
    #[default]
    Writes,
    /// Before each call.
    Always,
}

/// Longest name that is made of an operation's method and path, in characters: what models take for a function's name.
const MAX_OPERATION_NAME: usize = 64;

/// The name of an operation of an OpenAPI document: its `operationId`, or one that is made of its method, as the document
/// writes it, and its path: `get_items_id`.
#[must_use]
pub fn operation_name(operation: &Value, method: &str, path: &str) -> String {
    if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
        return id.to_owned();
    }
    let mut name = method.to_owned();
    for part in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        name.push('_');
        name.push_str(part);
    }
    name.truncate(MAX_OPERATION_NAME);
    name
}

/// Whether a tool's `document` is a file of the repository and no address.
pub fn is_path(document: &str) -> bool {
    !document.contains("://") && !document.contains("{{")
}

/// The path of a tool's `document` below `.flow/schemas/`, however it was written.
pub fn below_schemas(document: &str) -> &str {
    document.trim_start_matches("./").strip_prefix(".flow/schemas/").unwrap_or(document)
}
