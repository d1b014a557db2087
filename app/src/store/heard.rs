//! What of GitHub was heard of, whichever way it came, and how repositories were called: ids outlive names.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;

use super::{DeliveryId, StoreError};

/// Something on GitHub that was dealt with: a comment, a review, a state of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whose it is.
    pub tenant: TenantId,
    /// What, such as `comment:9000000007`.
    pub what: String,
    /// The delivery that told of it.
    pub delivery: DeliveryId,
    /// When it was dealt with.
    pub at: Timestamp,
}

/// How a repository is called from some moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryCalled {
    /// GitHub's id of it.
    pub id: u64,
    /// Its owner.
    pub tenant: TenantId,
    /// `owner/name`.
    pub name: String,
    /// Since when that is known.
    pub at: Timestamp,
}

/// A part of [`super::Store`].
#[async_trait]
pub trait HeardStore: Send + Sync + 'static {
    /// Records that something was dealt with, once; gives what stands then: this, or what was recorded first.
    async fn hear(&self, heard: Heard) -> Result<Heard, StoreError>;

    /// Whether something was dealt with, and how it had been heard of.
    async fn heard(&self, tenant: &TenantId, what: &str) -> Result<Option<Heard>, StoreError>;

    /// Forgets up to `limit` records of what was dealt with before this moment; how many. The record `begin` stays.
    async fn forget_heard(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Records how a repository is called now. Its processes that were paused under the name before stay so under this one.
    async fn call_repository(&self, called: RepositoryCalled) -> Result<(), StoreError>;

    /// Every name that a repository had, the newest first.
    async fn names_of_repository(&self, id: u64) -> Result<Vec<RepositoryCalled>, StoreError>;

    /// The repository that was last known by this name.
    async fn repository_called(&self, tenant: &TenantId, name: &str) -> Result<Option<u64>, StoreError>;

    /// Every repository that was known by this name, the last one first.
    async fn repositories_called(&self, tenant: &TenantId, name: &str) -> Result<Vec<RepositoryCalled>, StoreError>;
}
