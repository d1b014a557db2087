//! Code owners who are asked where nothing is changed.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::{is_triggered_by_none, run_by_others};
use crate::definition::step::StepKind;
use crate::definition::{Approvers, Step};
use crate::source::{Span, Spanned};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW316",
    name: "owners-without-change",
    severity: Severity::Error,
    summary: "Code owners who are asked where no pull request is",
    reason: r"
Code owners are those of the files that a pull request changes. No trigger of the process brings one and no other process runs it,
so nobody counts, and it would wait until its deadline, or for ever. A start by hand may bring one: `/run` in a comment.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - schedule: {cron: "0 9 * * 1"}
steps:
  - id: review
    type: human_approval
    approvers: {codeowners: union}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - schedule: {cron: "0 9 * * 1"}
steps:
  - id: review
    type: human_approval
    approvers: {any: [{codeowners: union}, {team: leads}]}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let (mut policies, mut run) = (None, None);
    for process in &scope.processes {
        let asking = process.steps().filter(|step| asks_people(step));
        let mut asking = asking.peekable();
        if asking.peek().is_none() || !is_triggered_by_none(process) {
            continue;
        }
        let run = run.get_or_insert_with(|| run_by_others(scope));
        if run.contains(process.process.header.name.as_str()) {
            continue;
        }
        for step in asking {
            let (own, policy, levels) = match &step.kind {
                StepKind::HumanApproval(approval) => {
                    (approval.approvers.as_ref(), approval.policy.as_ref(), &approval.escalate)
                }
                StepKind::Form(form) => (form.assignees.as_ref(), None, &form.escalate),
                _ => continue,
            };
            // Whom an escalation adds may answer alone.
            if levels.iter().any(|level| owners_needed(&level.to).is_none()) {
                continue;
            }
            let policies = policies.get_or_insert_with(|| scope.repository.resources().policies);
            let of_policy = |name: &&Spanned<String>| {
                let mut approvers = policies.get(&name.value).into_iter().flatten();
                approvers.any(|approvers| owners_needed(approvers).is_some())
            };
            let owners = |group: &Spanned<Approvers>| {
                let node = process.file.document.node(group.node);
                node.get("codeowners").map_or(group.span, |mode| mode.span())
            };
            let own = own.and_then(owners_needed).map(owners);
            let place: Option<Span> = own.or_else(|| policy.filter(of_policy).map(|name| name.span));
            if let Some(place) = place {
                let message = "no trigger brings a pull request, and without one there are no code owners";
                findings.add(process.file, place, message).help("name somebody else beside them with `any`");
            }
        }
    }
}

fn asks_people(step: &Step) -> bool {
    matches!(step.kind, StepKind::HumanApproval(_) | StepKind::Form(_))
}

/// The code owners without whom these approvers cannot be satisfied.
fn owners_needed(approvers: &Spanned<Approvers>) -> Option<&Spanned<Approvers>> {
    match &approvers.value {
        Approvers::Codeowners { .. } => Some(approvers),
        Approvers::All { all } => all.iter().find_map(owners_needed),
        Approvers::Any { any, count } => {
            let needed: Vec<Option<&Spanned<Approvers>>> = any.iter().map(owners_needed).collect();
            let others = needed.iter().filter(|group| group.is_none()).count();
            // Where there are too few groups anyway, that is told.
            let enough = others >= *count as usize || any.len() < *count as usize;
            needed.into_iter().flatten().next().filter(|_| !enough)
        }
        Approvers::Users { .. } | Approvers::Team { .. } | Approvers::Role { .. } => None,
    }
}
