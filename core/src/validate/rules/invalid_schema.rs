//! A JSON Schema that is none.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use serde_json::Value;

use super::invalid_json;
use crate::definition::Step;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::step::api_call::Expect;
use crate::source::{NodeId, Schema, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW403",
    name: "invalid-schema",
    severity: Severity::Error,
    summary: "A JSON Schema that is none",
    reason: r#"
Values are checked against schemas when they come in. A schema that cannot be read (JSON Schema 2020-12) would refuse
everything or nothing.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: objekt}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: object}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                process.all_steps().for_each(|step| of_step(file, step, findings));
            }
            Some(Definition::Tool(tool)) => tool.input_schema.iter().for_each(|one| inline(file, one, findings)),
            Some(Definition::Schema(schema)) if file.faults.is_empty() && !invalid_json::is_broken(file) => {
                tell(file, file.document.root(), schema, findings);
            }
            _ => {}
        }
    }
}

fn of_step(file: &File, step: &Step, findings: &mut Findings) {
    let expected = |expect: &Option<Expect>| expect.as_ref().and_then(|expect| expect.schema.clone());
    let schema = match &step.kind {
        StepKind::AgentTask(task) => task.output_schema.clone(),
        StepKind::AiGenerate(generate) => Some(generate.output_schema.clone()),
        StepKind::ApiCall(call) => expected(&call.expect),
        StepKind::McpCall(call) => expected(&call.expect),
        _ => None,
    };
    schema.iter().for_each(|schema| inline(file, schema, findings));
}

fn inline(file: &File, schema: &Spanned<Value>, findings: &mut Findings) {
    if !schema.value.is_string() {
        tell(file, Some(schema.node), &schema.value, findings);
    }
}

fn tell(file: &File, node: Option<NodeId>, schema: &Value, findings: &mut Findings) {
    let Err(error) = Schema::verify(schema) else { return };
    let node = node.unwrap_or_default();
    let place = file.document.pointer(node, &error.pointer).unwrap_or(node);
    let mut span = file.document.node(place).span();
    if file.document.node(place).as_scalar().is_none() {
        span = file.document.node(place).naming_span();
    }
    findings.add(file, span, error.message);
}
