//! An operator between values that it cannot work on.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW215",
    name: "operator-does-not-fit",
    severity: Severity::Error,
    summary: "An operator that cannot work on these values",
    reason: r#"
Arithmetic needs numbers, `+` two numbers, two texts or two lists, `in` a text, a list or a mapping to look into. Nothing is
turned into something else by itself: `~` makes a text of anything, `| int` and `| float` a number of a text.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  count: {type: integer, default: 1}
steps:
  - id: note
    type: set
    values: {text: "{{ 'attempt ' + inputs.count }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  count: {type: integer, default: 1}
steps:
  - id: note
    type: set
    values: {text: "{{ 'attempt ' ~ inputs.count }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::OperatorDoesNotFit);
}
