//! An escalation to people who are asked already.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::Approvers;
use crate::definition::repository::File;
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::Escalation;
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW313",
    name: "escalation-adds-nobody",
    severity: Severity::Warning,
    summary: "An escalation to people who are asked already",
    reason: r"
An escalation adds people. One to the same group, or to a role that includes fewer of those who may approve anyhow, adds
nobody.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {role: write}
    timeout: 1d
    escalate:
      - {after: 4h, to: {role: maintain}}
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
      - {after: 4h, to: {role: maintain}}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            match &step.kind {
                StepKind::HumanApproval(approval) if approval.policy.is_none() => {
                    tell(process.file, approval.approvers.as_ref(), &approval.escalate, findings);
                }
                StepKind::Form(form) => tell(process.file, form.assignees.as_ref(), &form.escalate, findings),
                _ => {}
            }
        }
    }
}

fn tell(file: &File, asked: Option<&Spanned<Approvers>>, levels: &[Spanned<Escalation>], findings: &mut Findings) {
    let mut before: Vec<&Spanned<Approvers>> = asked.into_iter().collect();
    for level in levels {
        if let Some(same) = before.iter().find(|earlier| includes(earlier, &level.to)) {
            let finding = findings.add(file, level.to.span, "these people are asked already");
            finding.help("name others, or remove the level").also(file, same.span, "here");
        }
        before.push(&level.to);
        if before.len() > MAX_COMPARED {
            return;
        }
    }
}

/// Each level is compared with those before it; nobody writes more than this by hand.
const MAX_COMPARED: usize = 50;

/// Whether whoever satisfies `added` satisfies `asked`.
fn includes(asked: &Approvers, added: &Approvers) -> bool {
    match (asked, added) {
        (Approvers::Role { role, count }, Approvers::Role { role: higher, count: more }) => {
            higher >= role && more >= count
        }
        _ => asked == added,
    }
}
