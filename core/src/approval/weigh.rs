//! Whether a person's word counts for a requirement, and for which of its groups.

use super::codeowners::Owner;
use super::{Group, LeafIndex, Person, Requirement};
use crate::definition::Role;

/// What is known of a person when their word is weighed.
#[derive(Debug, Clone, Default)]
pub struct PersonFacts {
    /// Teams of the requirement that the person is a member of.
    pub teams: Vec<String>,
    /// The person's permission on the repository, if it is at least `write`.
    pub role: Option<Role>,
    /// Whether the person opened the pull request.
    pub is_author: bool,
    /// Whether the person wrote or pushed one of its commits.
    pub is_contributor: bool,
    /// Whether the person is a program.
    pub is_bot: bool,
    /// The owners of the changed paths that the person is, or is a member of.
    pub owner_of: Vec<Owner>,
    /// Whether the person counts as a code owner where nobody can look up what is owned: in a test, and where the
    /// administrator vouches.
    pub is_owner: bool,
}

/// Whether a word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weighed {
    /// It does, for these.
    Counts(Counted),
    /// It does not.
    Not(Ineligible),
}

/// What a word counts for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// The leaves of the requirement.
    pub leaves: Vec<LeafIndex>,
    /// The owners of the changed paths that the person is.
    pub owner_of: Vec<Owner>,
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
    Weighed::Counts(Counted { leaves, owner_of: facts.owner_of.clone() })
}

fn belongs(group: &Group, person: &Person, facts: &PersonFacts) -> bool {
    match group {
        Group::Users(users) => users.iter().any(|login| login.eq_ignore_ascii_case(&person.login)),
        Group::Team(team) => facts.teams.iter().any(|member_of| member_of.eq_ignore_ascii_case(team)),
        Group::Role(role) => facts.role.is_some_and(|held| held >= *role),
        Group::Codeowners { owned: None, .. } => facts.is_owner,
        // GitHub: an owner must be able to write, or is none.
        Group::Codeowners { owned: Some(owned), .. } => {
            let owns = || owned.groups.iter().any(|group| group.is_owned_by(&facts.owner_of));
            facts.role.is_some() && (owned.is_nobodys() || owns())
        }
    }
}
