//! An answer in a test that its form refuses.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{each_case, words};
use crate::definition::field::schema_of_fields;
use crate::definition::step::StepKind;
use crate::source::{Kind, Node, Schema};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW422",
    name: "answer-does-not-fit",
    severity: Severity::Warning,
    summary: "An answer in a test that its form refuses",
    reason: r"
The form would ask again, and the test goes on as if nobody had answered.
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
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 0}}
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
        for answer in words(case, "answers") {
            let step = answer.get("step").and_then(Node::as_str).and_then(|id| process.steps.get(id));
            let (Some(step), Some(values)) = (step, answer.get("values")) else { continue };
            let StepKind::Form(form) = &step.kind else { continue };
            // That these are no values at all is told of the file.
            if values.kind() != Kind::Mapping {
                continue;
            }
            // A test may show just that.
            if answer.get("refused").is_some() {
                continue;
            }
            // A question that could not be read is there all the same.
            if process.scope.node(step).get("fields").map_or(0, Node::len) != form.fields.len() {
                continue;
            }
            let Ok(schema) = Schema::compile(&schema_of_fields(&form.fields)) else { continue };
            if let Some(fault) = schema.check(&file.document, values.id()).into_iter().next() {
                let message = format!("the form `{}` refuses this: {}", step.id.as_str(), fault.message);
                findings.add(file, fault.span, message).maybe_help(fault.help);
            }
        }
    });
}
