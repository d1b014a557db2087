//! A comparison of values of different types.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW208",
    name: "comparison-of-types",
    severity: Severity::Error,
    summary: "A comparison of values of different types",
    reason: r#"
A number is never equal to a text, and the two have no order. Such a comparison fails, or is always false. The same holds
for a text that is none of those that the other side can be: a choice of an `enum`, the status of a step, what triggers the
process. Constants of `context` count with their values; of two that are written out nothing is said, for that is a switch.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, default: 1}
steps:
  - id: note
    type: set
    when: "{{ inputs.level > 'high' }}"
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  level: {type: integer, default: 1}
steps:
  - id: note
    type: set
    when: "{{ inputs.level > 3 }}"
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::UnlikeComparison);
}
