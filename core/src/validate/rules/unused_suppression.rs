//! A suppression that suppresses nothing.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW901",
    name: "unused-suppression",
    severity: Severity::Warning,
    summary: "A suppression that suppresses nothing",
    reason: r#"
What it was about has been mended, or it stands in the wrong place: on the line of the finding, or on the line above. For a
text of several lines that is the line of its key.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  # flowctl: ignore[unused-input] the web page reads it
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
