//! In which order the keys of a mapping are written: as the documentation lists them. Derived from the JSON Schemas of
//! the types that read the files; where a step's own keys stand among those of every step is said here.

use std::sync::LazyLock;

use serde_json::Value;

use crate::definition::repository::FileKind;
use crate::definition::schema::{keys_of_kind, of_kind};
use crate::definition::step::StepType;

/// Keys of a process in the order of the language's table: what it does stands between what it takes and what it gives.
const PROCESS: &[&str] = &[
    "name",
    "version",
    "description",
    "status",
    "triggers",
    "inputs",
    "context",
    "defaults",
    "concurrency",
    "steps",
    "outputs",
    "notify",
    "guarantees",
];
/// Keys of every step that say when it runs: before those of its type.
const BEFORE: &[&str] = &["id", "type", "name", "depends_on", "join", "when", "run_on"];
/// Keys of every step that say how it ends: after those of its type, unless the type's own table has them.
const AFTER: &[&str] = &["timeout", "retry", "on_failure", "compensate_with"];

macro_rules! schemas {
    ($($name:ident $kind:literal)*) => {
        $(static $name: LazyLock<Value> = LazyLock::new(|| of_kind($kind).unwrap_or_default());)*
    };
}

schemas! { PROCESS_SCHEMA "process" SETTINGS "settings" AGENT "agent" TOOL "tool" POLICY "policy" PROMPT "prompt" TEST "test" }

/// What is known of the place of a node: its schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    root: &'static Value,
    schema: Option<&'static Value>,
    is_process: bool,
    is_step: bool,
}

/// What a mapping says about itself, as far as its order depends on it.
pub(super) struct Said<'a> {
    /// Its keys as written.
    pub(super) keys: &'a [&'a str],
    /// Its `type`, where it has one.
    pub(super) kind: Option<&'a str>,
}

impl Shape {
    /// The shape of a whole file. Schemas of the author's own and unknown files have none: their order is kept.
    pub(super) fn of(kind: FileKind) -> Self {
        static NOTHING: Value = Value::Null;
        let root = match kind {
            FileKind::Process => &*PROCESS_SCHEMA,
            FileKind::Settings => &SETTINGS,
            FileKind::Agent => &AGENT,
            FileKind::Tool => &TOOL,
            FileKind::Policy => &POLICY,
            FileKind::Prompt => &PROMPT,
            FileKind::Test => &TEST,
            FileKind::Schema | FileKind::Unknown => &NOTHING,
        };
        let schema = (!root.is_null()).then_some(root);
        Self { root, schema, is_process: kind == FileKind::Process, is_step: false }
    }

    fn at(self, schema: Option<&'static Value>) -> Self {
        Self { schema, is_process: false, is_step: false, ..self }
    }

    /// The order of a mapping's keys; empty where it is the author's.
    pub(super) fn order(self, said: &Said<'_>) -> Vec<&'static str> {
        if self.is_process {
            return PROCESS.to_vec();
        }
        if self.is_step {
            return step(said.kind.and_then(StepType::from_name));
        }
        let properties = self.resolved(said).and_then(|schema| schema.get("properties")?.as_object());
        properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    /// The shape of a key's value.
    pub(super) fn key(self, said: &Said<'_>, key: &str) -> Self {
        if (self.is_process || self.is_step) && key == "steps" {
            return Self { is_step: true, ..self.at(None) };
        }
        if self.is_step {
            let definition = said.kind.map(|kind| format!("/$defs/Step_{kind}/properties/{}", escaped(key)));
            return self.at(definition.and_then(|pointer| self.root.pointer(&pointer)));
        }
        let schema = self.resolved(said);
        let own = schema.and_then(|schema| schema.get("properties")?.get(key));
        self.at(own.or_else(|| schema.and_then(|schema| schema.get("additionalProperties"))))
    }

    /// The shape of a list's items.
    pub(super) fn item(self) -> Self {
        if self.is_step {
            return self;
        }
        let list = self.schema.map(|schema| self.followed(schema));
        let items = list.and_then(|schema| {
            schema.get("items").or_else(|| self.choices(schema).find_map(|choice| self.followed(choice).get("items")))
        });
        self.at(items)
    }

    /// The schema behind references; of several choices the one that knows the keys.
    fn resolved(self, said: &Said<'_>) -> Option<&'static Value> {
        let schema = self.followed(self.schema?);
        if schema.get("properties").is_some() {
            return Some(schema);
        }
        let knows = |schema: &Value| {
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.is_some_and(|known| said.keys.iter().any(|key| known.contains_key(*key)))
        };
        self.choices(schema).map(|choice| self.followed(choice)).find(|choice| knows(choice)).or(Some(schema))
    }

    fn choices(self, schema: &'static Value) -> impl Iterator<Item = &'static Value> {
        let lists = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
        lists.flatten()
    }

    fn followed(self, schema: &'static Value) -> &'static Value {
        let mut schema = schema;
        // References of derived schemas form no circle of bare references; a bound costs nothing.
        for _ in 0..16 {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
            match target.and_then(|pointer| self.root.pointer(pointer)) {
                Some(target) => schema = target,
                None => return schema,
            }
        }
        schema
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The order of a step's keys.
fn step(step_type: Option<StepType>) -> Vec<&'static str> {
    static STEPS: LazyLock<Vec<(StepType, Vec<&'static str>)>> =
        LazyLock::new(|| StepType::ALL.into_iter().map(|step_type| (step_type, of_type(step_type))).collect());
    let known = STEPS.iter().find(|(known, _)| Some(*known) == step_type);
    known.map_or_else(|| [BEFORE, AFTER].concat(), |(_, order)| order.clone())
}

fn of_type(step_type: StepType) -> Vec<&'static str> {
    let mut order = BEFORE.to_vec();
    for key in keys_of_kind(step_type) {
        // The tables of approvals and forms have the deadline before what happens at it.
        if key == "on_timeout" {
            order.push("timeout");
        }
        let pointer = format!("/$defs/Step_{}/properties", step_type.as_str());
        let known = PROCESS_SCHEMA.pointer(&pointer).and_then(Value::as_object);
        order.extend(known.and_then(|known| known.get_key_value(&key)).map(|(key, _)| key.as_str()));
        if key == "max_parallel" && step_type == StepType::Foreach {
            order.push("steps");
        }
    }
    let rest: Vec<&str> = AFTER.iter().copied().filter(|key| !order.contains(key)).collect();
    order.extend(rest);
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_has_one_place() {
        let keys = |schema: &Value| -> BTreeSet<String> {
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        let own = |order: &[&str]| -> BTreeSet<String> { order.iter().map(|key| (*key).to_owned()).collect() };
        assert_eq!(own(PROCESS), keys(&PROCESS_SCHEMA));
        for step_type in StepType::ALL {
            let order = of_type(step_type);
            let all = keys(&PROCESS_SCHEMA["$defs"][format!("Step_{}", step_type.as_str())]);
            assert_eq!(own(&order), all, "{step_type}");
            assert_eq!(order.len(), all.len(), "{step_type}: a key has two places");
        }
    }

    #[test]
    fn nested_mappings_are_found_through_references_and_choices() {
        let order = |kind: FileKind, path: &[&str], keys: &[&str]| {
            let mut shape = Shape::of(kind);
            for key in path {
                let said = Said { keys: &[key], kind: Some("human_approval") };
                shape = if *key == "[]" { shape.item() } else { shape.key(&said, key) };
            }
            shape.order(&Said { keys, kind: None }).join(" ")
        };
        assert!(order(FileKind::Process, &["steps", "[]", "approvers"], &["team"]).starts_with("users team role"));
        assert!(
            order(FileKind::Process, &["steps", "[]", "approvers", "any", "[]"], &["team"]).starts_with("users team")
        );
        assert!(order(FileKind::Process, &["inputs", "size"], &["type"]).starts_with("type title description"));
        assert!(
            order(FileKind::Process, &["triggers", "[]", "pull_request"], &["labels"]).starts_with("actions branches")
        );
        assert_eq!(order(FileKind::Process, &["context"], &["b", "a"]), "");
        assert!(order(FileKind::Test, &["cases", "[]", "expect"], &["status"]).starts_with("status"));
        assert_eq!(order(FileKind::Schema, &[], &["type"]), "");
    }
}
