//! How things stand that the audit log tells of when they change: the settings of repositories and of servers, and how far
//! the log was written into a repository. Whoever notes a change names how it stood before: of many who see it one notes it. So
//! do servers share what installations were told lately, of which the log says nothing.

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use serde_json::Value;

use super::StoreError;
use crate::audit::{COPIES, NewEntry, SETTINGS};

/// How something stood when it was last noted.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Its state; what it says is for who notes it.
    pub state: Value,
    /// How often it was noted to have changed.
    pub changes: u64,
}

/// Something that is noted, and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedStanding {
    /// Whose it is.
    pub tenant: TenantId,
    /// What, such as `settings:octo-org/shop`.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// A part of [`super::Store`].
#[async_trait]
pub trait StandingStore: Send + Sync + 'static {
    /// How something stands; nothing for what was never noted.
    async fn standing(&self, tenant: &TenantId, name: &str) -> Result<Option<Standing>, StoreError>;

    /// Notes how something stands now, with what the audit log says of it, in one transaction; `false`, and nothing of
    /// it, where it does not stand any more as it `stood`.
    async fn note_standing(
        &self,
        tenant: &TenantId,
        name: &str,
        stood: Option<&Standing>,
        state: Value,
        entry: Option<NewEntry>,
    ) -> Result<bool, StoreError>;

    /// Everything of every tenant whose name begins so, by tenant and name.
    async fn standings(&self, beginning: &str) -> Result<Vec<NamedStanding>, StoreError>;
}

/// Behind every name that begins so.
pub(in crate::store) fn behind(beginning: &str) -> String {
    format!("{beginning}{}", char::MAX)
}

/// What an examination reads: not, among others, whose each login is.
pub(in crate::store) const EXAMINED: [&str; 2] = [SETTINGS, COPIES];

/// As it is promised, by tenant and name; the database is asked for no order, which would keep it from its index.
pub(in crate::store) fn in_order(mut standings: Vec<NamedStanding>) -> Vec<NamedStanding> {
    standings.sort_by(|one, other| (&one.tenant, &one.name).cmp(&(&other.tenant, &other.name)));
    standings
}
