//! Signals: look, decide, fold, commit; and again where somebody else was faster.

use std::sync::Arc;

use flowctl_core::execution::{Execution, ExecutionId, Refusal, Signal, TenantId, abandon};

use super::conflict::{MAX_CONFLICTS, rest_after};
use super::hands::Hand;
use super::measures;
use super::outputs::Decided;
use super::recent::Standing;
use super::{Along, DefinitionError, Engine, to_its_end};
use crate::store::StoreError;

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
    /// The execution now.
    pub(super) execution: Arc<Execution>,
    /// Whether anything happened.
    pub(super) progressed: bool,
}

impl Engine {
    /// Tells an execution that something happened, and stores what follows from it together with `along`. Gives the
    /// execution as it is then. It is done to its end also where nobody waits for it any more.
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
        let (engine, tenant) = (self.clone(), tenant.clone());
        let asked = async move { engine.transit(&tenant, id, along, &mut None, |_| signal.clone()).await };
        let moved = to_its_end(asked).await??;
        Ok(Arc::unwrap_or_clone(moved.execution))
    }

    /// The same with a signal that depends on how the execution stands, from a hand that is about to be free.
    pub(super) async fn transit(
        &self,
        tenant: &TenantId,
        id: ExecutionId,
        along: Along,
        hand: &mut Option<Hand>,
        signal: impl Fn(&Execution) -> Signal + Send + Sync,
    ) -> Result<Moved, SignalFailure> {
        let mut remembered = self.inner.recent.get(tenant, id);
        let mut turn = None;
        for conflicts in 1..=MAX_CONFLICTS {
            let (certain, standing) = match remembered.take() {
                Some(standing) => (false, standing),
                None => (true, self.inner.load(tenant, id).await?.ok_or(SignalFailure::NotFound)?.into()),
            };
            let (signal, version) = (signal(&standing.execution), standing.version);
            match self.transit_once(standing, certain, signal, along.clone(), hand).await {
                Err(SignalFailure::Store(StoreError::Conflict)) => measures::conflict(),
                // What is only remembered may be outdated: nothing is refused because of it.
                Err(SignalFailure::Refused(_)) if !certain => {}
                done => return done,
            }
            match turn {
                None => turn = Some(self.inner.turns.of(id).await),
                Some(_) => rest_after(conflicts).await,
            }
            // Who was faster here has left how it stands now.
            remembered = self.inner.recent.get(tenant, id).filter(|standing| standing.version > version);
            if remembered.is_none() {
                self.inner.recent.forget(id);
            }
        }
        Err(SignalFailure::Store(StoreError::Conflict))
    }

    async fn transit_once(
        &self,
        before: Standing,
        certain: bool,
        signal: Signal,
        mut along: Along,
        hand: &mut Option<Hand>,
    ) -> Result<Moved, SignalFailure> {
        let now = self.now();
        let plan = self.inner.plan_of(&before.execution).await;
        let (after, events) = match (&plan, signal) {
            (Ok(plan), signal) => {
                let Decided { after, events, outputs } = self.decide(plan, &before.execution, signal, now).await?;
                along.outputs = outputs;
                (after, events)
            }
            (Err(error), Signal::Cancel { actor, reason }) if !matches!(error, DefinitionError::Unavailable { .. }) => {
                let status = before.execution.status;
                if status.is_final() {
                    return Err(Refusal::Ended { status }.into());
                }
                let reason = format!("{reason} (nothing was undone, since its definition cannot be had: {error})");
                let events = abandon(&before.execution, actor, &reason, now);
                let mut after = Execution::clone(&before.execution);
                events.iter().for_each(|event| after.apply(event));
                (after, events)
            }
            (Err(error), _) => return Err(error.clone().into()),
        };
        if events.is_empty() && along.word.is_none() {
            if !certain {
                return Err(SignalFailure::Store(StoreError::Conflict));
            }
            self.inner.store.add_effects(along.effects).await?;
            return Ok(Moved { execution: before.execution, progressed: false });
        }
        let progressed = !events.is_empty();
        let transition = self.transition(plan.as_deref().ok(), Some(&before), after, events, along, now);
        let (execution, committed) = self.store_transition(transition, hand).await?;
        if let Some(running) = committed.busy {
            return Err(SignalFailure::GroupBusy { running });
        }
        Ok(Moved { execution, progressed })
    }
}
