//! Accounts, teams and what they may do.
//! Source: GitHub documentation, "Repository roles for an organization".

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Id, World};

/// What kind of account it is; GitHub's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountKind {
    /// A person.
    User,
    /// An organisation.
    Organization,
    /// The voice of an App.
    Bot,
}

impl AccountKind {
    /// GitHub's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Organization => "Organization",
            Self::Bot => "Bot",
        }
    }
}

/// A person, an organisation or a bot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The number by which others know it for ever.
    pub id: Id,
    /// The name, which may change.
    pub login: String,
    /// What it is.
    pub kind: AccountKind,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Members of an organisation.
    pub members: BTreeSet<Id>,
    /// Owners of an organisation, also members.
    pub owners: BTreeSet<Id>,
}

impl Account {
    pub(crate) fn new(id: Id, login: &str, kind: AccountKind, created_at: Timestamp) -> Self {
        let (members, owners) = (BTreeSet::new(), BTreeSet::new());
        Self { id, login: login.to_owned(), kind, created_at, members, owners }
    }

    /// The address in this person's commits.
    pub fn email(&self) -> String {
        format!("{}+{}@users.noreply.sandbox.test", self.id, self.login)
    }
}

/// What a person may do in a repository, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing, not even see it.
    None,
    /// See and comment.
    Read,
    /// Also label and close.
    Triage,
    /// Also push and press buttons.
    Write,
    /// Also most settings.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// GitHub's role name.
    pub fn role(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The coarse word of the collaborator endpoint: `maintain` reads as `write`, `triage` as `read`.
    pub fn coarse(self) -> &'static str {
        match self {
            Self::Triage => "read",
            Self::Maintain => "write",
            other => other.role(),
        }
    }

    /// Reads a role name.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::None, Self::Read, Self::Triage, Self::Write, Self::Maintain, Self::Admin];
        all.into_iter().find(|permission| permission.role() == word)
    }
}

/// A team of an organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Team {
    /// Its number.
    pub id: Id,
    /// Whose team it is.
    pub organization: Id,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Who belongs to it.
    pub members: BTreeSet<Id>,
    /// Since when it exists.
    pub created_at: Timestamp,
}

impl World {
    /// What `person` may do in `repository`: the most of what they own, were granted, or have as a member.
    pub fn permission(&self, repository: Id, person: Id) -> Permission {
        let Some(repository) = self.repositories.get(&repository) else { return Permission::None };
        let granted = repository.collaborators.get(&person).copied().unwrap_or(Permission::None);
        let owner = self.accounts.get(&repository.owner);
        let as_owner = owner.is_some_and(|owner| owner.id == person || owner.owners.contains(&person));
        let as_member = owner.is_some_and(|owner| owner.members.contains(&person));
        let by_teams = self.teams.values().filter(|team| team.members.contains(&person));
        let by_teams = by_teams.filter_map(|team| repository.teams.get(&team.id).copied()).max();
        let standing = match (as_owner, as_member) {
            (true, _) => Permission::Admin,
            (false, true) => Permission::Read,
            _ => Permission::None,
        };
        granted.max(standing).max(by_teams.unwrap_or(Permission::None))
    }

    /// GitHub's `author_association` of a person with a repository.
    pub(crate) fn association(&self, repository: Id, person: Id) -> &'static str {
        let Some(repository) = self.repositories.get(&repository) else { return "NONE" };
        let owner = self.accounts.get(&repository.owner);
        if repository.owner == person {
            "OWNER"
        } else if owner.is_some_and(|owner| owner.members.contains(&person) || owner.owners.contains(&person)) {
            "MEMBER"
        } else if repository.collaborators.contains_key(&person) {
            "COLLABORATOR"
        } else {
            "NONE"
        }
    }
}
