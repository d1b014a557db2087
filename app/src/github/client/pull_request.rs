//! Pull requests, their commits and reviews, branches and repositories: what intake asks instead of believing a payload.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::comment::text_or_nothing;
use super::error::GitHubError;
use super::installation::InstallationClient;
use super::people::User;
use super::repository::RepositoryName;

/// GitHub lists at most this many commits of a pull request
/// (<https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request>).
const MOST_LISTED_COMMITS: usize = 250;

/// A pull request as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: u64,
    /// Whether it is open or closed.
    pub state: PullRequestState,
    /// Whether it is a draft.
    #[serde(default)]
    pub draft: bool,
    /// Whether it was merged.
    #[serde(default)]
    pub merged: bool,
    /// Its title.
    pub title: String,
    /// Its Markdown.
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub body: String,
    /// Its author; `None` when the account is gone.
    pub user: Option<User>,
    /// What is to be merged.
    pub head: PullRequestSide,
    /// Into what.
    pub base: PullRequestSide,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Where people see it.
    pub html_url: String,
    /// How many commits it has.
    #[serde(default)]
    pub commits: u64,
    /// How many files it changes.
    #[serde(default)]
    pub changed_files: u64,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A file that a pull request changes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChangedFile {
    /// Its path; before, where it was removed.
    pub filename: String,
    /// The path that it had, where it was renamed.
    #[serde(default)]
    pub previous_filename: Option<String>,
}

/// Whether a pull request is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullRequestState {
    /// Open.
    Open,
    /// Closed or merged.
    Closed,
}

/// One side of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PullRequestSide {
    /// The branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// Its commit.
    pub sha: String,
    /// The repository; `None` when a fork was deleted.
    pub repo: Option<Repository>,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// Its id, which outlives its name.
    pub id: u64,
    /// Its name.
    #[serde(rename = "full_name")]
    pub name: RepositoryName,
    /// The branch that definitions are read from.
    pub default_branch: String,
    /// Whether it is private.
    #[serde(default)]
    pub private: bool,
    /// Where git fetches it.
    pub clone_url: Option<String>,
}

/// A commit of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Commit {
    /// Its id.
    pub sha: String,
    /// Whose e-mail address stands as author, where GitHub knows it.
    #[serde(default, deserialize_with = "known_user")]
    pub author: Option<User>,
    /// Whose e-mail address stands as committer, where GitHub knows it.
    #[serde(default, deserialize_with = "known_user")]
    pub committer: Option<User>,
    /// What git itself says.
    #[serde(rename = "commit")]
    pub git: GitCommit,
    /// The commits before it; a merge has several, of which the first is the branch that was merged into.
    #[serde(default)]
    pub parents: Vec<Parent>,
}

/// A commit before another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Parent {
    /// Its id.
    pub sha: String,
}

/// What stands in the commit itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GitCommit {
    /// The whole message, with its trailers.
    pub message: String,
    /// The author.
    pub author: Option<GitPerson>,
    /// The committer.
    pub committer: Option<GitPerson>,
}

/// A name and an address that anybody may have typed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GitPerson {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub email: Option<String>,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Review {
    /// Its id.
    pub id: u64,
    /// Who reviewed; `None` when the account is gone.
    pub user: Option<User>,
    /// Its Markdown.
    #[serde(default, deserialize_with = "text_or_nothing")]
    pub body: String,
    /// What it says.
    pub state: ReviewState,
    /// The commit that was looked at.
    pub commit_id: Option<String>,
    /// When it was submitted.
    pub submitted_at: Option<Timestamp>,
    /// Where people see it.
    pub html_url: String,
}

/// What a review says. Payloads write it in lower case, the API in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReviewState {
    /// Approved.
    #[serde(alias = "approved")]
    Approved,
    /// Changes requested.
    #[serde(alias = "changes_requested")]
    ChangesRequested,
    /// Words only.
    #[serde(alias = "commented")]
    Commented,
    /// Taken back.
    #[serde(alias = "dismissed")]
    Dismissed,
    /// Not submitted yet.
    #[serde(alias = "pending")]
    Pending,
    /// Something that GitHub added since.
    #[serde(other)]
    Other,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Branch {
    /// Its name.
    pub name: String,
    /// Its commit.
    pub commit: BranchCommit,
}

/// The commit of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BranchCommit {
    /// Its id.
    pub sha: String,
}

#[derive(Deserialize)]
struct Comparison {
    commits: Vec<Commit>,
}

#[derive(Deserialize)]
struct RepositoryPage {
    repositories: Vec<Repository>,
}

/// GitHub gives `null` or `{}` for an address that belongs to no account.
fn known_user<'de, D: Deserializer<'de>>(input: D) -> Result<Option<User>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Known {
        User(User),
        Nobody(serde::de::IgnoredAny),
    }
    Ok(match Option::<Known>::deserialize(input)? {
        Some(Known::User(user)) => Some(user),
        Some(Known::Nobody(_)) | None => None,
    })
}

impl InstallationClient {
    /// A repository.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn get_repository(&self, repository: &RepositoryName) -> Result<Repository, GitHubError> {
        self.get(self.repository_url(repository, &[])?).await
    }

    /// Every repository that the installation sees.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn repositories(&self) -> Result<Vec<Repository>, GitHubError> {
        self.pages(self.url(&["installation", "repositories"])?, |page: RepositoryPage| page.repositories).await
    }

    /// A pull request.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn get_pull_request(&self, repository: &RepositoryName, number: u64) -> Result<PullRequest, GitHubError> {
        self.get(self.repository_url(repository, &["pulls", &number.to_string()])?).await
    }

    /// Every commit of a pull request, oldest first. Where GitHub's list ends at 250, its comparison of both sides
    /// is asked for the whole.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn list_pull_request_commits(
        &self,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<Vec<Commit>, GitHubError> {
        let url = self.repository_url(repository, &["pulls", &number.to_string(), "commits"])?;
        let commits = self.pages(url, |page: Vec<Commit>| page).await?;
        if commits.len() < MOST_LISTED_COMMITS {
            return Ok(commits);
        }
        let pull_request = self.get_pull_request(repository, number).await?;
        self.commits_between(repository, &pull_request.base.sha, &pull_request.head.sha).await
    }

    /// The commits that one commit has and another does not, oldest first
    /// (<https://docs.github.com/en/rest/commits/commits#compare-two-commits>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn commits_between(
        &self,
        repository: &RepositoryName,
        base: &str,
        head: &str,
    ) -> Result<Vec<Commit>, GitHubError> {
        let url = self.repository_url(repository, &["compare", &format!("{base}...{head}")])?;
        self.pages(url, |page: Comparison| page.commits).await
    }

    /// A commit (<https://docs.github.com/en/rest/commits/commits#get-a-commit>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn commit(&self, repository: &RepositoryName, sha: &str) -> Result<Commit, GitHubError> {
        self.get(self.repository_url(repository, &["commits", sha])?).await
    }

    /// The files that a pull request changes. GitHub lists at most 3,000 of them
    /// (<https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files>); [`PullRequest::changed_files`] says how
    /// many there are.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn list_pull_request_files(
        &self,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<Vec<ChangedFile>, GitHubError> {
        let url = self.repository_url(repository, &["pulls", &number.to_string(), "files"])?;
        self.pages(url, |page: Vec<ChangedFile>| page).await
    }

    /// A text of a repository at a commit; nothing where there is no such file. What is not UTF-8 in it is replaced.
    ///
    /// # Errors
    /// Any other [`GitHubError`].
    pub async fn text_at(
        &self,
        repository: &RepositoryName,
        path: &str,
        commit: &str,
    ) -> Result<Option<String>, GitHubError> {
        let mut segments = vec!["contents"];
        segments.extend(path.split('/'));
        let mut url = self.repository_url(repository, &segments)?;
        url.query_pairs_mut().append_pair("ref", commit);
        match self.get_fresh_as(&url, true).await {
            Ok(answer) => Ok(Some(String::from_utf8_lossy(&answer.body).into_owned())),
            Err(GitHubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One review as it is now.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn get_review(
        &self,
        repository: &RepositoryName,
        number: u64,
        review: u64,
    ) -> Result<Review, GitHubError> {
        let rest = ["pulls", &number.to_string(), "reviews", &review.to_string()];
        self.get(self.repository_url(repository, &rest)?).await
    }

    /// Every review of a pull request, oldest first.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn list_reviews(&self, repository: &RepositoryName, number: u64) -> Result<Vec<Review>, GitHubError> {
        let url = self.repository_url(repository, &["pulls", &number.to_string(), "reviews"])?;
        self.pages(url, |page: Vec<Review>| page).await
    }

    /// A branch.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::NotFound`] when it was deleted.
    pub async fn branch(&self, repository: &RepositoryName, name: &str) -> Result<Branch, GitHubError> {
        self.get(self.repository_url(repository, &["branches", name])?).await
    }
}
