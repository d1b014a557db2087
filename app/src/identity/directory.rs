//! What is known of people where a word was said: on GitHub, GitHub is asked; in tenant `local` there is nobody to ask.

use async_trait::async_trait;
use flowctl_core::approval::codeowners::Owned;
use flowctl_core::approval::{Counted, Group, Person, PersonFacts, Requirement, Weighed, weigh};
use flowctl_core::definition::Role;
use flowctl_core::execution::Execution;

use crate::github::client::GitHubError;
use crate::github::people::{People, PeopleError, person};

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

    /// Who owns what an execution's pull request changes; nothing where nobody can look that up.
    ///
    /// # Errors
    /// As [`Directory::weigh`].
    async fn owned(&self, _: &Execution) -> Result<Option<Owned>, PeopleError> {
        Ok(None)
    }

    /// The account of this login.
    ///
    /// # Errors
    /// [`PeopleError::AccountChanged`] where there is none; else as [`Directory::weigh`].
    async fn account(&self, login: &str) -> Result<Person, PeopleError> {
        Ok(Person { login: login.to_owned(), id: 0 })
    }

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

    async fn owned(&self, execution: &Execution) -> Result<Option<Owned>, PeopleError> {
        People::owned(self, execution).await.map(Some)
    }

    async fn account(&self, login: &str) -> Result<Person, PeopleError> {
        match self.client.user(login).await {
            Ok(user) => Ok(person(&user)),
            Err(GitHubError::NotFound { .. }) => Err(PeopleError::AccountChanged),
            Err(error) => Err(error.into()),
        }
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
        let facts =
            PersonFacts { teams: teams.collect(), role: Some(Role::Admin), is_owner: true, ..PersonFacts::default() };
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
        let leaves = (0..).zip(requirement.leaves()).map(|(index, _)| index).collect();
        Ok(Weighed::Counts(Counted { leaves, owner_of: Vec::new() }))
    }

    async fn role(&self, _: &Person) -> Result<Option<Role>, PeopleError> {
        Ok(Some(Role::Admin))
    }

    fn organisation(&self) -> &str {
        "local"
    }
}
