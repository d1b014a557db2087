//! Code owners who are asked where nothing is changed.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::steps_without_change;
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
    let asking = steps_without_change(scope, &asks_people);
    if asking.is_empty() {
        return;
    }
    let policies = scope.repository.resources().policies;
    let by_policy = |name: &str| policies.get(name).into_iter().flatten().any(|asked| owners_needed(asked).is_some());
    for (process, step) in asking {
        if let Some(place) = place_of_owners(process, step, &by_policy) {
            let message = "no trigger brings a pull request, and without one there are no code owners";
            findings.add(process.file, place, message).help("name somebody else beside them with `any`");
        }
    }
}

/// Where a step names the code owners without whom nobody can answer it: itself, or by its policy.
fn place_of_owners(process: &ProcessScope<'_>, step: &Step, by_policy: &dyn Fn(&str) -> bool) -> Option<Span> {
    let (own, policy, levels) = match &step.kind {
        StepKind::HumanApproval(approval) => {
            (approval.approvers.as_ref(), approval.policy.as_ref(), approval.escalate.as_slice())
        }
        StepKind::Form(form) => (form.assignees.as_ref(), None, form.escalate.as_slice()),
        _ => return None,
    };
    // Whom an escalation adds may answer alone.
    if levels.iter().any(|level| owners_needed(&level.to).is_none()) {
        return None;
    }
    let owners = |group: &Spanned<Approvers>| {
        let node = process.file.document.node(group.node);
        node.get("codeowners").map_or(group.span, |mode| mode.span())
    };
    let own = own.and_then(owners_needed).map(owners);
    own.or_else(|| policy.filter(|name| by_policy(&name.value)).map(|name| name.span))
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
