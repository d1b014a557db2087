//! Issues and pull requests as data. A pull request is an issue with a branch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Id;

/// An issue, or the conversation side of a pull request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issue {
    /// Its number over all of GitHub.
    pub id: Id,
    /// Where it lives.
    pub repository: Id,
    /// Its number in the repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Who opened it.
    pub author: Id,
    /// Names of its labels, in the order they were put on.
    pub labels: Vec<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When and by whom it was closed; open without it.
    pub closed: Option<(Timestamp, Id)>,
    /// The pull request's side.
    pub pull_request: Option<PullRequest>,
    /// What happened beside comments and reviews, oldest first.
    pub history: Vec<IssueEvent>,
}

/// The git side of a pull request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PullRequest {
    /// The pull request's own id, different from the issue's.
    pub id: Id,
    /// Whose fork the branch is in, if not in the repository itself. Only the commits of a fork are kept, below
    /// `refs/pull/`, as GitHub keeps them in the repository that a pull request goes to.
    #[serde(default)]
    pub fork_of: Option<Id>,
    /// The branch to be merged.
    pub head_ref: String,
    /// Its commit.
    pub head_sha: String,
    /// The branch to merge into.
    pub base_ref: String,
    /// That branch's commit when last compared.
    pub base_sha: String,
    /// Whether it is not ready for review.
    pub draft: bool,
    /// When and by whom it was merged, and the commit that did it.
    pub merged: Option<(Timestamp, Id, String)>,
}

/// A line of the conversation that is neither comment nor review.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IssueEvent {
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Id,
    /// What, as the end of a sentence that opens with the actor's name.
    pub what: String,
}

impl Issue {
    /// `open` or `closed`.
    pub fn state(&self) -> &'static str {
        if self.closed.is_some() { "closed" } else { "open" }
    }
}
