//! An expression in a key.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW005",
    name: "template-in-key",
    severity: Severity::Error,
    summary: "An expression in a key",
    reason: r#"
Keys say what something is, and are read before anything runs; expressions are values.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {"{{ execution.id }}": hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {id: "{{ execution.id }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| kind == FaultKind::TemplateKey);
}
