//! What the fields of a step read: the roots of its expressions and, of `steps`, which ones. A decision copies only
//! that, however many steps have ended with however large outputs.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::definition::{Step, StepKind};
use crate::expression::Template;

/// What fields read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads {
    roots: BTreeSet<String>,
    steps: BTreeSet<String>,
    /// `steps[…]` with a name that is known only when it runs, or `steps` as a whole.
    every_step: bool,
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

    /// The steps that are read; nothing: any may be.
    pub(super) fn steps(&self) -> Option<impl Iterator<Item = &str>> {
        (!self.every_step).then(|| self.steps.iter().map(String::as_str))
    }
}
