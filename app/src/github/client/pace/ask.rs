//! What a request weighs for GitHub's limits, and who waits for it.
//!
//! Source: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>.

use std::time::Duration;

use http::Method;

/// Points of one installation in one minute.
pub(super) const POINTS: u64 = 900;
/// Requests that create content, in one minute.
pub(super) const CREATED_PER_MINUTE: u64 = 80;
/// Requests that create content, in one hour.
pub(super) const CREATED_PER_HOUR: u64 = 500;
/// Writes of any kind in one minute: what is left of the points is for reading.
pub(super) const WRITES_PER_MINUTE: u64 = 140;
/// Requests of one installation that one server has under way: four servers together stay within GitHub's 100.
pub(super) const AT_ONCE: usize = 25;

/// How long GitHub's minute and hour are, and how long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub(super) minute: Duration,
    pub(super) hour: Duration,
    /// A longer wait gives back what is done under a lease.
    pub(super) longest_wait: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { minute, hour: minute * 60, longest_wait: Duration::from_secs(20) }
    }
}

impl Timing {
    /// Time that runs so many times faster, for tests with a GitHub whose time does so, too. No setting leads here.
    #[must_use]
    pub fn faster(times: u32) -> Self {
        let Self { minute, hour, longest_wait } = Self::default();
        let times = times.max(1);
        Self { minute: minute / times, hour: hour / times, longest_wait: longest_wait / times }
    }

    /// How long somebody waits who holds this meanwhile.
    pub(super) fn longest_wait_of(self, holds: Holds) -> Duration {
        match holds {
            Holds::Place => self.longest_wait / 10,
            Holds::Lease => self.longest_wait,
            Holds::Nothing => self.minute * 2,
        }
    }

    /// How long what is under way is waited for before it is looked at again: its end is told of.
    pub(super) fn look_again(self) -> Duration {
        self.longest_wait / 20
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Reads,
    /// It asks for the limit itself, which counts for nothing of the hour.
    AsksLimit,
    /// It writes in the App's own name what nobody is told of: a token, a redelivery.
    Serves,
    /// It changes what is there.
    Changes,
    /// It makes something that people are notified of.
    Creates,
}

impl Kind {
    /// Of a request in an installation's name.
    pub(in super::super) fn of(method: &Method, path: &str) -> Self {
        let creates = ["/check-runs", "/comments", "/reactions"].iter().any(|end| path.ends_with(end));
        match *method {
            Method::GET | Method::HEAD if path.ends_with("/rate_limit") => Self::AsksLimit,
            Method::GET | Method::HEAD => Self::Reads,
            Method::POST if creates => Self::Creates,
            _ => Self::Changes,
        }
    }

    /// Of a request in the App's own name.
    pub(in super::super) fn of_app(method: &Method) -> Self {
        if method.is_safe() { Self::Reads } else { Self::Serves }
    }

    pub(super) fn points(self) -> u64 {
        if matches!(self, Self::Reads | Self::AsksLimit) { 1 } else { 5 }
    }

    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Changes | Self::Creates)
    }

    pub(super) fn creates(self) -> bool {
        self == Self::Creates
    }
}

/// Who waits for a request. Where little is left, who comes first gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Urgency {
    /// People: their words are weighed, they are asked or answered.
    #[default]
    People,
    /// Whoever looks how far something is.
    Timeline,
    /// Nobody: it is looked whether something was missed.
    Reconciliation,
}

impl Urgency {
    /// What is left to those who come first, of so much in all.
    pub(super) fn leaves(self, all: u64) -> u64 {
        match self {
            Self::People => 0,
            Self::Timeline => all / 50,
            Self::Reconciliation => all / 10,
        }
    }
}

/// What whoever asks holds, and keeps from others while he waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holds {
    /// One of the few places of intake, which other installations want as well.
    Place,
    /// A lease, such as that of an installation's writes.
    #[default]
    Lease,
    /// Nothing.
    Nothing,
}

/// A request that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// What it does.
    pub kind: Kind,
    /// Who waits for it.
    pub urgency: Urgency,
    /// What waits with it.
    pub holds: Holds,
}

impl Ask {
    /// Of somebody who holds a lease.
    pub const fn new(kind: Kind, urgency: Urgency) -> Self {
        Self { kind, urgency, holds: Holds::Lease }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_notifies_people_creates() {
        for (method, path, expected) in [
            (Method::GET, "/repos/o/r/issues/1/comments", Kind::Reads),
            (Method::GET, "/api/v3/rate_limit", Kind::AsksLimit),
            (Method::POST, "/repos/o/r/issues/1/comments", Kind::Creates),
            (Method::POST, "/repos/o/r/issues/comments/1/reactions", Kind::Creates),
            (Method::POST, "/repos/o/r/check-runs", Kind::Creates),
            (Method::PATCH, "/repos/o/r/issues/comments/1", Kind::Changes),
            (Method::POST, "/repos/o/r/git/trees", Kind::Changes),
            (Method::POST, "/repos/o/r/actions/runs/1/cancel", Kind::Changes),
        ] {
            assert_eq!(Kind::of(&method, path), expected, "{method} {path}");
        }
    }
}
