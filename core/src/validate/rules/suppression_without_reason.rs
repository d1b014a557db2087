//! A suppression that does not say why.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW902",
    name: "suppression-without-reason",
    severity: Severity::Error,
    summary: "A suppression that does not say why",
    reason: r#"
Whoever reads it later has to know whether it still holds.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  # flowctl: ignore[unused-input]
  who: {type: string}
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  # flowctl: ignore[unused-input] the web page reads it
  who: {type: string}
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    check,
};

/// Told where suppressions are applied, after everything else.
fn check(_: &Scope<'_>, _: &mut Findings) {}
