//! A stub in a test that its step could never give.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_case;
use crate::definition::Step;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::definition::test::ExpectedStatus;
use crate::source::{Kind, Node, Schema};
use serde_json::Value;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW423",
    name: "stub-does-not-fit",
    severity: Severity::Warning,
    summary: "A stub in a test that its step could never give",
    reason: r"
The output of a step has the shape of its schema; with another one the step fails. A case that shows this expects it: by
`status: failed` or `error` of the step or, where it says so of no step, of the execution. Calls and workflows give values by name, and an agent without a schema gives a text.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {txt: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_case(scope, &mut |file, process, case| {
        for (id, stub) in case.get("stubs").into_iter().flat_map(Node::entries) {
            let Some(step) = id.as_str().and_then(|id| process.steps.get(id)) else { continue };
            for result in stub.items().map_or_else(|| vec![stub], Iterator::collect) {
                shape(step, result, file, findings);
            }
            let Some((schema, inside)) = schema(step) else { continue };
            if is_to_fail(case, step.id.as_str()) {
                continue;
            }
            let output = stub.get("output").and_then(|output| if inside { output.get("body") } else { Some(output) });
            let Some(output) = output else { continue };
            let schema = match schema {
                Value::String(path) => match scope.file(FileKind::Schema, path).map(|file| &file.definition) {
                    Some(Some(Definition::Schema(schema))) => Some(schema),
                    _ => None,
                },
                inline => Some(inline),
            };
            let Some(Ok(schema)) = schema.map(Schema::compile) else { continue };
            if let Some(fault) = schema.check(&file.document, output.id()).into_iter().next() {
                let message = format!("step `{}` never gives this: {}", step.id.as_str(), fault.message);
                findings.add(file, fault.span, message).maybe_help(fault.help);
            }
        }
    });
}

/// Whether a case shows that a step fails: it says so of the step, or of the execution and of no step.
fn is_to_fail(case: Node<'_>, id: &str) -> bool {
    let Some(expected) = case.get("expect") else { return false };
    let fails = |of: Node<'_>| {
        of.get("error").is_some() || of.get("status").and_then(Node::as_str) == Some(ExpectedStatus::Failed.as_str())
    };
    let failing: Vec<Option<&str>> = expected
        .get("steps")
        .into_iter()
        .flat_map(Node::entries)
        .filter(|(_, step)| fails(*step))
        .map(|(id, _)| id.as_str())
        .collect();
    if failing.is_empty() { fails(expected) } else { failing.contains(&Some(id)) }
}

/// Tells an output that is of another kind than its step gives, whatever its schema says.
fn shape(step: &Step, result: Node<'_>, file: &File, findings: &mut Findings) {
    let Some(output) = result.get("output").filter(|output| !output.is_null()) else { return };
    let (fits, gives) = match &step.kind {
        StepKind::ApiCall(_) | StepKind::Workflow(_) => (output.kind() == Kind::Mapping, "values by name"),
        StepKind::AgentTask(task) if task.output_schema.is_none() => (output.kind() == Kind::Scalar, "a text"),
        _ => return,
    };
    if !fits {
        findings.add(file, output.span(), format!("step `{}` gives {gives}, and never this", step.id.as_str()));
    }
}

/// The schema of a step's output, and whether it is that of the `body` in it.
fn schema(step: &Step) -> Option<(&Value, bool)> {
    match &step.kind {
        StepKind::AgentTask(task) => task.output_schema.as_ref().map(|schema| (&schema.value, false)),
        StepKind::AiGenerate(generate) => Some((&generate.output_schema.value, false)),
        StepKind::ApiCall(call) => call.expect.as_ref()?.schema.as_ref().map(|schema| (&schema.value, true)),
        StepKind::McpCall(call) => call.expect.as_ref()?.schema.as_ref().map(|schema| (&schema.value, false)),
        _ => None,
    }
}
