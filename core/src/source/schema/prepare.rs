//! What a derived schema becomes before files are checked with it. Published schemas stay as they are.

use serde_json::Value;

use super::Schema;

/// The schema without the keywords that are for editors only.
pub(super) fn without_decoded(schema: &Value) -> Value {
    let mut schema = schema.clone();
    strip(&mut schema);
    schema
}

fn strip(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(members) => {
            if members.contains_key(Schema::DECODED) {
                members.remove("pattern");
            }
            // A constant, an enumeration's values and a default are data, not schemas.
            let is_data = |name: &str| matches!(name, "const" | "enum" | "default" | "examples");
            members.iter_mut().filter(|(name, _)| !is_data(name)).for_each(|(_, value)| strip(value));
        }
        _ => {}
    }
}
