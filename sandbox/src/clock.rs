//! The sandbox's clock: the machine's, moved forward as a test likes.
//! Everything that ages here (tokens, rate limits, stale checks) asks this clock, nothing else.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Machine time plus an offset that only grows.
#[derive(Debug, Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn ahead_by(milliseconds: i64) -> Self {
        Self { ahead_ms: AtomicI64::new(milliseconds) }
    }

    /// The present moment of the sandbox.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(jiff::SignedDuration::from_millis(self.ahead_ms())).unwrap_or(now)
    }

    /// Moves the clock forward by `span`.
    pub fn advance(&self, span: Duration) {
        let milliseconds = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.ahead_ms.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(crate) fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::SeqCst)
    }
}

/// A moment as GitHub writes it: UTC, whole seconds.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
