//! The one place that holds the state while the sandbox runs: changes go through it one at a time,
//! are written down, and only then told to the webhook address and to those who wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::git::GitStore;
use crate::pace::Pace;
use crate::requests::RequestLog;
use crate::shape::{Urls, View};
use crate::snapshot::Snapshot;
use crate::state::{Change, Id, World};
use crate::webhook;

/// A GitHub in memory over real git repositories.
#[derive(Debug)]
pub struct Hub {
    world: Mutex<World>,
    version: watch::Sender<u64>,
    outbound: mpsc::UnboundedSender<Id>,
    snapshot: Option<Snapshot>,
    /// The sandbox's clock.
    pub clock: Clock,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// How often one may ask.
    pub pace: Pace,
    /// Who asked what.
    pub requests: RequestLog,
    pub(crate) urls: Urls,
    pub(crate) git: GitStore,
    pub(crate) pushes: tokio::sync::Mutex<()>,
}

/// What a hub is made of.
pub(crate) struct HubParts {
    pub world: World,
    pub urls: Urls,
    pub git: GitStore,
    pub pace: Pace,
    pub snapshot: Option<Snapshot>,
    pub outbound: mpsc::UnboundedSender<Id>,
}

impl Hub {
    pub(crate) fn new(parts: HubParts) -> Self {
        let clock = Clock::ahead_by(parts.world.clock_ahead_ms);
        for delivery in parts.world.deliveries.values().filter(|delivery| !delivery.done) {
            // The queue lives as long as the hub: sending fails only while it is being torn down.
            let _ = parts.outbound.send(delivery.id);
        }
        Self {
            world: Mutex::new(parts.world),
            version: watch::Sender::new(0),
            outbound: parts.outbound,
            snapshot: parts.snapshot,
            clock,
            faults: Faults::default(),
            pace: parts.pace,
            requests: RequestLog::default(),
            urls: parts.urls,
            git: parts.git,
            pushes: tokio::sync::Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(View<'_>) -> T) -> T {
        let world = self.lock();
        look(View { world: &world, urls: &self.urls, git: &self.git })
    }

    /// Changes the state; events and everybody who waits hear of it once it is written down.
    ///
    /// # Errors
    /// What `act` refuses, or that the snapshot could not be written.
    pub fn change<T, E: From<SandboxError>>(&self, act: impl FnOnce(&mut Change<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut world = self.lock();
        let now = self.clock.now();
        let mut change =
            Change { world: &mut world, now, git: &self.git, urls: &self.urls, emitted: Vec::new(), touched: false };
        change.expire_check_runs();
        let result = act(&mut change);
        if result.is_ok() {
            change.touched = true;
        }
        let (emitted, touched) = (std::mem::take(&mut change.emitted), change.touched);
        if !touched {
            return result;
        }
        let queued = webhook::record(&mut world, now, emitted);
        world.clock_ahead_ms = self.clock.ahead_ms();
        self.save(&mut world)?;
        queued.into_iter().for_each(|delivery| self.queue(delivery));
        drop(world);
        self.version.send_modify(|version| *version += 1);
        result
    }

    /// Sends a recorded delivery.
    pub(crate) fn queue(&self, delivery: Id) {
        // The queue lives as long as the hub: sending fails only while it is being torn down.
        let _ = self.outbound.send(delivery);
    }

    fn save(&self, world: &mut World) -> Result<(), SandboxError> {
        let news = std::mem::take(&mut world.delivery_news);
        self.snapshot.as_ref().map_or(Ok(()), |snapshot| snapshot.write(world, &news))
    }

    /// Changes whenever the state does.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Waits until `look` finds something, at most `within`.
    ///
    /// # Errors
    /// [`SandboxError::NotInTime`], naming `what`.
    pub async fn wait_until<T>(
        &self,
        what: &str,
        within: std::time::Duration,
        mut look: impl FnMut(View<'_>) -> Option<T>,
    ) -> Result<T, SandboxError> {
        let mut changes = self.subscribe();
        let search = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = self.read(&mut look) {
                    return Some(found);
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        let found = tokio::time::timeout(within, search).await.ok().flatten();
        found.ok_or_else(|| SandboxError::NotInTime { what: what.to_owned(), seconds: within.as_secs_f64() })
    }
}
