//! Processes that have been archived, as retention sees them.

use flowctl_core::execution::TenantId;

/// A process of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its repository.
    pub repository: String,
    /// Its name.
    pub process: String,
}
