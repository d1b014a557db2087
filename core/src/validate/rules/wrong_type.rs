//! A value of another type than its key takes.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_structure;
use crate::source::SchemaFaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW013",
    name: "wrong-type",
    severity: Severity::Error,
    summary: "A value of another type than its key takes",
    reason: r#"
A list where a mapping belongs, a text where a number belongs. YAML reads `5` as a number and `"5"` as a text; `on`,
`yes` and `no` are texts.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: "1"
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_structure(scope, findings, |kind| matches!(kind, SchemaFaultKind::WrongType { .. }));
}
