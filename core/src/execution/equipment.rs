//! What a step works with: tools and agents as `.flow/` has them at the execution's commit, in the form in which whoever
//! performs the step is given them. Templates stay templates, and a secret stays its name; nothing is called here.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::budget::Limits;
use crate::definition::Approvers;
use crate::definition::agent::{Agent, Memory};
use crate::definition::step::api_call::Method;
use crate::definition::tool::{self, Tool, ToolApproval, ToolType};
use crate::source::Spanned;

/// Parts of an OpenAPI document that one operation may refer to at most, with all that those refer to.
const MAX_PARTS: usize = 2_000;

/// A tool, ready to be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EquippedTool {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ToolType,
    /// The program of an MCP server and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// What that program finds in its environment; templates.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// The address; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The method of an HTTP call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// The OpenAPI document: its address, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The OpenAPI document itself, of a file: as much of it as the operations need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_content: Option<Value>,
    /// The operations that may be used; nothing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<String>>,
    /// Headers of each call; templates.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// The shape of an HTTP tool's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// When a person must allow a call before it is made.
    pub approval: ToolApproval,
}

/// An agent, ready to work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EquippedAgent {
    /// Its name.
    pub name: String,
    /// Its model: `provider/model` or `mock`; aliases are resolved.
    pub model: String,
    /// What it is told about its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// How free the model is, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The tools it may use.
    pub tools: Vec<String>,
    /// Whether it remembers.
    pub memory: Memory,
    /// Who may allow a call of its tools that people are asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Spanned<Approvers>>,
    /// The policy that says who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What it may spend on one task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Value>,
    /// What all its tasks may cost in a calendar month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_budget: Option<Limits>,
}

impl EquippedTool {
    /// A tool with the files that it names: schemas by their path below `.flow/schemas/`.
    ///
    /// # Errors
    /// The path of a file that is not there.
    pub fn of(tool: &Tool, schemas: &IndexMap<String, Value>) -> Result<Self, String> {
        let texts = |texts: &IndexMap<_, crate::definition::Text>| -> IndexMap<String, String> {
            texts.iter().map(|(name, text)| (plain(name), text.value.clone())).collect()
        };
        let named = |path: &str| schemas.get(path).cloned().ok_or_else(|| path.to_owned());
        let operations: Option<Vec<String>> =
            tool.operations.as_ref().map(|all| all.iter().map(|operation| operation.value.clone()).collect());
        let written = tool.document.as_ref().map(|document| document.value.as_str());
        let document_content = match written.filter(|document| tool::is_path(document)) {
            Some(path) => Some(needed_of(&named(tool::below_schemas(path))?, operations.as_deref())),
            None => None,
        };
        let input_schema = match tool.input_schema.as_ref().map(|schema| &schema.value) {
            Some(Value::String(path)) => Some(named(path)?),
            inline => inline.cloned(),
        };
        Ok(Self {
            name: tool.name.value.clone(),
            description: tool.description.clone(),
            kind: tool.kind.value,
            command: tool.command.clone(),
            env: texts(&tool.env),
            url: tool.url.as_ref().map(|url| url.value.clone()),
            method: tool.method,
            document: written.filter(|document| !tool::is_path(document)).map(str::to_owned),
            document_content,
            operations,
            headers: texts(&tool.headers),
            input_schema,
            approval: tool.approval,
        })
    }
}

fn plain(name: &crate::source::Spanned<String>) -> String {
    name.value.clone()
}

impl EquippedAgent {
    /// An agent with its model's name resolved by the aliases of `flow.yaml`.
    pub fn of(agent: &Agent, models: &IndexMap<String, String>) -> Self {
        Self {
            name: agent.name.value.clone(),
            model: models.get(&agent.model.value).unwrap_or(&agent.model.value).clone(),
            instructions: agent.instructions.as_ref().map(|text| text.value.clone()),
            temperature: agent.temperature,
            tools: agent.tools.iter().map(|tool| tool.value.clone()).collect(),
            memory: agent.memory,
            approvers: agent.approvers.clone(),
            policy: agent.policy.as_ref().map(|policy| policy.value.clone()),
            budget: agent.budget.as_ref().map(|budget| json!(budget)),
            monthly_budget: agent.monthly_budget.as_ref().map(Limits::from),
        }
    }
}

/// As much of an OpenAPI document as these operations need: their paths without answers and examples, the servers, and
/// every part that they refer to. Nothing named: all operations.
fn needed_of(document: &Value, operations: Option<&[String]>) -> Value {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let mut paths = Map::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let mut kept = Map::new();
        for (key, value) in item.as_object().into_iter().flatten() {
            if !METHODS.contains(&key.as_str()) {
                if matches!(key.as_str(), "parameters" | "servers") {
                    kept.insert(key.clone(), value.clone());
                }
                continue;
            }
            let name = tool::operation_name(value, key, path);
            let is_named = |all: &[String]| all.contains(&name);
            if operations.is_none_or(is_named) {
                kept.insert(key.clone(), without_answers(value));
            }
        }
        if kept.keys().any(|key| METHODS.contains(&key.as_str())) {
            paths.insert(path.clone(), Value::Object(kept));
        }
    }
    let mut needed = json!({"openapi": document.get("openapi"), "servers": document.get("servers"), "paths": paths});
    let components = components_of(document, &needed);
    if let (Some(needed), false) = (needed.as_object_mut(), components.is_empty()) {
        needed.insert("components".to_owned(), Value::Object(components));
        needed.retain(|_, value| !value.is_null());
    }
    needed
}

fn without_answers(operation: &Value) -> Value {
    const KEPT: [&str; 7] =
        ["operationId", "summary", "description", "parameters", "requestBody", "servers", "deprecated"];
    let entries = operation.as_object().into_iter().flatten();
    Value::Object(
        entries.filter(|(key, _)| KEPT.contains(&key.as_str())).map(|(key, it)| (key.clone(), it.clone())).collect(),
    )
}

/// The components that a part of a document refers to, and those refer to, and so on.
fn components_of(document: &Value, from: &Value) -> Map<String, Value> {
    let mut components: Map<String, Value> = Map::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut open = Vec::new();
    references(from, &mut open);
    while let Some((kind, name)) = open.pop() {
        if seen.len() >= MAX_PARTS || !seen.insert((kind.clone(), name.clone())) {
            continue;
        }
        let Some(part) = document.get("components").and_then(|all| all.get(&kind)?.get(&name)) else { continue };
        references(part, &mut open);
        let place = components.entry(kind).or_insert_with(|| Value::Object(Map::new()));
        if let Some(place) = place.as_object_mut() {
            place.insert(name, part.clone());
        }
    }
    components
}

/// Every `$ref` to a component: its kind and name.
fn references(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(entries) => {
            for (key, item) in entries {
                let inside = item.as_str().filter(|_| key == "$ref").and_then(|to| to.strip_prefix("#/components/"));
                match inside.and_then(|rest| rest.split_once('/')) {
                    Some((kind, name)) => {
                        let name = name.split('/').next().unwrap_or_default();
                        found.push((kind.to_owned(), name.replace("~1", "/").replace("~0", "~")));
                    }
                    None => references(item, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_document_only_what_its_operations_need_is_kept() {
        let part = |to: &str| json!({"$ref": format!("#/components/schemas/{to}")});
        let body = |to: &str| json!({"content": {"application/json": {"schema": part(to)}}});
        let document = json!({
            "openapi": "3.1.0", "info": {"title": "Inventory"}, "servers": [{"url": "https://inventory.example"}],
            "paths": {
                "/items": {
                    "parameters": [{"name": "trace", "in": "header"}],
                    "post": {"operationId": "add", "requestBody": body("Item"), "responses": {"200": body("Answer")}},
                    "get": {"operationId": "list"}
                },
                "/other": {"get": {"operationId": "other"}}
            },
            "components": {"schemas": {
                "Item": {"properties": {"kind": part("Kind"), "parent": part("Item")}},
                "Kind": {"type": "string"}, "Answer": {}, "Unused": {}
            }}
        });
        let needed = needed_of(&document, Some(&["add".to_owned()]));
        assert_eq!(
            needed,
            json!({
                "openapi": "3.1.0", "servers": [{"url": "https://inventory.example"}],
                "paths": {"/items": {
                    "parameters": [{"name": "trace", "in": "header"}],
                    "post": {"operationId": "add", "requestBody": body("Item")}
                }},
                "components": {"schemas": {
                    "Item": {"properties": {"kind": part("Kind"), "parent": part("Item")}}, "Kind": {"type": "string"}
                }}
            })
        );
        assert_eq!(needed_of(&document, None)["paths"].as_object().map(Map::len), Some(2));
    }

    #[test]
    fn an_operation_without_an_id_was_not_found_in_a_file() {
        let document = json!({"openapi": "3.1.0", "paths": {
            "/items/{id}": {"get": {"summary": "One"}, "put": {"summary": "Another"}}, "/items": {"get": {}}
        }});
        let needed = needed_of(&document, Some(&["get_items_id".to_owned()]));
        assert_eq!(needed["paths"], json!({"/items/{id}": {"get": {"summary": "One"}}}));
    }
}
