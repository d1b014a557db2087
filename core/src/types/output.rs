//! What each type of step gives, as far as its definition says so by itself. What is computed by expressions (`set`,
//! `foreach`, sub-processes) is put together in [`super::process`].

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::Types;
use super::kind::{Others, Part, Record, Type};
use super::trigger::with_written;
use crate::definition::repository::File;
use crate::definition::step::HumanApproval;
use crate::definition::step::form::FormTimeout;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::{Step, StepKind};
use crate::source::{Node, Spanned};

/// How a step has ended that did not fail, when it can be read.
const NOT_FAILED: [&str; 3] = ["completed", "skipped", "cancelled"];

/// `steps.ID` of a step that has ended, by what it gives: with an error where it failed, without one where it did not.
pub(super) fn step(output: Type) -> Type {
    let mut failed = FAILED.clone();
    if let Some(part) = failed.fields.get_mut("output") {
        part.of = output;
    }
    let mut other = failed.clone();
    let differing = [("status", Type::words(NOT_FAILED)), ("error", Type::Null)];
    for (name, of) in differing {
        other.fields.get_mut(name).into_iter().for_each(|part| part.of = of.clone());
    }
    Type::any_of([other, failed].map(|step| Type::Record(Arc::new(step))))
}

/// The same where it is known that it failed.
pub(super) fn failed(step: &Type) -> Type {
    step.with_field("status", &[Value::from("failed")], true)
}

static FAILED: LazyLock<Record> = LazyLock::new(|| {
    let text = |optional| Part { of: Type::TEXT, optional, description: None };
    let pause = Part { of: Type::Integer, optional: true, description: None };
    let fields = [("class", text(false)), ("message", text(false)), ("step", text(true)), ("retry_after_ms", pause)];
    let error = Type::record(fields, Others::None);
    let part = |of: Type, description: &str| Part { of, optional: false, description: Some(description.into()) };
    let fields = [
        ("output", part(Type::Unknown, "What the step gave.")),
        ("status", part(Type::words(["failed"]), "How it ended.")),
        ("error", part(error, "What went wrong, where it failed; null otherwise.")),
        ("attempts", part(Type::Integer, "How many attempts it took.")),
    ];
    Record { fields: fields.into_iter().map(|(name, part)| (name.into(), part)).collect(), others: Others::None }
});

/// What a step gives; nothing where expressions decide that.
pub(super) fn of(types: &Types<'_>, file: &File, step: &Step) -> Option<Type> {
    Some(match &step.kind {
        StepKind::AgentTask(task) => match &task.output_schema {
            Some(schema) => of_schema(types, schema),
            None => Type::TEXT,
        },
        StepKind::AiGenerate(generate) => of_schema(types, &generate.output_schema),
        StepKind::HumanApproval(asked) => approval(asked, file.document.node(step.node)),
        StepKind::Form(form) => {
            let of = Type::of_fields(&form.fields, form.on_timeout == FormTimeout::Continue);
            with_written(of, file, file.document.node(step.node).get("fields"))
        }
        StepKind::Gateway(_) => Type::closed([("taken", Type::list(Type::TEXT))]),
        StepKind::ApiCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            let body = schema.map_or(Type::Unknown, |schema| of_schema(types, schema));
            let headers = Type::record([], Others::Of(Type::TEXT));
            Type::closed([("status", Type::Integer), ("headers", headers), ("body", body)])
        }
        StepKind::McpCall(call) => {
            let schema = call.expect.as_ref().and_then(|expect| expect.schema.as_ref());
            schema.map_or(Type::Unknown, |schema| of_schema(types, schema))
        }
        StepKind::Workflow(_) => WORKFLOW.clone(),
        StepKind::Process(call) if !call.wait => Type::closed([("execution", Type::Unknown)]),
        StepKind::Process(call) => types.outputs(call.process.as_str()),
        StepKind::Wait(wait) => {
            let payload = wait.event.as_ref().map(|_| ("payload", Type::Unknown));
            Type::closed([("at", Type::TEXT)].into_iter().chain(payload))
        }
        StepKind::Notify(_) => Type::closed([("delivered", Type::Unknown)]),
        StepKind::Set(_) | StepKind::Foreach(_) => return None,
    })
}

static WORKFLOW: LazyLock<Type> = LazyLock::new(|| {
    Type::closed([
        ("run_id", Type::Integer),
        ("conclusion", Type::TEXT),
        ("url", Type::TEXT),
        ("output", Type::Unknown),
    ])
});

/// What an approval gives where it completes: how it was decided, in the words that its author lets it complete with.
fn approval(approval: &HumanApproval, written: Node<'_>) -> Type {
    // What cannot be read as it is written may be meant to let it go on.
    let is_unread = |key: &str, known: &[&str]| {
        written.get(key).is_some_and(|value| value.as_str().is_none_or(|word| !known.contains(&word)))
    };
    let rejected = approval.on_reject == OnReject::Continue || is_unread("on_reject", &["fail"]);
    let expired = approval.on_timeout == OnTimeout::Continue
        || is_unread("on_timeout", &["reject", "fail", "approve", "escalate"]);
    let words = ["approved"].into_iter().chain(rejected.then_some("rejected")).chain(expired.then_some("expired"));
    Type::closed([("decision", Type::words(words)), ("decisions", DECISIONS.clone())])
}

static DECISIONS: LazyLock<Type> = LazyLock::new(|| {
    let maybe = || Type::TEXT.or_null();
    Type::list(Type::closed([
        ("person", Type::TEXT),
        ("decision", Type::words(["approve", "reject", "withdraw", "override"])),
        ("at", Type::TEXT),
        ("note", maybe()),
        ("source", maybe()),
        ("commit", maybe()),
    ]))
});

/// The values of an inline schema, or of a file below `.flow/schemas/`.
fn of_schema(types: &Types<'_>, schema: &Spanned<Value>) -> Type {
    match &schema.value {
        Value::String(path) => types.schema(path),
        inline => Type::of_schema(inline),
    }
}
