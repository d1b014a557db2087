//! A secret where it would be kept or shown.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::reference::ProblemKind;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW502",
    name: "misplaced-secret",
    severity: Severity::Error,
    summary: "A secret where it would be kept or shown",
    reason: r#"
Values of steps, texts for people and prompts are stored and shown. Secrets go only into the address, the query, the
headers and the body of a call, where they are put in at the last moment and blotted out of the answer.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: "{{ secrets.DEPLOY_TOKEN }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: fetch
    type: api_call
    url: https://api.example/things
    headers: {authorization: "Bearer {{ secrets.DEPLOY_TOKEN }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::Secret);
}
