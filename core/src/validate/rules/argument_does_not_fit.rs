//! An argument that a filter, test or function cannot take.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW214",
    name: "argument-does-not-fit",
    severity: Severity::Error,
    summary: "An argument that a filter, test or function cannot take",
    reason: r#"
Arguments have types as well: `truncate` takes a whole number, `join` a text. And where an argument is the name of a filter or a
test, there must be one of that name.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  notes: {type: string, default: ""}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.notes | truncate('long') }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  notes: {type: string, default: ""}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.notes | truncate(80) }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::ArgumentDoesNotFit);
}
