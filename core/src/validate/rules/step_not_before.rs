//! An expression that reads a step which has not ended by then.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW204",
    name: "step-not-before",
    severity: Severity::Error,
    summary: "An expression that reads a step which has not ended by then",
    reason: r#"
Steps run side by side unless they wait for each other. A step can only read steps that it depends on, and those before
them; a `foreach` hides the steps of its body, and gives the list of their results.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: first
    type: set
    values: {text: "{{ steps.second.output.text }}"}
  - id: second
    type: set
    values: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: first
    type: set
    depends_on: second
    values: {text: "{{ steps.second.output.text }}"}
  - id: second
    type: set
    values: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::NotBefore);
}
