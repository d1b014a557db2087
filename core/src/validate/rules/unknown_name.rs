//! A name or field that does not exist.

use super::super::finding::Severity;
use super::super::reference::{ProblemKind, prompt_problems};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::tell_problems;
use crate::definition::repository::{Definition, FileKind};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW202",
    name: "unknown-name",
    severity: Severity::Error,
    summary: "A name or field that does not exist",
    reason: r#"
Everything that an expression can read is known beforehand: inputs, constants, the fields of forms, schemas, triggers and
steps. A field that cannot exist would fail when it runs; the part that is wrong is shown.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: you}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.whom }} {{ inputs.who }}"}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: you}
steps:
  - id: note
    type: set
    values: {text: "{{ inputs.who }}"}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::UnknownName);
    for file in scope.files(FileKind::Prompt) {
        let Some(Definition::Prompt(prompt)) = &file.definition else { continue };
        for (span, wrong) in prompt_problems(prompt) {
            if wrong.kind == ProblemKind::UnknownName {
                findings.add(file, span, wrong.message).maybe_help(wrong.help);
            }
        }
    }
}
