//! A condition that gives something other than true or false.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW212",
    name: "condition-not-boolean",
    severity: Severity::Error,
    summary: "A condition that gives something other than true or false",
    reason: r#"
`when`, the branches of a gateway and `match` decide. A list, a text or a number there fails when it runs, however full it is:
say what of it decides. Of `and` and `or` each side decides.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: list, items: {type: string}, default: []}
steps:
  - id: note
    type: set
    when: "{{ inputs.people }}"
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: list, items: {type: string}, default: []}
steps:
  - id: note
    type: set
    when: "{{ inputs.people | length > 0 }}"
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::NotBoolean);
}
