//! How fast GitHub is asked and told, for each installation: every request passes here, wherever in the code it is made.
//! One write at a time with a pause between two, GitHub's limits of a minute and an hour, what it says is left, and
//! nothing at all while it has asked to be left alone. How servers share this is `github/sharing`'s.
//!
//! Source: <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api> ("make requests
//! serially", "pause between mutative requests") and, for the limits, "About secondary rate limits".

mod ask;
mod installation;
mod lately;
mod left;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

pub use ask::{Ask, Holds, Kind, Timing, Urgency};
pub(crate) use lately::Lately;

use installation::{Blocked, Installation};
use left::Left;

use super::error::{GitHubError, RequestLine};
use crate::clock::Clock;

/// Under which the App's own requests are counted; no installation has it.
pub(super) const APP: u64 = 0;

/// The pace of every installation. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Pace {
    rules: Rules,
    clock: Arc<dyn Clock>,
    installations: Arc<Mutex<BTreeMap<u64, Installation>>>,
}

/// What holds for every installation.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// The least pause between two writes.
    interval: Duration,
    timing: Timing,
}

/// One moment by the clock that servers share and by the one that only goes on.
#[derive(Debug, Clone, Copy)]
struct Here {
    now: Timestamp,
    at: Instant,
}

/// Why nothing is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Because {
    /// `Retry-After`, or a limit that was passed.
    #[error("GitHub has asked to be left alone")]
    Asked,
    /// GitHub gives no token for the installation, or takes none.
    #[error("the installation is out of reach")]
    Parked,
    /// Little is left, or nothing.
    #[error("the hour's requests are nearly used up")]
    Hour,
    /// Points, or requests at once.
    #[error("what may be asked in a minute is used up")]
    Minute,
    /// Writes follow each other.
    #[error("the limit on writes is reached")]
    Writes,
    /// What people are notified of.
    #[error("the limit on content is reached")]
    Content,
}

/// Nothing is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rests {
    /// Why.
    pub because: Because,
    /// For how long.
    pub wait: Duration,
}

impl Rests {
    pub(super) fn instead_of(self, request: RequestLine) -> GitHubError {
        let Self { because, wait } = self;
        GitHubError::Rests { request, because, wait }
    }

    /// For how long.
    pub fn for_so_long(&self) -> SignedDuration {
        SignedDuration::try_from(self.wait).unwrap_or(SignedDuration::MAX)
    }
}

/// What is to be noted of an installation.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) lately: Lately,
    /// How often it had been noted before.
    pub(crate) noted: Option<u64>,
    version: u64,
}

impl Pace {
    /// At least `interval` between two writes of one installation.
    pub(super) fn new(interval: Duration, timing: Timing, clock: Arc<dyn Clock>) -> Self {
        Self { rules: Rules { interval, timing }, clock, installations: Arc::default() }
    }

    /// Whether something of this urgency is not to be begun now: a pause, or little that is left of the hour.
    pub fn rests(&self, installation: u64, urgency: Urgency) -> Option<Rests> {
        let here = self.here();
        let blocked = self.with(installation, |state| state.rests(urgency, here))?;
        Some(blocked.rests(here.at))
    }

    /// GitHub has asked to be left alone: nothing that it answers ends that earlier.
    pub fn pause(&self, installation: u64, until: Timestamp) {
        self.with(installation, |state| state.pause(until));
    }

    /// An installation is out of reach: nothing needs to be told. Who asks finds out by himself when it is back.
    pub fn park(&self, installation: u64, until: Timestamp) {
        self.with(installation, |state| state.park(Some(until)));
    }

    /// An installation is back.
    pub fn resume(&self, installation: u64) {
        self.with(installation, |state| state.park(None));
    }

    /// Waits until a request could be made, and counts nothing.
    ///
    /// # Errors
    /// How long to come back later, where that is longer than anybody should wait with what he holds.
    pub async fn ready(&self, installation: u64, ask: Ask) -> Result<(), Rests> {
        self.wait(installation, ask, false).await
    }

    /// Waits until a request may be made, and counts it.
    ///
    /// # Errors
    /// As [`Pace::ready`].
    pub(in crate::github) async fn enter(&self, installation: u64, ask: Ask) -> Result<Passage, Rests> {
        self.wait(installation, ask, true).await?;
        Ok(Passage { pace: self.clone(), installation, kind: ask.kind })
    }

    async fn wait(&self, installation: u64, ask: Ask, enters: bool) -> Result<(), Rests> {
        let (began, longest_wait) = (Instant::now(), self.rules.timing.longest_wait_of(ask.holds));
        loop {
            let changed = self.with(installation, |state| Arc::clone(&state.changed));
            let mut changed = std::pin::pin!(changed.notified());
            // What ends between the look and the wait is not overheard.
            changed.as_mut().enable();
            let here = self.here();
            let Some(blocked) = self.with(installation, |state| state.enter(ask, here, &self.rules, enters)) else {
                return Ok(());
            };
            if blocked.until.duration_since(began) > longest_wait {
                return Err(blocked.rests(here.at));
            }
            tokio::select! {
                () = tokio::time::sleep_until(blocked.until) => {}
                () = changed => {}
            }
        }
    }

    /// Whoever learns or notes what an installation was asked and told holds this meanwhile: what is being noted here is
    /// not learnt as if another server had done it.
    pub(crate) async fn sharing(&self, installation: u64) -> OwnedMutexGuard<()> {
        let sharing = self.with(installation, |state| Arc::clone(&state.sharing));
        sharing.lock_owned().await
    }

    /// Takes over what was noted of an installation for the `noted`th time, unless that or more is known here.
    pub(crate) fn learn(&self, installation: u64, noted: u64, lately: &Lately) {
        let here = self.here();
        self.with(installation, |state| state.learn(noted, lately, here, &self.rules));
    }

    /// What stands noted of an installation, whatever was known of it; nothing where there is no note any more.
    pub(crate) fn learn_anew(&self, installation: u64, noted: Option<(u64, Lately)>) {
        let here = self.here();
        self.with(installation, |state| state.learn_anew(noted, here, &self.rules));
    }

    /// What is to be noted of an installation; nothing where nothing is new.
    pub(crate) fn news(&self, installation: u64) -> Option<News> {
        let here = self.here();
        self.with(installation, |state| state.news(here, &self.rules))
    }

    /// The installations of which something is to be noted.
    pub(crate) fn with_news(&self) -> Vec<u64> {
        let installations = self.installations.lock().unwrap_or_else(PoisonError::into_inner);
        let with_news = installations.iter().filter(|(id, state)| **id != APP && state.is_news());
        with_news.map(|(id, _)| *id).collect()
    }

    /// What was new is noted, for the `noted`th time.
    pub(crate) fn shared(&self, installation: u64, noted: u64, news: &News) {
        self.with(installation, |state| state.shared(noted, news.version));
    }

    fn here(&self) -> Here {
        Here { now: self.clock.now(), at: Instant::now() }
    }

    fn with<T>(&self, installation: u64, look: impl FnOnce(&mut Installation) -> T) -> T {
        let mut installations = self.installations.lock().unwrap_or_else(PoisonError::into_inner);
        look(installations.entry(installation).or_default())
    }
}

impl Blocked {
    fn rests(self, now: Instant) -> Rests {
        Rests { because: self.because, wait: self.until.duration_since(now) }
    }
}

/// A request that is under way. It counts from its end on, whatever that is: GitHub counted it no later.
pub(in crate::github) struct Passage {
    pace: Pace,
    installation: u64,
    kind: Kind,
}

impl Passage {
    /// Learns what an answer says of the hour. Where the token was not taken it says that of whoever asks without one.
    pub(super) fn heard(&self, status: StatusCode, headers: &HeaderMap) {
        if let Some(left) = Left::of(headers).filter(|_| status != StatusCode::UNAUTHORIZED) {
            self.pace.with(self.installation, |state| state.heard(left));
        }
    }

    /// Leaves GitHub alone where it asks for that.
    pub(super) fn obey<T>(&self, answered: &Result<T, GitHubError>) {
        let Err(error) = answered else { return };
        if let Some(wait) = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok()) {
            self.pace.pause(self.installation, self.pace.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX));
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let at = Instant::now();
        self.pace.with(self.installation, |state| state.leave(self.kind, at, &self.pace.rules));
    }
}

#[cfg(test)]
mod tests;
