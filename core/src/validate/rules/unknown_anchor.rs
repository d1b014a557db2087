//! An alias of nothing.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW006",
    name: "unknown-anchor",
    severity: Severity::Error,
    summary: "An alias of nothing",
    reason: r#"
`*name` stands for the value that `&name` marks earlier in the same file. Without it, the value is missing. A text
that begins with `*` must stand in quotes.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: *greeting}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: &greeting hello, again: *greeting}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| kind == FaultKind::UnknownAnchor);
}
