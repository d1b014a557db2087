//! Schemas that are valid at a glance. Says yes only where compiling would certainly succeed; everything else is compiled.

use std::collections::BTreeSet;

use serde_json::Value;

/// The names of types (JSON Schema 2020-12, Validation, 6.1.1).
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Deeper schemas are compiled.
const MAX_DEPTH: usize = 16;
/// Longer patterns are compiled.
const MAX_PATTERN: usize = 200;

/// Whether a schema uses only well-known keywords, each as it has to be.
pub(super) fn is_plain(schema: &Value) -> bool {
    is_plain_at(schema, 0)
}

fn is_plain_at(schema: &Value, depth: usize) -> bool {
    match schema {
        Value::Bool(_) => true,
        Value::Object(members) if depth < MAX_DEPTH => {
            members.iter().all(|(keyword, value)| is_plain_keyword(keyword, value, depth))
        }
        _ => false,
    }
}

fn is_plain_keyword(keyword: &str, value: &Value, depth: usize) -> bool {
    match keyword {
        "type" => value.as_str().is_some_and(|name| TYPES.contains(&name)),
        "title" | "description" => value.is_string(),
        "properties" => value.as_object().is_some_and(|all| all.values().all(|one| is_plain_at(one, depth + 1))),
        "items" | "additionalProperties" => is_plain_at(value, depth + 1),
        "required" => value.as_array().is_some_and(|names| {
            let distinct: BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
            distinct.len() == names.len()
        }),
        "enum" => value.as_array().is_some_and(|choices| {
            let distinct: BTreeSet<&str> = choices.iter().filter_map(Value::as_str).collect();
            !choices.is_empty() && distinct.len() == choices.len()
        }),
        "minimum" | "maximum" => value.is_i64(),
        "minLength" | "maxLength" | "minItems" | "maxItems" => value.is_u64(),
        "uniqueItems" => value.is_boolean(),
        "pattern" => value.as_str().is_some_and(is_plain_pattern),
        _ => false,
    }
}

/// Patterns that mean the same everywhere: no groups with a question mark, no escapes but of classes and dots, no long
/// repetition, and no more than two that count.
fn is_plain_pattern(pattern: &str) -> bool {
    let mut letters = pattern.chars();
    let mut counted = 0;
    while let Some(letter) = letters.next() {
        let is_known = match letter {
            '\\' => letters.next().is_some_and(|escaped| "dswDSW.-".contains(escaped)),
            '{' => {
                counted += 1;
                let count: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                counted <= 2 && (1..=2).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit())
            }
            _ => letter.is_ascii_alphanumeric() || " _-/:@.,#^$|()[]+*?=".contains(letter),
        };
        if !is_known {
            return false;
        }
    }
    // A repetition of a repetition means something else elsewhere.
    let twice = pattern.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| b"?*+{}".contains(byte)));
    let is_odd = twice || ["(?", "[[", "--", "[]", "[^]", "||"].iter().any(|odd| pattern.contains(odd));
    pattern.len() <= MAX_PATTERN && !is_odd && regex_syntax::parse(pattern).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::source::Schema;

    fn keyword() -> impl Strategy<Value = (String, Value)> {
        let value = prop_oneof![
            Just(json!("string")),
            Just(json!("text")),
            Just(json!(["a", "b"])),
            Just(json!(["a", "a"])),
            Just(json!([])),
            Just(json!([1, "a"])),
            Just(json!(3)),
            Just(json!(-3)),
            Just(json!(1.5)),
            Just(json!(true)),
            Just(json!({"x": {"type": "string"}})),
            Just(json!({"type": "object", "properties": {"x": {"minimum": 1}}})),
            Just(json!({"type": 3})),
            Just(Value::Null),
        ];
        let keywords = [
            "type",
            "title",
            "properties",
            "items",
            "additionalProperties",
            "required",
            "enum",
            "minimum",
            "minLength",
            "uniqueItems",
            "pattern",
            "$ref",
            "allOf",
            "format",
        ];
        (proptest::sample::select(keywords.to_vec()), value).prop_map(|(keyword, value)| (keyword.to_owned(), value))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_plain_compiles(members in proptest::collection::vec(keyword(), 0..4)) {
            let schema = Value::Object(members.into_iter().collect());
            prop_assert!(!is_plain(&schema) || Schema::compile(&schema).is_ok(), "{schema}");
        }

        #[test]
        fn a_pattern_that_is_plain_compiles(pattern in r"[ab0-9^$.|()\[\]+*?\\dsw{}/-]{0,12}|[ab(]{1,3}[{][0-9]{0,3}[}][?*+{)]{0,2}") {
            let schema = json!({"type": "string", "pattern": pattern});
            prop_assert!(!is_plain(&schema) || Schema::compile(&schema).is_ok(), "{schema}");
        }
    }

    #[test]
    fn what_people_write_is_plain() {
        let schema = json!({
            "type": "object",
            "required": ["notes", "risk"],
            "properties": {
                "notes": {"type": "string", "maxLength": 2000},
                "risk": {"type": "integer", "minimum": 0, "maximum": 10},
                "areas": {"type": "array", "items": {"type": "string", "enum": ["api", "web"]}},
                "version": {"type": "string", "pattern": r"^v[0-9]+\.[0-9]+$"},
            },
            "additionalProperties": false,
        });
        assert!(is_plain(&schema));
    }
}
