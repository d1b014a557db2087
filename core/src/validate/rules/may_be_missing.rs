//! A value that may be missing is read without a default.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW205",
    name: "may-be-missing",
    severity: Severity::Warning,
    summary: "A value that may be missing is read without a default",
    reason: r#"
The step may have been skipped, or failed with `on_failure: continue`; or the field is not required. Then the
expression fails. `| default(…)` covers the whole chain before it; a condition such as
`steps.maybe.status == 'completed'`, in the step or before it, says that the value is there.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: maybe
    type: set
    when: "{{ inputs.urgent }}"
    values: {text: hello}
  - id: note
    type: set
    depends_on: maybe
    run_on: always
    values: {text: "{{ steps.maybe.output.text }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  urgent: {type: boolean, default: false}
steps:
  - id: maybe
    type: set
    when: "{{ inputs.urgent }}"
    values: {text: hello}
  - id: note
    type: set
    depends_on: maybe
    run_on: always
    values: {text: "{{ steps.maybe.output.text | default('') }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::MayBeMissing);
}
