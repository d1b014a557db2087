//! Whether a person's word counts for a requirement, and for which of its groups.

use super::{Group, LeafIndex, Person, Requirement};
use crate::definition::{CodeownersMode, Role};

/// What is known of a person when their word is weighed.
#[derive(Debug, Clone, Default)]
pub struct PersonFacts {
    /// Teams of the requirement that the person is a member of.
    pub teams: Vec<String>,
    /// The person's permission on the repository, if it is at least `write`.
    pub role: Option<Role>,
    /// Whether the person opened the pull request.
    pub is_author: bool,
    /// Whether the person wrote one of its commits.
    pub is_contributor: bool,
    /// Whether the person is a program.
    pub is_bot: bool,
    /// Whether the person owns some changed path.
    pub owns_some_path: bool,
    /// Whether the person owns every changed path.
    pub owns_every_path: bool,
}

/// Whether a word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weighed {
    /// It does, for these leaves.
    Counts(Vec<LeafIndex>),
    /// It does not.
    Not(Ineligible),
}

/// Why a word does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ineligible {
    /// A program cannot approve.
    Bot,
    /// The author of the change cannot approve it.
    Author,
    /// Somebody who wrote a commit of the change cannot approve it.
    Contributor,
    /// In none of the groups.
    NotListed,
}

/// Weighs a person. With `allow_author` the author and contributors are people like any others.
pub fn weigh(requirement: &Requirement, person: &Person, facts: &PersonFacts, allow_author: bool) -> Weighed {
    if facts.is_bot {
        return Weighed::Not(Ineligible::Bot);
    }
    let leaves: Vec<LeafIndex> = (0..)
        .zip(requirement.leaves())
        .filter(|(_, group)| belongs(group, person, facts))
        .map(|(index, _)| index)
        .collect();
    if leaves.is_empty() {
        return Weighed::Not(Ineligible::NotListed);
    }
    if !allow_author && facts.is_author {
        return Weighed::Not(Ineligible::Author);
    }
    if !allow_author && facts.is_contributor {
        return Weighed::Not(Ineligible::Contributor);
    }
    Weighed::Counts(leaves)
}

fn belongs(group: &Group, person: &Person, facts: &PersonFacts) -> bool {
    match group {
        Group::Users(users) => users.iter().any(|login| login.eq_ignore_ascii_case(&person.login)),
        Group::Team(team) => facts.teams.iter().any(|member_of| member_of.eq_ignore_ascii_case(team)),
        Group::Role(role) => facts.role.is_some_and(|held| held >= *role),
        Group::Codeowners(CodeownersMode::Union) => facts.owns_some_path,
        Group::Codeowners(CodeownersMode::EachPath) => facts.owns_every_path,
    }
}
