//! What executions are told by each other and by events, and what may start executions: rows that are stored with what
//! caused them, and dropped with what follows from them.

use flowctl_core::execution::{ExecutionId, Signal, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Events that a step which begins to wait is told of at most: the last ones of their name.
pub(in crate::store) const MAX_LOOK_BACK: i64 = 1_000;

/// A signal to another execution of the same tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSignal {
    /// Who is told.
    pub execution: ExecutionId,
    /// What.
    pub signal: Signal,
}

/// A signal that its execution has not taken yet.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingSignal {
    /// The row.
    pub id: i64,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who is told.
    pub execution: ExecutionId,
    /// What.
    pub signal: Signal,
}

/// An event given to the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiEvent {
    /// Its id, unique in the tenant.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What came with it.
    pub payload: Value,
    /// When it came.
    pub at: Timestamp,
}

/// Something that may start executions, or that somebody is to be told of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOccurrence {
    /// Whose it is.
    pub tenant: TenantId,
    /// What.
    pub body: Value,
    /// Not to be looked at before.
    pub not_before: Timestamp,
}

/// An occurrence under lease.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedOccurrence {
    /// The row.
    pub id: i64,
    /// Whose it is.
    pub tenant: TenantId,
    /// What.
    pub body: Value,
    /// How often it was claimed, this time included.
    pub attempts: u32,
}

/// How dealing with a claimed occurrence ended.
#[derive(Debug, Clone, PartialEq)]
pub enum OccurrenceEnd {
    /// There is nothing left to do.
    Done,
    /// It is looked at again.
    RetryAt(Timestamp),
}

/// A time table of a process: which slots have been dealt with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScheduleKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// The repository.
    pub repository: String,
    /// The process.
    pub process: String,
    /// Cron text and time zone.
    pub timetable: String,
}
