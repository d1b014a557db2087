//! An approval that people give to themselves.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::step::StepKind;
use crate::definition::{Approvers, Process, Trigger};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW309",
    name: "self-approval",
    severity: Severity::Warning,
    summary: "An approval that people give to themselves",
    reason: r"
The only person asked is the one who started the process, or the author of the change. Two eyes are not four. Where a person
is only to say that they are sure, say so in a suppression.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {users: ["{{ trigger.actor }}"]}
"#,
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: review
    type: human_approval
    approvers: {team: leads}
",
    check,
};

/// Most `set` steps through which a name is followed.
const MAX_HANDED_ON: usize = 8;

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::HumanApproval(approval) = &step.kind else { continue };
            let Some(approvers) = approval.approvers.as_ref().filter(|_| approval.policy.is_none()) else { continue };
            // The author of a change never counts unless `allow_author`; who starts by hand need not be its author.
            let is_self = |user: &str| match meant(process.process, user) {
                Some("trigger.pull_request.author") => approval.allow_author,
                Some("trigger.actor") => approval.allow_author || starts_alone(process.process),
                _ => false,
            };
            if given_alone(approvers, &is_self) {
                let span = process.value_span(step, "approvers");
                let node = process.node(step).get("approvers");
                let users = node.and_then(|node| node.get("users")).and_then(|users| users.items()?.next());
                let span = users.map_or(span, |user| user.span());
                let message = format!("`{}` is approved by whoever asks for it", step.id.as_str());
                findings.add(process.file, span, message).help("ask somebody else: a team, a role, other people");
            }
        }
    }
}

/// What a text reads in the end, where `set` steps only hand it on.
fn meant<'p>(process: &'p Process, text: &'p str) -> Option<&'p str> {
    let mut reads = only_reference(text)?;
    for _ in 0..MAX_HANDED_ON {
        let Some((step, rest)) = reads.strip_prefix("steps.").and_then(|rest| rest.split_once('.')) else { break };
        let Some(StepKind::Set(set)) = process.all_steps().find(|one| one.id.as_str() == step).map(|one| &one.kind)
        else {
            break;
        };
        let Some(value) = rest.strip_prefix("output.").and_then(|name| set.values.get(name)) else { break };
        reads = only_reference(value.value.as_str()?)?;
    }
    Some(reads)
}

/// Whether somebody may start the process without a change of their own: by hand or by a comment.
fn starts_alone(process: &Process) -> bool {
    let by_comment = |trigger: &Trigger| matches!(trigger, Trigger::Comment(_));
    process.starts_by_hand() || process.header.triggers.iter().flatten().any(|trigger| by_comment(&trigger.value))
}

/// Whether one person who is meant by `is_self` is enough.
fn given_alone(approvers: &Approvers, is_self: &dyn Fn(&str) -> bool) -> bool {
    match approvers {
        Approvers::Users { users, count } => *count == 1 && !users.is_empty() && users.iter().all(|user| is_self(user)),
        Approvers::Any { any, count } => {
            any.iter().filter(|group| given_alone(&group.value, is_self)).count() >= *count as usize
        }
        Approvers::All { all } => !all.is_empty() && all.iter().all(|group| given_alone(&group.value, is_self)),
        Approvers::Team { .. } | Approvers::Role { .. } | Approvers::Codeowners { .. } => false,
    }
}

/// What a text reads, where it is one expression that reads and does nothing else.
pub(super) fn only_reference(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    inside.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).then_some(inside)
}
