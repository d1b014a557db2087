//! The digest of a process: SHA-256 of the canonical form of its definition with all that it refers to. Two processes
//! with one digest ask people for the same; a decision counts only for the digest that was shown.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Process;
use super::step::StepKind;
use crate::execution::plan::Resources;

/// The digest, 64 hexadecimal digits. `written` is the process's file as JSON.
pub fn of(written: &Value, process: &Process, resources: &Resources) -> String {
    let mut models = Map::new();
    let mut schemas = Map::new();
    let mut prompts = Map::new();
    let mut policies = Map::new();
    let (mut tools, mut agents) = (Map::new(), Map::new());
    let mut name_schema = |schema: &Value| {
        if let Some(path) = schema.as_str() {
            schemas.insert(path.to_owned(), resources.schemas.get(path).cloned().unwrap_or_default());
        }
    };
    for step in process.all_steps() {
        match &step.kind {
            StepKind::AiGenerate(generate) => {
                if let Some(model) = resources.models.get(&generate.model.value) {
                    models.insert(generate.model.value.clone(), json!(model));
                }
                name_schema(&generate.output_schema.value);
                if let Some(name) = &generate.template {
                    prompts.insert(name.value.clone(), json!(resources.prompts.get(&name.value)));
                }
            }
            StepKind::ApiCall(call) => {
                let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
                schema.into_iter().for_each(|schema| name_schema(&schema.value));
            }
            StepKind::McpCall(call) => {
                let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
                schema.into_iter().for_each(|schema| name_schema(&schema.value));
                tools.insert(call.tool.value.clone(), json!(resources.tools.get(&call.tool.value)));
            }
            StepKind::AgentTask(task) => {
                task.output_schema.iter().for_each(|schema| name_schema(&schema.value));
                let agent = resources.agents.get(&task.agent.value);
                agents.insert(task.agent.value.clone(), json!(agent));
                let of_agent = agent.and_then(|agent| agent.policy.as_ref());
                for name in task.policy.iter().map(|policy| &policy.value).chain(of_agent) {
                    policies.insert(name.clone(), json!(resources.policies.get(name)));
                }
                for tool in agent.into_iter().flat_map(|agent| &agent.tools) {
                    tools.insert(tool.clone(), json!(resources.tools.get(tool)));
                }
            }
            StepKind::HumanApproval(approval) => {
                if let Some(name) = &approval.policy {
                    policies.insert(name.value.clone(), json!(resources.policies.get(&name.value)));
                }
            }
            _ => {}
        }
    }
    let mut whole = json!({
        "process": written, "models": models, "schemas": schemas, "prompts": prompts, "policies": policies,
        "defaults": resources.defaults
    });
    // Only where there are any: a process without them has the digest that it always had.
    for (key, used) in [("tools", tools), ("agents", agents)] {
        if !used.is_empty() {
            whole[key] = Value::Object(used);
        }
    }
    if let Some(budget) = &resources.monthly_budget {
        whole["monthly_budget"] = json!(budget);
    }
    if !resources.notify.is_empty() {
        whole["notify"] = json!(resources.notify);
    }
    let tells = !resources.notify.is_empty()
        || !process.header.notify.is_empty()
        || process.all_steps().any(|step| matches!(step.kind, StepKind::Notify(_)));
    // Which channel is meant may be known only when it runs.
    if tells && !resources.channels.is_empty() {
        whole["channels"] = json!(resources.channels);
    }
    hex::encode(Sha256::digest(canonical(&whole).as_bytes()))
}

/// JSON in one form only: keys in the order of their bytes, no white space.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_that_of_lists_does() {
        let one = json!({"b": [1, 2], "a": {"y": null, "x": "é\n"}});
        let same = json!({"a": {"x": "é\n", "y": null}, "b": [1, 2]});
        assert_eq!(canonical(&one), canonical(&same));
        assert_eq!(canonical(&one), "{\"a\":{\"x\":\"é\\n\",\"y\":null},\"b\":[1,2]}");
        assert_ne!(canonical(&one), canonical(&json!({"b": [2, 1], "a": {"y": null, "x": "é\n"}})));
    }
}
