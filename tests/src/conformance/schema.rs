//! OpenAPI 3.0's dialect of schemas as JSON Schema 2020-12, closed: a field that the description does not name is
//! a fault too, unless the description leaves the object open. Pure; `$ref`s are followed inside the document only.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Keywords that mean the same in both dialects and hold no schemas.
const PLAIN: [&str; 15] = [
    "type",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
];
/// Keywords whose schemas speak of the same place in the value.
const COMBINATORS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// How deep references may lead to references before it is taken for a circle.
const DEEPEST: usize = 16;

/// The schema with everything that it refers to, as one JSON Schema document.
///
/// # Errors
/// The name of a `$ref` that leads nowhere in the document.
pub(super) fn translate(document: &Value, schema: &Value) -> Result<Value, String> {
    let mut translation = Translation { document, wanted: Vec::new(), known: BTreeSet::new(), shared: 0 };
    let mut root = translation.value(schema)?;
    let mut definitions = Map::new();
    while let Some(name) = translation.wanted.pop() {
        let definition = definition(document, &name)?;
        definitions.insert(name, Value::Object(translation.part(definition, false)?));
    }
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Ok(Value::Object(root))
}

fn definition<'a>(document: &'a Value, name: &str) -> Result<&'a Value, String> {
    document["components"]["schemas"].get(name).ok_or_else(|| format!("#/components/schemas/{name} is not there"))
}

fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

struct Translation<'a> {
    document: &'a Value,
    wanted: Vec<String>,
    known: BTreeSet<String>,
    /// How many `allOf` of several parts are being translated: each may describe only part of a field.
    shared: usize,
}

impl Translation<'_> {
    /// A schema that has a place in the value for itself: the root, a field, an item.
    fn value(&mut self, schema: &Value) -> Result<Map<String, Value>, String> {
        let mut translated = self.part(schema, false)?;
        if self.shared == 0 && self.names_its_fields(schema, 0)? {
            translated.insert("unevaluatedProperties".to_owned(), json!(false));
        }
        Ok(translated)
    }

    /// A schema that may share its place with others; `beside` says that it does.
    fn part(&mut self, schema: &Value, beside: bool) -> Result<Map<String, Value>, String> {
        let mut out = Map::new();
        if let Some(name) = referred(schema) {
            if self.known.insert(name.to_owned()) {
                self.wanted.push(name.to_owned());
            }
            out.insert("$ref".to_owned(), json!(format!("#/$defs/{name}")));
            return Ok(out);
        }
        if let Some(elsewhere) = schema.get("$ref") {
            return Err(format!("{elsewhere} leads out of the schemas"));
        }
        let Value::Object(keywords) = schema else { return Ok(out) };
        for (keyword, operand) in keywords {
            match keyword.as_str() {
                "properties" => {
                    let fields = operand.as_object().into_iter().flatten();
                    let fields = fields.map(|(name, field)| Ok((name.clone(), Value::Object(self.value(field)?))));
                    out.insert(keyword.clone(), Value::Object(fields.collect::<Result<_, String>>()?));
                }
                // An alternative that leaves the object open would hide what the schema around it does not name.
                "additionalProperties" if operand == &json!(true) && beside => {}
                "additionalProperties" if operand.is_boolean() => {
                    out.insert(keyword.clone(), operand.clone());
                }
                "items" | "additionalProperties" => {
                    out.insert(keyword.clone(), Value::Object(self.value(operand)?));
                }
                "not" => {
                    out.insert(keyword.clone(), Value::Object(self.part(operand, true)?));
                }
                name if COMBINATORS.contains(&name) => {
                    let parts = operand.as_array().map_or(&[][..], Vec::as_slice);
                    let shares = usize::from(name == "allOf" && parts.len() > 1);
                    self.shared += shares;
                    let parts = parts.iter().map(|part| Ok(Value::Object(self.part(part, true)?)));
                    let parts = parts.collect::<Result<_, String>>();
                    self.shared -= shares;
                    out.insert(keyword.clone(), Value::Array(parts?));
                }
                name if PLAIN.contains(&name) => {
                    out.insert(keyword.clone(), operand.clone());
                }
                _ => {}
            }
        }
        Ok(if schema["nullable"] == json!(true) { or_null(out) } else { out })
    }

    /// Whether the schema lists the fields that an object may have, and does not allow others.
    fn names_its_fields(&self, schema: &Value, depth: usize) -> Result<bool, String> {
        if depth > DEEPEST {
            return Ok(false);
        }
        if let Some(name) = referred(schema) {
            return self.names_its_fields(definition(self.document, name)?, depth + 1);
        }
        if schema.get("additionalProperties").is_some_and(|operand| operand != &json!(false)) {
            return Ok(false);
        }
        if schema["properties"].as_object().is_some_and(|fields| !fields.is_empty()) {
            return Ok(true);
        }
        let parts = COMBINATORS.iter().filter_map(|name| schema.get(*name)?.as_array()).flatten();
        for part in parts {
            if self.names_its_fields(part, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// `nullable: true`. GitHub means by it that null is fine, also where an `enum` beside it does not list null.
fn or_null(mut schema: Map<String, Value>) -> Map<String, Value> {
    let combined = COMBINATORS.iter().any(|name| schema.contains_key(*name));
    if combined {
        let alternatives = json!([{"type": "null"}, schema]);
        return Map::from_iter([("anyOf".to_owned(), alternatives)]);
    }
    if let Some(Value::String(kind)) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    if let Some(Value::Array(options)) = schema.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
    schema
}
