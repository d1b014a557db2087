//! An escalation at or after the deadline.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW303",
    name: "late-escalation",
    severity: Severity::Error,
    summary: "An escalation at or after the deadline",
    reason: r#"
`after` counts from the request, as `timeout` does. By then the step has ended, and nobody is added.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
    escalate: [{after: 6h, to: {team: directors}}]
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 4h
    escalate: [{after: 2h, to: {team: directors}}]
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let levels = match &step.kind {
                StepKind::HumanApproval(approval) => &approval.escalate,
                StepKind::Form(form) => &form.escalate,
                _ => continue,
            };
            let Some((deadline, file, written)) = process.deadline(step) else { continue };
            for level in levels.iter().filter(|level| level.after.value >= deadline) {
                let message = format!("nobody is added after {}: the deadline is at {deadline}", level.after.value);
                let finding = findings.add(process.file, level.after.span, message);
                finding.help("let it lie before `timeout`").also(file, written, "the deadline");
            }
        }
    }
}
