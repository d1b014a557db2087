//! A value that is malformed or not allowed.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_structure;
use crate::source::SchemaFaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW014",
    name: "wrong-value",
    severity: Severity::Error,
    summary: "A value that is malformed or not allowed",
    reason: r#"
A duration without a unit, a name with a capital letter, a number beyond its limit, a word that is none of those that
are allowed.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 5 minutes
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: pause
    type: wait
    for: 5m
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_structure(scope, findings, |kind| {
        use SchemaFaultKind::{MissingKey, UnknownKey, WrongType};
        !matches!(kind, UnknownKey { .. } | MissingKey { .. } | WrongType { .. })
    });
}
