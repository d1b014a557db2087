//! What agents can ask: each operation with its description, the schema of its arguments, and what answers it.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use flowctl_core::definition::repository::Repository;
use flowctl_core::validate::rules::RULES;
use flowctl_core::validate::{Options, validate};
use rmcp::model::{Tool, ToolAnnotations};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::client::Client;

/// Items of a list that an agent is shown at most.
const SHOWN: usize = 50;

/// The operations; those of a server where there is one.
pub fn all(has_server: bool) -> Vec<Tool> {
    let files = || {
        json!({
            "type": "object", "additionalProperties": {"type": "string"},
            "description": "Texts by path, such as .flow/processes/release.yaml: the whole of .flow/, or what is to be looked at"
        })
    };
    let id = |of: &str| json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "description": of}}});
    let mut tools = vec![
        reads(
            "validate",
            "Proves definitions sound before they are committed: every finding with its code, place and help.",
            json!({"type": "object", "required": ["files"], "properties": {"files": files()}}),
        ),
        reads(
            "test",
            "Plays the tests of .flow/tests/ in virtual time: which cases pass, and what was not as expected. Nothing outside is called.",
            json!({"type": "object", "required": ["files"], "properties": {"files": files()}}),
        ),
        reads(
            "explain",
            "Explains a rule of validation: why it is there, a wrong and a right example.",
            json!({"type": "object", "required": ["code"], "properties": {
                "code": {"type": "string", "description": "The rule's code, such as FLOW101"}
            }}),
        ),
        reads(
            "schema",
            "The JSON Schema of a kind of definition file.",
            json!({"type": "object", "required": ["kind"], "properties": {
                "kind": {"type": "string", "enum": flowctl_core::definition::schema::KINDS}
            }}),
        ),
    ];
    if has_server {
        tools.extend([
            reads(
                "capabilities",
                "What the server can do: its types of steps, kinds of files, and providers of models.",
                json!({"type": "object"}),
            ),
            writes(
                "interpret",
                "Has a model of the server write a process from a description until validation finds it sound. Nothing is stored or \
                 started; what the model uses counts in the account's budget.",
                json!({"type": "object", "required": ["description", "model"], "properties": {
                    "description": {"type": "string"},
                    "model": {"type": "string", "description": "An alias of flow.yaml among the files, provider/model, or mock"},
                    "files": files(),
                    "tenant": {"type": "string", "description": "The account that pays (local)"}
                }}),
            ),
            reads("list_processes", "The processes that the server can run.", json!({"type": "object"})),
            reads("show_process", "A process with its inputs and steps.", id("owner/repo:name")),
            writes(
                "start_process",
                "Starts a process with inputs. People still approve what it asks them to approve.",
                json!({"type": "object", "required": ["process"], "properties": {
                    "process": {"type": "string", "description": "owner/repo:name, or the name where it is unique"},
                    "inputs": {"type": "object"},
                    "idempotency_key": {"type": "string", "description": "The same key again gives the execution that it started"}
                }}),
            ),
            reads(
                "list_executions",
                "The latest executions.",
                json!({"type": "object", "properties": {
                    "process": {"type": "string"},
                    "status": {"type": "string", "enum": ["pending", "running", "waiting", "completed", "failed", "cancelled"]}
                }}),
            ),
            reads("show_execution", "An execution: every step with its status, output and error.", id("The execution's id")),
            reads(
                "list_approvals",
                "What waits for people. It can be looked at only: people decide.",
                json!({"type": "object", "properties": {
                    "status": {"type": "string", "enum": ["pending", "approved", "rejected", "expired"]}
                }}),
            ),
        ]);
    }
    tools
}

fn reads(name: &'static str, description: &'static str, schema: Value) -> Tool {
    tool(name, description, schema).with_annotations(ToolAnnotations::new().read_only(true))
}

fn writes(name: &'static str, description: &'static str, schema: Value) -> Tool {
    let annotations = ToolAnnotations::new().read_only(false).destructive(false).idempotent(false);
    tool(name, description, schema).with_annotations(annotations)
}

fn tool(name: &'static str, description: &'static str, schema: Value) -> Tool {
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name, description, schema)
}

/// What an operation answers; nothing where there is none of that name.
pub async fn answer(
    name: &str,
    arguments: Map<String, Value>,
    client: Option<&Client>,
) -> Option<anyhow::Result<Value>> {
    let given = |key: &str| arguments.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let needed = |key: &str| given(key).ok_or_else(|| anyhow!("the argument `{key}` is required"));
    match name {
        "validate" => return Some(findings(&arguments).await),
        "test" => return Some(tested(&arguments).await),
        "explain" => return Some(needed("code").and_then(explained)),
        "schema" => return Some(needed("kind").and_then(schema)),
        _ => {}
    }
    let client = client?;
    let query: Vec<(&str, String)> =
        ["process", "status"].into_iter().filter_map(|key| Some((key, given(key)?.to_owned()))).collect();
    let answered = match name {
        "capabilities" => client.get("/ai/capabilities", &[]).await,
        // What does not fit is the server's to say, field by field.
        "interpret" => client.post("/ai/interpret", &arguments).await,
        "list_processes" => list(client, "/processes", &[]).await,
        "list_executions" => list(client, "/executions", &query).await,
        "list_approvals" => {
            let query: Vec<_> = query.into_iter().filter(|(key, _)| *key == "status").collect();
            list(client, "/approvals", &query).await
        }
        "show_process" => one(client, "/processes", needed("id")).await,
        "show_execution" => one(client, "/executions", needed("id")).await,
        "start_process" => match needed("process") {
            Ok(process) => {
                let inputs = arguments.get("inputs").cloned().unwrap_or_else(|| json!({}));
                let body = json!({"process": process, "inputs": inputs});
                client.post_once("/executions", given("idempotency_key"), &body).await
            }
            Err(error) => Err(error),
        },
        _ => return None,
    };
    Some(answered.map(without_tokens))
}

/// What a server says without that by which somebody could decide: a resume token is as good as a person's word.
fn without_tokens(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| !name.ends_with("token"));
            Value::Object(kept.map(|(name, value)| (name, without_tokens(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_tokens).collect(),
        other => other,
    }
}

async fn list(client: &Client, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
    let (items, more) = client.list::<Value>(path, query, SHOWN).await?;
    Ok(json!({"items": items, "more": more}))
}

async fn one<T: DeserializeOwned>(client: &Client, path: &str, id: anyhow::Result<&str>) -> anyhow::Result<T> {
    // An id is one part of the address, whatever an agent writes.
    let id = id?.replace('%', "%25").replace('/', "%2F").replace('?', "%3F").replace('#', "%23");
    if id.bytes().all(|byte| byte == b'.') {
        return Err(anyhow!("`{id}` is no id"));
    }
    client.get(&format!("{path}/{id}"), &[]).await
}

fn files(arguments: &Map<String, Value>) -> anyhow::Result<BTreeMap<String, String>> {
    let files = arguments.get("files").cloned().context("the argument `files` is required")?;
    serde_json::from_value(files).context("`files` holds texts by path")
}

async fn tested(arguments: &Map<String, Value>) -> anyhow::Result<Value> {
    let files = files(arguments)?;
    let tested = tokio::task::spawn_blocking(move || json!(flowctl_app::api::tested(files, crate::prices::kept())));
    tested.await.context("testing ended badly")
}

async fn findings(arguments: &Map<String, Value>) -> anyhow::Result<Value> {
    let files = files(arguments)?;
    let options = Options { prices: crate::prices::kept(), ..Options::default() };
    let checked = tokio::task::spawn_blocking(move || json!(validate(&Repository::read(files), &options)));
    checked.await.context("validation ended badly")
}

fn explained(code: &str) -> anyhow::Result<Value> {
    let rule = RULES.iter().find(|rule| rule.is(code)).ok_or_else(|| anyhow!("there is no rule `{code}`"))?;
    Ok(Value::String(rule.explanation()))
}

fn schema(kind: &str) -> anyhow::Result<Value> {
    flowctl_core::definition::schema::of_kind(kind).ok_or_else(|| anyhow!("there is no kind `{kind}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_holds_what_somebody_could_decide_with() {
        let execution =
            json!({"id": "e", "steps": [{"waiting_for": {"approval": "a", "resume_token": "t", "title": "Go?"}}]});
        let told = without_tokens(json!({"items": [execution], "more": false}));
        let expected = json!({"id": "e", "steps": [{"waiting_for": {"approval": "a", "title": "Go?"}}]});
        assert_eq!(told, json!({"items": [expected], "more": false}));
    }
}
