//! Git's own objects over REST: references, trees and commits (<https://docs.github.com/en/rest/git>). What is written into
//! them is decided by who calls. A reference is only ever moved forward.

use http::Method;
use serde::{Deserialize, Serialize};

use super::error::GitHubError;
use super::installation::InstallationClient;
use super::repository::RepositoryName;

/// A commit with its tree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CommitObject {
    /// Its id.
    pub sha: String,
    /// Its message.
    pub message: String,
    /// Its files.
    pub tree: ObjectId,
}

/// The id of an object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ObjectId {
    /// 40 hexadecimal digits.
    pub sha: String,
}

#[derive(Deserialize)]
struct Reference {
    object: ObjectId,
}

#[derive(Serialize)]
struct NewTree<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    base_tree: Option<&'a str>,
    tree: [NewFile<'a>; 1],
}

#[derive(Serialize)]
struct NewFile<'a> {
    path: &'a str,
    mode: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct NewCommit<'a> {
    message: &'a str,
    tree: &'a str,
    parents: Vec<&'a str>,
}

#[derive(Serialize)]
struct NewReference<'a> {
    #[serde(rename = "ref")]
    name: &'a str,
    sha: &'a str,
}

#[derive(Serialize)]
struct MovedReference<'a> {
    sha: &'a str,
    force: bool,
}

impl InstallationClient {
    /// The commit at which a reference (`refs/…`) stands; nothing where there is none.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn reference(&self, repository: &RepositoryName, name: &str) -> Result<Option<String>, GitHubError> {
        let url = self.reference_url(repository, "ref", name)?;
        match self.get::<Reference>(url).await {
            Ok(found) => Ok(Some(found.object.sha)),
            Err(GitHubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A commit by its id.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn commit_object(&self, repository: &RepositoryName, sha: &str) -> Result<CommitObject, GitHubError> {
        self.get(self.repository_url(repository, &["git", "commits", sha])?).await
    }

    /// Writes a tree which has one file more than `base`; its id. Nothing refers to it yet, so writing it twice is writing
    /// it once.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Forbidden`] without the permission `contents: write`.
    pub async fn create_tree(
        &self,
        repository: &RepositoryName,
        base: Option<&str>,
        (path, content): (&str, &str),
    ) -> Result<String, GitHubError> {
        let url = self.repository_url(repository, &["git", "trees"])?;
        let tree = NewTree { base_tree: base, tree: [NewFile { path, mode: "100644", kind: "blob", content }] };
        self.write::<ObjectId>(Method::POST, url, &tree).await.map(|made| made.sha)
    }

    /// Writes a commit that nothing refers to yet; its id. It names neither author nor committer: only then GitHub signs
    /// what an App commits ("Signature verification for bots",
    /// <https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification>).
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn create_commit(
        &self,
        repository: &RepositoryName,
        message: &str,
        tree: &str,
        parent: Option<&str>,
    ) -> Result<String, GitHubError> {
        let url = self.repository_url(repository, &["git", "commits"])?;
        let commit = NewCommit { message, tree, parents: parent.into_iter().collect() };
        self.write::<ObjectId>(Method::POST, url, &commit).await.map(|made| made.sha)
    }

    /// Makes a reference.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Validation`] where there is one of this name.
    pub async fn create_reference(
        &self,
        repository: &RepositoryName,
        name: &str,
        sha: &str,
    ) -> Result<(), GitHubError> {
        let url = self.repository_url(repository, &["git", "refs"])?;
        self.write::<Reference>(Method::POST, url, &NewReference { name, sha }).await.map(drop)
    }

    /// Moves a reference forward, never elsewhere.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Validation`] where it does not stand at an ancestor of this commit.
    pub async fn forward_reference(
        &self,
        repository: &RepositoryName,
        name: &str,
        sha: &str,
    ) -> Result<(), GitHubError> {
        let url = self.reference_url(repository, "refs", name)?;
        self.write::<Reference>(Method::PATCH, url, &MovedReference { sha, force: false }).await.map(drop)
    }

    fn reference_url(&self, repository: &RepositoryName, kind: &str, name: &str) -> Result<url::Url, GitHubError> {
        let mut segments = vec!["git", kind];
        segments.extend(name.strip_prefix("refs/").unwrap_or(name).split('/'));
        self.repository_url(repository, &segments)
    }
}
