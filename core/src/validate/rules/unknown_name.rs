//! A name or field that does not exist.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW202",
    name: "unknown-name",
    severity: Severity::Error,
    summary: "A name or field that does not exist",
    reason: r#"
Everything that an expression can read is known beforehand: inputs, constants, the fields of forms, schemas, triggers and
steps. A field that cannot exist would fail when it runs; the part that is wrong is shown.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: you}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.whom }} {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: you}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::UnknownName);
}
