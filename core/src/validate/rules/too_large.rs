//! A file beyond the limits.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_faults;
use crate::source::FaultKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW007",
    name: "too-large",
    severity: Severity::Error,
    summary: "A file beyond the limits",
    reason: r#"
Files have limits of size, depth and number of values, aliases followed, so that a hostile file cannot exhaust the
machine that reads it. Definitions that people write stay far below.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  deep: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
steps:
  - id: note
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
context:
  deep: [[1, 2], [3, 4]]
steps:
  - id: note
    type: set
    values: {text: "{{ context.deep }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_faults(scope, findings, |kind| {
        use FaultKind::{TooDeep, TooLarge, TooManyAliases, TooManyNodes};
        matches!(kind, TooLarge | TooDeep | TooManyNodes | TooManyAliases)
    });
}
