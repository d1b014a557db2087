//! Journals of attempts: entries become events of the execution, each in a transition of its own under the attempt's claim,
//! and are read back from them when the attempt is performed again. What they mean is the performer's.

use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::execution::{CallRequest, Entry, LargeOutput, Noted, Refusal, Signal, journal::recorded};

use super::outputs::read;
use super::perform::{OUTAGE_PAUSE, RECORDING_PAUSES};
use super::signal::SignalFailure;
use super::{Engine, to_its_end};
use crate::steps::{Journal, JournalError, JournalWriter};
use crate::store::{ClaimedWork, StoreError};

/// Events read at a time.
const PAGE: u32 = 500;

/// Records what one claimed attempt does.
struct Writer {
    engine: Engine,
    work: ClaimedWork,
}

impl Engine {
    /// The journal of an attempt, with the entries of those that it goes on from.
    pub(super) async fn journal_of(&self, work: &ClaimedWork, noted: Option<&Noted>) -> Result<Journal, StoreError> {
        let writer = Arc::new(Writer { engine: self.clone(), work: work.clone() });
        let Some(noted) = noted else { return Ok(Journal::new(Vec::new(), 0, writer)) };
        let entries = self.entries(work, noted.since).await?;
        Ok(Journal::new(entries, noted.entries, writer))
    }

    /// The entries of a step's attempts from `since` on. Those that are stored by now: the claim says that nobody adds any.
    async fn entries(&self, work: &ClaimedWork, since: u32) -> Result<Vec<Entry>, StoreError> {
        let (mut entries, mut seen) = (Vec::new(), 0);
        loop {
            let page = self.inner.store.events(&work.tenant, work.execution, seen, PAGE).await?;
            let Some(last) = page.last() else { return Ok(entries) };
            seen = last.seq;
            let of_step = page.iter().map(|stored| &stored.event).filter(|event| {
                event.step.as_deref() == Some(&work.step) && event.attempt.is_some_and(|attempt| attempt >= since)
            });
            for entry in of_step.filter_map(recorded) {
                let entry = match LargeOutput::of(&entry) {
                    Some(large) => read(&*self.inner.store, &work.tenant, &large).await?,
                    None => entry,
                };
                let entry = serde_json::from_value(entry);
                entries.push(entry.map_err(|error| StoreError::corrupt("an entry of a journal", error))?);
            }
        }
    }
}

impl Writer {
    /// Has the execution take a signal under the attempt's claim, to its end whatever becomes of the performer.
    async fn tell(&self, signal: Signal) -> Result<(), JournalError> {
        let mut pauses = RECORDING_PAUSES.into_iter();
        loop {
            let work = self.engine.inner.under_way.latest(&self.work);
            let (engine, held, signal) = (self.engine.clone(), work.clone(), signal.clone());
            let told = to_its_end(async move {
                let under = engine.under(&held);
                engine.transit(&held.tenant, held.execution, under, &mut None, |_| signal.clone()).await
            });
            let failure = match told.await.map_err(SignalFailure::Store).flatten() {
                Ok(_) => return Ok(()),
                Err(failure) => failure,
            };
            let pause = match failure {
                SignalFailure::Refused(Refusal::Repeated) => return Ok(()),
                SignalFailure::Refused(refusal @ Refusal::OverBudget { .. }) => {
                    return Err(JournalError::OverBudget(refusal.to_string()));
                }
                SignalFailure::Refused(refusal @ Refusal::NotNoted { .. }) => {
                    return Err(JournalError::Refused(refusal.to_string()));
                }
                SignalFailure::Store(StoreError::OverBudget(refusal)) => {
                    return Err(JournalError::OverBudget(refusal.to_string()));
                }
                // The lease had ended while this server goes on with the attempt.
                SignalFailure::Store(StoreError::Fenced)
                    if self.engine.inner.under_way.is_claimed_anew(&work).await =>
                {
                    continue;
                }
                SignalFailure::Refused(_)
                | SignalFailure::NotFound
                | SignalFailure::Store(StoreError::Fenced | StoreError::Closed) => return Err(JournalError::Over),
                // The attempt's own time limits this.
                SignalFailure::Store(ref error) if error.is_outage() || matches!(error, StoreError::Conflict) => {
                    pauses.next().unwrap_or(OUTAGE_PAUSE)
                }
                ref other => pauses.next().ok_or_else(|| JournalError::Unavailable(other.to_string()))?,
            };
            tracing::warn!(work = ?self.work, %failure, "an entry could not be recorded yet");
            tokio::time::sleep(pause).await;
        }
    }
}

#[async_trait]
impl JournalWriter for Writer {
    async fn append(&self, number: u32, entry: Entry) -> Result<(), JournalError> {
        let (step, attempt) = (self.work.step.clone(), self.work.attempt);
        self.tell(Signal::Note { step, attempt, number, entry: Box::new(entry) }).await
    }

    async fn ask(&self, request: CallRequest) -> JournalError {
        let (step, attempt) = (self.work.step.clone(), self.work.attempt);
        let asked = self.tell(Signal::Ask { step, attempt, request: Box::new(request) }).await;
        asked.err().unwrap_or(JournalError::Over)
    }
}
