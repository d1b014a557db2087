//! An expression that reads a step that does not exist.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW203",
    name: "unknown-step",
    severity: Severity::Error,
    summary: "An expression that reads a step that does not exist",
    reason: r#"
Usually the name is misspelt, or the step was renamed.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    values: {text: "{{ steps.nota.output.text }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: later
    type: set
    depends_on: note
    values: {text: "{{ steps.note.output.text }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::UnknownStep);
}
