//! A filter, test or function applied to a value that it cannot work on.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW213",
    name: "filter-does-not-fit",
    severity: Severity::Error,
    summary: "A filter, test or function that cannot work on this value",
    reason: r#"
Each filter, test and function takes certain kinds of values: `upper` a text, `join` a list, `round` a number. On anything else
it fails when it runs.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: list, items: {type: string}, default: [alice]}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.people | upper }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: list, items: {type: string}, default: [alice]}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.people | join(', ') | upper }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::FilterDoesNotFit);
}
