//! Time: executions that something is due for are told so. One that cannot go on now is put off, so that it does not
//! hold up the others.

use std::time::Duration;

use flowctl_core::execution::{ExecutionId, ExecutionStatus, Signal, TenantId};
use futures_util::{StreamExt, stream};

use super::signal::{Moved, SignalFailure};
use super::{Along, Engine, MOVED_AT_ONCE};
use crate::store::StoreError;

/// Executions that are asked for at a time.
const BATCH: u32 = 256;
/// How long an execution is left alone whose definition cannot be had.
const PAUSE_WITHOUT_DEFINITION: Duration = Duration::from_secs(30);
/// How long an execution is left alone that was due without anything to do.
const PAUSE_WITHOUT_EVENTS: Duration = Duration::from_secs(5);

impl Engine {
    /// Wakes executions that something is due for by now; how many went on.
    ///
    /// # Errors
    /// Where the store cannot say what is due.
    pub async fn wake_due(&self) -> Result<usize, StoreError> {
        let due = self.inner.store.due(self.now(), BATCH).await?;
        let woken = stream::iter(due)
            .map(|(tenant, id)| async move { self.wake(&tenant, id).await })
            .buffer_unordered(MOVED_AT_ONCE);
        Ok(woken.filter(|went_on| std::future::ready(*went_on)).count().await)
    }

    async fn wake(&self, tenant: &TenantId, id: ExecutionId) -> bool {
        let moved = self
            .transit(tenant, id, Along::default(), &mut None, |execution| match execution.status {
                ExecutionStatus::Pending => Signal::Start,
                _ => Signal::Wake,
            })
            .await;
        let pause = match moved {
            Ok(Moved { progressed: true, .. }) => return true,
            Ok(_) => {
                // Woken by two engines at once, or by a time that means nothing to it any more.
                tracing::debug!(execution = %id, "nothing was due");
                PAUSE_WITHOUT_EVENTS
            }
            Err(SignalFailure::GroupBusy { running }) => {
                tracing::debug!(execution = %id, %running, "an execution waits for its turn");
                return false;
            }
            Err(SignalFailure::Definition(error)) => {
                tracing::warn!(execution = %id, %error, "an execution that is due cannot go on");
                PAUSE_WITHOUT_DEFINITION
            }
            Err(error) => {
                tracing::error!(execution = %id, %error, "an execution that is due cannot go on");
                return false;
            }
        };
        if let Err(error) = self.postpone(tenant, id, pause).await {
            tracing::error!(execution = %id, %error, "an execution could not be put off");
        }
        false
    }

    async fn postpone(&self, tenant: &TenantId, id: ExecutionId, pause: Duration) -> Result<(), StoreError> {
        let Some(stored) = self.inner.load(tenant, id).await? else { return Ok(()) };
        let until = self.after(pause);
        // What became due by another's transition meanwhile stays so.
        let still_due = stored.execution.status == ExecutionStatus::Pending
            || stored.execution.wake_at().is_some_and(|at| at <= self.now());
        if still_due {
            self.inner.store.postpone(tenant, id, stored.version, until).await?;
        }
        Ok(())
    }
}
