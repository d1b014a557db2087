//! A loop over a value that has no entries.

use super::super::finding::Severity;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use super::tell_problems;
use crate::definition::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW216",
    name: "items-not-a-list",
    severity: Severity::Error,
    summary: "A loop over a value that has no entries",
    reason: r#"
`items` of a `foreach` is a list, and `{% for %}` goes through a list or the names of a mapping. A text or a number has no
entries.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: string, default: "alice, bob"}
steps:
  - id: note
    type: human_approval
    approvers: {team: leads}
    description: "{% for person in inputs.people %}- {{ person }} {% endfor %}"
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  people: {type: string, default: "alice, bob"}
steps:
  - id: note
    type: human_approval
    approvers: {team: leads}
    description: "{% for person in inputs.people | split(', ') %}- {{ person }} {% endfor %}"
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    tell_problems(scope, findings, ProblemKind::NotAList);
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Foreach(_) = &step.kind else { continue };
            let Some(items) = process.node(step).get("items") else { continue };
            if let Some(text) = items.as_str().filter(|text| !has_markup(text)) {
                let message = format!("`items` must be a list, this is the text `{text}`");
                let help = "write `[first, second]`, or one expression that gives a list";
                findings.add(process.file, items.span(), message).help(help);
            }
        }
    }
}
