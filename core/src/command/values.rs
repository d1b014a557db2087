//! Turns what people type into the values that a form or a process's inputs want: `5` for a number is a number, and
//! for a text it stays a text. Whether the values then fit is for the schema to say.

use crate::source::{Fault, Parsed, SourceFile, parse, to_json};
use serde_json::{Map, Value};

/// Values by name, each coerced by its field's schema. `schema` is the JSON Schema of the mapping.
pub fn of_words(schema: &Value, words: &[(String, String)]) -> Map<String, Value> {
    words.iter().map(|(name, text)| (name.clone(), coerced(&schema["properties"][name], text))).collect()
}

/// The value that a text stands for, where a field of this schema is wanted. What does not fit stays a text, so that
/// the schema's own words say what is wrong with it.
fn coerced(schema: &Value, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    let parsed = || serde_json::from_str::<Value>(text).ok();
    match schema["type"].as_str() {
        Some("integer" | "number") => parsed().filter(Value::is_number).unwrap_or_else(as_text),
        Some("boolean") => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" => Value::Bool(true),
            "false" | "no" => Value::Bool(false),
            _ => as_text(),
        },
        Some("array") => match parsed().filter(Value::is_array) {
            Some(list) => list,
            None => list(&schema["items"], text),
        },
        Some("object") => parsed().filter(Value::is_object).unwrap_or_else(as_text),
        _ => as_text(),
    }
}

/// `a, b` as a list.
fn list(items: &Value, text: &str) -> Value {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Value::Array(parts.map(|part| coerced(items, part)).collect())
}

/// Values of a block of YAML. A number written where a text is wanted is taken as written.
///
/// # Errors
/// What is wrong with the text, with its line.
pub fn of_block(schema: &Value, block: &str) -> Result<Map<String, Value>, Vec<String>> {
    let Parsed { document, faults } = parse(block);
    if !faults.is_empty() {
        let file = SourceFile::new("answer", document.text());
        let line = |fault: &Fault| format!("line {}: {}", file.range(fault.span).start.line, fault.message);
        return Err(faults.iter().map(line).collect());
    }
    let Some(root) = document.root() else { return Err(vec!["it is empty".to_owned()]) };
    let Value::Object(values) = to_json(&document, root) else {
        return Err(vec!["it must be `field: value` lines".to_owned()]);
    };
    let written = document.node(root);
    let as_written = |name: &str| written.get(name).and_then(|node| node.as_str()).map(str::to_owned);
    let fitted = values.into_iter().map(|(name, value)| {
        let wants_text = schema["properties"][&name]["type"] == "string";
        let value = match value {
            Value::Number(_) | Value::Bool(_) if wants_text => as_written(&name).map_or(value, Value::String),
            other => other,
        };
        (name, value)
    });
    Ok(fitted.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "name": {"type": "string"}, "count": {"type": "integer"}, "share": {"type": "number"},
            "urgent": {"type": "boolean"}, "regions": {"type": "array", "items": {"type": "string"}},
            "sizes": {"type": "array", "items": {"type": "integer"}}, "extra": {"type": "object"},
        }})
    }

    #[test]
    fn words_become_what_their_field_wants() {
        for (name, text, expected) in [
            ("name", "5", json!("5")),
            ("name", "true", json!("true")),
            ("count", "5", json!(5)),
            ("count", "five", json!("five")),
            ("count", "\"5\"", json!("\"5\"")),
            ("share", "0.5", json!(0.5)),
            ("urgent", "Yes", json!(true)),
            ("urgent", "false", json!(false)),
            ("urgent", "maybe", json!("maybe")),
            ("regions", "eu, us", json!(["eu", "us"])),
            ("regions", "[\"eu\"]", json!(["eu"])),
            ("sizes", "1,2", json!([1, 2])),
            ("extra", "{\"a\": 1}", json!({"a": 1})),
            ("unknown", "5", json!("5")),
        ] {
            let words = [(name.to_owned(), text.to_owned())];
            assert_eq!(of_words(&schema(), &words).get(name), Some(&expected), "{name}={text}");
        }
    }

    #[test]
    fn a_block_is_read_as_yaml() {
        let block = "name: 0815\ncount: 5\nregions: [eu, us]\nurgent: true\nunknown: 1\n";
        let values = of_block(&schema(), block).unwrap();
        assert_eq!(
            Value::Object(values),
            json!({"name": "0815", "count": 5, "regions": ["eu", "us"], "urgent": true, "unknown": 1})
        );
    }

    #[test]
    fn what_is_no_mapping_is_told_with_its_line() {
        for block in ["", "- a\n- b\n", "just words", "a: 1\nb: [1, 2\n", "a: 1\na: 2\n"] {
            let faults = of_block(&schema(), block).unwrap_err();
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.is_empty()), "{block:?} {faults:?}");
        }
    }
}
