//! The engine's loops: one wakes what is due, one has attempts performed. A hint of the store lets them look at once, a
//! poll lets them look anyway.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::store::StoreError;

/// How long nothing more is begun where as much as possible is under way.
const DEALING_PAUSE: Duration = Duration::from_millis(100);
/// How long timers rest after a hint of the store.
const HINT_PAUSE: Duration = Duration::from_millis(10);

impl Engine {
    /// Runs until `shutdown`: then nothing new is claimed, what is under way is finished within
    /// [`drain`](super::EngineOptions::drain), and the rest is left to its leases.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            self.run_wakes(&shutdown),
            self.run_work(&shutdown),
            self.run_signals(&shutdown),
            self.run_occurrences(&shutdown),
            self.run_schedules(&shutdown),
            self.run_pushes(&shutdown),
            self.run_retention(&shutdown),
            self.run_interruptions(&shutdown),
        );
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
            let told = self.take_signals().await? + self.deal_with_occurrences().await?;
            let work = self.claim_work(workers).await?;
            if woken == 0 && told == 0 && work.is_empty() {
                return Ok(());
            }
            let perform = |work| {
                let entered = self.inner.under_way.enter(&work);
                self.perform(None, entered)
            };
            let others = work.into_iter().filter(|work| !self.inner.under_way.adopt(work));
            stream::iter(others.collect::<Vec<_>>()).for_each_concurrent(workers, perform).await;
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

    /// Has executions take what others tell them.
    async fn run_signals(&self, shutdown: &CancellationToken) {
        let mut changed = self.inner.store.subscribe();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            let passed_on = self.pass_on().await;
            if !self.rest(passed_on, "cannot find out what is to be passed on", &mut changed, shutdown).await {
                return;
            }
        }
    }

    /// Deals with what may start processes and with what somebody is to be told, each in a task of its own: a receiver
    /// that hangs holds up nothing else, executions that tell each other something least of all.
    async fn run_occurrences(&self, shutdown: &CancellationToken) {
        let mut changed = self.inner.store.subscribe();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            let begun = self.begin_occurrences().await;
            if !self.rest(begun, "cannot find out what has happened", &mut changed, shutdown).await {
                return;
            }
        }
    }

    /// Rests as long as `looked` says: not at all where it says nothing. Whether to go on.
    async fn rest(
        &self,
        looked: Result<Option<Duration>, StoreError>,
        trouble: &'static str,
        changed: &mut watch::Receiver<u64>,
        shutdown: &CancellationToken,
    ) -> bool {
        match looked {
            Ok(None) => {}
            Ok(Some(pause)) => {
                wait(changed, pause, shutdown).await;
                wait_for(HINT_PAUSE, shutdown).await;
            }
            Err(StoreError::Closed) => return false,
            Err(error) => {
                tracing::error!(%error, "{trouble}");
                wait_for(self.inner.options.poll, shutdown).await;
            }
        }
        true
    }

    /// Passes on what is due. Gives how long to wait until something may be due; nothing where there may be more at
    /// once.
    async fn pass_on(&self) -> Result<Option<Duration>, StoreError> {
        let next = self.inner.store.next_signal().await?;
        let due = next.is_some_and(|next| next <= self.now());
        if due && self.take_signals().await? > 0 {
            return Ok(None);
        }
        Ok(Some(self.until(next)))
    }

    /// Begins to deal with what is due. Gives how long to wait, as above.
    async fn begin_occurrences(&self) -> Result<Option<Duration>, StoreError> {
        if self.inner.dealing.is_full() {
            // What is under way ends soon: each is given some seconds.
            return Ok(Some(DEALING_PAUSE));
        }
        let next = self.inner.store.next_occurrence().await?;
        let due = next.is_some_and(|next| next <= self.now());
        if due && !self.begin_to_deal().await?.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.until(next)))
    }

    /// How long to wait for this moment, a poll at most. What is due and does not go on is not tried in a tight loop.
    fn until(&self, next: Option<Timestamp>) -> Duration {
        let poll = self.inner.options.poll;
        let left = next.and_then(|next| Duration::try_from(next.duration_since(self.now())).ok());
        left.filter(|left| !left.is_zero()).map_or(poll, |left| left.min(poll))
    }

    /// Fills free hands from the queue: with what found none when it began, and with what others left.
    async fn run_work(&self, shutdown: &CancellationToken) {
        let mut changed = self.inner.store.subscribe();
        self.inner.hands.set_working(true);
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            match self.fill_hands(shutdown).await {
                Ok(true) => {}
                Ok(false) => {
                    wait(&mut changed, self.inner.options.poll, shutdown).await;
                    wait_for(HINT_PAUSE, shutdown).await;
                }
                Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::error!(%error, "cannot claim attempts");
                    wait_for(self.inner.options.poll, shutdown).await;
                }
            }
        }
        self.inner.hands.set_working(false);
        self.drain().await;
    }

    /// Claims for every free hand, once there is one; whether there may be more to claim at once.
    async fn fill_hands(&self, shutdown: &CancellationToken) -> Result<bool, StoreError> {
        let next = self.inner.store.next_work().await?;
        let waits = next.is_some_and(|next| next <= self.now());
        self.inner.hands.set_queue(waits);
        if !waits {
            return Ok(false);
        }
        let hands = tokio::select! {
            hands = self.inner.hands.free(self.inner.hands.at_a_time()) => hands,
            () = shutdown.cancelled() => return Ok(false),
        };
        let claimed = self.claim_work(hands.len()).await?;
        // What is left of executions that have their share comes when something of them ends.
        let more = claimed.len() == hands.len();
        for (work, hand) in claimed.into_iter().zip(hands) {
            if !self.inner.under_way.adopt(&work) {
                let entered = self.inner.under_way.enter(&work);
                self.perform_with(Some(hand), entered);
            }
        }
        Ok(more)
    }

    async fn drain(&self) {
        let hands = &self.inner.hands;
        hands.tasks.close();
        if tokio::time::timeout(self.inner.options.drain, hands.tasks.wait()).await.is_err() {
            tracing::warn!(attempts = hands.tasks.len(), "attempts under way are left to their leases");
            hands.given_up.cancel();
            hands.tasks.wait().await;
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
pub(super) async fn wait_for(pause: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = shutdown.cancelled() => {}
    }
}
