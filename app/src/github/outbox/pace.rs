//! How fast one installation is written to: one write at a time, a pause between two, a limit per minute and hour,
//! and nothing at all while GitHub has asked to be left alone. How servers share what they have written is `lately`'s.
//!
//! Source: <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api> ("pause between
//! mutative requests", "wait at least one second") and, for the limits on content, "About secondary rate limits".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::lately::Lately;

/// Requests that create content, in one minute.
const PER_MINUTE: usize = 80;
/// Requests that create content, in one hour.
const PER_HOUR: usize = 500;
/// Writes of any kind in one minute: each weighs 5 of 900 points, and what is left is for reading (1 point each).
const WRITES_PER_MINUTE: usize = 140;
/// The longest pause that is waited for; a longer one gives the effect back.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a write does, for the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// It makes something that people are notified of.
    Creates,
    /// It changes what is there.
    Changes,
}

/// The pace of every installation. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Pace {
    interval: Duration,
    installations: Arc<Mutex<BTreeMap<u64, Installation>>>,
}

#[derive(Default)]
struct Installation {
    last_write: Option<Instant>,
    written: VecDeque<Instant>,
    created: VecDeque<Instant>,
    paused_until: Option<Timestamp>,
    /// How often it had been noted when it was as here, but for what was told since.
    noted: Option<u64>,
    /// Whether something is to be noted.
    is_news: bool,
}

impl Pace {
    /// At least `interval` between two writes of one installation.
    pub fn new(interval: Duration) -> Self {
        Self { interval, installations: Arc::default() }
    }

    /// Until when nothing of an installation is to be asked or told.
    pub fn paused_until(&self, installation: u64, now: Timestamp) -> Option<Timestamp> {
        self.with(installation, |state| state.paused_until.filter(|until| *until > now))
    }

    /// GitHub has asked to be left alone.
    pub fn pause(&self, installation: u64, until: Timestamp) {
        self.with(installation, |state| {
            state.paused_until = state.paused_until.max(Some(until));
            state.is_news = true;
        });
    }

    /// GitHub answers again.
    pub fn resume(&self, installation: u64) {
        self.with(installation, |state| {
            state.is_news |= state.paused_until.is_some();
            state.paused_until = None;
        });
    }

    /// Takes over what was noted of an installation for the `noted`th time, unless that is what is known here.
    pub(super) fn learn(&self, installation: u64, noted: u64, lately: &Lately, now: Timestamp) {
        let here = Here { now, at: Instant::now() };
        self.with(installation, |state| {
            if state.noted != Some(noted) {
                let (written, created) = (here.instants(&lately.written), here.instants(&lately.created));
                let (last_write, paused_until) = (written.back().copied(), lately.paused_until);
                *state =
                    Installation { last_write, written, created, paused_until, noted: Some(noted), is_news: false };
            }
        });
    }

    /// What is to be noted of an installation, and how often it had been before; nothing where nothing is new.
    pub(super) fn news(&self, installation: u64, now: Timestamp) -> Option<(Lately, Option<u64>)> {
        let here = Here { now, at: Instant::now() };
        self.with(installation, |state| {
            let paused_until = state.paused_until.filter(|until| *until > now);
            let (written, created) = (here.moments(&state.written, MINUTE), here.moments(&state.created, HOUR));
            state.is_news.then_some((Lately { written, created, paused_until }, state.noted))
        })
    }

    /// What was new is noted, for the `noted`th time.
    pub(super) fn shared(&self, installation: u64, noted: u64) {
        self.with(installation, |state| (state.noted, state.is_news) = (Some(noted), false));
    }

    /// Waits until an installation may be written to, and counts the write. Only whoever holds the installation's
    /// effect writes, so no two wait here at once.
    ///
    /// # Errors
    /// How long to come back later, where that is longer than anybody should wait with a lease in hand.
    pub async fn before(&self, installation: u64, write: Write) -> Result<(), SignedDuration> {
        let at = self.reserve(installation, write, Instant::now())?;
        tokio::time::sleep_until(at).await;
        Ok(())
    }

    /// The moment of the next write, which is counted from here on.
    fn reserve(&self, installation: u64, write: Write, now: Instant) -> Result<Instant, SignedDuration> {
        self.with(installation, |state| {
            let at = earliest(state, self.interval, write, now);
            let wait = at.duration_since(now);
            if wait > LONGEST_WAIT {
                return Err(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX));
            }
            state.is_news = true;
            state.last_write = Some(at);
            state.written.push_back(at);
            if write == Write::Creates {
                state.created.push_back(at);
            }
            Ok(at)
        })
    }

    fn with<T>(&self, installation: u64, look: impl FnOnce(&mut Installation) -> T) -> T {
        let mut installations = self.installations.lock().unwrap_or_else(PoisonError::into_inner);
        look(installations.entry(installation).or_default())
    }
}

/// One moment by the clock that servers share and by the one that only goes on.
struct Here {
    now: Timestamp,
    at: Instant,
}

impl Here {
    /// The moments of these that are no longer ago than `window`, as they are noted.
    fn moments(&self, instants: &VecDeque<Instant>, window: Duration) -> Vec<i64> {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let lately = instants.iter().filter(|instant| self.at.duration_since(**instant) <= window);
        let moment = |instant: &Instant| {
            let (ago, ahead) = (self.at.duration_since(*instant), instant.duration_since(self.at));
            self.now.as_millisecond().saturating_sub(millis(ago)).saturating_add(millis(ahead))
        };
        let mut before = 0;
        lately.map(|instant| moment(instant) - std::mem::replace(&mut before, moment(instant))).collect()
    }

    /// The same the other way round. A clock that is ahead holds nobody up for longer than anybody waits.
    fn instants(&self, moments: &[i64]) -> VecDeque<Instant> {
        let mut moment = 0_i64;
        let instant = |gap: &i64| {
            moment = moment.saturating_add(*gap);
            let ago = self.now.as_millisecond().saturating_sub(moment);
            let span = Duration::from_millis(ago.unsigned_abs());
            if ago < 0 { self.at + span.min(LONGEST_WAIT) } else { self.at.checked_sub(span).unwrap_or(self.at) }
        };
        moments.iter().map(instant).collect()
    }
}

fn earliest(state: &mut Installation, interval: Duration, write: Write, now: Instant) -> Instant {
    let mut at = state.last_write.map_or(now, |last| (last + interval).max(now));
    while state.written.front().is_some_and(|first| now.duration_since(*first) > MINUTE) {
        state.written.pop_front();
    }
    at = window_end(&state.written, WRITES_PER_MINUTE, MINUTE, at);
    if write == Write::Creates {
        while state.created.front().is_some_and(|first| now.duration_since(*first) > HOUR) {
            state.created.pop_front();
        }
        for (most, window) in [(PER_MINUTE, MINUTE), (PER_HOUR, HOUR)] {
            at = window_end(&state.created, most, window, at);
        }
    }
    at
}

/// When another one may follow, where `most` of these may lie within one window; `at` where that is earlier.
fn window_end(moments: &VecDeque<Instant>, most: usize, window: Duration, at: Instant) -> Instant {
    let oldest = moments.len().checked_sub(most).and_then(|index| moments.get(index));
    oldest.map_or(at, |oldest| at.max(*oldest + window))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_writes_of_one_installation_are_an_interval_apart() {
        let pace = Pace::new(Duration::from_secs(1));
        let begin = Instant::now();
        let after = |installation| {
            pace.reserve(installation, Write::Changes, begin).map(|at| at.duration_since(begin).as_secs())
        };
        assert_eq!([after(1), after(1), after(1), after(2)], [Ok(0), Ok(1), Ok(2), Ok(0)]);
    }

    #[test]
    fn content_is_limited_per_minute_and_per_hour() {
        let pace = Pace::new(Duration::ZERO);
        let begin = Instant::now();
        let (mut now, mut created) = (begin, Vec::new());
        while created.len() < 600 {
            match pace.reserve(1, Write::Creates, now) {
                Ok(at) => {
                    created.push(at);
                    now = now.max(at);
                }
                Err(wait) => now += Duration::try_from(wait).unwrap_or_default(),
            }
        }
        for (most, window) in [(PER_MINUTE, MINUTE), (PER_HOUR, HOUR)] {
            for (first, next) in created.iter().zip(created.iter().skip(most)) {
                assert!(*next - *first >= window, "{first:?} {next:?}");
            }
        }
    }

    #[test]
    fn two_servers_that_share_what_they_told_keep_to_one_limit() {
        let (one, other) = (Pace::new(Duration::ZERO), Pace::new(Duration::ZERO));
        let now = Timestamp::UNIX_EPOCH;
        let begin = Instant::now();
        let share = |from: &Pace, to: &Pace, noted: u64| {
            let (lately, _) = from.news(1, now).unwrap_or_default();
            from.shared(1, noted);
            to.learn(1, noted, &lately, now);
        };
        for turn in 0..PER_MINUTE {
            let (from, to) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
            assert!(from.reserve(1, Write::Creates, Instant::now()).is_ok(), "write {turn}");
            share(from, to, turn as u64);
        }
        for pace in [&one, &other] {
            let wait = pace.reserve(1, Write::Creates, Instant::now());
            let took = SignedDuration::try_from(begin.elapsed()).unwrap_or_default();
            assert!(wait.is_err_and(|wait| wait + took >= SignedDuration::from_secs(59)), "{wait:?}");
        }
        assert_eq!(one.news(1, now), None, "what was refused is not noted");
        other.pause(1, now + SignedDuration::from_secs(60));
        share(&other, &one, 80);
        assert!(one.paused_until(1, now).is_some());
        // What is known already is not taken over again: something may have been told since.
        one.resume(1);
        one.learn(1, 80, &Lately { paused_until: Some(Timestamp::MAX), ..Lately::default() }, now);
        assert_eq!(one.paused_until(1, now), None);
    }

    /// GitHub's limits on one installation, by the pages that this file names: points, and content.
    #[derive(Default)]
    struct Limits {
        spent: VecDeque<(Instant, u32, bool)>,
    }

    impl Limits {
        fn admits(&mut self, at: Instant, points: u32, creates: bool) -> bool {
            while self.spent.front().is_some_and(|(spent, ..)| at.duration_since(*spent) >= HOUR) {
                self.spent.pop_front();
            }
            let lately = self.spent.iter().filter(|(spent, ..)| at.duration_since(*spent) < MINUTE);
            let (mut minute, mut created) = (0, 0);
            for (_, points, creates) in lately {
                minute += points;
                created += usize::from(*creates);
            }
            let hour = self.spent.iter().filter(|(.., creates)| *creates).count();
            self.spent.push_back((at, points, creates));
            minute + points <= 900 && (!creates || (created < PER_MINUTE && hour < PER_HOUR))
        }
    }

    #[test]
    fn a_burst_of_five_hundred_executions_is_written_without_one_refusal() {
        // However short a pause the operator has set.
        let pace = Pace::new(Duration::ZERO);
        let mut github = Limits::default();
        let begin = Instant::now();
        let mut now = begin;
        // A comment and a check run each, both brought up to date once, and one look at what stands there.
        let writes = [Write::Creates, Write::Creates, Write::Changes, Write::Changes];
        for execution in 0..500 {
            assert!(github.admits(now, 1, false), "a read of execution {execution}");
            for write in writes {
                loop {
                    match pace.reserve(1, write, now) {
                        Ok(at) => {
                            now = now.max(at);
                            break;
                        }
                        Err(wait) => now += Duration::try_from(wait).unwrap_or_default(),
                    }
                }
                assert!(github.admits(now, 5, write == Write::Creates), "{write:?} of execution {execution}");
            }
        }
        // Two hours' worth of content, and not much more.
        assert!(now.duration_since(begin) < HOUR * 2 + MINUTE * 5, "{:?}", now.duration_since(begin));
    }

    #[test]
    fn a_pause_holds_for_its_installation() {
        let pace = Pace::new(Duration::ZERO);
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        pace.pause(1, at(60));
        pace.pause(1, at(30));
        assert_eq!(pace.paused_until(1, at(10)), Some(at(60)));
        assert_eq!(pace.paused_until(1, at(60)), None);
        assert_eq!(pace.paused_until(2, at(10)), None);
        pace.pause(1, at(90));
        pace.resume(1);
        assert_eq!(pace.paused_until(1, at(10)), None);
    }
}
