//! Schemas of an OpenAPI document as JSON Schemas that stand for themselves: what they refer to goes along, and what the two
//! languages say differently is translated. References lead nowhere but into the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Parts that the schemas of one operation may refer to at most.
const MAX_PARTS: usize = 500;
/// How deep a schema may be.
const MAX_DEPTH: usize = 64;
/// References that may lead from one to the next.
const MAX_HOPS: usize = 16;

/// Why a schema cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SchemaFault {
    #[error("`$ref: {0}` leads out of the document, where nothing is read")]
    Outside(String),
    #[error("`$ref: {0}` leads nowhere")]
    Nowhere(String),
    #[error("its schemas are too many or too deep")]
    TooLarge,
    #[error("it is too large, together with those before it")]
    TooMuch,
    #[error("its body is neither JSON nor a form")]
    Body,
}

/// The schemas of one operation.
pub(super) struct Definitions<'d, 'l> {
    document: &'d Value,
    /// How many bytes of text may still be taken over.
    left: &'l mut usize,
    /// The name in `$defs` by reference.
    names: BTreeMap<String, String>,
    /// References whose schemas are still to be translated.
    open: Vec<String>,
}

impl<'d, 'l> Definitions<'d, 'l> {
    pub(super) fn new(document: &'d Value, left: &'l mut usize) -> Self {
        Self { document, left, names: BTreeMap::new(), open: Vec::new() }
    }

    /// What stands here, or where a reference leads.
    pub(super) fn resolve(&self, value: &'d Value) -> Result<&'d Value, SchemaFault> {
        let mut value = value;
        for _ in 0..MAX_HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
            value = self.at(reference)?;
        }
        Err(SchemaFault::TooLarge)
    }

    fn at(&self, reference: &str) -> Result<&'d Value, SchemaFault> {
        let pointer = reference.strip_prefix('#').ok_or_else(|| SchemaFault::Outside(reference.to_owned()))?;
        self.document.pointer(pointer).ok_or_else(|| SchemaFault::Nowhere(reference.to_owned()))
    }

    /// A schema, translated.
    pub(super) fn schema(&mut self, schema: &Value) -> Result<Value, SchemaFault> {
        self.translated(schema, 0)
    }

    /// What the schemas refer to, for `$defs`.
    pub(super) fn finish(mut self) -> Result<Map<String, Value>, SchemaFault> {
        let mut definitions = Map::new();
        while let Some(reference) = self.open.pop() {
            let part = self.at(&reference)?;
            let translated = self.translated(part, 0)?;
            if let Some(name) = self.names.get(&reference) {
                definitions.insert(name.clone(), translated);
            }
        }
        definitions.sort_keys();
        Ok(definitions)
    }

    fn translated(&mut self, schema: &Value, depth: usize) -> Result<Value, SchemaFault> {
        // Words for people and machines that are no part of what fits.
        const LEFT_OUT: [&str; 6] = ["example", "examples", "xml", "discriminator", "externalDocs", "deprecated"];
        if depth > MAX_DEPTH {
            return Err(SchemaFault::TooLarge);
        }
        let fields = match schema {
            Value::Object(fields) => fields,
            Value::Array(items) => {
                let items: Result<Vec<Value>, _> = items.iter().map(|item| self.translated(item, depth + 1)).collect();
                return items.map(Value::Array);
            }
            other => return self.taken_over(other),
        };
        let mut result = Map::new();
        for (key, value) in fields {
            self.take(key.len())?;
            let value = match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => json!(format!("#/$defs/{}", self.name(reference)?)),
                ("enum" | "const" | "default" | "required" | "type" | "description" | "title" | "pattern", _) => {
                    self.taken_over(value)?
                }
                ("properties" | "patternProperties" | "$defs", Value::Object(properties)) => {
                    let properties: Result<Map<String, Value>, SchemaFault> = properties
                        .iter()
                        .map(|(name, property)| {
                            self.take(name.len())?;
                            Ok((name.clone(), self.translated(property, depth + 1)?))
                        })
                        .collect();
                    Value::Object(properties?)
                }
                (key, _) if LEFT_OUT.contains(&key) || key.starts_with("x-") || key == "nullable" => continue,
                _ => self.translated(value, depth + 1)?,
            };
            result.insert(key.clone(), value);
        }
        limits(&mut result);
        Ok(if fields.get("nullable") == Some(&Value::Bool(true)) { nullable(result) } else { Value::Object(result) })
    }

    /// A value as it is.
    fn taken_over(&mut self, value: &Value) -> Result<Value, SchemaFault> {
        self.take(size_of(value))?;
        Ok(value.clone())
    }

    fn take(&mut self, bytes: usize) -> Result<(), SchemaFault> {
        // Small values take more room than their text.
        *self.left = self.left.checked_sub(bytes + 2).ok_or(SchemaFault::TooMuch)?;
        Ok(())
    }

    fn name(&mut self, reference: &str) -> Result<String, SchemaFault> {
        if let Some(name) = self.names.get(reference) {
            return Ok(name.clone());
        }
        self.at(reference)?;
        if self.names.len() >= MAX_PARTS {
            return Err(SchemaFault::TooLarge);
        }
        let last = reference.rsplit('/').next().unwrap_or_default();
        let mut name: String =
            last.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if self.names.values().any(|known| *known == name) {
            name = format!("{name}_{}", self.names.len());
        }
        self.names.insert(reference.to_owned(), name.clone());
        self.open.push(reference.to_owned());
        Ok(name)
    }
}

/// About as many bytes as its text has.
fn size_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size_of(item) + 2).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size_of(value) + 4).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
    }
}

/// In 3.0 an exclusive limit is a truth beside the limit (OpenAPI 3.0.4, "Schema Object"); in JSON Schema 2020-12 the limit.
fn limits(schema: &mut Map<String, Value>) {
    for (exclusive, limit) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => match schema.shift_remove(limit) {
                Some(value) => drop(schema.insert(exclusive.to_owned(), value)),
                None => drop(schema.shift_remove(exclusive)),
            },
            Some(Value::Bool(false)) => drop(schema.shift_remove(exclusive)),
            _ => {}
        }
    }
}

/// The same, or null (3.0's `nullable`).
fn nullable(mut schema: Map<String, Value>) -> Value {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => {
            *kind = json!([kind.take(), "null"]);
            if let Some(Value::Array(options)) = schema.get_mut("enum")
                && !options.contains(&Value::Null)
            {
                options.push(Value::Null);
            }
            Value::Object(schema)
        }
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use super::*;

    #[test]
    fn what_the_two_languages_say_differently_is_translated() {
        let document = json!({"components": {"schemas": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
        }}});
        let mut left = usize::MAX;
        let mut definitions = Definitions::new(&document, &mut left);
        let schema = json!({
            "type": "object", "x-internal": true,
            "properties": {
                "example": {"type": "string", "nullable": true, "enum": ["a"]},
                "count": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false},
                "node": {"$ref": "#/components/schemas/Node"}
            }
        });
        assert_eq!(
            definitions.schema(&schema).unwrap(),
            json!({
                "type": "object",
                "properties": {
                    "example": {"type": ["string", "null"], "enum": ["a", null]},
                    "count": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9},
                    "node": {"$ref": "#/$defs/Node"}
                }
            })
        );
        let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}});
        assert_eq!(Value::Object(definitions.finish().unwrap()), json!({"Node": node}));
    }

    #[test]
    fn references_lead_nowhere_but_into_the_document() {
        let document = json!({});
        let mut left = usize::MAX;
        let mut definitions = Definitions::new(&document, &mut left);
        for (reference, fault) in [
            (
                "https://elsewhere.example/schema.json",
                SchemaFault::Outside("https://elsewhere.example/schema.json".into()),
            ),
            ("../../etc/passwd", SchemaFault::Outside("../../etc/passwd".into())),
            ("#/components/schemas/None", SchemaFault::Nowhere("#/components/schemas/None".into())),
        ] {
            assert_eq!(definitions.schema(&json!({"$ref": reference})), Err(fault));
        }
    }
}
