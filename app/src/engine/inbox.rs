//! Signals that executions have for each other, and events for those that wait: taken in their order, each once.

use std::time::Duration;

use flowctl_core::execution::{Refusal, Signal};
use futures_util::{StreamExt, stream};

use super::signal::{Moved, SignalFailure};
use super::{Along, Engine, MOVED_AT_ONCE};
use crate::crash_point;
use crate::store::{PendingSignal, StoreError};

/// Signals that are asked for at a time: one of each execution.
const BATCH: u32 = 256;
/// How long a signal is left alone that cannot be taken now.
const PAUSE: Duration = Duration::from_secs(30);

impl Engine {
    /// Has executions take the signals that wait for them; how many were dealt with.
    ///
    /// # Errors
    /// Where the store cannot say which there are.
    pub async fn take_signals(&self) -> Result<usize, StoreError> {
        let pending = self.inner.store.signals(self.now(), BATCH).await?;
        let taken = stream::iter(pending)
            .map(|pending| async move { self.take_signal(pending).await })
            .buffer_unordered(MOVED_AT_ONCE);
        let taken: Vec<Taken> = taken.collect().await;
        let in_vain: Vec<i64> = taken.iter().filter_map(|taken| taken.in_vain()).collect();
        if !in_vain.is_empty() {
            // Of the many that wait for an event of one name, most wait for another one.
            self.inner.store.drop_signals(&in_vain).await?;
        }
        Ok(taken.into_iter().filter(|taken| *taken != Taken::Left).count())
    }

    /// Nothing is stored where nothing follows from a signal.
    async fn take_signal(&self, pending: PendingSignal) -> Taken {
        let PendingSignal { id, tenant, execution, signal } = pending;
        crash_point("signal.taking");
        let along = Along { taken: Some(id), ..Along::default() };
        let moved = self.transit(&tenant, execution, along, &mut None, |_| signal.clone()).await;
        match moved {
            Ok(Moved { progressed: true, .. }) => {
                crash_point("signal.taken");
                Taken::Moved
            }
            // Somebody else took it at the same time.
            Err(SignalFailure::Store(StoreError::SignalTaken)) => Taken::Moved,
            Ok(_) | Err(SignalFailure::NotFound) => Taken::InVain(id),
            Err(SignalFailure::Refused(refusal)) => {
                told_in_vain(&signal, &refusal);
                Taken::InVain(id)
            }
            Err(error) => {
                tracing::warn!(%execution, %error, "a signal cannot be taken now");
                let until = self.after(PAUSE);
                if let Err(error) = self.inner.store.postpone_signal(id, until).await {
                    tracing::error!(%execution, %error, "a signal could not be put off");
                }
                Taken::Left
            }
        }
    }
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Its execution moved, and the signal is gone with that.
    Moved,
    /// Nothing follows from it; it is to be dropped.
    InVain(i64),
    /// It is put off.
    Left,
}

impl Taken {
    fn in_vain(self) -> Option<i64> {
        match self {
            Self::InVain(id) => Some(id),
            Self::Moved | Self::Left => None,
        }
    }
}

/// A child that ended while its parent was cancelled, a cancelled one that has ended: nothing is lost.
fn told_in_vain(signal: &Signal, refusal: &Refusal) {
    tracing::debug!(?signal, %refusal, "a signal came too late");
}
