//! An expression without quotes.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW004",
    name: "unquoted-template",
    severity: Severity::Error,
    summary: "An expression without quotes",
    reason: r#"
In YAML `{{` begins a mapping inside a mapping. An expression must stand in quotes to be a text.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values:
      started: {{ execution.id }}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values:
      started: "{{ execution.id }}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| kind == FaultKind::UnquotedTemplate);
}
