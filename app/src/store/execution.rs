//! A transition as it is stored, and executions as they are read back.

use std::ops::Range;
use std::sync::Arc;

use flowctl_core::execution::{Event, Execution, ExecutionId, ExecutionStatus, Signal, TenantId};
use jiff::Timestamp;

use super::{Charge, Claim, DeliveryId, Held, NewEffect, NewOccurrence, NewSignal, Work};
use crate::audit::NewEntry;

/// One transition of one execution: stored as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// Whose it is.
    pub tenant: TenantId,
    /// The new state: the old one with `events` folded in.
    pub execution: Arc<Execution>,
    /// The version that the transition was decided for; 0 creates the execution.
    pub expected_version: u64,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Attempts that somebody must now perform.
    pub work: Vec<Work>,
    /// Whose that work is from the start, or the first of it: it is stored as claimed for the first time, and nobody else
    /// is given it before the lease ends. Nothing: whoever claims it.
    pub claim: Option<Claim>,
    /// What the world must now be told.
    pub effects: Vec<NewEffect>,
    /// For a new execution: a key that is unique per tenant. Starting twice with one key is starting once.
    pub start_key: Option<String>,
    /// The delivery that caused it, kept with the events.
    pub delivery: Option<DeliveryId>,
    /// The word that caused it, unique per tenant: a comment's id with the command's position, a review's id with its
    /// state, a button's press. A word is recorded once.
    pub word: Option<String>,
    /// What other executions of the tenant are now told.
    pub signals: Vec<NewSignal>,
    /// The signal that it came from, which is taken with it.
    pub taken: Option<i64>,
    /// The attempt of the execution whose result it is, as it was claimed: nothing is stored once somebody else has it.
    pub under: Option<Held>,
    /// New executions that exist with it or not at all: sub-processes.
    pub starts: Vec<Transition>,
    /// Where the execution belongs to a group: what every other one of it that has not ended is told.
    pub to_group: Option<Signal>,
    /// Whether it sets an execution going that was not: queued, or ended and retried. Only one of a group may.
    pub enters_group: bool,
    /// What may now start other executions, or is to be told to somebody.
    pub occurrences: Vec<NewOccurrence>,
    /// The digests of the large outputs that its events refer to; see [`Outputs`](super::Outputs).
    pub outputs: Vec<String>,
    /// Whether the event stream is to be told of its events.
    pub streamed: bool,
    /// What the audit log records of it.
    pub audit: Vec<NewEntry>,
    /// What it uses and reserves of budgets that count by month. Nothing is stored where one of them does not allow it.
    pub charges: Vec<Charge>,
}

impl Transition {
    /// The transition to this state by these events, with nothing else.
    pub fn of(execution: impl Into<Arc<Execution>>, expected_version: u64, events: Vec<Event>) -> Self {
        let execution = execution.into();
        Self {
            tenant: execution.tenant.clone(),
            execution,
            expected_version,
            events,
            work: Vec::new(),
            claim: None,
            effects: Vec::new(),
            start_key: None,
            delivery: None,
            word: None,
            signals: Vec::new(),
            taken: None,
            under: None,
            starts: Vec::new(),
            to_group: None,
            enters_group: false,
            occurrences: Vec::new(),
            outputs: Vec::new(),
            streamed: false,
            audit: Vec::new(),
            charges: Vec::new(),
        }
    }
}

/// What a commit led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The execution's version now.
    pub version: u64,
    /// The sequence numbers of the events, from 1 in each execution, the end excluded; empty where none came.
    pub seqs: Range<u64>,
    /// The start key was known: the execution that it belongs to. Then nothing was stored.
    pub existing: Option<ExecutionId>,
    /// Another execution of the group stands in the way. Then nothing was stored; one that is queued is told when its
    /// turn comes.
    pub busy: Option<ExecutionId>,
}

/// An execution as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its state.
    pub execution: Execution,
    /// Raised by each commit, from 1.
    pub version: u64,
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its number within the execution, from 1, without gaps.
    pub seq: u64,
    /// What happened.
    pub event: Event,
    /// The delivery that caused it.
    pub delivery: Option<DeliveryId>,
}

/// Which executions to list. What is absent does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this repository.
    pub repository: Option<String>,
    /// Of this process.
    pub process: Option<String>,
    /// With this status.
    pub status: Option<ExecutionStatus>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
    /// With this text in their id, process or repository, whatever its case.
    pub text: Option<String>,
}

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// How far an execution has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The execution.
    pub execution: ExecutionId,
    /// The number of its last event.
    pub last_seq: u64,
    /// Whether it has ended.
    pub ended: bool,
}

/// A process that starts nothing for the time being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedProcess {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its repository.
    pub repository: String,
    /// Its name.
    pub process: String,
    /// Since when.
    pub since: Timestamp,
}
