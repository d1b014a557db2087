//! How one installation stands: what was asked and told lately, what is under way, until when it rests. What is under way
//! weighs as if it were made now, and counts from its end on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ask::{AT_ONCE, Ask, CREATED_PER_HOUR, CREATED_PER_MINUTE, Kind, POINTS, Urgency, WRITES_PER_MINUTE};
use super::lately::Lately;
use super::left::Left;
use super::{Because, Here, News, Rules};
use crate::github::client::error::LONGEST_WAIT;

#[derive(Debug, Default)]
pub(super) struct Installation {
    /// By time, the oldest first.
    spent: Vec<Spent>,
    under_way: Vec<Kind>,
    left: Option<Left>,
    paused_until: Option<Timestamp>,
    parked_until: Option<Timestamp>,
    /// The version in which `parked_until` was set here.
    parked_in: u64,
    /// Rises with everything that others should know.
    version: u64,
    /// The version that was noted last.
    told: u64,
    /// How often it had been noted when that was taken over.
    noted: Option<u64>,
    /// Told of each end of a request, and of all else that may let another one begin.
    pub(super) changed: Arc<Notify>,
    /// Held by who learns or notes what was asked and told.
    pub(super) sharing: Arc<tokio::sync::Mutex<()>>,
}

/// A request that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) at: Instant,
    pub(super) kind: Kind,
    /// The version in which it was made here; 0 for what was noted by others.
    version: u64,
}

impl Spent {
    pub(super) fn by_others(at: Instant, kind: Kind) -> Self {
        Self { at, kind, version: 0 }
    }
}

/// No request may begin before then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocked {
    pub(super) until: Instant,
    pub(super) because: Because,
}

impl Installation {
    /// Begins a request where it may be made now.
    pub(super) fn enter(&mut self, ask: Ask, here: Here, rules: &Rules, begins: bool) -> Option<Blocked> {
        self.bound(here.now);
        let blocked = self.blocked(ask, here, rules).filter(|blocked| blocked.until > here.at);
        if begins && blocked.is_none() {
            self.under_way.push(ask.kind);
        }
        blocked
    }

    /// What is to be waited for longest.
    fn blocked(&self, ask: Ask, here: Here, rules: &Rules) -> Option<Blocked> {
        let reasons = [
            self.asked_to_rest(here),
            self.hour(ask, here),
            self.at_once(here, rules),
            self.points(ask, here, rules),
            self.writes(ask, here, rules),
            self.content(ask, here, rules),
        ];
        reasons.into_iter().flatten().max_by_key(|blocked| blocked.until)
    }

    /// Whether something of this urgency is not to be begun.
    pub(super) fn rests(&mut self, urgency: Urgency, here: Here) -> Option<Blocked> {
        self.bound(here.now);
        let parked = here.until(self.parked_until).map(|until| Blocked { until, because: Because::Parked });
        let hour = self.hour(Ask::new(Kind::Reads, urgency), here);
        [parked, self.asked_to_rest(here), hour].into_iter().flatten().max_by_key(|blocked| blocked.until)
    }

    /// No pause is longer than anybody asks for: a clock that was ahead binds nobody for days.
    fn bound(&mut self, now: Timestamp) {
        let latest = now.saturating_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
        for until in [&mut self.paused_until, &mut self.parked_until] {
            *until = until.map(|until| until.min(latest));
        }
    }

    fn asked_to_rest(&self, here: Here) -> Option<Blocked> {
        Some(Blocked { until: here.until(self.paused_until)?, because: Because::Asked })
    }

    fn hour(&self, ask: Ask, here: Here) -> Option<Blocked> {
        let left = self.left.filter(|_| ask.kind != Kind::AsksLimit)?;
        let until = left.used_up_until(ask.urgency, self.under_way.len(), here.now)?;
        Some(Blocked { until: here.until(Some(until))?, because: Because::Hour })
    }

    fn at_once(&self, here: Here, rules: &Rules) -> Option<Blocked> {
        let until = here.at + rules.timing.look_again();
        (self.under_way.len() >= AT_ONCE).then_some(Blocked { until, because: Because::Minute })
    }

    fn points(&self, ask: Ask, here: Here, rules: &Rules) -> Option<Blocked> {
        let most = POINTS - ask.urgency.leaves(POINTS);
        self.window(rules.timing.minute, most, ask.kind, here, Kind::points, Because::Minute)
    }

    fn writes(&self, ask: Ask, here: Here, rules: &Rules) -> Option<Blocked> {
        if !ask.kind.writes() {
            return None;
        }
        let writes = |kind: Kind| u64::from(kind.writes());
        let until = if self.under_way.iter().any(|kind| kind.writes()) {
            here.at + rules.timing.look_again()
        } else {
            self.spent.iter().rfind(|spent| spent.kind.writes())?.at + rules.interval
        };
        let serial = Blocked { until, because: Because::Writes };
        let window = self.window(rules.timing.minute, WRITES_PER_MINUTE, ask.kind, here, writes, Because::Writes);
        Some(window.filter(|window| window.until > until).unwrap_or(serial))
    }

    fn content(&self, ask: Ask, here: Here, rules: &Rules) -> Option<Blocked> {
        if !ask.kind.creates() {
            return None;
        }
        let creates = |kind: Kind| u64::from(kind.creates());
        let windows = [(rules.timing.minute, CREATED_PER_MINUTE), (rules.timing.hour, CREATED_PER_HOUR)];
        let blocked =
            windows.map(|(length, most)| self.window(length, most, ask.kind, here, creates, Because::Content));
        blocked.into_iter().flatten().max_by_key(|blocked| blocked.until)
    }

    /// Until when there is no room for a request of this kind in a window of this length.
    fn window(
        &self,
        length: Duration,
        most: u64,
        kind: Kind,
        here: Here,
        weight: impl Fn(Kind) -> u64,
        because: Because,
    ) -> Option<Blocked> {
        let within = || self.spent.iter().filter(|spent| spent.at + length > here.at);
        let under_way: u64 = self.under_way.iter().map(|kind| weight(*kind)).sum();
        let mut sum = under_way + within().map(|spent| weight(spent.kind)).sum::<u64>() + weight(kind);
        if sum <= most {
            return None;
        }
        for spent in within() {
            sum -= weight(spent.kind);
            if sum <= most {
                return Some(Blocked { until: spent.at + length, because });
            }
        }
        Some(Blocked { until: here.at + length, because })
    }

    /// A request has ended.
    pub(super) fn leave(&mut self, kind: Kind, at: Instant, rules: &Rules) {
        if let Some(index) = self.under_way.iter().position(|under_way| *under_way == kind) {
            self.under_way.swap_remove(index);
        }
        self.forget(at, rules);
        self.version += 1;
        self.spent.push(Spent { at, kind, version: self.version });
        self.changed.notify_waiters();
    }

    fn forget(&mut self, at: Instant, rules: &Rules) {
        let length = |kind: Kind| if kind.creates() { rules.timing.hour } else { rules.timing.minute };
        self.spent.retain(|spent| at.duration_since(spent.at) <= length(spent.kind));
    }

    pub(super) fn heard(&mut self, left: Left) {
        self.left = Some(self.left.map_or(left, |known| known.with(left)));
    }

    pub(super) fn pause(&mut self, until: Timestamp) {
        self.version += 1;
        self.paused_until = self.paused_until.max(Some(until));
    }

    pub(super) fn park(&mut self, until: Option<Timestamp>) {
        if self.parked_until != until {
            self.version += 1;
            (self.parked_until, self.parked_in) = (until, self.version);
        }
    }

    /// Takes over what all servers have noted, where that is newer; what was done here since stays.
    pub(super) fn learn(&mut self, noted: u64, lately: &Lately, here: Here, rules: &Rules) {
        // An older note may be read while a newer one is written.
        if self.noted.is_none_or(|known| known < noted) {
            self.take_over(noted, lately, here, rules);
        }
    }

    /// Takes over what stands noted, whatever was known of it. Where that is less than was noted, all that was done here is
    /// news again: a database that was put back has forgotten it.
    pub(super) fn learn_anew(&mut self, noted: Option<(u64, Lately)>, here: Here, rules: &Rules) {
        if self.noted > noted.as_ref().map(|(noted, _)| *noted) {
            self.told = 0;
        }
        match noted {
            Some((noted, lately)) => self.take_over(noted, &lately, here, rules),
            None => self.noted = None,
        }
    }

    fn take_over(&mut self, noted: u64, lately: &Lately, here: Here, rules: &Rules) {
        self.noted = Some(noted);
        self.spent.retain(|spent| spent.version > self.told);
        self.spent.extend(lately.spent(here, rules));
        self.spent.sort_by_key(|spent| spent.at);
        self.paused_until = self.paused_until.max(lately.paused_until);
        if self.parked_in <= self.told {
            self.parked_until = lately.parked_until;
        }
        if let Some(left) = lately.left {
            self.heard(left);
        }
        self.bound(here.now);
        self.changed.notify_waiters();
    }

    pub(super) fn is_news(&self) -> bool {
        self.version > self.told
    }

    pub(super) fn news(&mut self, here: Here, rules: &Rules) -> Option<News> {
        if !self.is_news() {
            return None;
        }
        self.forget(here.at, rules);
        self.bound(here.now);
        let open = |until: Option<Timestamp>| until.filter(|until| *until > here.now);
        let mut lately = Lately::of(&self.spent, here, rules);
        (lately.paused_until, lately.parked_until) = (open(self.paused_until), open(self.parked_until));
        lately.left = self.left;
        Some(News { lately, noted: self.noted, version: self.version })
    }

    pub(super) fn shared(&mut self, noted: u64, version: u64) {
        (self.noted, self.told) = (Some(noted), self.told.max(version));
    }
}

impl Here {
    /// A moment of the shared clock by the one that only goes on; nothing where it is over.
    fn until(self, until: Option<Timestamp>) -> Option<Instant> {
        let wait = until?.duration_since(self.now);
        wait.is_positive().then(|| self.at.checked_add(wait.unsigned_abs())).flatten()
    }
}
