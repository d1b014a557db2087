//! Holding an execution: what runs goes on to its end, people may answer, a `wait` ends in its time, and nothing new starts.
//! Deadlines rest: when the execution goes on, each has as much time left as it had.

use jiff::{SignedDuration, Timestamp};

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::state::Execution;
use super::waiting::{Level, Waiting};
use crate::approval::Person;

/// Somebody holds it.
pub(super) fn hold(
    transition: &mut Transition<'_>,
    actor: Option<Person>,
    note: Option<String>,
) -> Result<(), Refusal> {
    let execution = &transition.execution;
    if execution.status.is_final() || execution.ending.is_some() {
        return Err(Refusal::Ended { status: execution.status });
    }
    if execution.held.is_some() {
        return Err(Refusal::Held);
    }
    transition.emit_by(actor, EventKind::Held { note });
    Ok(())
}

/// Somebody lets it go on.
pub(super) fn release(
    transition: &mut Transition<'_>,
    actor: Option<Person>,
    note: Option<String>,
) -> Result<(), Refusal> {
    if transition.execution.status.is_final() {
        return Err(Refusal::Ended { status: transition.execution.status });
    }
    let Some(held) = &transition.execution.held else { return Err(Refusal::NotHeld) };
    let held_ms = u64::try_from(transition.now.duration_since(held.since).as_millis()).unwrap_or(0);
    transition.emit_by(actor, EventKind::Released { note, held_ms });
    Ok(())
}

impl Execution {
    /// Moves every deadline by this long. The moment that a `wait` waits for, and another attempt's, are no deadlines.
    pub(super) fn put_off(&mut self, millis: u64) {
        let by = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let later = |at: &mut Timestamp| *at = at.saturating_add(by).unwrap_or(Timestamp::MAX);
        self.due_at.iter_mut().for_each(later);
        let waiting = self.steps.open().filter(|(_, step)| step.waiting.is_some());
        let waiting: Vec<String> = waiting.map(|(key, _)| key.clone()).collect();
        for key in waiting {
            let Some(waiting) = self.steps.get_mut(&key).and_then(|step| step.waiting.as_mut()) else { continue };
            let levels = |levels: &mut Vec<Level>| levels.iter_mut().for_each(|level| later(&mut level.at));
            match waiting {
                Waiting::Approval(request) => {
                    request.due_at.iter_mut().for_each(later);
                    levels(&mut request.escalate);
                    request.reminders.iter_mut().for_each(later);
                }
                Waiting::Form(request) => {
                    request.due_at.iter_mut().for_each(later);
                    levels(&mut request.escalate);
                    request.reminders.iter_mut().for_each(later);
                }
                Waiting::Event { due_at, .. }
                | Waiting::Process { due_at, .. }
                | Waiting::Items { due_at }
                | Waiting::Timer { due_at, .. } => {
                    due_at.iter_mut().for_each(later);
                }
                Waiting::Workflow(awaited) => awaited.due_at.iter_mut().for_each(later),
                Waiting::Retry { .. } => {}
            }
        }
    }
}
