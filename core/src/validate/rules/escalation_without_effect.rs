//! An outcome that adds people where nobody is left to add.

use super::super::finding::{Applicability, Severity};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};
use crate::definition::step::StepKind;
use crate::definition::step::human_approval::OnTimeout;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW317",
    name: "escalation-without-effect",
    severity: Severity::Warning,
    summary: "An outcome that adds people where nobody is left to add",
    reason: r#"
`on_timeout: escalate` adds the next level of `escalate` that is still to come, and starts the deadline anew. But each level
is reached at its `after`, which lies before `timeout`: by the deadline all of them have been added, and what is left is a
rejection. Whoever is added has the time from `after` to `timeout`; to give them more, make `timeout` longer.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 1d
    on_timeout: escalate
    escalate: [{after: 12h, to: {team: directors}}]
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
    timeout: 2d
    on_timeout: reject
    escalate: [{after: 1d, to: {team: directors}}]
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let by_policies = levels_of_policies(scope);
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            // A policy may bring levels that come later.
            let may_have_more = approval.policy.is_some() && by_policies;
            if approval.on_timeout != OnTimeout::Escalate || approval.escalate.is_empty() || may_have_more {
                continue;
            }
            let Some((deadline, file, written)) = process.deadline(step) else { continue };
            if process.is_faulty(step) || approval.escalate.iter().any(|level| level.after.value >= deadline) {
                continue;
            }
            let span = process.value_span(step, "on_timeout");
            let message = format!("nobody is left to add after {deadline}: this rejects");
            let finding = findings.add(process.file, span, message);
            finding.help("write `reject`; who is to have more time needs a longer `timeout`");
            finding.fix(process.file, Applicability::Safe, span, "reject").also(file, written, "the deadline");
        }
    }
}

/// Whether any policy escalates, or may.
fn levels_of_policies(scope: &Scope<'_>) -> bool {
    scope.files(FileKind::Policy).any(|file| match &file.definition {
        Some(Definition::Policy(policy)) => !policy.escalate.is_empty() || !file.structure.is_empty(),
        _ => true,
    })
}
