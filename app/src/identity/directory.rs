//! What is known of people where a word was said: on GitHub, GitHub is asked; in tenant `local` there is nobody to ask.

use async_trait::async_trait;
use flowctl_core::approval::{Group, Person, PersonFacts, Requirement, Weighed, weigh};
use flowctl_core::definition::Role;
use flowctl_core::execution::Execution;

use crate::github::people::{People, PeopleError};

/// Tells what is known of people.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Weighs a person's word for a requirement of an execution.
    ///
    /// # Errors
    /// Where nobody can say now. Never a guess instead.
    async fn weigh(
        &self,
        execution: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<Weighed, PeopleError>;

    /// Somebody's role, where it is at least `write`.
    ///
    /// # Errors
    /// As [`Directory::weigh`].
    async fn role(&self, person: &Person) -> Result<Option<Role>, PeopleError>;

    /// The account whose teams are meant.
    fn organisation(&self) -> &str;
}

#[async_trait]
impl Directory for People<'_> {
    async fn weigh(
        &self,
        execution: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<Weighed, PeopleError> {
        People::weigh(self, execution, requirement, person, allow_author).await
    }

    async fn role(&self, person: &Person) -> Result<Option<Role>, PeopleError> {
        People::role(self, person).await
    }

    fn organisation(&self) -> &str {
        self.repository.owner()
    }
}

/// Tenant `local`: the administrator names the person and vouches for what only GitHub could say, teams, permissions
/// and code owners. Who is named in a list of users is checked like everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vouched;

#[async_trait]
impl Directory for Vouched {
    async fn weigh(
        &self,
        _: &Execution,
        requirement: &Requirement,
        person: &Person,
        allow_author: bool,
    ) -> Result<Weighed, PeopleError> {
        let teams = requirement.leaves().into_iter().filter_map(|group| match group {
            Group::Team(team) => Some(team.clone()),
            _ => None,
        });
        let facts = PersonFacts {
            teams: teams.collect(),
            role: Some(Role::Admin),
            owns_some_path: true,
            owns_every_path: true,
            ..PersonFacts::default()
        };
        Ok(weigh(requirement, person, &facts, allow_author))
    }

    async fn role(&self, _: &Person) -> Result<Option<Role>, PeopleError> {
        Ok(Some(Role::Admin))
    }

    fn organisation(&self) -> &str {
        "local"
    }
}

/// Whoever holds a resume token stands in for one of those that a step asks, in tenant `local` only.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bearer;

#[async_trait]
impl Directory for Bearer {
    async fn weigh(
        &self,
        _: &Execution,
        requirement: &Requirement,
        _: &Person,
        _: bool,
    ) -> Result<Weighed, PeopleError> {
        Ok(Weighed::Counts((0..).zip(requirement.leaves()).map(|(index, _)| index).collect()))
    }

    async fn role(&self, _: &Person) -> Result<Option<Role>, PeopleError> {
        Ok(Some(Role::Admin))
    }

    fn organisation(&self) -> &str {
        "local"
    }
}
