//! Which schemas providers hold an answer to: each knows a part of JSON Schema and refuses the rest. Pure; the answer is held
//! against the whole schema in any case, by who asked.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The formats of texts that both providers know.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];
/// How deep OpenAI takes objects within each other. Its page says ten, its answers said five; five is taken by all.
const MAX_NESTING: usize = 5;
/// Properties that OpenAI takes, of all objects together.
const MAX_PROPERTIES: usize = 5_000;
/// Words of all `enum` together that OpenAI takes.
const MAX_WORDS: usize = 1_000;

/// Whether OpenAI can hold an answer to a schema (platform.openai.com/docs/guides/structured-outputs, "Supported schemas"):
/// an object without alternatives at the root, every object closed and every property required, a `type` everywhere, nothing
/// beside a `$ref` (it answers 400 "$ref cannot have keywords"), and no keyword that it does not know.
pub(super) fn takes_strictly(schema: &Value) -> bool {
    let is_root = schema["type"] == "object" && schema.get("anyOf").is_none() && schema.get("$ref").is_none();
    let mut counted = Counted::default();
    let definitions = schema.get("$defs").and_then(Value::as_object).into_iter().flat_map(Map::values);
    is_root
        && counted.takes(schema, 1, true)
        && definitions.into_iter().all(|part| counted.takes(part, 1, false))
        && counted.properties <= MAX_PROPERTIES
        && counted.words <= MAX_WORDS
}

#[derive(Default)]
struct Counted {
    properties: usize,
    words: usize,
}

impl Counted {
    fn takes(&mut self, schema: &Value, depth: usize, is_root: bool) -> bool {
        const KNOWN: [&str; 19] = [
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "enum",
            "const",
            "anyOf",
            "description",
            "title",
            "pattern",
            "format",
            "multipleOf",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "minItems",
            "maxItems",
        ];
        let Some(members) = schema.as_object() else { return false };
        if members.contains_key("$ref") {
            return members.len() == 1;
        }
        let knows = |key: &String| KNOWN.contains(&key.as_str()) || (is_root && key == "$defs");
        if depth > MAX_NESTING || !members.keys().all(knows) {
            return false;
        }
        self.words += members.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        let format = members.get("format").is_none_or(is_known_format);
        // Its regular expressions look neither ahead nor behind.
        let pattern = members.get("pattern").and_then(Value::as_str).is_none_or(|pattern| !pattern.contains("(?"));
        let alternatives = members.get("anyOf").and_then(Value::as_array);
        let types = types_of(members);
        let has_kind = alternatives.is_some() || !types.is_empty();
        format
            && pattern
            && has_kind
            && (!types.contains(&"object") || self.takes_object(members, depth))
            && (!types.contains(&"array") || members.get("items").is_some_and(|items| self.takes(items, depth, false)))
            && alternatives.into_iter().flatten().all(|one| self.takes(one, depth, false))
    }

    fn takes_object(&mut self, members: &Map<String, Value>, depth: usize) -> bool {
        let Some(properties) = members.get("properties").and_then(Value::as_object) else { return false };
        let required: BTreeSet<&str> =
            members.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        self.properties += properties.len();
        members.get("additionalProperties") == Some(&Value::Bool(false))
            && properties.keys().all(|name| required.contains(name.as_str()))
            && properties.values().all(|property| {
                let inner = if types_of_value(property).contains(&"object") { depth + 1 } else { depth };
                self.takes(property, inner, false)
            })
    }
}

fn types_of(members: &Map<String, Value>) -> Vec<&str> {
    match members.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn types_of_value(schema: &Value) -> Vec<&str> {
    schema.as_object().map(types_of).unwrap_or_default()
}

fn is_known_format(format: &Value) -> bool {
    format.as_str().is_some_and(|format| FORMATS.contains(&format))
}

/// A schema as Anthropic holds an answer to it, and whether it still says all that it said.
pub(super) struct Native {
    pub(super) schema: Value,
    pub(super) is_whole: bool,
}

/// The schema in the part of JSON Schema that Anthropic knows (platform.claude.com, "Structured outputs", "JSON Schema
/// limitations"): every object closed, no recursion, no limits of numbers and of lengths, which are left out here as its own
/// libraries do. Nothing where it says something else in another way.
pub(super) fn natively(schema: &Value) -> Option<Native> {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let leads_back = |name: &String| definitions.is_some_and(|all| reaches(all, name));
    if definitions.is_some_and(|all| all.keys().any(leads_back)) {
        return None;
    }
    let mut is_whole = true;
    let schema = native(schema, true, &mut is_whole)?;
    Some(Native { schema, is_whole })
}

/// Whether a definition leads back to itself.
fn reaches(definitions: &Map<String, Value>, name: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    while let Some(next) = open.pop() {
        let mut found = Vec::new();
        definitions.get(&next).into_iter().for_each(|part| references(part, &mut found));
        if found.iter().any(|one| one == name) {
            return true;
        }
        open.extend(found.into_iter().filter(|one| seen.insert(one.clone())));
    }
    false
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
            found.extend(reference.map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        _ => {}
    }
}

fn native(schema: &Value, is_root: bool, is_whole: &mut bool) -> Option<Value> {
    const LEFT_OUT: [&str; 14] = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "default",
        "examples",
    ];
    let members = schema.as_object()?;
    let mut result = Map::new();
    for (key, value) in members {
        let value = match (key.as_str(), value) {
            ("$ref", Value::String(to)) if to.starts_with("#/$defs/") => value.clone(),
            ("type" | "required" | "description" | "title", _) => value.clone(),
            ("enum", Value::Array(words)) if words.iter().all(is_plain) => value.clone(),
            ("const", plain) if is_plain(plain) => value.clone(),
            ("properties", Value::Object(all)) => Value::Object(natives(all, is_whole)?),
            ("$defs", Value::Object(all)) if is_root => Value::Object(natives(all, is_whole)?),
            ("items", items) => native(items, false, is_whole)?,
            ("anyOf", Value::Array(all)) => {
                Value::Array(all.iter().map(|one| native(one, false, is_whole)).collect::<Option<Vec<_>>>()?)
            }
            ("additionalProperties", Value::Bool(false)) => continue,
            ("format", format) if is_known_format(format) => value.clone(),
            ("minItems", count) if count.as_u64().is_some_and(|count| count <= 1) => value.clone(),
            ("format" | "minItems", _) => {
                *is_whole = false;
                continue;
            }
            (key, _) if LEFT_OUT.contains(&key) => {
                *is_whole = false;
                continue;
            }
            _ => return None,
        };
        result.insert(key.clone(), value);
    }
    if types_of(members).contains(&"object") {
        // Of an object that names nothing nothing would be left once it is closed.
        members.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty())?;
        result.insert("additionalProperties".to_owned(), json!(false));
    }
    let says_something = ["type", "$ref", "anyOf", "enum", "const"].iter().any(|key| result.contains_key(*key));
    says_something.then_some(Value::Object(result))
}

fn natives(all: &Map<String, Value>, is_whole: &mut bool) -> Option<Map<String, Value>> {
    all.iter().map(|(name, schema)| Some((name.clone(), native(schema, false, is_whole)?))).collect()
}

fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use super::*;

    fn with(property: Value) -> Value {
        json!({
            "type": "object", "properties": {"a": property}, "required": ["a"], "additionalProperties": false,
            "$defs": {"Part": {"type": "string"}}
        })
    }

    #[test]
    fn openai_was_asked_strictly_for_what_it_refuses() {
        let open = json!({"type": ["object", "null"], "properties": {"b": {"type": "string"}}, "required": ["b"]});
        let deep = (0..6).fold(json!({"type": "string"}), |inner, _| with(inner));
        for refused in [
            with(json!({"$ref": "#/$defs/Part", "description": "why"})),
            with(open),
            with(json!({})),
            with(json!({"enum": ["a", "b"]})),
            with(json!({"type": "array"})),
            with(json!({"type": "string", "format": "colour"})),
            with(json!({"type": "string", "pattern": "(?=a)a"})),
            with(json!({"type": "string", "minLength": 1})),
            with(json!({"oneOf": [{"type": "string"}]})),
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": false}),
            json!({"type": "object", "anyOf": [with(json!({"type": "string"}))]}),
            json!({"$ref": "#/$defs/Part", "$defs": {"Part": with(json!({"type": "string"}))}}),
            json!({"type": "string"}),
            with(json!({"type": "string", "enum": (0..1_001).map(|n| n.to_string()).collect::<Vec<_>>()})),
            deep,
        ] {
            assert!(!takes_strictly(&refused), "{refused}");
        }
    }

    #[test]
    fn openai_was_not_asked_strictly_for_what_it_takes() {
        for taken in [
            with(json!({"$ref": "#/$defs/Part"})),
            with(json!({"type": ["string", "null"], "pattern": "^[a-z]+$"})),
            with(json!({"type": "string", "format": "date-time"})),
            with(json!({"type": "integer", "minimum": 0, "exclusiveMaximum": 10, "multipleOf": 2})),
            with(json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3})),
            with(json!({"anyOf": [{"type": "string"}, {"type": "null"}]})),
            with(json!({"type": "string", "enum": ["a", "b"], "description": "one of both"})),
            (0..4).fold(with(json!({"type": "string"})), |inner, _| {
                json!({"type": "object", "properties": {"a": inner["properties"]["a"].clone(), "b": {"type": "object",
                    "properties": {}, "required": [], "additionalProperties": false}}, "required": ["a", "b"],
                    "additionalProperties": false})
            }),
        ] {
            assert!(takes_strictly(&taken), "{taken}");
        }
    }

    #[test]
    fn anthropic_is_given_the_part_that_it_knows() {
        let given =
            natively(&with(json!({"type": "array", "items": {"$ref": "#/$defs/Part"}, "minItems": 1}))).unwrap();
        assert!(given.is_whole);
        let lossy = natively(&json!({
            "type": "object", "properties": {"risk": {"type": "integer", "minimum": 0}, "note": {"type": "string", "maxLength": 9}}
        }));
        let lossy = lossy.unwrap();
        assert!(!lossy.is_whole);
        assert_eq!(
            lossy.schema,
            json!({
                "type": "object", "properties": {"risk": {"type": "integer"}, "note": {"type": "string"}},
                "additionalProperties": false
            })
        );
        for other in [
            with(json!({"type": "object"})),
            with(
                json!({"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
            ),
            with(json!({"oneOf": [{"type": "string"}]})),
            with(json!({"enum": [["a"]]})),
            with(json!({})),
            json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}},
                "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}}),
            json!({"type": "object", "properties": {"next": {"$ref": "#"}}}),
        ] {
            assert!(natively(&other).is_none(), "{other}");
        }
    }
}
