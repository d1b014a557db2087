//! What an examination of a database finds: whether folding the events of each execution gives what is stored of it, and
//! whether what stands beside a state in rows of its own (timers, work, questions) says the same. Reads nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::execution::{Execution, ExecutionStatus, StepStatus, Waiting};
use jiff::Timestamp;

use super::columns::micros;
use super::{ApprovalStatus, NamedStanding};

/// Faults that are told by name.
const TOLD: usize = 20;

/// What was found of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examination {
    /// Which one, for people; without a password.
    pub place: String,
    /// What the database finds broken; nothing where it is sound.
    pub broken: Vec<String>,
    /// Migrations that this version would still make.
    pub missing_migrations: usize,
    /// Migrations that this version does not know, or knows otherwise.
    pub foreign_migrations: Vec<i64>,
    /// Executions looked at.
    pub executions: u64,
    /// Events folded.
    pub events: u64,
    /// What differs between events and what is stored, the first few.
    pub differences: Vec<String>,
    /// How many more.
    pub more_differences: u64,
    /// Large outputs that executions name and that are not there.
    pub missing_outputs: Vec<String>,
    /// Transitions that the event stream has not been told of, counted up to a million.
    pub untold: u64,
    /// Webhooks that were stored and given up.
    pub failed_deliveries: u64,
    /// When the oldest came that is not handled yet.
    pub oldest_delivery: Option<Timestamp>,
    /// How the settings of repositories stand, and the copies of the audit log in them.
    pub standings: Vec<NamedStanding>,
    /// When the last execution was accepted.
    pub newest: Option<Timestamp>,
}

impl Examination {
    /// Whether the schema is this version's, so that what is in the tables can be read.
    pub(in crate::store) fn can_be_read(&self) -> bool {
        self.broken.is_empty() && self.missing_migrations == 0 && self.foreign_migrations.is_empty()
    }

    /// An execution was looked at.
    pub(in crate::store) fn looked_at(&mut self, id: &str, difference: Option<String>) {
        self.executions += 1;
        match difference {
            Some(what) if self.differences.len() < TOLD => self.differences.push(format!("execution {id}: {what}")),
            Some(_) => self.more_differences += 1,
            None => {}
        }
    }
}

/// A state as it was kept, with what an earlier version did not keep of it: then what the events say.
pub(in crate::store) fn filled_in(mut kept: Execution, folded: Option<&Execution>) -> Execution {
    let Some(folded) = folded else { return kept };
    let answers = folded.steps.iter().filter_map(|(key, step)| Some((key, step.answered_in.as_ref()?)));
    for (key, page) in answers {
        if let Some(step) = kept.steps.get_mut(key) {
            step.answered_in.get_or_insert_with(|| page.clone());
        }
    }
    kept
}

/// What stands beside a state.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Beside {
    pub(in crate::store) status: String,
    pub(in crate::store) open: bool,
    /// Microseconds since 1970.
    pub(in crate::store) ended_at: Option<i64>,
    /// Whether a time is set at which somebody looks at it.
    pub(in crate::store) wakes: bool,
    pub(in crate::store) repository: String,
    pub(in crate::store) process: String,
    pub(in crate::store) number: Option<i64>,
    /// The concurrency group, as far as it is still needed.
    pub(in crate::store) group: Option<String>,
    /// Attempts that somebody is to perform.
    pub(in crate::store) work: BTreeSet<(String, u32)>,
    /// Questions to people, by step and attempt.
    pub(in crate::store) approvals: BTreeMap<(String, u32), String>,
    /// Steps that wait for events.
    pub(in crate::store) event_waits: BTreeSet<String>,
}

impl Beside {
    /// The first thing that says otherwise than the state.
    pub(in crate::store) fn difference(&self, state: &Execution) -> Option<String> {
        self.end(state)
            .or_else(|| self.names(state))
            .or_else(|| self.timer(state))
            .or_else(|| self.attempts(state))
            .or_else(|| self.questions(state))
            .or_else(|| self.waits(state))
    }

    fn end(&self, state: &Execution) -> Option<String> {
        let status = state.status.as_str();
        if (status, !state.status.is_final()) != (&self.status, self.open) {
            return Some(format!("its events say that it is {status}, and its row that it is {}", self.status));
        }
        // Rows of earlier versions keep the end to the second.
        let seconds = |micros: i64| micros.div_euclid(1_000_000);
        let ended = state.completed_at.map(micros).map(seconds);
        let differs = ended != self.ended_at.map(seconds);
        differs.then(|| "its events say that it ended at another time than its row".to_owned())
    }

    fn names(&self, state: &Execution) -> Option<String> {
        let number = state.subject.as_ref().and_then(|subject| subject.number).and_then(|it| i64::try_from(it).ok());
        let said = [
            ("repository", state.repository == self.repository),
            ("process", state.process == self.process),
            ("pull request", number == self.number),
            ("concurrency group", state.status.is_final() || state.group_key() == self.group),
        ];
        let (what, _) = said.into_iter().find(|(_, same)| !same)?;
        Some(format!("its row names another {what} than its events"))
    }

    fn timer(&self, state: &Execution) -> Option<String> {
        // One that is pending may have to wait for its turn in its group: whoever ends before it tells it.
        let due = state.wake_at().filter(|_| state.status != ExecutionStatus::Pending && !self.wakes)?;
        Some(format!("it is to go on at {due}, and nothing wakes it"))
    }

    fn attempts(&self, state: &Execution) -> Option<String> {
        // Nothing of an execution that has ended is performed any more.
        let running = state.steps.iter().filter(|(_, step)| step.status == StepStatus::Running);
        let running = running.filter(|_| !state.status.is_final());
        let running: BTreeSet<(String, u32)> = running.map(|(key, step)| (key.clone(), step.attempt)).collect();
        if let Some((step, attempt)) = running.difference(&self.work).next() {
            return Some(format!("attempt {attempt} of step `{step}` runs, and nobody is to perform it"));
        }
        let (step, attempt) = self.work.difference(&running).next()?;
        Some(format!("attempt {attempt} of step `{step}` is to be performed, and does not run"))
    }

    fn questions(&self, state: &Execution) -> Option<String> {
        let pending = ApprovalStatus::Pending.as_str();
        let asks = |key: &String, attempt: u32| {
            state.steps.get(key).is_some_and(|step| {
                let waits = step.status == StepStatus::Waiting && step.attempt == attempt;
                waits && matches!(step.waiting, Some(Waiting::Approval(_)))
            })
        };
        for (key, step) in state.steps.iter().filter(|(key, step)| asks(key, step.attempt)) {
            let row = self.approvals.get(&(key.clone(), step.attempt)).map(String::as_str);
            if row != Some(pending) {
                let row = row.unwrap_or("not there");
                return Some(format!("step `{key}` waits for people, and its question is {row}"));
            }
        }
        let open = self.approvals.iter().filter(|(_, status)| *status == pending);
        let mut asked_by_nobody = open.filter(|((key, attempt), _)| !asks(key, *attempt));
        let ((key, _), _) = asked_by_nobody.next()?;
        Some(format!("people are asked for step `{key}`, which does not wait for them"))
    }

    fn waits(&self, state: &Execution) -> Option<String> {
        let for_events = state.steps.iter().filter(|(_, step)| {
            step.status == StepStatus::Waiting && matches!(step.waiting, Some(Waiting::Event { .. }))
        });
        let waiting: BTreeSet<String> = for_events.map(|(key, _)| key.clone()).collect();
        let step = waiting.symmetric_difference(&self.event_waits).next()?;
        let heard = self.event_waits.contains(step);
        Some(if heard {
            format!("step `{step}` does not wait for an event, and is told of one")
        } else {
            format!("step `{step}` waits for an event, and is told of none")
        })
    }
}
