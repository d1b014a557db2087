//! Levels of an escalation that are out of order.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::Escalation;
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW312",
    name: "escalation-order",
    severity: Severity::Warning,
    summary: "Levels of an escalation that are out of order",
    reason: r"
Levels are reached one after the other, in the order in which they are written. One that is to come earlier than the level
before it comes late, together with it.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 1d
    escalate:
      - {after: 8h, to: {team: heads}}
      - {after: 4h, to: {team: directors}}
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 1d
    escalate:
      - {after: 2h, to: {team: heads}}
      - {after: 4h, to: {team: directors}}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            match &step.kind {
                StepKind::HumanApproval(approval) => tell(process.file, &approval.escalate, findings),
                StepKind::Form(form) => tell(process.file, &form.escalate, findings),
                _ => {}
            }
        }
    }
    for file in scope.all_files() {
        if let Some(Definition::Policy(policy)) = &file.definition {
            tell(file, &policy.escalate, findings);
        }
    }
}

fn tell(file: &File, levels: &[Spanned<Escalation>], findings: &mut Findings) {
    for pair in levels.windows(2) {
        let [before, level] = pair else { continue };
        if level.after.value < before.after.value {
            let finding = findings.add(file, level.after.span, "this level comes before the one above it");
            finding.help("write the levels in the order of `after`");
            finding.also(file, before.after.span, "the one above");
        }
    }
}
