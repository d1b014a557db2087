//! Forgets what is older than it is to be kept: executions that ended, deliveries that were handled, and events given to
//! the API. A few at a time, so that nobody waits long behind it. Questions to models that were lost with a server are counted then.

use std::collections::BTreeMap;
use std::time::Duration;

use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::run::wait_for;
use super::{Engine, Published};
use crate::store::{ProcessKey, StoreError};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Executions that one transaction forgets: some milliseconds of the writer's time.
const BATCH: u32 = 64;
/// Deliveries that one transaction looks at.
const DELIVERIES: u32 = 256;
/// How long a large output is kept that no execution names: its transition may still be under way.
const UNNAMED: Duration = Duration::from_secs(60 * 60);
/// The pause after such a transaction, in which others have their turn.
const PAUSE: Duration = Duration::from_millis(50);

impl Engine {
    pub(super) async fn run_retention(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            wait_for(EVERY, shutdown).await;
            if shutdown.is_cancelled() {
                return;
            }
            if let Err(error) = self.count_lost_questions().await {
                tracing::warn!(%error, "questions to models that were lost are counted later");
            }
            match self.forget(shutdown).await {
                Ok((0, 0)) => {}
                Ok((executions, events)) => tracing::info!(executions, events, "what is old was forgotten"),
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(%error, "what is old could not be forgotten"),
            }
        }
    }

    /// Forgets deliveries that were handled. Those that are stuck hold nothing up: there are few of them.
    async fn forget_deliveries(&self, before: Timestamp, shutdown: &CancellationToken) -> Result<(), StoreError> {
        while !shutdown.is_cancelled() && self.inner.store.forget_deliveries(before, DELIVERIES).await? > 0 {
            wait_for(PAUSE, shutdown).await;
        }
        Ok(())
    }

    /// Forgets large outputs that no execution names any more.
    async fn forget_outputs(&self, shutdown: &CancellationToken) -> Result<(), StoreError> {
        let (Some(outputs), Some(before)) = (self.inner.store.outputs(), self.before(Some(UNNAMED))) else {
            return Ok(());
        };
        while !shutdown.is_cancelled() && outputs.forget(before, BATCH).await? == u64::from(BATCH) {
            wait_for(PAUSE, shutdown).await;
        }
        Ok(())
    }

    /// Forgets what is older than the options say; how many executions and events.
    pub(super) async fn forget(&self, shutdown: &CancellationToken) -> Result<(u64, u64), StoreError> {
        let (mut executions, mut events) = (0, 0);
        if let Some(before) = self.before(self.inner.options.keep_events) {
            events = self.inner.store.forget_events(before).await?;
            self.forget_deliveries(before, shutdown).await?;
        }
        let kept = self.before(self.inner.options.keep_executions);
        while let (Some(before), false) = (kept, shutdown.is_cancelled()) {
            let forgotten = self.inner.store.forget_executions(before, BATCH).await?;
            executions += forgotten;
            if forgotten < u64::from(BATCH) {
                break;
            }
            wait_for(PAUSE, shutdown).await;
        }
        executions += self.forget_archived(shutdown).await?;
        self.forget_outputs(shutdown).await?;
        Ok((executions, events))
    }

    /// Forgets executions of processes that are archived, or gone from the default branch: so long after their end, and
    /// not sooner after that was first seen. A process whose file cannot be read is not gone; of a repository that cannot
    /// be read nothing is known.
    async fn forget_archived(&self, shutdown: &CancellationToken) -> Result<u64, StoreError> {
        let Some(before) = self.before(self.inner.options.keep_archived) else { return Ok(0) };
        let mut by_repository: BTreeMap<(TenantId, String), Vec<ProcessKey>> = BTreeMap::new();
        for key in self.inner.store.processes_ended(before).await? {
            by_repository.entry((key.tenant.clone(), key.repository.clone())).or_default().push(key);
        }
        let mut forgotten = 0;
        for ((tenant, repository), processes) in by_repository {
            let published = match self.inner.definitions.published(&tenant, &repository).await {
                Ok(published) => published,
                Err(error) => {
                    tracing::debug!(repository, %error, "which processes are archived cannot be said now");
                    continue;
                }
            };
            for key in processes {
                forgotten += self.forget_if_archived(&published, &key, before, shutdown).await?;
            }
        }
        Ok(forgotten)
    }

    async fn forget_if_archived(
        &self,
        published: &Published,
        key: &ProcessKey,
        before: Timestamp,
        shutdown: &CancellationToken,
    ) -> Result<u64, StoreError> {
        if published.is_live(&key.process) {
            self.inner.store.note_live(key).await?;
            return Ok(0);
        }
        if self.inner.store.note_archived(key, self.now()).await? > before {
            return Ok(0);
        }
        let mut forgotten = 0;
        while !shutdown.is_cancelled() {
            let some = self.inner.store.forget_executions_of(key, before, BATCH).await?;
            forgotten += some;
            if some < u64::from(BATCH) {
                break;
            }
            wait_for(PAUSE, shutdown).await;
        }
        Ok(forgotten)
    }

    fn before(&self, kept: Option<Duration>) -> Option<Timestamp> {
        self.now().checked_sub(kept?).ok()
    }
}
