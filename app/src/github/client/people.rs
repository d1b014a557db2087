//! People, teams and what they may do. Answers here are at most 30 seconds old; who a person is, is the numeric id.

use serde::{Deserialize, Serialize};

use super::error::GitHubError;
use super::installation::InstallationClient;
use super::repository::RepositoryName;

/// An account. Two are the same when their ids are: logins change hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The numeric id.
    pub id: u64,
    /// The login.
    pub login: String,
    /// What kind of account it is.
    #[serde(rename = "type", default)]
    pub kind: UserKind,
    /// The address that the account shows to everybody; told only where the account itself is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl User {
    /// Whether a program stands behind it, whose words never count.
    #[must_use]
    pub fn is_bot(&self) -> bool {
        self.kind == UserKind::Bot || self.login.ends_with("[bot]")
    }
}

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UserKind {
    /// A person.
    #[default]
    User,
    /// An App or another program.
    Bot,
    /// An organisation.
    Organization,
    /// Something that GitHub added since.
    #[serde(other)]
    Other,
}

/// What somebody may do in a repository, from least to most
/// (<https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories/managing-repository-roles/repository-roles-for-an-organization>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read, and manage issues and pull requests.
    Triage,
    /// Push.
    Write,
    /// Push, and manage the repository.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "admin" => Self::Admin,
            "maintain" => Self::Maintain,
            "write" => Self::Write,
            "triage" => Self::Triage,
            "read" => Self::Read,
            "none" => Self::None,
            _ => return None,
        })
    }
}

/// `permission` knows only admin, write, read and none; `role_name` is finer, but may be a role of the
/// organisation's own, whose base `permission` then tells.
#[derive(Deserialize)]
struct CollaboratorPermission {
    permission: String,
    role_name: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

impl InstallationClient {
    /// The account of this login.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when there is none.
    pub async fn user(&self, login: &str) -> Result<User, GitHubError> {
        self.get_fresh(&self.url(&["users", login])?).await?.json()
    }

    /// What somebody may do in a repository, at most 30 seconds old. Nobody known of this login: [`Permission::None`].
    ///
    /// # Errors
    /// Any other [`GitHubError`].
    pub async fn user_permission(&self, repository: &RepositoryName, login: &str) -> Result<Permission, GitHubError> {
        let url = self.repository_url(repository, &["collaborators", login, "permission"])?;
        let answer = match self.get_fresh(&url).await {
            Ok(answer) => answer,
            Err(GitHubError::NotFound { .. }) => return Ok(Permission::None),
            Err(error) => return Err(error),
        };
        let told: CollaboratorPermission = answer.json()?;
        let role = told.role_name.as_deref().and_then(Permission::named);
        role.or_else(|| Permission::named(&told.permission)).ok_or_else(|| GitHubError::Unreadable {
            request: answer.request.clone(),
            message: format!("unknown permission {:?}", told.permission),
            is_json: true,
        })
    }

    /// The members of a team and of the teams below it, at most 30 seconds old.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when there is no such team, or the App may not read members.
    pub async fn team_members(&self, organisation: &str, slug: &str) -> Result<Vec<User>, GitHubError> {
        self.fresh_pages(self.url(&["orgs", organisation, "teams", slug, "members"])?).await
    }

    /// Whether somebody belongs to a team; an invitation that waits does not count. At most 30 seconds old.
    ///
    /// # Errors
    /// Any [`GitHubError`] but not found, which means no.
    pub async fn team_membership(&self, organisation: &str, slug: &str, login: &str) -> Result<bool, GitHubError> {
        let url = self.url(&["orgs", organisation, "teams", slug, "memberships", login])?;
        match self.get_fresh(&url).await {
            Ok(answer) => Ok(answer.json::<Membership>()?.state == "active"),
            Err(GitHubError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
