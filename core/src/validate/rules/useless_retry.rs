//! A retry of what fails the same way each time.

use super::super::edit;
use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::StepType;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW120",
    name: "useless-retry",
    severity: Severity::Info,
    summary: "A retry of what fails the same way each time",
    reason: r"
Values are computed and ways are chosen from the same data each time. What fails there is an expression, and that is never
repeated.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    retry: {max_attempts: 3}
    values: {text: hello}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: note
    type: set
    values: {text: hello}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let computed = matches!(step.step_type(), StepType::Set | StepType::Gateway);
            let Some(key) = process.node(step).key_node("retry").filter(|_| computed && step.retry.is_some()) else {
                continue;
            };
            let message = format!("a `{}` is never repeated", step.step_type());
            let finding = findings.add(process.file, key.span(), message);
            finding.help("remove `retry`");
            let entry = edit::of_entry(&process.file.source, process.node(step), "retry");
            finding.remove(process.file, Applicability::Safe, entry);
        }
    }
}
