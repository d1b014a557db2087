//! What people read of a run: who is asked, and why a word did not count.

use crate::approval::{DecisionKind, Group, Ineligible, Requirement};
use crate::definition::test::{RefusalReason, TestWord};
use crate::definition::{CodeownersMode, Role};
use crate::execution::Refusal;

/// The word that is recorded.
pub(super) fn kind(word: TestWord) -> DecisionKind {
    match word {
        TestWord::Approve => DecisionKind::Approve,
        TestWord::Reject => DecisionKind::Reject,
        TestWord::Withdraw => DecisionKind::Withdraw,
    }
}

/// Why a person's word does not count.
pub(super) fn ineligible(why: Ineligible, requirement: &Requirement) -> (RefusalReason, String) {
    let who = who(requirement);
    match why {
        Ineligible::Bot => (RefusalReason::Bot, format!("a program cannot decide; it needs {who}")),
        Ineligible::Author => {
            (RefusalReason::Author, "the author of a change cannot approve it without `allow_author`".to_owned())
        }
        Ineligible::Contributor => (
            RefusalReason::Contributor,
            "whoever wrote a commit of a change cannot approve it without `allow_author`".to_owned(),
        ),
        Ineligible::NotListed => (RefusalReason::NotListed, format!("it needs {who}")),
    }
}

/// Why the execution does not take a word.
pub(super) fn refused(refusal: &Refusal) -> (RefusalReason, String) {
    let reason = match refusal {
        Refusal::NoteRequired => RefusalReason::NoteRequired,
        Refusal::NothingToWithdraw => RefusalReason::NothingToWithdraw,
        Refusal::WrongAnswers { faults } => {
            let faults: Vec<String> = faults.iter().map(|(field, fault)| format!("`{field}` {fault}")).collect();
            return (RefusalReason::WrongAnswers, format!("the answers do not fit the form: {}", faults.join("; ")));
        }
        _ => RefusalReason::NotWaiting,
    };
    (reason, refusal.to_string())
}

/// Who is needed: `2 of team leads or @octocat`.
pub(super) fn who(requirement: &Requirement) -> String {
    match requirement {
        Requirement::People { group, count } => {
            let several = match group {
                Group::Users(users) => users.len() > 1,
                _ => true,
            };
            if several && *count > 0 { format!("{count} of {}", named(group)) } else { named(group) }
        }
        Requirement::Any { of, count: 1 } => of.iter().map(inside).collect::<Vec<_>>().join(" or "),
        Requirement::Any { of, count } => {
            format!("{count} of these: {}", of.iter().map(inside).collect::<Vec<_>>().join(", "))
        }
        Requirement::All { of } => of.iter().map(inside).collect::<Vec<_>>().join(" and "),
    }
}

fn inside(requirement: &Requirement) -> String {
    match requirement {
        Requirement::People { .. } => who(requirement),
        Requirement::Any { .. } | Requirement::All { .. } => format!("({})", who(requirement)),
    }
}

fn named(group: &Group) -> String {
    match group {
        Group::Users(users) => users.iter().map(|login| format!("@{login}")).collect::<Vec<_>>().join(", "),
        Group::Team(team) => format!("team {team}"),
        Group::Role(needed) => format!("those with the permission {}", role(*needed)),
        Group::Codeowners { mode: CodeownersMode::Union, .. } => "the code owners".to_owned(),
        Group::Codeowners { mode: CodeownersMode::EachPath, .. } => "the code owners of each path".to_owned(),
    }
}

/// A permission's name.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Write => "write",
        Role::Maintain => "maintain",
        Role::Admin => "admin",
    }
}
