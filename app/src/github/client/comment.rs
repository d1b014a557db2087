//! Comments on issues and pull requests, and reactions. A comment's text may have been edited by somebody else than
//! its author; who wrote what is decided by intake.

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::error::GitHubError;
use super::installation::InstallationClient;
use super::people::User;
use super::repository::RepositoryName;

/// A comment on an issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IssueComment {
    /// Its id.
    pub id: u64,
    /// Its Markdown.
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub body: String,
    /// Its author; `None` when the account is gone.
    pub user: Option<User>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Where people see it.
    pub html_url: String,
    /// The App that wrote it.
    pub performed_via_github_app: Option<AppReference>,
}

/// An App, as GitHub mentions it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AppReference {
    /// Its id.
    pub id: u64,
    /// Its name in URLs.
    pub slug: Option<String>,
}

/// GitHub leaves texts out, or gives `null`, where nothing was written.
pub(super) fn text_or_nothing<'de, D: serde::Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(input).map(Option::unwrap_or_default)
}

/// A reaction (<https://docs.github.com/en/rest/reactions/reactions#about-reactions>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reaction {
    /// 👍
    #[serde(rename = "+1")]
    ThumbsUp,
    /// 👎
    #[serde(rename = "-1")]
    ThumbsDown,
    /// 😄
    Laugh,
    /// 😕
    Confused,
    /// ❤️
    Heart,
    /// 🎉
    Hooray,
    /// 🚀
    Rocket,
    /// 👀
    Eyes,
}

impl InstallationClient {
    /// Writes a comment. Repeating it writes a second one: look for the first one's marker before.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn create_comment(
        &self,
        repository: &RepositoryName,
        issue: u64,
        body: &str,
    ) -> Result<IssueComment, GitHubError> {
        let url = self.repository_url(repository, &["issues", &issue.to_string(), "comments"])?;
        self.write(Method::POST, url, &json!({"body": body})).await
    }

    /// Replaces a comment's text. Can be repeated.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when somebody deleted it.
    pub async fn update_comment(
        &self,
        repository: &RepositoryName,
        comment: u64,
        body: &str,
    ) -> Result<IssueComment, GitHubError> {
        let url = self.repository_url(repository, &["issues", "comments", &comment.to_string()])?;
        self.write(Method::PATCH, url, &json!({"body": body})).await
    }

    /// One comment as it is now.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn get_comment(&self, repository: &RepositoryName, comment: u64) -> Result<IssueComment, GitHubError> {
        self.get(self.repository_url(repository, &["issues", "comments", &comment.to_string()])?).await
    }

    /// Every comment of an issue or pull request, oldest first; with `since`, those changed at or after it.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn list_comments(
        &self,
        repository: &RepositoryName,
        issue: u64,
        since: Option<Timestamp>,
    ) -> Result<Vec<IssueComment>, GitHubError> {
        let mut url = self.repository_url(repository, &["issues", &issue.to_string(), "comments"])?;
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", &super::check_run::to_second(since).to_string());
        }
        self.pages(url, |page: Vec<IssueComment>| page).await
    }

    /// Reacts to a comment. Can be repeated: a reaction that is there stays one.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn add_reaction_to_comment(
        &self,
        repository: &RepositoryName,
        comment: u64,
        reaction: Reaction,
    ) -> Result<(), GitHubError> {
        let url = self.repository_url(repository, &["issues", "comments", &comment.to_string(), "reactions"])?;
        self.write::<serde::de::IgnoredAny>(Method::POST, url, &json!({"content": reaction})).await.map(drop)
    }

    /// Reacts to an issue or pull request itself. Can be repeated.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn add_reaction_to_issue(
        &self,
        repository: &RepositoryName,
        issue: u64,
        reaction: Reaction,
    ) -> Result<(), GitHubError> {
        let url = self.repository_url(repository, &["issues", &issue.to_string(), "reactions"])?;
        self.write::<serde::de::IgnoredAny>(Method::POST, url, &json!({"content": reaction})).await.map(drop)
    }
}
