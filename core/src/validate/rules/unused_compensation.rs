//! A compensation that no step names.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use std::collections::BTreeSet;

use crate::definition::step::RunOn;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW108",
    name: "unused-compensation",
    severity: Severity::Warning,
    summary: "A compensation that no step names",
    reason: r#"
It runs only to undo a step, and none says `compensate_with` it. So it never runs.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
  - id: undo
    type: set
    run_on: compensation
    values: {text: gone}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
    compensate_with: undo
  - id: undo
    type: set
    run_on: compensation
    values: {text: gone}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        let named: BTreeSet<&str> =
            process.steps().filter_map(|step| step.compensate_with.as_ref()).map(|undo| undo.as_str()).collect();
        // A name that no compensation has may have been meant for any of them, and is told where it is written.
        let undoes = |id: &str| process.steps().any(|it| it.run_on == RunOn::Compensation && it.id.as_str() == id);
        if named.iter().any(|id| !undoes(id)) {
            continue;
        }
        for step in process.steps().filter(|step| step.run_on == RunOn::Compensation) {
            if !named.contains(step.id.as_str()) {
                let message = format!("nothing is undone by `{}`", step.id.as_str());
                let help = format!("say `compensate_with: {}` in the step that it undoes", step.id.as_str());
                findings.add(process.file, step.id.span, message).help(help);
            }
        }
    }
}
