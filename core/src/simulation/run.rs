//! What came of a case: the execution as it ended, every event, and every word that was said.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::path;
use crate::definition::test::RefusalReason;
use crate::execution::{Event, Execution, ExecutionStatus, Plan, StepStatus};
use crate::value::Duration;

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Run {
    /// The execution as it ended, or as it waits.
    pub execution: Execution,
    /// Everything that happened, in order.
    pub events: Vec<Event>,
    /// Every word that was said, in order.
    pub spoken: Vec<Spoken>,
    /// The steps that completed or failed, in the order in which they did. Of those at one moment: first what others
    /// wait for, then as the process lists them.
    pub path: Vec<String>,
    /// Steps that would have called the world and have no stub.
    pub missing: Vec<MissingStub>,
    /// Why it was not played to its end.
    pub cut: Option<Cut>,
    /// Where the clock stood at last.
    pub now: Timestamp,
}

/// A word of a person: a decision or answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// Its number in the test, from 0: decisions, then answers.
    pub place: usize,
    /// When.
    pub at: Timestamp,
    /// How many events there were before.
    pub after_events: usize,
    /// Who.
    pub by: String,
    /// About which step.
    pub step: String,
    /// What: `approve`, `answer` …
    pub word: &'static str,
    /// Whether it counted.
    pub outcome: SpokenOutcome,
}

/// Whether a word counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpokenOutcome {
    /// It did.
    Counted,
    /// It did not.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// Why, for people.
        message: String,
    },
}

/// A step that would have called the world and has no stub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingStub {
    /// The step.
    pub step: String,
    /// Its type.
    pub step_type: &'static str,
    /// What could be written below `stubs`.
    pub example: String,
}

/// Why a case was not played to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// Too much happened.
    #[error("it does not end: it was given up after {signals} signals, at +{at}")]
    Endless {
        /// How much.
        signals: usize,
        /// How long after the start, by the virtual clock.
        at: Duration,
    },
    /// The engine refused what it had asked for itself.
    #[error("step `{step}`: {message}")]
    Refused {
        /// The step.
        step: String,
        /// Why.
        message: String,
    },
}

impl Run {
    /// How the execution ended; `waiting` where nothing more happens by itself.
    pub fn status(&self) -> ExecutionStatus {
        self.execution.status
    }

    /// The execution's outputs, where it completed.
    pub fn outputs(&self) -> Option<&Value> {
        self.execution.outputs.as_ref()
    }

    /// The steps that were skipped, as the process lists them.
    pub fn skipped(&self) -> Vec<&str> {
        let skipped = self.execution.steps.iter().filter(|(_, step)| step.status == StepStatus::Skipped);
        skipped.map(|(id, _)| id.as_str()).collect()
    }

    /// The words that did not count.
    pub fn refused(&self) -> impl Iterator<Item = &Spoken> {
        self.spoken.iter().filter(|spoken| spoken.outcome != SpokenOutcome::Counted)
    }

    /// How long it took, or has been waiting.
    pub fn took(&self) -> Duration {
        let until = self.execution.completed_at.unwrap_or(self.now);
        self.since_start(until)
    }

    /// How long after the start a moment is.
    pub fn since_start(&self, at: Timestamp) -> Duration {
        between(self.execution.created_at, at)
    }

    pub(super) fn new(plan: &Plan, execution: Execution, events: Vec<Event>, now: Timestamp) -> Self {
        let path = path::path(plan, &events);
        Self { execution, events, spoken: Vec::new(), path, missing: Vec::new(), cut: None, now }
    }
}

/// From one moment to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    let passed: SignedDuration = to.duration_since(from);
    Duration::from_millis(u64::try_from(passed.as_millis()).unwrap_or(0))
}
