//! The shapes of the roots of expressions, and of what each type of step gives.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::scope::below;
use super::shape::{Map, Part, Shape};
use crate::definition::repository::{Definition, File, Repository};
use crate::definition::step::form::FormTimeout;
use crate::definition::{Process, Step, StepKind, Trigger};
use crate::source::{Node, Spanned};

/// `inputs`: a field that is not required and has no default may be missing.
pub fn inputs(file: &File, process: &Process) -> Shape {
    let written = file.document.node(process.node).get("inputs");
    with_written(Shape::of_fields(&process.header.inputs, false), written)
}

/// Fields that were written and could not be read exist all the same; what they hold is unknown.
fn with_written(shape: Shape, mapping: Option<Node<'_>>) -> Shape {
    let (Shape::Map(map), Some(mapping)) = (&shape, mapping) else { return shape };
    let mut map = Map::clone(map);
    for name in mapping.entries().filter_map(|(key, _)| key.as_str()) {
        let unknown = Part { shape: Shape::Unknown, optional: false };
        map.fields.entry(name.to_owned()).or_insert(unknown);
    }
    Shape::Map(Arc::new(map))
}

/// `context`.
pub fn context(file: &File, process: &Process) -> Shape {
    let constants = process.header.context.iter();
    let known = Shape::closed(constants.map(|(name, value)| (name.value.clone(), Shape::of_value(&value.value))));
    with_written(known, file.document.node(process.node).get("context"))
}

/// `trigger`. A comment and a start by hand are taken to be made on a pull request.
pub fn trigger(process: &Process) -> Shape {
    let pull_request = Shape::closed([
        ("number", Shape::Integer),
        ("title", Shape::Text),
        ("author", Shape::Text),
        ("head_sha", Shape::Text),
        ("head", Shape::Text),
        ("base", Shape::Text),
        ("labels", Shape::list(Shape::Text)),
        ("url", Shape::Text),
    ]);
    let always = [("type", Shape::Text), ("actor", Shape::Text), ("payload", Shape::Unknown)];
    let mut fields: IndexMap<String, Part> =
        always.map(|(name, shape)| (name.to_owned(), Part { shape, optional: false })).into_iter().collect();
    let triggers = process.header.triggers.as_deref().unwrap_or_default();
    let optional = triggers.iter().any(|trigger| !may_have_pull_request(trigger));
    if triggers.is_empty() || triggers.iter().any(|trigger| may_have_pull_request(trigger)) {
        fields.insert("pull_request".to_owned(), Part { shape: pull_request, optional });
    }
    Shape::Map(Arc::new(Map { fields, open: false }))
}

fn may_have_pull_request(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::PullRequest(_) | Trigger::Comment(_) | Trigger::Manual)
}

/// `execution`.
pub fn execution() -> Shape {
    Shape::closed([
        ("id", Shape::Text),
        ("process", Shape::Text),
        ("version", Shape::Integer),
        ("revision", Shape::Text),
        ("repository", Shape::Text),
        ("url", Shape::Text),
        ("started_at", Shape::Text),
    ])
}

/// `steps.ID` of a step that has ended, with its output.
pub fn step(repository: &Repository, file: &File, step: &Step) -> Shape {
    let written = match &step.kind {
        StepKind::Form(_) => file.document.node(step.node).get("fields"),
        StepKind::Set(_) => file.document.node(step.node).get("values"),
        _ => None,
    };
    Shape::closed([
        ("output", with_written(output(repository, step), written)),
        ("status", Shape::Text),
        ("error", Shape::Unknown),
        ("attempts", Shape::Integer),
    ])
}

/// What a step gives.
fn output(repository: &Repository, step: &Step) -> Shape {
    match &step.kind {
        StepKind::AgentTask(task) => {
            task.output_schema.as_ref().map_or(Shape::Text, |schema| of_schema(repository, schema))
        }
        StepKind::AiGenerate(generate) => of_schema(repository, &generate.output_schema),
        StepKind::HumanApproval(_) => approval(),
        StepKind::Form(form) => Shape::of_fields(&form.fields, form.on_timeout == FormTimeout::Continue),
        StepKind::Gateway(_) => Shape::closed([("taken", Shape::list(Shape::Text))]),
        StepKind::ApiCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            let body = schema.map_or(Shape::Unknown, |schema| of_schema(repository, schema));
            Shape::closed([("status", Shape::Integer), ("headers", Shape::Unknown), ("body", body)])
        }
        StepKind::McpCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            schema.map_or(Shape::Unknown, |schema| of_schema(repository, schema))
        }
        StepKind::Workflow(_) => Shape::closed([
            ("run_id", Shape::Integer),
            ("conclusion", Shape::Text),
            ("url", Shape::Text),
            ("output", Shape::Unknown),
        ]),
        StepKind::Process(call) if !call.wait => Shape::closed([("execution", Shape::Unknown)]),
        StepKind::Process(call) => match repository.process(call.process.as_str()) {
            Some((_, child)) => {
                let names = child.header.outputs.keys();
                Shape::closed(names.map(|name| (name.value.clone(), Shape::Unknown)))
            }
            None => Shape::Unknown,
        },
        StepKind::Foreach(_) => Shape::list(Shape::Unknown),
        StepKind::Wait(wait) => {
            let mut fields = IndexMap::new();
            fields.insert("at".to_owned(), Part { shape: Shape::Text, optional: false });
            if wait.event.is_some() {
                fields.insert("payload".to_owned(), Part { shape: Shape::Unknown, optional: false });
            }
            Shape::Map(Arc::new(Map { fields, open: false }))
        }
        StepKind::Set(set) => {
            Shape::closed(set.values.iter().map(|(name, value)| (name.value.clone(), Shape::of_value(&value.value))))
        }
        StepKind::Notify(_) => Shape::closed([("delivered", Shape::Unknown)]),
    }
}

fn approval() -> Shape {
    let decision = ["person", "decision", "at", "note", "source", "commit"].map(|name| (name, Shape::Unknown));
    Shape::closed([("decision", Shape::Text), ("decisions", Shape::list(Shape::closed(decision)))])
}

/// The values of an inline schema, or of a file below `.flow/schemas/`.
fn of_schema(repository: &Repository, schema: &Spanned<Value>) -> Shape {
    match &schema.value {
        Value::String(path) => schema_file(repository, path).map_or(Shape::Unknown, Shape::of_schema),
        inline => Shape::of_schema(inline),
    }
}

/// The schema in a file below `.flow/schemas/`.
pub fn schema_file<'r>(repository: &'r Repository, path: &str) -> Option<&'r Value> {
    repository.files.iter().find_map(|(file_path, file)| match &file.definition {
        Some(Definition::Schema(schema)) if below(file_path, "schemas/") == path => Some(schema),
        _ => None,
    })
}
