//! Inputs that another process does not take.

use std::collections::BTreeMap;

use super::super::faults::LeftOut;
use super::super::finding::Severity;
use super::super::given::{Declared, Gap};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::text::has_markup;
use crate::definition::Fields;
use crate::definition::step::StepKind;
use crate::definition::step::SubProcess;
use crate::source::{Kind, Node, Schema};
use indexmap::IndexMap;

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
    // What is declared is looked at once, however many steps call it.
    let mut children: BTreeMap<&str, Declared<'_>> = BTreeMap::new();
    let mut missing: IndexMap<(&str, String), LeftOut<'_>> = IndexMap::new();
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
            let inputs = &child.header.inputs;
            if written == inputs.len() {
                let declared = children.entry(call.process.as_str()).or_insert_with(|| Declared::fields(inputs));
                let gap = tell(process, call, declared, findings);
                if let Some(inputs_told) = gap.told("input") {
                    let message = format!("process `{}` needs {inputs_told}", call.process.as_str());
                    let declared = gap.missing.iter().filter_map(|name| inputs.get_key_value(*name));
                    let known = missing.entry((process.file.source.path(), message)).or_insert_with(|| LeftOut {
                        file: process.file,
                        help: gap.help("`inputs`"),
                        declared: declared.map(|(name, _)| (file, name.span)).collect(),
                        places: Vec::new(),
                    });
                    let place = if process.node(step).get("inputs").is_some() { "inputs" } else { "process" };
                    known.places.push(process.key_span(step, place));
                }
                tell_values(process, call, inputs, findings);
            }
        }
    }
    missing.iter().for_each(|((_, message), missing)| missing.tell(&RULE, message, findings));
}

/// Tells names that are not known; what is missing is given back.
fn tell<'d>(
    process: &ProcessScope<'_>,
    call: &SubProcess,
    declared: &Declared<'d>,
    findings: &mut Findings,
) -> Gap<'d> {
    let given = call.inputs.keys().map(|name| name.as_str()).collect();
    let gap = declared.gap(&given, findings.misspelt(process.file));
    for name in call.inputs.keys().filter(|name| !declared.has(name.as_str())) {
        let message = format!("process `{}` has no input `{}`", call.process.as_str(), name.value);
        let finding = findings.add(process.file, name.span, message);
        finding.meant_instead(process.file, name.span, name, &gap.not_given, &declared.names, "takes");
    }
    gap
}

/// Values that do not fit what is declared.
fn tell_values(process: &ProcessScope<'_>, call: &SubProcess, declared: &Fields, findings: &mut Findings) {
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
