//! GitHub's rate limits, primary and secondary, per caller, on the sandbox's clock.
//! Sources: "Rate limits for the REST API", "Best practices for using the REST API".

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How often one caller may ask. [`RateLimits::default`] is what GitHub documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests an hour (primary limit of an installation).
    pub requests_per_hour: usize,
    /// Points a minute: 1 for a read, 5 for a write.
    pub points_per_minute: usize,
    /// Requests in flight.
    pub concurrent: usize,
    /// New comments, reviews, issues and pull requests a minute.
    pub content_per_minute: usize,
    /// The same an hour.
    pub content_per_hour: usize,
    /// Seconds that `Retry-After` asks for.
    pub retry_after: u64,
    /// How long a minute is.
    pub minute: SignedDuration,
    /// How long an hour is.
    pub hour: SignedDuration,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            requests_per_hour: 5_000,
            points_per_minute: 900,
            concurrent: 100,
            content_per_minute: 80,
            content_per_hour: 500,
            retry_after: 60,
            minute: SignedDuration::from_mins(1),
            hour: SignedDuration::from_hours(1),
        }
    }
}

impl RateLimits {
    /// The same limits in a time that runs so many times faster.
    #[must_use]
    pub fn faster(self, times: i32) -> Self {
        Self { minute: self.minute / times, hour: self.hour / times, ..self }
    }

    /// No limits at all, for tests that are about something else.
    pub fn off() -> Self {
        let most = usize::MAX;
        Self {
            requests_per_hour: most,
            points_per_minute: most,
            concurrent: most,
            content_per_minute: most,
            content_per_hour: most,
            retry_after: 1,
            ..Self::default()
        }
    }
}

/// What a request weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub write: bool,
    /// Whether it creates something that notifies people.
    pub content: bool,
}

/// Why a request may not go through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooFast {
    /// The hour's requests are used up.
    Primary,
    /// A secondary limit was passed.
    Secondary { retry_after: u64 },
}

/// Where a caller stands within its hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub limit: usize,
    pub used: usize,
    pub reset: i64,
}

#[derive(Debug, Default)]
struct Window {
    /// (when, points, content)
    asked: VecDeque<(Timestamp, usize, bool)>,
    hour_began: Option<Timestamp>,
    used: usize,
}

/// The counters of all callers.
#[derive(Debug)]
pub struct Pace {
    limits: Mutex<RateLimits>,
    windows: Mutex<BTreeMap<String, Window>>,
    in_flight: Arc<AtomicUsize>,
}

/// Held while a request is being answered.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pace {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits: Mutex::new(limits), windows: Mutex::default(), in_flight: Arc::default() }
    }

    /// The limits in force.
    pub fn limits(&self) -> RateLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets other limits.
    pub fn set_limits(&self, limits: RateLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// How many requests are being answered now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Counts a request of `caller`, unless it is one too many.
    pub(crate) fn admit(&self, caller: &str, weight: Weight, now: Timestamp) -> Result<InFlight, TooFast> {
        let limits = self.limits();
        let secondary = TooFast::Secondary { retry_after: limits.retry_after };
        let guard = InFlight(Arc::clone(&self.in_flight));
        if self.in_flight.fetch_add(1, Ordering::SeqCst) >= limits.concurrent {
            return Err(secondary);
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(caller.to_owned()).or_default();
        window.turn(now, limits.hour);
        if window.used >= limits.requests_per_hour {
            return Err(TooFast::Primary);
        }
        let points = if weight.write { 5 } else { 1 };
        let minute = now - limits.minute;
        let spent: usize = window.asked.iter().filter(|(at, ..)| *at > minute).map(|(_, points, _)| points).sum();
        let content_hour = window.asked.iter().filter(|(_, _, content)| *content).count();
        let content_minute = window.asked.iter().filter(|(at, _, content)| *content && *at > minute).count();
        let too_much_content = content_minute >= limits.content_per_minute || content_hour >= limits.content_per_hour;
        if spent.saturating_add(points) > limits.points_per_minute || (weight.content && too_much_content) {
            return Err(secondary);
        }
        window.asked.push_back((now, points, weight.content));
        window.used += 1;
        Ok(guard)
    }

    /// Gives back the request that was answered 304: it does not count.
    pub(crate) fn forgive(&self, caller: &str) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(caller) {
            window.used = window.used.saturating_sub(1);
        }
    }

    /// Where `caller` stands.
    pub(crate) fn standing(&self, caller: &str, now: Timestamp) -> Standing {
        let limits = self.limits();
        let limit = limits.requests_per_hour.min(1_000_000);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(caller.to_owned()).or_default();
        window.turn(now, limits.hour);
        let began = window.hour_began.unwrap_or(now);
        Standing { limit, used: window.used.min(limit), reset: (began + limits.hour).as_second() }
    }
}

impl Window {
    /// Forgets what is older than an hour.
    fn turn(&mut self, now: Timestamp, hour: SignedDuration) {
        let hour = now - hour;
        while self.asked.front().is_some_and(|(at, ..)| *at <= hour) {
            self.asked.pop_front();
        }
        if self.hour_began.is_none_or(|began| began <= hour) {
            self.hour_began = Some(now);
            self.used = 0;
        }
    }
}
