//! A reminder at or after the deadline.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::OnTimeout;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW304",
    name: "late-reminder",
    severity: Severity::Warning,
    summary: "A reminder at or after the deadline",
    reason: r#"
Reminders count from the request, as `timeout` does. By then there is nothing left to remind of.
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
    reminders: [6h]
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
    reminders: [2h]
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let (reminders, starts_anew) = match &step.kind {
                StepKind::HumanApproval(approval) => (&approval.reminders, approval.on_timeout == OnTimeout::Escalate),
                StepKind::Form(form) => (&form.reminders, false),
                _ => continue,
            };
            let Some((deadline, file, written)) = process.deadline(step).filter(|_| !starts_anew) else { continue };
            for reminder in reminders.iter().filter(|reminder| reminder.value >= deadline) {
                let message = format!("nobody is reminded after {}: the deadline is at {deadline}", reminder.value);
                let finding = findings.add(process.file, reminder.span, message);
                finding.help("let it lie before `timeout`").also(file, written, "the deadline");
            }
        }
    }
}
