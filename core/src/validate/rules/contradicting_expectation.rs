//! A step that a test expects both to run and to be skipped.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_case;
use crate::source::Node;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW427",
    name: "contradicting-expectation",
    severity: Severity::Error,
    summary: "A step that a test expects both to run and to be skipped",
    reason: r"
No execution can satisfy it.
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
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      skipped: [review]
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
    each_case(scope, &mut |file, _, case| {
        let Some(expect) = case.get("expect") else { return };
        let listed = |key: &str| expect.get(key).and_then(Node::items).into_iter().flatten();
        let path: BTreeMap<&str, Node<'_>> =
            listed("path").filter_map(|step| step.as_str().map(|id| (id, step))).collect();
        for step in listed("skipped") {
            let Some(earlier) = step.as_str().and_then(|id| path.get(id)) else { continue };
            let finding = findings.add(file, step.span(), "this step is expected to run as well");
            finding.help("remove it from one of the two").also(file, earlier.span(), "in `path`");
        }
    });
}
