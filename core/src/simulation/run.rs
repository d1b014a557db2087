//! What came of a case: the execution as it ended, every event, and every word that was said.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::live::Live;
use super::path;
use crate::definition::test::RefusalReason;
use crate::execution::address::items_of;
use crate::execution::{Event, Execution, ExecutionStatus, StepStatus};
use crate::value::Duration;

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Run {
    /// The execution as it ended, or as it waits.
    pub execution: Execution,
    /// Everything that happened, in order.
    pub events: Vec<Event>,
    /// The number of each event among those of all executions of the case.
    pub(super) numbers: Vec<usize>,
    /// Every word that was said, in order.
    pub spoken: Vec<Spoken>,
    /// The sub-processes, in the order of their start.
    pub children: Vec<Run>,
    /// The steps that completed or failed, in the order in which they did. Of those at one moment: first what others
    /// wait for, then as the process lists them. Those inside of a `foreach` are left out.
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
    /// The number of the event before which it was said.
    pub(super) before_event: usize,
    /// Who.
    pub by: String,
    /// About which step: its key, which inside of a `foreach` names the item too.
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

    /// The steps that were skipped, as the process lists them; those inside of a `foreach` left out.
    pub fn skipped(&self) -> Vec<&str> {
        let own = self.execution.steps.iter().filter(|(key, _)| items_of(key).is_empty());
        let skipped = own.filter(|(_, step)| step.status == StepStatus::Skipped);
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

    pub(super) fn of(live: Live<'_>, now: Timestamp) -> Self {
        let (numbers, events): (Vec<usize>, Vec<Event>) = live.events.into_iter().unzip();
        Self {
            path: path::path(live.plan, &events),
            execution: live.execution,
            events,
            numbers,
            spoken: live.spoken,
            children: Vec::new(),
            missing: live.missing,
            cut: None,
            now,
        }
    }

    /// This run, then those of its sub-processes and theirs, each with the steps that started it.
    pub fn all(&self) -> Vec<(String, &Self)> {
        let mut all = vec![(String::new(), self)];
        for child in &self.children {
            let step = child.execution.parent.as_ref().map_or("", |parent| parent.step.as_str());
            all.extend(child.all().into_iter().map(|(inside, run)| match inside.as_str() {
                "" => (step.to_owned(), run),
                inside => (format!("{step}/{inside}"), run),
            }));
        }
        all
    }
}

/// From one moment to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    let passed: SignedDuration = to.duration_since(from);
    Duration::from_millis(u64::try_from(passed.as_millis()).unwrap_or(0))
}
