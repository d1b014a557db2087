//! Who performs attempts: so many hands, each with one attempt at a time. A transition that starts a step takes free
//! hands along, so that the attempt is claimed in its transaction and performed right after it; what finds none waits
//! in the queue, from which hands are filled too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// While attempts wait in the queue, every so many steps a hand goes there instead of on with its execution: what was
/// begun ends soon, and nothing waits for ever.
const TURN: u32 = 8;

/// The right to perform one attempt; let go when it is dropped.
pub(super) type Hand = OwnedSemaphorePermit;

/// The hands of an engine. None is free until the engine runs.
#[derive(Debug)]
pub(super) struct Hands {
    count: usize,
    free: Arc<Semaphore>,
    working: AtomicBool,
    queue: AtomicBool,
    turn: AtomicU32,
    pub(super) tasks: TaskTracker,
    /// Cancelled when attempts under way are to be given up.
    pub(super) given_up: CancellationToken,
}

impl Hands {
    pub(super) fn new(count: usize) -> Self {
        let count = count.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            count,
            free: Arc::new(Semaphore::new(count)),
            working: AtomicBool::new(false),
            queue: AtomicBool::new(false),
            turn: AtomicU32::new(0),
            tasks: TaskTracker::new(),
            given_up: CancellationToken::new(),
        }
    }

    /// Whether anything is performed here without being asked for.
    pub(super) fn set_working(&self, working: bool) {
        self.working.store(working, Ordering::Relaxed);
    }

    /// Says whether attempts wait in the queue.
    pub(super) fn set_queue(&self, waits: bool) {
        self.queue.store(waits, Ordering::Relaxed);
    }

    /// Whether anything is performed here without being asked for.
    pub(super) fn is_working(&self) -> bool {
        self.working.load(Ordering::Relaxed)
    }

    /// How many hands one execution may have: never all, where there are several.
    pub(super) fn share(&self) -> usize {
        (self.count - self.count / 4).max(1)
    }

    /// How many attempts are claimed from the queue at a time: with these an execution just below its share does not have
    /// all hands either.
    pub(super) fn at_a_time(&self) -> usize {
        (self.count / 4).max(1)
    }

    /// Hands for so many attempts, `own` being one that is about to be free; as many as there are.
    pub(super) fn take(&self, count: usize, own: &mut Option<Hand>) -> Vec<Hand> {
        if count == 0 || !self.working.load(Ordering::Relaxed) {
            return Vec::new();
        }
        if self.queue.load(Ordering::Relaxed) && self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(TURN) {
            return Vec::new();
        }
        let mut hands = Vec::new();
        while hands.len() + usize::from(own.is_some()) < count {
            let Ok(hand) = Arc::clone(&self.free).try_acquire_owned() else { break };
            hands.push(hand);
        }
        if hands.len() < count {
            hands.extend(own.take());
        }
        hands
    }

    /// Waits for a free hand and takes more that are free then, up to this many. None where there will be no more.
    pub(super) async fn free(&self, at_most: usize) -> Vec<Hand> {
        let Ok(first) = Arc::clone(&self.free).acquire_owned().await else { return Vec::new() };
        let mut hands = vec![first];
        while hands.len() < at_most
            && let Ok(hand) = Arc::clone(&self.free).try_acquire_owned()
        {
            hands.push(hand);
        }
        hands
    }
}
