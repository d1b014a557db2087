//! Paused processes: nothing starts them, neither people nor triggers, until somebody lets them go on. What is under way
//! goes on, with the sub-processes that it calls. The store has the truth; what was read of it holds for a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::execution::TenantId;
use jiff::{SignedDuration, Timestamp};

use super::Engine;
use crate::store::{PausedProcess, StoreError};

/// How long what was read of the store holds: another server's pause is seen after it.
const FRESH: Duration = Duration::from_secs(1);

/// What was read last, and when.
#[derive(Debug, Default)]
pub(super) struct Paused {
    read: Mutex<Option<(Timestamp, Arc<Vec<PausedProcess>>)>>,
}

impl Engine {
    /// Pauses a process, or lets it go on; whether that changed anything.
    ///
    /// # Errors
    /// Where the store failed.
    pub async fn pause(&self, process: PausedProcess, pause: bool) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        let changed = if pause { store.pause(process).await? } else { store.unpause(process).await? };
        self.inner.paused.read.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(changed)
    }

    /// Since when a process is paused.
    pub(super) async fn paused_since(
        &self,
        tenant: &TenantId,
        repository: &str,
        process: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let paused = self.paused().await?;
        let is_it = |it: &&PausedProcess| it.tenant == *tenant && it.repository == repository && it.process == process;
        Ok(paused.iter().find(is_it).map(|it| it.since))
    }

    async fn paused(&self) -> Result<Arc<Vec<PausedProcess>>, StoreError> {
        let now = self.now();
        let fresh = SignedDuration::try_from(FRESH).unwrap_or_default();
        let kept = self.inner.paused.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, paused)) = kept
            && now.duration_since(read_at).abs() < fresh
        {
            return Ok(paused);
        }
        let paused = Arc::new(self.inner.store.paused().await?);
        *self.inner.paused.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&paused)));
        Ok(paused)
    }
}
