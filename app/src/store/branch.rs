//! Where branches of repositories on this machine stood when they were last looked at.

use flowctl_core::execution::TenantId;

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// The repository.
    pub repository: String,
    /// Its short name.
    pub branch: String,
}

/// Where a branch stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHead {
    /// Its commit.
    pub commit: String,
    /// How often it had moved.
    pub moves: u64,
}
