//! A value that whoever is given it cannot use.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW218",
    name: "value-does-not-fit",
    severity: Severity::Error,
    summary: "A value that whoever is given it cannot use",
    reason: r#"
A deadline is a duration in words, a moment is RFC 3339, approvers are names, and the inputs of another process and the
variables of a prompt are what their fields say. A value that keeps another type fails when the step starts.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  minutes: {type: integer, default: 90}
steps:
  - id: pause
    type: wait
    for: "{{ inputs.minutes }}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  minutes: {type: integer, default: 90}
steps:
  - id: pause
    type: wait
    for: "{{ inputs.minutes }}m"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::ValueDoesNotFit);
}
