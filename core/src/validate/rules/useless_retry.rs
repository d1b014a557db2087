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
repeated. People are asked once: what they decide or answer stands, and so does a deadline that passes.
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
            let is_final = matches!(
                step.step_type(),
                StepType::Set | StepType::Gateway | StepType::HumanApproval | StepType::Form
            );
            let Some(key) = process.node(step).key_node("retry").filter(|_| is_final && step.retry.is_some()) else {
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

#[cfg(test)]
mod tests {
    use crate::definition::repository::Repository;
    use crate::validate::{Options, validate};

    /// Where a process with a `retry` at this step is told that it is useless, and what is told.
    fn told(fields: &str) -> Vec<String> {
        let step = format!("  - {{id: a, {fields}, retry: {{max_attempts: 3, on: [timeout]}}}}\n");
        let text = format!("name: x\nversion: 1\ntriggers: [manual]\nsteps:\n{step}");
        let report = validate(&Repository::read([(".flow/processes/x.yaml".to_owned(), text)]), &Options::default());
        let useless = report.findings.iter().filter(|finding| finding.code == "FLOW120");
        useless.map(|finding| finding.message.clone()).collect()
    }

    #[test]
    fn who_was_asked_is_not_asked_again() {
        let approval = "type: human_approval, approvers: {team: leads}, timeout: 1d";
        assert_eq!(told(approval), ["a `human_approval` is never repeated"]);
        let form = "type: form, fields: {a: {type: string}}, timeout: 1d";
        assert_eq!(told(form), ["a `form` is never repeated"]);
        assert_eq!(told("type: api_call, url: 'https://x.example'"), [""; 0]);
    }
}
