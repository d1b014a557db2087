//! A GitHub Actions workflow that does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::source::closest;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW405",
    name: "unknown-workflow",
    severity: Severity::Warning,
    summary: "A GitHub Actions workflow that does not exist",
    reason: r#"
A `workflow` step names a file in `.github/workflows/` of the same repository. Without it, GitHub refuses the dispatch.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: ship
    type: workflow
    workflow: relase.yml
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: ship
    type: workflow
    workflow: release.yml
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let Some(known) = scope.options.workflow_files else { return };
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::Workflow(workflow) = &step.kind else { continue };
            let name = &workflow.workflow;
            if !known.has(name.as_str()) {
                let message = format!("there is no workflow `{}` in `.github/workflows/`", name.value);
                let meant = closest(name, known.names());
                findings.add(process.file, name.span, message).meant(process.file, name.span, meant);
            }
        }
    }
}
