//! A key that has to be there.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_structure;
use crate::source::SchemaFaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW011",
    name: "missing-key",
    severity: Severity::Error,
    summary: "A key that has to be there",
    reason: r#"
Without it there is nothing to run. The place that is shown is the key whose mapping lacks it.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
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
    tell_structure(scope, findings, |kind| matches!(kind, SchemaFaultKind::MissingKey { .. }));
}
