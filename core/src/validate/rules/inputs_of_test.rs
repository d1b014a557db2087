//! Inputs in a test that the process does not take.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_case;
use crate::definition::field::schema_of_fields;
use crate::source::{Kind, Node, Schema};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW425",
    name: "inputs-of-test",
    severity: Severity::Error,
    summary: "Inputs in a test that the process does not take",
    reason: r"
The start would be refused: an input that does not exist, a value that does not fit, or a required one that is missing.
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
    inputs: {whom: you}
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
        let declared = &process.scope.process.header.inputs;
        let root = process.scope.file.document.node(process.scope.process.node);
        // An input that could not be read is there all the same.
        if root.get("inputs").map_or(0, Node::len) != declared.len() {
            return;
        }
        if let Some(inputs) = case.get("inputs").filter(|inputs| !inputs.is_null()) {
            // That these are no inputs at all is told of the file.
            if inputs.kind() != Kind::Mapping {
                return;
            }
            let Ok(schema) = Schema::compile(&schema_of_fields(declared)) else { return };
            for fault in schema.check(&file.document, inputs.id()) {
                let message = format!("the process does not take this: {}", fault.message);
                findings.add(file, fault.span, message).maybe_help(fault.help);
            }
        } else if let Some((name, _)) = declared.iter().find(|(_, field)| field.required && field.default.is_none()) {
            let place = case.get("name").unwrap_or(case);
            let message = format!("the process needs the input `{}`", name.value);
            let finding = findings.add(file, place.span(), message);
            finding.help("give it in `inputs`").also(process.scope.file, name.span, "declared here");
        }
    });
}
