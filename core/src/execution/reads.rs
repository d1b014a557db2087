//! What the fields of a step read: the roots of its expressions and, of `steps`, which ones. A decision copies only
//! that, however many steps have ended with however large outputs.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::definition::{Step, StepKind};
use crate::expression::{Key, Reference, Template};

/// What fields read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads {
    roots: BTreeSet<String>,
    steps: BTreeSet<String>,
    /// `steps[…]` with a name that is known only when it runs, or `steps` as a whole.
    every_step: bool,
    /// The ways into `trigger.payload`, each as far as its names are known; an empty one reads all of it.
    payload: BTreeSet<Vec<String>>,
}

impl Reads {
    /// What a step reads; a `foreach` without its body.
    pub(super) fn of_step(step: &Step) -> Self {
        let mut reads = Self::default();
        reads.add(&step.common);
        match &step.kind {
            StepKind::AgentTask(fields) => reads.add(fields),
            StepKind::AiGenerate(fields) => reads.add(fields),
            StepKind::HumanApproval(fields) => reads.add(fields),
            StepKind::Form(fields) => reads.add(fields),
            StepKind::Gateway(fields) => reads.add(fields),
            StepKind::ApiCall(fields) => reads.add(fields),
            StepKind::McpCall(fields) => reads.add(fields),
            StepKind::Workflow(fields) => reads.add(fields),
            StepKind::Process(fields) => reads.add(fields),
            StepKind::Foreach(fields) => reads.add(fields),
            StepKind::Wait(fields) => reads.add(fields),
            StepKind::Set(fields) => reads.add(fields),
            StepKind::Notify(fields) => reads.add(fields),
        }
        reads
    }

    /// Adds what the texts of these fields read. What cannot be read as a template reads nothing: evaluating it says
    /// what is wrong with it.
    pub(super) fn add(&mut self, fields: &impl Serialize) {
        if let Ok(value) = serde_json::to_value(fields) {
            self.add_value(&value);
        }
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(entries) => entries.values().for_each(|item| self.add_value(item)),
            _ => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        let Ok(template) = Template::parse(text) else { return };
        for reference in template.references() {
            if reference.root() == "trigger" {
                self.payload.extend(way_into_payload(reference));
            }
            if !self.roots.contains(reference.root()) {
                self.roots.insert(reference.root().to_owned());
            }
            if reference.root() != "steps" {
                continue;
            }
            match reference.name(1) {
                Some(step) => {
                    self.steps.insert(step.to_owned());
                }
                None => self.every_step = true,
            }
        }
    }

    /// Whether this root is read.
    pub(super) fn root(&self, root: &str) -> bool {
        self.roots.contains(root)
    }

    /// Whether this step may be read.
    pub(super) fn reads_step(&self, id: &str) -> bool {
        self.every_step || self.steps.contains(id)
    }

    /// The steps that are read; nothing: any may be.
    pub(super) fn steps(&self) -> Option<impl Iterator<Item = &str>> {
        (!self.every_step).then(|| self.steps.iter().map(String::as_str))
    }

    /// Adds what others read of `trigger.payload`.
    pub(super) fn add_payload(&mut self, other: &Self) {
        self.payload.extend(other.payload.iter().cloned());
    }

    /// Of a payload what is read.
    pub(super) fn of_payload(&self, payload: &Value) -> Value {
        if self.payload.contains(&Vec::new()) {
            return payload.clone();
        }
        let mut read = Value::Object(serde_json::Map::new());
        self.payload.iter().for_each(|way| take(payload, way, &mut read));
        read
    }
}

/// The names behind `trigger.payload`; nothing where a reference leads elsewhere.
fn way_into_payload(reference: &Reference) -> Option<Vec<String>> {
    let payload = match reference.path.get(1).map(|segment| &segment.key) {
        // All that belongs to the trigger, or what is known only when it runs.
        None | Some(Key::Dynamic) => return Some(Vec::new()),
        Some(key) => *key == Key::Name("payload".to_owned()),
    };
    let names = reference.path.iter().skip(2).map_while(|segment| match &segment.key {
        Key::Name(name) => Some(name.clone()),
        Key::Index(_) | Key::Dynamic => None,
    });
    payload.then(|| names.collect())
}

/// Copies what lies at the end of a way, with the mappings on the way.
fn take(from: &Value, way: &[String], into: &mut Value) {
    let (Some((name, further)), Value::Object(from)) = (way.split_first(), from) else {
        into.clone_from(from);
        return;
    };
    let Some(from) = from.get(name) else { return };
    // What is no mapping was taken whole by a shorter way.
    let Value::Object(into) = into else { return };
    let nothing = || Value::Object(serde_json::Map::new());
    take(from, further, into.entry(name.as_str()).or_insert_with(nothing));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_payload_only_what_is_read_is_kept() {
        let payload = json!({
            "action": "opened",
            "pull_request": {"id": 5, "user": {"login": "octocat", "id": 1}, "labels": [{"name": "a"}, {"name": "b"}]},
            "sender": "octocat",
        });
        let kept = |texts: &[&str]| {
            let mut reads = Reads::default();
            reads.add(&texts);
            reads.of_payload(&payload)
        };
        assert_eq!(kept(&["{{ inputs.x }}", "{{ trigger.type }}"]), json!({}));
        assert_eq!(
            kept(&["{{ trigger.payload.action }} by {{ trigger.payload.sender }}"]),
            json!({"action": "opened", "sender": "octocat"})
        );
        assert_eq!(
            kept(&["{{ trigger.payload.pull_request.user.login }}", "{{ trigger['payload'].pull_request['id'] }}"]),
            json!({"pull_request": {"user": {"login": "octocat"}, "id": 5}})
        );
        let labels = json!({"pull_request": {"labels": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(kept(&["{{ trigger.payload.pull_request.labels[0].name }}"]), labels, "a list is kept whole");
        assert_eq!(kept(&["{{ trigger.payload.pull_request.labels | length }}"]), labels);
        for whole in [
            "{{ trigger.payload }}",
            "{{ trigger }}",
            "{{ trigger[inputs.which] }}",
            "{{ trigger.payload[inputs.which] }}",
        ] {
            assert_eq!(kept(&[whole, "{{ trigger.payload.action }}"]), payload, "{whole}");
        }
        let both = kept(&["{{ trigger.payload.pull_request.user }}", "{{ trigger.payload.pull_request.user.id }}"]);
        assert_eq!(both, json!({"pull_request": {"user": {"login": "octocat", "id": 1}}}));
        assert_eq!(
            kept(&["{{ trigger.payload.action.x }}"]),
            json!({"action": "opened"}),
            "what breaks off says so when it runs"
        );
        assert_eq!(kept(&["{{ trigger.payload.nothing }}"]), json!({}));
    }
}
