//! Signals: load, decide, fold, commit; and again where somebody else was faster.

use flowctl_core::execution::{Execution, ExecutionId, Refusal, Signal, TenantId, abandon, decide};

use super::{Along, DefinitionError, Engine};
use crate::store::{StoreError, Stored};

/// How often a decision is made anew because the execution moved meanwhile. Each time somebody else got something
/// done, so this many in a row mean that something is wrong.
pub(super) const MAX_CONFLICTS: u32 = 32;

/// Why a signal led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SignalFailure {
    /// Nothing follows from it, because of this.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such execution.
    #[error("there is no such execution")]
    NotFound,
    /// Another execution of its concurrency group is under way: it waits for its turn, or cannot be retried yet.
    #[error("another execution of its concurrency group is under way: {running}")]
    GroupBusy {
        /// That one.
        running: ExecutionId,
    },
    /// The definition that it follows cannot be had.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for SignalFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::WordKnown => Self::Refused(Refusal::Repeated),
            other => Self::Store(other),
        }
    }
}

/// What a signal led to.
pub(super) struct Moved {
    /// The execution now, with its version.
    pub(super) stored: Stored,
    /// Whether anything happened.
    pub(super) progressed: bool,
}

impl Engine {
    /// Tells an execution that something happened, and stores what follows from it together with `along`. Gives the
    /// execution as it is then.
    ///
    /// # Errors
    /// Where nothing follows: the signal is refused, the word was recorded before ([`Refusal::Repeated`]), there is no
    /// such execution, or its definition or the store cannot be reached. Nothing is stored then, `along` neither.
    pub async fn signal(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        signal: Signal,
        along: Along,
    ) -> Result<Execution, SignalFailure> {
        let moved = self.transit(tenant, id, along, |_| signal.clone()).await?;
        Ok(moved.stored.execution)
    }

    /// The same with a signal that depends on how the execution stands.
    pub(super) async fn transit(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        along: Along,
        signal: impl Fn(&Execution) -> Signal + Send + Sync,
    ) -> Result<Moved, SignalFailure> {
        for _ in 0..MAX_CONFLICTS {
            let stored = self.inner.load(tenant, id).await?.ok_or(SignalFailure::NotFound)?;
            let signal = signal(&stored.execution);
            match self.transit_once(stored, signal, along.clone()).await {
                Err(SignalFailure::Store(StoreError::Conflict)) => {}
                done => return done,
            }
        }
        Err(SignalFailure::Store(StoreError::Conflict))
    }

    async fn transit_once(&self, stored: Stored, signal: Signal, along: Along) -> Result<Moved, SignalFailure> {
        let now = self.now();
        let events = match (self.inner.plan_of(&stored.execution).await, signal) {
            (Ok(plan), signal) => decide(&plan, &stored.execution, signal, now)?,
            (Err(error), Signal::Cancel { actor, reason }) if !matches!(error, DefinitionError::Unavailable { .. }) => {
                let status = stored.execution.status;
                if status.is_final() {
                    return Err(Refusal::Ended { status }.into());
                }
                let reason = format!("{reason} (nothing was undone, since its definition cannot be had: {error})");
                abandon(&stored.execution, actor, &reason, now)
            }
            (Err(error), _) => return Err(error.into()),
        };
        if events.is_empty() && along.word.is_none() {
            self.inner.store.add_effects(along.effects).await?;
            return Ok(Moved { stored, progressed: false });
        }
        let progressed = !events.is_empty();
        let mut execution = stored.execution.clone();
        events.iter().for_each(|event| execution.apply(event));
        let (execution, committed) = self.commit(Some(&stored), execution, events, None, along, now).await?;
        if let Some(running) = committed.busy {
            return Err(SignalFailure::GroupBusy { running });
        }
        Ok(Moved { stored: Stored { execution, version: committed.version }, progressed })
    }
}
