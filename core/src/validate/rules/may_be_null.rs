//! A value that may be null where null will not do.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW217",
    name: "may-be-null",
    severity: Severity::Warning,
    summary: "A value that may be null is used where null will not do",
    reason: r#"
A schema or a trigger allows null there. Printed, null is nothing; but it has no fields and no order, cannot be added to, and is
no condition: the expression fails. `| default(…)` covers null as it covers what is missing, and after `is not none` the
value is there.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Draft the notes.
    output_schema:
      type: object
      required: [author]
      properties:
        author: {type: [string, "null"]}
  - id: note
    type: set
    depends_on: draft
    values: {text: "{{ steps.draft.output.author | upper }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Draft the notes.
    output_schema:
      type: object
      required: [author]
      properties:
        author: {type: [string, "null"]}
  - id: note
    type: set
    depends_on: draft
    values: {text: "{{ steps.draft.output.author | default('nobody') | upper }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::MayBeNull);
}
