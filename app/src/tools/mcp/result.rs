//! What a call of an MCP server gives to a step: the structured value where there is one, else its text.

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, RequestMetaObject};
use serde_json::{Value, json};

/// How much of a failure an error shows, in characters.
const SHOWN: usize = 2_000;
/// Where the key of a call is, for servers that know it. Names with a domain are free for all (MCP 2025-11-25, "_meta").
const KEY: &str = "flowctl.dev/idempotency-key";

/// What goes along with a call.
pub(super) fn meta(idempotency_key: &str) -> Option<RequestMetaObject> {
    serde_json::from_value(json!({ KEY: idempotency_key })).ok()
}

/// The result of a call.
pub(super) fn of(tool: &str, operation: &str, response: CallToolResponse) -> Result<Value, StepError> {
    let refused = |message: String| Err(StepError::new(ErrorClass::Refused, message));
    match response {
        CallToolResponse::Complete(result) if result.is_error == Some(true) => {
            let text = texts(&result).join("\n");
            let shown: String = text.chars().take(SHOWN).collect();
            refused(format!("`{operation}` of tool `{tool}` failed: {shown}"))
        }
        CallToolResponse::Complete(result) => Ok(value(&result)),
        CallToolResponse::InputRequired(_) => refused(format!(
            "`{operation}` of tool `{tool}` asks for more in the middle of its call; nobody is there to answer"
        )),
        _ => refused(format!("`{operation}` of tool `{tool}` goes on in the background, which is not followed")),
    }
}

/// The structured value; a single text, read where it is a JSON object or list; else every part by itself.
fn value(result: &CallToolResult) -> Value {
    if let Some(structured) = &result.structured_content {
        return structured.clone();
    }
    match result.content.as_slice() {
        [ContentBlock::Text(text)] => match serde_json::from_str(&text.text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => Value::String(text.text.clone()),
        },
        [] => Value::Null,
        parts => parts.iter().map(|part| serde_json::to_value(part).unwrap_or(Value::Null)).collect(),
    }
}

fn texts(result: &CallToolResult) -> Vec<&str> {
    result.content.iter().filter_map(|part| part.as_text().map(|text| text.text.as_str())).collect()
}
