//! What is known of the people of a test when their words are weighed: what GitHub would say of them in production.

use crate::approval::{Group, Person, PersonFacts, Requirement, is_program};
use crate::definition::Role;
use crate::definition::test::{TestPeople, TestPermission};
use crate::execution::Execution;

/// The people of a test, and who wrote commits of the change.
#[derive(Debug, Clone, Copy)]
pub(super) struct People<'t> {
    pub(super) known: &'t TestPeople,
    pub(super) contributors: &'t [String],
}

/// A person of a test. They are told apart by their logins.
pub(super) fn person(login: &str) -> Person {
    Person { login: login.trim_start_matches('@').to_owned(), id: 0 }
}

impl People<'_> {
    /// What is known of a person for a requirement.
    pub(super) fn facts(&self, execution: &Execution, requirement: &Requirement, person: &Person) -> PersonFacts {
        let leaves = requirement.leaves();
        let asked = leaves.iter().filter_map(|group| match group {
            Group::Team(team) => Some(team),
            _ => None,
        });
        let subject = execution.subject.as_ref().filter(|subject| subject.is_pull_request);
        let author = subject.and_then(|subject| subject.author.as_ref());
        let is_author = author.is_some_and(|author| author.is(person));
        PersonFacts {
            teams: asked.filter(|team| self.is_member(team, person)).cloned().collect(),
            role: self.role(person),
            is_author,
            is_contributor: !is_author && self.contributors.iter().any(|other| same(other, &person.login)),
            is_bot: is_program(&person.login),
            ..PersonFacts::default()
        }
    }

    /// Somebody's permission, where it is at least `write`.
    pub(super) fn role(&self, person: &Person) -> Option<Role> {
        let known = self.known.users.iter().find(|(login, _)| same(login.as_str(), &person.login));
        match known?.1.value {
            TestPermission::None | TestPermission::Read | TestPermission::Triage => None,
            TestPermission::Write => Some(Role::Write),
            TestPermission::Maintain => Some(Role::Maintain),
            TestPermission::Admin => Some(Role::Admin),
        }
    }

    fn is_member(&self, team: &str, person: &Person) -> bool {
        let teams = self.known.teams.iter().filter(|(slug, _)| slug.as_str().eq_ignore_ascii_case(team));
        teams.flat_map(|(_, members)| members).any(|member| same(member.as_str(), &person.login))
    }
}

/// Whether two logins are one: GitHub does not tell their case apart.
fn same(login: &str, other: &str) -> bool {
    login.trim_start_matches('@').eq_ignore_ascii_case(other)
}
