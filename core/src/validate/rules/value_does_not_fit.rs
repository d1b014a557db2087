//! A value that whoever is given it cannot use.

use indexmap::IndexMap;
use serde_json::Value;

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::has_markup;
use super::tell_problems;
use crate::definition::repository::File;
use crate::definition::step::wait::Wait;
use crate::definition::{Fields, Step, StepKind};
use crate::expression::tree::Statement;
use crate::source::{NodeId, Schema, Span, Spanned};
use crate::types::{Kinds, Type};
use crate::value::moment;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW218",
    name: "value-does-not-fit",
    severity: Severity::Error,
    summary: "A value that whoever is given it cannot use",
    reason: r#"
A deadline is a duration in words, a moment is RFC 3339, approvers are names, and the inputs of another process and the
variables of a prompt are what their fields say. A value that keeps another type fails when the step starts.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  minutes: {type: integer, default: 90}
steps:
  - id: pause
    type: wait
    for: "{{ inputs.minutes }}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  minutes: {type: integer, default: 90}
steps:
  - id: pause
    type: wait
    for: "{{ inputs.minutes }}m"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::ValueDoesNotFit);
    for process in &scope.processes {
        for step in process.steps() {
            match &step.kind {
                StepKind::Process(call) => {
                    let Some(child) = scope.types.process_named(call.process.as_str()) else { continue };
                    let inputs = &child.process.header.inputs;
                    given(scope, process, step, (inputs, child.file, "input"), &call.inputs, findings);
                }
                StepKind::AiGenerate(generate) => {
                    let Some(name) = &generate.template else { continue };
                    let Some(prompt) = scope.types.prompt_named(name) else { continue };
                    let variables = &prompt.prompt.header.variables;
                    given(scope, process, step, (variables, prompt.file, "variable"), &generate.variables, findings);
                }
                StepKind::Wait(wait) => until(process, wait, findings),
                _ => {}
            }
        }
    }
}

/// Looks at a moment that is written out.
fn until(process: &ProcessScope<'_>, wait: &Wait, findings: &mut Findings) {
    let Some(until) = wait.until.as_ref().filter(|until| !has_markup(until.as_str())) else { return };
    if moment(until.as_str()).is_none() {
        let message = format!("`{}` is no moment", until.as_str());
        let help =
            "write for example `2026-03-01T09:00:00Z`, or `2026-03-01`; for how long a step waits there is `for`";
        findings.add(process.file, until.span, message).help(help);
    }
}

/// Looks at each value that is given for a field.
fn given(
    scope: &Scope<'_>,
    process: &ProcessScope<'_>,
    step: &Step,
    (fields, declared_in, what): (&Fields, &File, &str),
    values: &IndexMap<Spanned<String>, Spanned<Value>>,
    findings: &mut Findings,
) {
    let Some(types) = scope.types.process(process.file.source.path()) else { return };
    for (name, value) in values {
        let Some((declared, field)) = fields.get_key_value(name.as_str()) else { continue };
        let document = &process.file.document;
        let wrong = if !is_written_out(&value.value) {
            let of = types.value(&scope.types, Some(step.id.as_str()), value.node);
            misfit(&of, &Type::of_field(field), what == "variable")
                .map(|message| (expression(process, value.node), message))
        } else if what == "variable" {
            let schema = Schema::compile(&field.to_schema()).ok();
            let fault = schema.and_then(|schema| schema.check(document, value.node).into_iter().next());
            fault.map(|fault| (fault.span, fault.message))
        } else {
            // `process-inputs` looks at inputs that are written out.
            None
        };
        if let Some((span, message)) = wrong {
            let message = format!("the {what} `{}` does not fit: {message}", name.as_str());
            findings.add(process.file, span, message).also(declared_in, declared.span, "declared here");
        }
    }
}

/// Whether a value has no expression in it.
fn is_written_out(value: &Value) -> bool {
    match value {
        Value::String(text) => !has_markup(text),
        Value::Array(items) => items.iter().all(is_written_out),
        Value::Object(map) => map.values().all(is_written_out),
        _ => true,
    }
}

/// Why no value of the one type is one of the other. A prompt prints its variables: a number does for a text.
fn misfit(of: &Type, wanted: &Type, is_printed: bool) -> Option<String> {
    let told = || Some(format!("this is {of}, and it takes {wanted}"));
    let is_text = matches!(wanted, Type::Text(None)) && is_printed;
    let taken = if is_text { Kinds::TEXT.or(Kinds::NUMBER) } else { wanted.kinds() };
    if !of.kinds().meets(taken) {
        return told();
    }
    match (of, wanted) {
        (Type::Text(Some(said)), Type::Text(Some(known))) if !said.iter().any(|word| known.contains(word)) => told(),
        (Type::List(given), Type::List(taken)) => {
            let (given, taken) = (given.any_entry(), taken.any_entry());
            if given.kinds().meets(taken.kinds()) { None } else { told() }
        }
        _ => None,
    }
}

/// The expression of a text that is nothing else; otherwise the text.
fn expression(process: &ProcessScope<'_>, node: NodeId) -> Span {
    let text = process.texts.texts.iter().find(|text| text.node == node);
    let template = text.and_then(|text| text.template.as_ref().ok()).filter(|template| template.is_native());
    match template.and_then(|template| template.statements().first()) {
        Some(Statement::Print(part)) => process.file.document.span_within(node, part.range.clone()),
        _ => process.file.document.node(node).pointing_span(),
    }
}
