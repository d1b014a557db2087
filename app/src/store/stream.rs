//! What an event stream is still to be told of, and who may do something at a time. Knows no SQL and no stream.

use flowctl_core::execution::{ExecutionId, TenantId};

use super::StoredEvent;

/// The events of one transition that the event stream has not been told of.
#[derive(Debug, Clone, PartialEq)]
pub struct UntoldEvents {
    /// Its place among all of them: those of one execution grow with its events.
    pub position: i64,
    /// Whose they are.
    pub tenant: TenantId,
    /// The execution.
    pub execution: ExecutionId,
    /// Its repository.
    pub repository: String,
    /// Its process.
    pub process: String,
    /// The events, in order.
    pub events: Vec<StoredEvent>,
}

/// Untold transitions that are counted at most: more are too many anyway, and counting takes time.
pub(in crate::store) const MAX_COUNTED: i64 = 1_000_000;
