//! Attempts under way in this engine: how many each execution has, and a way to end those whose steps went on without them:
//! cancelled, timed out. What another engine stored is seen by asking the store now and then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::execution::{Execution, ExecutionId, StepStatus, TenantId};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::run::wait_for;
use crate::store::{ClaimedWork, StoreError};

/// The attempts, by execution.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay {
    attempts: Arc<Mutex<BTreeMap<ExecutionId, Vec<Known>>>>,
    numbers: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Known {
    number: u64,
    tenant: TenantId,
    step: String,
    attempt: u32,
    since: Instant,
    over: CancellationToken,
    /// The claim that it is under; a later one where the lease ended and this server claimed it again.
    claims: watch::Sender<u32>,
}

/// An attempt under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Entered {
    under_way: UnderWay,
    number: u64,
    work: ClaimedWork,
    claims: watch::Receiver<u32>,
    /// Cancelled when the step has gone on without it.
    pub(super) over: CancellationToken,
}

impl UnderWay {
    pub(super) fn enter(&self, work: &ClaimedWork) -> Entered {
        let (number, over) = (self.numbers.fetch_add(1, Ordering::Relaxed), CancellationToken::new());
        let (sender, claims) = watch::channel(work.claims);
        let known = Known {
            number,
            tenant: work.tenant.clone(),
            step: work.step.clone(),
            attempt: work.attempt,
            since: Instant::now(),
            over: over.clone(),
            claims: sender,
        };
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.entry(work.execution).or_default().push(known);
        Entered { under_way: self.clone(), number, work: work.clone(), claims, over }
    }

    /// Puts an attempt that is under way here under this later claim: its lease had ended while it was performed, and a
    /// server does not begin what it still performs. Whether it is under way.
    pub(super) fn adopt(&self, work: &ClaimedWork) -> bool {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_execution = attempts.get(&work.execution).into_iter().flatten();
        let is_it =
            |known: &&Known| known.tenant == work.tenant && known.step == work.step && known.attempt == work.attempt;
        let Some(known) = of_execution.find(is_it) else { return false };
        tracing::info!(
            ?work,
            "the lease of an attempt had ended while it is performed here; it goes on under a new one"
        );
        known.claims.send_replace(work.claims);
        true
    }

    /// The claim that an attempt is under here, as it changes; nothing where it is not under way here.
    fn claims_of(&self, work: &ClaimedWork) -> Option<watch::Receiver<u32>> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = attempts
            .get(&work.execution)?
            .iter()
            .find(|known| known.tenant == work.tenant && known.step == work.step && known.attempt == work.attempt)?;
        Some(known.claims.subscribe())
    }

    /// An attempt with the claim that it is under now.
    pub(super) fn latest(&self, work: &ClaimedWork) -> ClaimedWork {
        let claims = self.claims_of(work).map_or(work.claims, |claims| work.claims.max(*claims.borrow()));
        ClaimedWork { claims, ..work.clone() }
    }

    /// Whether this server has claimed an attempt again that it performs, or is about to.
    pub(super) async fn is_claimed_anew(&self, work: &ClaimedWork) -> bool {
        match self.claims_of(work) {
            Some(known) => is_above(known, work.claims).await,
            None => false,
        }
    }

    /// How many attempts of an execution are under way.
    pub(super) fn count(&self, execution: ExecutionId) -> usize {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).get(&execution).map_or(0, Vec::len)
    }

    /// The executions that have at least so many.
    pub(super) fn with_at_least(&self, count: usize) -> Vec<ExecutionId> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter().filter(|(_, known)| known.len() >= count).map(|(id, _)| *id).collect()
    }

    /// Ends the attempts whose steps have gone on. The state may be an older one than that in which they began.
    pub(super) fn end_those_over(&self, execution: &Execution) {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        for known in attempts.get(&execution.id).into_iter().flatten() {
            let step = execution.steps.get(&known.step);
            let is_over = step.is_some_and(|step| {
                step.attempt > known.attempt || (step.attempt == known.attempt && step.status != StepStatus::Running)
            });
            if is_over {
                known.over.cancel();
            }
        }
    }

    /// The executions with an attempt that is older than this.
    fn older_than(&self, age: Duration) -> Vec<(TenantId, ExecutionId)> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let old = attempts.iter().filter_map(|(id, known)| {
            let old = known.iter().find(|known| known.since.elapsed() >= age)?;
            Some((old.tenant.clone(), *id))
        });
        old.collect()
    }
}

/// How long a claim that is fenced off may wait to be put under a later one of this server: as long as it takes from the
/// store's answer to a claim until that is looked through.
const ANEW_WITHIN: Duration = Duration::from_secs(1);

impl Entered {
    /// The attempt, with the claim that it is under now.
    pub(super) fn work(&self) -> ClaimedWork {
        ClaimedWork { claims: *self.claims.borrow(), ..self.work.clone() }
    }

    /// Whether this server has claimed the attempt again since it was under `claims`, or is about to.
    pub(super) async fn is_claimed_anew(&self, claims: u32) -> bool {
        is_above(self.claims.clone(), claims).await
    }
}

async fn is_above(mut known: watch::Receiver<u32>, claims: u32) -> bool {
    let anew = known.wait_for(|known| *known > claims);
    tokio::time::timeout(ANEW_WITHIN, anew).await.is_ok_and(|known| known.is_ok())
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut attempts = self.under_way.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = attempts.get_mut(&self.work.execution) {
            known.retain(|known| known.number != self.number);
            if known.is_empty() {
                attempts.remove(&self.work.execution);
            }
        }
    }
}

impl Engine {
    /// Ends attempts whose steps went on because of what other engines stored, until `shutdown`.
    pub(super) async fn run_interruptions(&self, shutdown: &CancellationToken) {
        let mut seen = BTreeMap::new();
        while !shutdown.is_cancelled() {
            wait_for(self.inner.options.poll, shutdown).await;
            match self.interrupt(self.inner.options.poll, &mut seen).await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(%error, "cannot find out which attempts are over"),
            }
        }
    }

    /// The same once, for attempts that are older than `age`. `seen`: how far their executions had got.
    pub(super) async fn interrupt(
        &self,
        age: Duration,
        seen: &mut BTreeMap<ExecutionId, u64>,
    ) -> Result<(), StoreError> {
        let old = self.inner.under_way.older_than(age);
        if old.is_empty() {
            seen.clear();
            return Ok(());
        }
        let ids: Vec<ExecutionId> = old.iter().map(|(_, id)| *id).collect();
        let stand = self.inner.store.progress(&ids).await?;
        let stand: BTreeMap<ExecutionId, u64> = stand.into_iter().map(|it| (it.execution, it.last_seq)).collect();
        for (tenant, id) in old {
            if stand.get(&id) == seen.get(&id) {
                continue;
            }
            if let Some(stored) = self.inner.load(&tenant, id).await? {
                self.inner.under_way.end_those_over(&stored.execution);
            }
        }
        *seen = stand;
        Ok(())
    }
}
