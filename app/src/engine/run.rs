//! The engine's loops: one wakes what is due, one has attempts performed. A hint of the store lets them look at once, a
//! poll lets them look anyway.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::store::StoreError;

/// How long timers rest after a hint of the store.
const HINT_PAUSE: Duration = Duration::from_millis(10);

impl Engine {
    /// Runs until `shutdown`: then nothing new is claimed, what is under way is finished within
    /// [`drain`](super::EngineOptions::drain), and the rest is left to its leases.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(self.run_wakes(&shutdown), self.run_work(&shutdown));
    }

    /// Does all that can be done now: wakes what is due and performs every attempt, until only people, time or other
    /// engines' attempts are left. For whoever drives an engine by hand instead of [`Engine::run`].
    ///
    /// # Errors
    /// Where the store cannot say what is to be done.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let workers = self.inner.options.workers.max(1);
        loop {
            let woken = self.wake_due().await?;
            let work = self.claim_work(workers).await?;
            if woken == 0 && work.is_empty() {
                return Ok(());
            }
            stream::iter(work).for_each_concurrent(workers, |work| self.perform(work)).await;
        }
    }

    async fn run_wakes(&self, shutdown: &CancellationToken) {
        let mut changed = self.inner.store.subscribe();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            match self.wake_next().await {
                Ok(None) => {}
                Ok(Some(pause)) => {
                    wait(&mut changed, pause, shutdown).await;
                    // Hints come with every commit; looking at each would cost more than it finds.
                    wait_for(HINT_PAUSE, shutdown).await;
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "cannot find out what is due");
                    wait_for(self.inner.options.poll, shutdown).await;
                }
            }
        }
    }

    /// Wakes what is due. Gives how long to wait until something may be due; nothing where there may be more at once.
    async fn wake_next(&self) -> Result<Option<Duration>, StoreError> {
        let poll = self.inner.options.poll;
        let Some(next) = self.inner.store.next_wake().await? else { return Ok(Some(poll)) };
        let left = next.duration_since(self.now());
        if left.is_positive() {
            return Ok(Some(Duration::try_from(left).map_or(poll, |left| left.min(poll))));
        }
        // What is due and does not go on is not tried in a tight loop.
        let went_on = self.wake_due().await? > 0;
        Ok((!went_on).then_some(poll))
    }

    async fn run_work(&self, shutdown: &CancellationToken) {
        let mut changed = self.inner.store.subscribe();
        let mut under_way: JoinSet<()> = JoinSet::new();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            let free = self.inner.options.workers.max(1).saturating_sub(under_way.len());
            if free > 0 {
                match self.claim_work(free).await {
                    Ok(claimed) => {
                        for work in claimed {
                            let engine = self.clone();
                            under_way.spawn(async move { engine.perform(work).await });
                        }
                    }
                    Err(StoreError::Closed) => break,
                    Err(error) => tracing::error!(%error, "cannot claim attempts"),
                }
            }
            let full = under_way.len() >= self.inner.options.workers.max(1);
            tokio::select! {
                Some(ended) = under_way.join_next() => report(ended),
                () = wait(&mut changed, self.inner.options.poll, shutdown), if !full => {}
                () = shutdown.cancelled() => {}
            }
        }
        self.drain(under_way).await;
    }

    async fn drain(&self, mut under_way: JoinSet<()>) {
        let finish = async {
            while let Some(ended) = under_way.join_next().await {
                report(ended);
            }
        };
        if tokio::time::timeout(self.inner.options.drain, finish).await.is_err() {
            tracing::warn!(attempts = under_way.len(), "attempts under way are left to their leases");
            under_way.shutdown().await;
        }
    }
}

/// Waits for a hint, for `pause` to pass, or for the shutdown.
async fn wait(changed: &mut watch::Receiver<u64>, pause: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        _ = changed.changed() => {}
        () = wait_for(pause, shutdown) => {}
    }
}

/// Waits for `pause` to pass, or for the shutdown.
async fn wait_for(pause: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = shutdown.cancelled() => {}
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt ended badly; its lease will end");
    }
}
