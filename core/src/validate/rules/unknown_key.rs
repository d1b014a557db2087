//! A key that means nothing here.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_structure;
use crate::source::SchemaFaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW010",
    name: "unknown-key",
    severity: Severity::Error,
    summary: "A key that means nothing here",
    reason: r#"
A key that nobody reads would be ignored in silence, and a misspelt `timeout` would never end anything. So each key
must be known where it stands.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
descripton: Say hello.
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
description: Say hello.
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_structure(scope, findings, |kind| matches!(kind, SchemaFaultKind::UnknownKey { .. }));
}
