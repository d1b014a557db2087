//! What a derived schema becomes before files are checked with it. Published schemas stay as they are.

use serde_json::Value;

use super::Schema;

pub(super) fn for_definitions(schema: &Value) -> Value {
    let mut schema = schema.clone();
    prepare(&mut schema);
    schema
}

fn prepare(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(prepare),
        Value::Object(members) => {
            if members.contains_key(Schema::DECODED) {
                for keyword in ["pattern", "format", "minLength", "maxLength"] {
                    members.remove(keyword);
                }
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                if types.len() > 1 {
                    types.retain(|name| name != "null");
                }
                if let [single] = types.as_slice() {
                    let single = single.clone();
                    members.insert("type".to_owned(), single);
                }
            }
            for keyword in ["anyOf", "oneOf"] {
                strip_null_branch(members, keyword);
            }
            // A constant, an enumeration's values and a default are data, not schemas.
            let schemas = members.iter_mut().filter(|(name, _)| !matches!(name.as_str(), "const" | "enum" | "default" | "examples"));
            schemas.for_each(|(_, value)| prepare(value));
        }
        _ => {}
    }
}

fn strip_null_branch(members: &mut serde_json::Map<String, Value>, keyword: &str) {
    let Some(Value::Array(branches)) = members.get_mut(keyword) else { return };
    if branches.len() < 2 {
        return;
    }
    branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
    // One branch left: say it directly, so that its faults are told without the detour.
    if let [Value::Object(single)] = branches.as_slice() {
        let single = single.clone();
        let fits = single.keys().all(|name| !members.contains_key(name) || matches!(name.as_str(), "description" | "title"));
        if fits {
            members.remove(keyword);
            for (name, value) in single {
                members.entry(name).or_insert(value);
            }
        }
    }
}
