//! A word or an answer in a test for a step that takes none.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{each_case, words};
use crate::definition::StepType;
use crate::source::Node;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW420",
    name: "test-of-other-step",
    severity: Severity::Error,
    summary: "A word or an answer in a test for a step that takes none",
    reason: r"
Only an approval is decided, and only a form is answered. For any other step the test would wait for nothing.
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
      - {by: bob, step: draft, decision: approve}
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
        for (key, wanted) in [("decisions", StepType::HumanApproval), ("answers", StepType::Form)] {
            for one in words(case, key) {
                let Some(step) = one.get("step").and_then(|step| step.as_str()) else { continue };
                let Some(found) = process.steps.get(step).map(|step| step.step_type()).filter(|found| *found != wanted)
                else {
                    continue;
                };
                let message = format!("step `{step}` is of type `{found}`, which takes none of these");
                let finding = findings.add(file, one.get("step").map_or(one.span(), Node::span), message);
                finding.help(format!("`{key}` are for steps of type `{wanted}`"));
            }
        }
    });
}
