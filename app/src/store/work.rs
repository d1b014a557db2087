//! The work queue's rows: attempts that somebody must perform.

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;

/// An attempt of a step that somebody must perform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The step.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// Who has work, how much of it, and until when nobody else is given that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub owner: String,
    /// Until when.
    pub until: Timestamp,
    /// How many of the attempts, from the first on.
    pub count: usize,
}

/// An attempt under lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedWork {
    /// Whose it is.
    pub tenant: TenantId,
    /// The execution.
    pub execution: ExecutionId,
    /// The step.
    pub step: String,
    /// The attempt, from 1.
    pub attempt: u32,
    /// How often it was claimed, this time included; above 1: somebody may have performed it without recording it.
    /// Fences off whoever claimed it earlier.
    pub claims: u32,
}

/// What a transition is made under: it counts only while nobody else has claimed the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The attempt, with the epoch of its claim.
    pub work: ClaimedWork,
    /// Who claimed it.
    pub owner: String,
}
