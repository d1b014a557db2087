//! The inbox's rows: webhooks as GitHub sent them.

use bytes::Bytes;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;

/// GitHub's GUID of a delivery, the same when it is redelivered (header `X-GitHub-Delivery`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub String);

/// A webhook as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The event's name (header `X-GitHub-Event`).
    pub event: String,
    /// `action` of the payload.
    pub action: Option<String>,
    /// The installation that it belongs to.
    pub installation_id: Option<u64>,
    /// The account of that installation.
    pub tenant: Option<TenantId>,
    /// `owner/name`.
    pub repository: Option<String>,
    /// Deliveries with the same key are handled one after the other: `owner/repo#12`, `owner/repo`, `installation:1`.
    pub ordering_key: String,
    /// The payload, byte for byte.
    pub body: Bytes,
    /// When it came.
    pub received_at: Timestamp,
}

/// What became of a webhook that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It is stored and will be handled.
    Stored,
    /// It was stored before.
    Duplicate,
}

/// A delivery under lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    /// What came.
    pub delivery: NewDelivery,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// How often it was claimed since an end of its handling was recorded, this time included.
    pub unended: u32,
}

/// How the handling of a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// All that follows from it is stored.
    Done,
    /// Nothing follows from it, because of this.
    Ignored(String),
    /// It cannot be handled, because of this.
    Failed(String),
    /// It is to be handled again from then on, because of this. Those behind it wait.
    RetryAt(Timestamp, String),
}
