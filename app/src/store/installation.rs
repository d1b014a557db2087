//! Installations of the App: which account is which tenant.

use flowctl_core::execution::TenantId;

/// An installation of the App.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// GitHub's id of it.
    pub id: u64,
    /// The account that installed it: the tenant.
    pub account: TenantId,
    /// Whether it is suspended: GitHub answers nothing until it is not.
    pub suspended: bool,
    /// Whether it was removed.
    pub deleted: bool,
}
