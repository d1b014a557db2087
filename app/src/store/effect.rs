//! The outbox's rows: what the world must be told.

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde_json::Value;

/// Something that the world must be told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEffect {
    /// Whose it is.
    pub tenant: TenantId,
    /// The installation that is to write it, as far as was known; the account's newest one does.
    pub installation_id: u64,
    /// What it is about. There is one pending effect per key of a tenant; a newer payload replaces an older one.
    pub key: String,
    /// Lower goes first: people's prompts before timelines.
    pub priority: i16,
    /// What is to be told, for the outbox.
    pub payload: Value,
    /// Not to be told earlier. Where the key is pending already the earlier of both times holds.
    pub not_before: Timestamp,
}

/// An effect under lease.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedEffect {
    /// Its row.
    pub id: i64,
    /// Whose it is.
    pub tenant: TenantId,
    /// The installation that was to write it; the account's newest one does.
    pub installation_id: u64,
    /// What it is about.
    pub key: String,
    /// Lower goes first.
    pub priority: i16,
    /// What is to be told.
    pub payload: Value,
    /// How often a write was begun whose outcome is not known. Above 0: it may stand on GitHub already.
    pub attempts: u32,
    /// Which payload of this key it is; higher is newer.
    pub generation: u64,
    /// Which claim of this row it is; whoever claimed it earlier has a lower one.
    pub claims: u32,
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectEnd {
    /// The world was told.
    Done,
    /// It is to be tried again from then on, because of this.
    RetryAt(Timestamp, String),
    /// It cannot be told, because of this. Kept for people to see, until a newer payload comes for the key.
    Failed(String),
}
