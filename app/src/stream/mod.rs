//! Tells an event stream (NATS JetStream) of what is stored, after it is stored: at least once, the events of an
//! execution in their order, by one server at a time. What is still to be told is in the database, so nothing waits for
//! the stream and nothing is lost while it is away. Nothing here decides what happens.

mod message;
#[cfg(feature = "nats")]
mod nats;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::execution::ExecutionId;
use futures_util::{StreamExt, stream};
use indexmap::IndexMap;
use metrics::counter;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use message::Message;
#[cfg(feature = "nats")]
pub use nats::Nats;

use crate::clock::Clock;
use crate::crash_point;
use crate::store::{Store, StoreError, UntoldEvents};
use crate::telemetry::names;

/// What the right to tell is called.
const LEASE: &str = "event_stream";
/// Transitions that are read at a time; so much is in memory while the stream is away.
const BATCH: u32 = 64;
/// Executions whose events are on their way at the same time, each with one.
const AT_ONCE: usize = 32;
/// How often the database is asked without a hint.
const POLL: Duration = Duration::from_secs(1);
/// How long hints are left alone after one: they come with every commit.
const HINT_PAUSE: Duration = Duration::from_millis(10);
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why a stream did not take a message.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishFailure {
    /// It is larger than the stream takes: nothing changes that.
    #[error("the message is larger than the event stream takes")]
    TooLarge,
    /// It cannot be reached, or refuses for now.
    #[error("{0}")]
    Away(String),
}

/// Where messages go.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Has the stream keep a message; returns once it does. The same id again is the same message.
    ///
    /// # Errors
    /// Where nobody knows that it is kept.
    async fn publish(&self, message: &Message) -> Result<(), PublishFailure>;
}

/// Tells the stream.
pub struct EventStream {
    store: Arc<dyn Store>,
    publisher: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    owner: String,
    lease: Duration,
}

/// How a look at what is to be told ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// There may be more.
    Told,
    /// There is nothing more.
    Nothing,
    /// Another server tells.
    NotOurTurn,
}

/// Why it could not be told.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stream(#[from] PublishFailure),
}

impl EventStream {
    /// Tells `publisher` of what `store` keeps. `owner` is different for every process; a server that dies is followed
    /// by another one after `lease`.
    pub fn new(
        store: Arc<dyn Store>,
        publisher: Arc<dyn Publisher>,
        clock: Arc<dyn Clock>,
        (owner, lease): (&str, Duration),
    ) -> Self {
        Self { store, publisher, clock, owner: owner.to_owned(), lease }
    }

    /// Tells until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut changed = self.store.subscribe();
        let (mut ours_until, mut failures) = (None, 0);
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            let looked = self.look(&mut ours_until).await;
            if failures > 0 && looked.is_ok() {
                tracing::info!("the event stream is told again");
                failures = 0;
            }
            match looked {
                Ok(Looked::Told) => {}
                Ok(Looked::Nothing) => rest(&mut changed, &shutdown).await,
                Ok(Looked::NotOurTurn) => pause(self.lease / 3, &shutdown).await,
                Err(Failure::Store(StoreError::Closed)) => return,
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(%error, "the event stream cannot be told; it is tried again");
                    }
                    counter!(names::STREAM_FAILURES).increment(1);
                    pause(pause_after(failures), &shutdown).await;
                    failures += 1;
                }
            }
        }
        // Where it cannot be given back it ends by itself.
        let _ = self.store.end_lease(LEASE, &self.owner).await;
    }

    /// Tells of some of what is to be told, where it is this server's turn. `ours_until`: how long it is.
    async fn look(&self, ours_until: &mut Option<Instant>) -> Result<Looked, Failure> {
        if !self.has_turn(ours_until).await? {
            return Ok(Looked::NotOurTurn);
        }
        let untold = self.store.untold_events(BATCH).await?;
        if untold.is_empty() {
            return Ok(Looked::Nothing);
        }
        let until = ours_until.unwrap_or_else(Instant::now);
        let (told, failure) = self.tell(untold, until).await;
        if !told.is_empty() {
            crash_point("stream.published");
            self.store.told_events(&told).await?;
        }
        failure.map_or(Ok(Looked::Told), |failure| Err(failure.into()))
    }

    /// Takes the turn, or keeps it; by this machine's own clock it ends early rather than late.
    async fn has_turn(&self, ours_until: &mut Option<Instant>) -> Result<bool, StoreError> {
        let now = Instant::now();
        if ours_until.is_some_and(|until| until > now + self.lease / 2) {
            return Ok(true);
        }
        let moment = self.clock.now();
        let until = jiff::SignedDuration::try_from(self.lease).ok().and_then(|lease| moment.checked_add(lease).ok());
        let until = until.unwrap_or(jiff::Timestamp::MAX);
        let ours = self.store.take_lease(LEASE, &self.owner, moment, until).await?;
        *ours_until = ours.then(|| now + self.lease);
        Ok(ours)
    }

    /// Tells of these transitions until then: of one execution one event after the other, of several side by side. Which
    /// were told whole, and what stood in the way.
    async fn tell(&self, untold: Vec<UntoldEvents>, until: Instant) -> (Vec<i64>, Option<PublishFailure>) {
        let mut by_execution: IndexMap<ExecutionId, Vec<UntoldEvents>> = IndexMap::new();
        for transition in untold {
            by_execution.entry(transition.execution).or_default().push(transition);
        }
        let telling = stream::iter(by_execution.into_values()).map(|of_one| self.tell_of_one(of_one, until));
        let ended: Vec<(Vec<i64>, Option<PublishFailure>)> = telling.buffer_unordered(AT_ONCE).collect().await;
        let (told, failures): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
        (told.concat(), failures.into_iter().flatten().next())
    }

    async fn tell_of_one(&self, of_one: Vec<UntoldEvents>, until: Instant) -> (Vec<i64>, Option<PublishFailure>) {
        let mut told = Vec::with_capacity(of_one.len());
        for transition in of_one {
            for event in &transition.events {
                if Instant::now() >= until {
                    return (told, None);
                }
                if let Err(failure) = self.publish(Message::of(&transition, event)).await {
                    return (told, Some(failure));
                }
            }
            counter!(names::STREAM_EVENTS).increment(transition.events.len() as u64);
            told.push(transition.position);
        }
        (told, None)
    }

    /// A message that is too large goes without what makes it so: it would hold up all that comes after it.
    async fn publish(&self, message: Message) -> Result<(), PublishFailure> {
        match self.publisher.publish(&message).await {
            Err(PublishFailure::TooLarge) => {
                tracing::warn!(
                    id = message.id,
                    "an event is larger than the event stream takes; it goes without its data"
                );
                self.publisher.publish(&message.without_data()).await
            }
            published => published,
        }
    }
}

fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_PAUSE)
}

/// Waits for a hint, for a poll, or for the shutdown.
async fn rest(changed: &mut watch::Receiver<u64>, shutdown: &CancellationToken) {
    tokio::select! {
        _ = changed.changed() => {}
        () = pause(POLL, shutdown) => {}
    }
    pause(HINT_PAUSE, shutdown).await;
}

async fn pause(pause: Duration, shutdown: &CancellationToken) {
    let _ = shutdown.run_until_cancelled(tokio::time::sleep(pause)).await;
}
