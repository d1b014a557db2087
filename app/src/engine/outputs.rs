//! Decisions over large outputs: what they may read is fetched before, and what they bring that is large is put away
//! after, before anything refers to it. Where the store keeps none, everything stays in the events.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flowctl_core::execution::address::items_of;
use flowctl_core::execution::{
    AtHand, Event, EventKind, Execution, LargeOutput, Plan, Refusal, Signal, TenantId, decide_and_apply,
};
use jiff::Timestamp;
use serde_json::Value;

use super::Engine;
use super::signal::SignalFailure;
use crate::store::{Outputs, StoreError, digest};

/// Bytes of an output as JSON up to which it stays in the events.
pub const MAX_INLINE: usize = 8 * 1024;

/// What follows from a signal.
pub(super) struct Decided {
    pub(super) after: Execution,
    pub(super) events: Vec<Event>,
    /// The digests of large outputs that the events refer to.
    pub(super) outputs: Vec<String>,
}

/// Why there is no decision.
pub(super) enum Undecided {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for Undecided {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Undecided> for SignalFailure {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Refused(refusal) => Self::Refused(refusal),
            Undecided::Store(error) => Self::Store(error),
        }
    }
}

impl Engine {
    /// Decides what follows from a signal.
    pub(super) async fn decide(
        &self,
        plan: &Plan,
        before: &Execution,
        signal: Signal,
        now: Timestamp,
    ) -> Result<Decided, Undecided> {
        let mut working = before.clone();
        let again = matches!(signal, Signal::Retry { .. });
        let needed = plan.large_outputs_read(before, again);
        if !needed.is_empty() {
            working.at_hand = self.fetch(&before.tenant, needed).await?;
        }
        let (mut after, mut events) = decide_and_apply(plan, working, signal, now).map_err(Undecided::Refused)?;
        after.at_hand = AtHand::default();
        let outputs = self.put_away(before, &mut events).await?;
        if !outputs.is_empty() {
            // The state is what the events fold to as they are stored.
            after = before.clone();
            events.iter().for_each(|event| after.apply(event));
        }
        Ok(Decided { after, events, outputs })
    }

    async fn fetch(&self, tenant: &TenantId, needed: Vec<LargeOutput>) -> Result<AtHand, StoreError> {
        let mut outputs = BTreeMap::new();
        for large in needed {
            let output = read(&*self.inner.store, tenant, &large).await?;
            outputs.insert(large.sha256, output);
        }
        Ok(AtHand::new(outputs))
    }

    /// Puts references in the place of large outputs, once these are kept; their digests.
    async fn put_away(&self, execution: &Execution, events: &mut [Event]) -> Result<Vec<String>, StoreError> {
        let Some(outputs) = self.inner.store.outputs() else { return Ok(Vec::new()) };
        let mut digests = Vec::new();
        for event in events {
            let (output, part) = match (&event.step, &mut event.kind) {
                // Inside of items results are gathered into a list, which is put away as a whole.
                (Some(step), EventKind::StepCompleted { output, .. }) if items_of(step).is_empty() => {
                    (output, "output")
                }
                (Some(_), EventKind::StepNoted { entry, .. }) => (entry, "trace"),
                _ => continue,
            };
            if !(is_large(output) || LargeOutput::of(output).is_some()) {
                continue;
            }
            let step = event.step.as_deref().unwrap_or_default();
            let text = serde_json::to_vec(output).map_err(|error| StoreError::corrupt("an output", error))?;
            let large = LargeOutput {
                sha256: digest(&text),
                bytes: text.len() as u64,
                at: format!("executions/{}/steps/{step}/{part}", execution.id),
            };
            outputs.keep(&execution.tenant, &large.sha256, text, self.now()).await?;
            digests.push(large.sha256.clone());
            *output = large.into_value();
        }
        Ok(digests)
    }
}

/// A large output as it was.
///
/// # Errors
/// Where it is not there any more, or not what the reference says.
pub async fn read(
    store: &dyn crate::store::Store,
    tenant: &TenantId,
    large: &LargeOutput,
) -> Result<Value, StoreError> {
    let what = || format!("the large output {}", large.at);
    let outputs: &dyn Outputs = store.outputs().ok_or_else(|| StoreError::corrupt(what(), "none are kept here"))?;
    let text = outputs.read(tenant, &large.sha256).await?;
    let text = text.ok_or_else(|| StoreError::corrupt(what(), "it is gone"))?;
    serde_json::from_slice(&text).map_err(|error| StoreError::corrupt(what(), error))
}

/// Whether a value's JSON text is larger than what stays in the events. It is written only as far as needed to tell.
pub(crate) fn is_large(value: &Value) -> bool {
    struct Room(usize);
    impl Write for Room {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Room(MAX_INLINE), value).is_err()
}
