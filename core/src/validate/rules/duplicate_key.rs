//! A key that stands twice in one mapping.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW002",
    name: "duplicate-key",
    severity: Severity::Error,
    summary: "A key that stands twice in one mapping",
    reason: r#"
YAML forbids it, and readers differ in which of the two counts. Here the first does, and the second is an error.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
description: one
description: two
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
description: one
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| kind == FaultKind::DuplicateKey);
}
