//! What stands on GitHub for an execution, so that it is updated and never made twice.

/// What stands on GitHub for an execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitHubObjects {
    /// The sticky comment.
    pub comment_id: Option<u64>,
    /// The execution's version that the comment shows; 0 where there is none.
    pub rendered_version: u64,
    /// Its check runs, in the order in which they were made.
    pub check_runs: Vec<CheckRunRow>,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRunRow {
    /// GitHub's id.
    pub id: u64,
    /// The commit that it is on.
    pub head_sha: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// Its conclusion, once completed.
    pub conclusion: Option<String>,
    /// Its place among the execution's check runs, from 1.
    pub seq: u32,
    /// The execution's version that it shows.
    pub rendered_version: u64,
}

/// One thing on GitHub, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitHubObject {
    /// The sticky comment.
    Comment {
        /// GitHub's id.
        id: u64,
        /// The execution's version that it shows.
        rendered_version: u64,
    },
    /// A check run; replaces what was recorded for its `seq`.
    CheckRun(CheckRunRow),
}
