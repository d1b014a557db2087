//! What the JSON Schemas of definitions say about a place: keys with their documentation, values to choose from.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::outline::{NodeIndex, Outline, Part};
use crate::definition::repository::FileKind;
use crate::definition::schema;

/// Deepest way through references and alternatives.
const MAX_DEPTH: usize = 32;

/// A key that may stand in a mapping.
#[derive(Debug, Clone, Copy)]
pub struct Key<'s> {
    /// Its name.
    pub name: &'s str,
    /// What its value must be.
    pub schema: &'s Value,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub description: Option<&'s str>,
}

/// A value to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<'s> {
    /// As it is written in YAML.
    pub text: String,
    /// What it means.
    pub description: Option<&'s str>,
    /// Whether it only shows the form.
    pub is_example: bool,
}

/// The schema of a kind of file.
pub fn of_kind(kind: FileKind) -> Option<&'static Value> {
    static SCHEMAS: LazyLock<Vec<(&'static str, Value)>> =
        LazyLock::new(|| schema::KINDS.iter().filter_map(|kind| Some((*kind, schema::of_kind(kind)?))).collect());
    SCHEMAS.iter().find(|(name, _)| *name == kind.as_str()).map(|(_, schema)| schema)
}

/// What a schema says at one place: several where there are alternatives.
#[derive(Debug, Clone)]
pub struct Place<'s> {
    root: &'s Value,
    /// References, alternatives and conditions resolved.
    schemas: Vec<&'s Value>,
}

/// The place at a path of an outline; what is written there already decides between alternatives.
pub fn at<'s>(root: &'s Value, outline: &Outline<'_>, path: &[Part]) -> Place<'s> {
    let mut node = Some(outline.root());
    let mut here = resolve(root, root, &known(outline, node));
    for part in path {
        node = node.and_then(|node| match part {
            Part::Key(key) => outline.get(node, key),
            Part::Item(index) => outline.items(node).get(*index).map(|item| item.value),
        });
        let known = known(outline, node);
        let below = here.iter().flat_map(|schema| step(schema, part));
        here = below.flat_map(|schema| resolve(root, schema, &known)).collect();
    }
    Place { root, schemas: here }
}

fn known<'t>(outline: &Outline<'t>, node: Option<NodeIndex>) -> Vec<(&'t str, Option<&'t str>)> {
    let entries = node.map(|node| outline.entries(node)).unwrap_or_default();
    let entries = entries.iter().filter(|entry| entry.has_colon);
    entries.map(|entry| (outline.slice(entry.key), outline.scalar(entry.value))).collect()
}

/// One step down.
fn step<'s>(schema: &'s Value, part: &Part) -> Option<&'s Value> {
    match part {
        Part::Key(key) => {
            let named = schema.get("properties").and_then(|properties| properties.get(key));
            named.or_else(|| schema.get("additionalProperties"))
        }
        Part::Item(_) => schema.get("items"),
    }
}

/// The schemas that speak about a value, given the keys that it has.
fn resolve<'s>(root: &'s Value, schema: &'s Value, known: &[(&str, Option<&str>)]) -> Vec<&'s Value> {
    let mut found = Vec::new();
    collect(root, schema, known, 0, &mut found);
    found
}

fn collect<'s>(
    root: &'s Value,
    schema: &'s Value,
    known: &[(&str, Option<&str>)],
    depth: usize,
    found: &mut Vec<&'s Value>,
) {
    let Some(keywords) = schema.as_object().filter(|_| depth < MAX_DEPTH) else { return };
    found.push(schema);
    let pointer = keywords.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    if let Some(target) = pointer.and_then(|pointer| root.pointer(pointer)) {
        collect(root, target, known, depth + 1, found);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for alternative in keywords.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            if keyword == "allOf" || fits(alternative, known) {
                collect(root, alternative, known, depth + 1, found);
            }
        }
    }
    if let Some(condition) = keywords.get("if") {
        let then = if holds(condition, known) { "then" } else { "else" };
        keywords.get(then).into_iter().for_each(|then| collect(root, then, known, depth + 1, found));
    }
}

/// Whether an alternative allows the keys that are there.
fn fits(alternative: &Value, known: &[(&str, Option<&str>)]) -> bool {
    let closed = alternative.get("additionalProperties") == Some(&Value::Bool(false));
    let properties = alternative.get("properties").and_then(Value::as_object);
    !closed || known.iter().all(|(key, _)| properties.is_some_and(|properties| properties.contains_key(*key)))
}

/// `{"required": […], "properties": {KEY: {"const": VALUE}}}`, the only form of our conditions.
fn holds(condition: &Value, known: &[(&str, Option<&str>)]) -> bool {
    let properties = condition.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().all(|(key, schema)| {
        let wanted = schema.get("const").and_then(Value::as_str);
        known.iter().any(|(name, value)| name == key && *value == wanted)
    })
}

impl<'s> Place<'s> {
    /// The keys that may stand in a mapping here, required ones first, in the order of the schema.
    pub fn keys(&self) -> Vec<Key<'s>> {
        let mut keys: Vec<Key<'s>> = Vec::new();
        for schema in &self.schemas {
            let required: Vec<&str> = schema
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let required = required.contains(&name.as_str());
                if let Some(known) = keys.iter_mut().find(|key| key.name == name) {
                    known.required |= required;
                    continue;
                }
                // An alternative of one key, as a trigger is: what it says stands beside the key.
                let whole = schema.get("description").and_then(Value::as_str).filter(|_| required);
                let own = property.get("description").and_then(Value::as_str);
                let single = schema.get("properties").and_then(Value::as_object).is_some_and(|all| all.len() == 1);
                let description = if single { whole.or(own) } else { own };
                keys.push(Key { name, schema: property, required, description });
            }
        }
        keys.sort_by_key(|key| !key.required);
        keys
    }

    /// The key with this name.
    pub fn key(&self, name: &str) -> Option<Key<'s>> {
        self.keys().into_iter().find(|key| key.name == name)
    }

    /// Values to choose from.
    pub fn choices(&self) -> Vec<Choice<'s>> {
        let mut choices: Vec<Choice<'s>> = Vec::new();
        let mut add = |text: String, description: Option<&'s str>, is_example: bool| {
            if !choices.iter().any(|known| known.text == text) {
                choices.push(Choice { text, description, is_example });
            }
        };
        for schema in &self.schemas {
            let description = schema.get("description").and_then(Value::as_str);
            if let Some(value) = schema.get("const") {
                add(written(value), description, false);
            }
            for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten() {
                add(written(value), None, false);
            }
            if schema.get("type").and_then(Value::as_str) == Some("boolean") {
                add("true".to_owned(), description, false);
                add("false".to_owned(), description, false);
            }
            for value in schema.get("examples").and_then(Value::as_array).into_iter().flatten() {
                add(written(value), description, true);
            }
        }
        // The allowed words come with their meaning where the same list stands without.
        choices
    }

    /// What is said about the value here: of the place itself first, then of its type.
    pub fn descriptions(&self) -> Vec<&'s str> {
        let mut found: Vec<&str> = Vec::new();
        for description in self.schemas.iter().filter_map(|schema| schema.get("description")?.as_str()) {
            if !found.contains(&description) {
                found.push(description);
            }
        }
        found
    }

    /// Whether a mapping may stand here.
    pub fn allows_mapping(&self) -> bool {
        self.schemas.iter().any(|schema| {
            schema.get("properties").is_some() || schema.get("type").and_then(Value::as_str) == Some("object")
        })
    }

    /// What an item of a list here must be.
    pub fn item(&self) -> Place<'s> {
        let items = self.schemas.iter().filter_map(|schema| schema.get("items"));
        let schemas = items.flat_map(|schema| resolve(self.root, schema, &[])).collect();
        Place { root: self.root, schemas }
    }

    /// The place of a key's value, as far as nothing is written there yet.
    pub fn value_of(&self, key: &Key<'s>) -> Place<'s> {
        Place { root: self.root, schemas: resolve(self.root, key.schema, &[]) }
    }

    /// The first `type` that is said.
    pub fn type_name(&self) -> Option<&'s str> {
        self.schemas.iter().find_map(|schema| schema.get("type")?.as_str())
    }

    /// The default that is said nearest to the place.
    pub fn default(&self) -> Option<&'s Value> {
        self.schemas.iter().find_map(|schema| schema.get("default"))
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a schema's object has nothing but a description, so that anything may stand there.
pub fn is_anything(schema: &Value) -> bool {
    let says = |map: &Map<String, Value>| map.keys().any(|key| !matches!(key.as_str(), "description" | "default"));
    schema.as_object().is_none_or(|map| !says(map))
}
