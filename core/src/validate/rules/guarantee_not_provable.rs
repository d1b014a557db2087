//! A guarantee about which nothing could be proved.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::guarantee_does_not_hold::{Place, place};
use crate::guarantee::Verdict;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW602",
    name: "guarantee-not-provable",
    severity: Severity::Error,
    summary: "A guarantee that could be neither proved nor refuted",
    reason: r#"
There are too many ways to look at each, or a condition asks about how several steps ended in one comparison or about a
decision that was computed further, or several approvals show the data at different places and each of them only on some
ways, or nothing says how often an agent asks people about calls. A decision that a `set` holds as it is or as a comparison, or that a process returns as it is, is followed. The guarantee may hold; but nobody has shown it, and a promise that nobody has shown must not look like one that
is kept. Make the process simpler, split it, or let the approvals show the same value.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {}
inputs:
  large: {type: boolean, default: false}
guarantees:
  - no_data_from: trigger
    to: [ship]
    unless: {reviewed_by: {role: maintain}}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "{{ trigger.pull_request.title }}"
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: route
    type: gateway
    depends_on: draft
    branches:
      - {when: "{{ inputs.large }}", to: [before]}
      - {otherwise: true, to: [after]}
  - id: before
    type: human_approval
    description: "{{ trigger.pull_request.title }}"
    approvers: {role: maintain}
    timeout: 1d
  - id: after
    type: human_approval
    description: "{{ steps.draft.output.text }}"
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    method: POST
    depends_on: [before, after]
    url: https://example.com/ship
    body: {text: "{{ steps.draft.output.text }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {}
inputs:
  large: {type: boolean, default: false}
guarantees:
  - no_data_from: trigger
    to: [ship]
    unless: {reviewed_by: {role: maintain}}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "{{ trigger.pull_request.title }}"
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: route
    type: gateway
    depends_on: draft
    branches:
      - {when: "{{ inputs.large }}", to: [before]}
      - {otherwise: true, to: [after]}
  - id: before
    type: human_approval
    description: "{{ steps.draft.output.text }}"
    approvers: {role: maintain}
    timeout: 1d
  - id: after
    type: human_approval
    description: "{{ steps.draft.output.text }}"
    approvers: {role: maintain}
    timeout: 1d
  - id: ship
    type: api_call
    method: POST
    depends_on: [before, after]
    url: https://example.com/ship
    body: {text: "{{ steps.draft.output.text }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for judged in scope.judged() {
        let Some(Verdict::Unproved(why)) = &judged.verdict else { continue };
        let words = judged.in_words();
        // What to do is said with the reason where it is known.
        let (why, help) = why.split_once("; ").unwrap_or((why, "make the process simpler, or split it"));
        match place(judged) {
            Place::Process => {
                let message = format!("`{words}` could not be proved: {why}");
                findings.add(judged.stated.file, judged.span(), message)
            }
            Place::Policy(policy) => {
                let process = &scope.processes[judged.process];
                let name = &process.process.header.name;
                let message =
                    format!("`{words}` of the policy `{policy}` could not be proved for `{}`: {why}", name.as_str());
                let finding = findings.add(process.file, name.span, message);
                finding.also(judged.stated.file, judged.span(), "the policy demands it here")
            }
        }
        .help(help);
    }
}
