//! Inputs that another process does not take.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::has_markup;
use crate::definition::Fields;
use crate::definition::Step;
use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::step::SubProcess;
use crate::source::{Kind, Node, Schema};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW411",
    name: "process-inputs",
    severity: Severity::Error,
    summary: "Inputs that another process does not take",
    reason: r"
A `process` step gives the inputs that the other process declares: those that are required, no others, and values that fit.
Otherwise the start is refused.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: process
    process: greet
    inputs: {whom: world}

# .flow/processes/greet.yaml
name: greet
version: 1
inputs:
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: call
    type: process
    process: greet
    inputs: {who: world}

# .flow/processes/greet.yaml
name: greet
version: 1
inputs:
  who: {type: string, required: true}
steps:
  - id: note
    type: set
    values: {text: "hello {{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Process(call) = &step.kind else { continue };
            let Some(child) = scope.process(call.process.as_str()) else { continue };
            if process.node(step).get("inputs").is_some_and(|inputs| inputs.kind() != Kind::Mapping) {
                continue;
            }
            let (file, child) = (child.file, child.process);
            // An input that could not be read is there all the same.
            let written = file.document.node(child.node).get("inputs").map_or(0, Node::len);
            if written == child.header.inputs.len() {
                tell(process, step, call, file, &child.header.inputs, findings);
            }
        }
    }
}

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    call: &SubProcess,
    child: &File,
    declared: &Fields,
    findings: &mut Findings,
) {
    let unknown: Vec<_> = call.inputs.keys().filter(|name| !declared.contains_key(name.as_str())).collect();
    // An input that is misspelt is told below.
    let known: Vec<&str> = declared.keys().map(|name| name.as_str()).collect();
    let not_given: Vec<&str> = known.iter().copied().filter(|name| !call.inputs.contains_key(*name)).collect();
    let misspelt = findings.misspelt.among(unknown.iter().map(|name| name.as_str()), &not_given);
    for (name, _) in declared.iter().filter(|(_, field)| field.required && field.default.is_none()) {
        if !misspelt.contains(name.as_str()) && !call.inputs.contains_key(name.as_str()) {
            let place = if process.node(step).get("inputs").is_some() { "inputs" } else { "process" };
            let message = format!("process `{}` needs the input `{}`", call.process.as_str(), name.value);
            let finding = findings.add(process.file, process.key_span(step, place), message);
            finding.help("give it in `inputs`").also(child, name.span, "declared here");
        }
    }
    for name in unknown {
        let message = format!("process `{}` has no input `{}`", call.process.as_str(), name.value);
        let finding = findings.add(process.file, name.span, message);
        finding.meant_instead(process.file, name.span, name, &not_given, &known, "takes");
    }
    for (name, value) in &call.inputs {
        let Some(field) = declared.get(name.as_str()).filter(|_| !holds_markup(&value.value)) else { continue };
        let Ok(schema) = Schema::compile(&field.to_schema()) else { continue };
        if let Some(fault) = schema.check(&process.file.document, value.node).into_iter().next() {
            let message = format!("process `{}` does not take this: {}", call.process.as_str(), fault.message);
            findings.add(process.file, fault.span, message).maybe_help(fault.help);
        }
    }
}

/// Whether a value is known only when it runs.
fn holds_markup(value: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object, String};
    match value {
        String(text) => has_markup(text),
        Array(items) => items.iter().any(holds_markup),
        Object(map) => map.values().any(holds_markup),
        _ => false,
    }
}
