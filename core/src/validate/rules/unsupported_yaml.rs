//! YAML that definitions do not use.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW003",
    name: "unsupported-yaml",
    severity: Severity::Error,
    summary: "YAML that definitions do not use",
    reason: r#"
A second document, a tag such as `!!str`, a list as a key, or `<<` with something that is no mapping. Definitions
are one document of plain values; anchors, aliases and `<<` with a mapping are fine.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: !!str 5}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "5"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| {
        matches!(kind, FaultKind::SecondDocument | FaultKind::Tag | FaultKind::NotAScalarKey | FaultKind::MergeKey)
    });
}
