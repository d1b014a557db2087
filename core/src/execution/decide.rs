//! `decide`: what follows from a signal. The events that it gives, folded into the state, are the new state.

use jiff::Timestamp;

use super::budget::BudgetOf;
use super::event::{Event, EventKind};
use super::plan::Plan;
use super::received::Received;
use super::signal::Signal;
use super::state::{Ending, Execution, ExecutionStatus};
use super::{advance, children, hold, journal, people, perform, received, retry, workflow};
use crate::approval::Person;

/// Why nothing follows from a signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The execution has ended.
    #[error("the execution has already ended: it is {}", .status.as_str())]
    Ended {
        /// How.
        status: ExecutionStatus,
    },
    /// Only what failed or was cancelled can be retried.
    #[error("nothing of the execution can be retried: it is {}", .status.as_str())]
    NothingToRetry {
        /// How it stands.
        status: ExecutionStatus,
    },
    /// There is no such step.
    #[error("there is no step `{step}`")]
    UnknownStep {
        /// What was named.
        step: String,
    },
    /// The step does not wait for this.
    #[error("step `{step}` does not wait for {what}")]
    NotWaiting {
        /// The step.
        step: String,
        /// For what.
        what: &'static str,
    },
    /// An old attempt's result; its step has gone on.
    #[error("the result of attempt {attempt} of step `{step}` comes too late")]
    Stale {
        /// The step.
        step: String,
        /// The attempt.
        attempt: u32,
    },
    /// The word was said about another commit than the one that is asked about.
    #[error("it was said about commit {said}, and what waits is commit {shown}")]
    OtherCommit {
        /// The commit that the person was shown.
        said: String,
        /// The commit that is asked about.
        shown: String,
    },
    /// The word was said about another call of a tool than the one that is asked about.
    #[error("it was said about another call of a tool than the one that step `{step}` asks about now")]
    OtherCall {
        /// The step.
        step: String,
    },
    /// The journal does not take an entry.
    #[error("nothing more is recorded of step `{step}`: {reason}")]
    NotNoted {
        /// The step.
        step: String,
        /// Why.
        reason: String,
    },
    /// A model is not asked: it may cost more than is left.
    #[error("the budget of the {} does not allow another call of the model: with it, up to {exceeded} would be used", .of.as_str())]
    OverBudget {
        /// The step.
        step: String,
        /// Whose budget.
        of: BudgetOf,
        /// What would be used, of what.
        exceeded: String,
    },
    /// The same word came before.
    #[error("this was recorded before")]
    Repeated,
    /// The person has said something since: deliveries come in any order, and the latest word counts.
    #[error("something else was said after it, at {since}")]
    SaidSince {
        /// When.
        since: Timestamp,
    },
    /// There is nothing to withdraw.
    #[error("there is nothing to withdraw")]
    NothingToWithdraw,
    /// It is held already.
    #[error("the execution is held already")]
    Held,
    /// Nobody holds it.
    #[error("nobody holds the execution")]
    NotHeld,
    /// The decision needs a note.
    #[error("a note is needed with it")]
    NoteRequired,
    /// The answers do not fit the form.
    #[error("the answers do not fit the form")]
    WrongAnswers {
        /// Each fault with its field.
        faults: Vec<(String, String)>,
    },
}

/// What follows from a signal.
///
/// Deterministic: the same arguments give the same events. An empty list: nothing is due.
///
/// # Errors
/// Where the signal cannot be taken; nothing has happened then.
pub fn decide(plan: &Plan, execution: &Execution, signal: Signal, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    decide_and_apply(plan, execution.clone(), signal, now).map(|(_, events)| events)
}

/// What follows from a signal, with the state that it leads to: that of folding the events into `execution`.
///
/// # Errors
/// As [`decide`].
pub fn decide_and_apply(
    plan: &Plan,
    execution: Execution,
    signal: Signal,
    now: Timestamp,
) -> Result<(Execution, Vec<Event>), Refusal> {
    let mut transition = Transition { plan, execution, events: Vec::new(), now };
    transition.take(signal)?;
    advance::settle(&mut transition);
    Ok((transition.execution, transition.events))
}

/// The end of an execution whose definition cannot be had any more: it is cancelled as it stands, without what its
/// definition would have it undo. An empty list: it has ended already.
pub fn abandon(execution: &Execution, actor: Option<Person>, reason: &str, now: Timestamp) -> Vec<Event> {
    if execution.status.is_final() {
        return Vec::new();
    }
    let event = |step: Option<&String>, actor, kind| {
        let attempt = step.and_then(|step| execution.steps.get(step)).map(|state| state.attempt).filter(|it| *it > 0);
        Event { at: now, step: step.cloned(), attempt, actor, kind }
    };
    let mut events = Vec::new();
    if execution.ending.is_none() {
        let ending = Ending::Cancelled { reason: reason.to_owned() };
        events.push(event(None, actor, EventKind::ExecutionEnding { ending }));
    }
    let open = execution.steps.open();
    events.extend(open.map(|(key, _)| event(Some(key), None, EventKind::StepCancelled)));
    events.push(event(None, None, EventKind::ExecutionCancelled { reason: reason.to_owned() }));
    events
}

/// A transition under way: a working copy of the state, and the events that led to it.
pub(super) struct Transition<'plan> {
    pub(super) plan: &'plan Plan,
    pub(super) execution: Execution,
    pub(super) events: Vec<Event>,
    pub(super) now: Timestamp,
}

impl Transition<'_> {
    /// Records a fact about the execution.
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.record(Event { at: self.now, step: None, attempt: None, actor: None, kind });
    }

    /// Records a fact about the execution that a person caused.
    pub(super) fn emit_by(&mut self, actor: Option<Person>, kind: EventKind) {
        self.record(Event { at: self.now, step: None, attempt: None, actor, kind });
    }

    /// Records a fact about a step.
    pub(super) fn emit_step(&mut self, step: &str, actor: Option<Person>, kind: EventKind) {
        let current = self.execution.steps.get(step).map_or(0, |state| state.attempt);
        let begins = matches!(
            kind,
            EventKind::StepStarted { .. } | EventKind::ItemsResumed { .. } | EventKind::StepResumed { .. }
        );
        let attempt = if begins { current + 1 } else { current };
        let attempt = (attempt > 0).then_some(attempt);
        self.record(Event { at: self.now, step: Some(step.to_owned()), attempt, actor, kind });
    }

    fn record(&mut self, event: Event) {
        self.execution.apply(&event);
        self.events.push(event);
    }

    fn take(&mut self, signal: Signal) -> Result<(), Refusal> {
        match signal {
            Signal::Start => self.start(),
            Signal::Wake => {
                people::wake(self);
                perform::wake(self);
                self.end_when_overdue();
            }
            Signal::StepEnded { step, attempt, result, usage } => perform::ended(self, &step, attempt, result, usage)?,
            Signal::ChildStarted { step, attempt, execution } => children::started(self, &step, attempt, execution)?,
            Signal::ChildEnded { step, execution, result, approvals } => {
                children::ended(self, &step, execution, result, approvals)?;
            }
            Signal::WorkflowAwaited { step, attempt } => workflow::awaited(self, &step, attempt)?,
            Signal::WorkflowStarted { step, attempt, run } => workflow::started(self, &step, attempt, run)?,
            Signal::WorkflowEnded { step, attempt, result } => workflow::ended(self, &step, attempt, result)?,
            Signal::EventReceived { name, id, at, payload } => {
                received::received(self, &Received { name, id, at, payload });
            }
            Signal::StepRepeated { step, attempt } => perform::repeated(self, &step, attempt)?,
            Signal::Note { step, attempt, number, entry } => journal::note(self, &step, attempt, number, &entry)?,
            Signal::Ask { step, attempt, request } => journal::ask(self, &step, attempt, *request)?,
            // Also where the execution has ended meanwhile: it is what was used that counts.
            Signal::BudgetNearlyUsed { nearly } => self.emit(EventKind::BudgetNearlyUsed { nearly: *nearly }),
            Signal::Decide { step, decision } => people::decided(self, &step, decision)?,
            Signal::Answer { step, person, values, source } => people::answered(self, &step, person, values, source)?,
            Signal::OwnersKnown { owned } => people::owners_known(self, &owned),
            Signal::Pushed { person } => people::pushed(self, &person),
            Signal::Delegate { delegation } => people::delegated(self, delegation)?,
            Signal::Hold { actor, note } => hold::hold(self, actor, note)?,
            Signal::Unhold { actor, note } => hold::release(self, actor, note)?,
            Signal::CommentEdited { actor, comment } => {
                self.emit_by(Some(actor), EventKind::CommentEdited { comment });
            }
            Signal::HeadMoved { head_sha, same_tree, since } => people::head_moved(self, &head_sha, same_tree, since),
            Signal::BaseMoved { base, since } => people::base_moved(self, &base, since),
            Signal::Cancel { actor, reason } => self.cancel(actor, reason)?,
            Signal::Retry { actor, step } => retry::retry(self, actor, step.as_deref())?,
        }
        Ok(())
    }

    fn start(&mut self) {
        if self.execution.status == ExecutionStatus::Pending {
            let due_at = self.execution_due_at();
            self.emit(EventKind::ExecutionStarted { due_at });
        }
    }

    /// When an execution that starts now must have ended.
    pub(super) fn execution_due_at(&self) -> Option<Timestamp> {
        let timeout = self.plan.process.header.defaults.execution_timeout.as_ref()?;
        self.now.checked_add(timeout.value.as_signed()).ok()
    }

    fn cancel(&mut self, actor: Option<Person>, reason: String) -> Result<(), Refusal> {
        if self.execution.status.is_final() {
            return Err(Refusal::Ended { status: self.execution.status });
        }
        if self.execution.ending.is_none() {
            self.emit_by(actor, EventKind::ExecutionEnding { ending: Ending::Cancelled { reason } });
            self.interrupt();
        }
        Ok(())
    }

    fn end_when_overdue(&mut self) {
        let overdue = !self.execution.is_held() && self.execution.due_at.is_some_and(|due_at| due_at <= self.now);
        if overdue && !self.execution.status.is_final() && self.execution.ending.is_none() {
            self.emit(EventKind::ExecutionEnding { ending: Ending::TimedOut });
            self.interrupt();
        }
    }

    /// Cancels every step that has not ended, but for those that run whatever happens, and what those are inside of.
    fn interrupt(&mut self) {
        let kept = advance::outlive_the_end(self.plan, &self.execution);
        let open: Vec<String> = self.execution.steps.open().map(|(key, _)| key.clone()).collect();
        for key in open.into_iter().filter(|key| !kept.contains(key)) {
            self.emit_step(&key, None, EventKind::StepCancelled);
        }
    }
}
