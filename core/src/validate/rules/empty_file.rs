//! A file with nothing in it.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW008",
    name: "empty-file",
    severity: Severity::Error,
    summary: "A file with nothing in it",
    reason: r#"
An empty file is no definition. Remove it, or write what it is for.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
# nothing yet
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
    tell_faults(scope, findings, |kind| kind == FaultKind::Empty);
}
