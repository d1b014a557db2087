//! How many requests an installation has left in its hour, as GitHub says with every answer
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit>).
//! An answer that nothing has changed counts for nothing there, and so for nothing here.

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ask::Urgency;

/// What is left of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    limit: u64,
    remaining: u64,
    reset: Timestamp,
}

impl Left {
    /// What an answer says; a server without limits says nothing.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let reset = Timestamp::from_second(i64::try_from(number("x-ratelimit-reset")?).ok()?).ok()?;
        Some(Self { limit: number("x-ratelimit-limit")?, remaining: number("x-ratelimit-remaining")?, reset })
    }

    /// Both together: of one hour the lower, since answers come in any order; of two hours the later.
    pub(super) fn with(self, other: Self) -> Self {
        match self.reset.cmp(&other.reset) {
            std::cmp::Ordering::Equal => Self { remaining: self.remaining.min(other.remaining), ..other },
            std::cmp::Ordering::Less => other,
            std::cmp::Ordering::Greater => self,
        }
    }

    /// Until when somebody of this urgency has none to make, where so many are under way; nothing where there is one.
    pub(super) fn used_up_until(self, urgency: Urgency, under_way: usize, now: Timestamp) -> Option<Timestamp> {
        let under_way = u64::try_from(under_way).unwrap_or(u64::MAX);
        // GitHub tells whole seconds, and its second has to be over.
        let over = self.reset.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        let is_left = self.remaining.saturating_sub(under_way) > urgency.leaves(self.limit);
        (!is_left && over > now).then_some(over)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn left(remaining: u64, reset: i64) -> Left {
        Left { limit: 5_000, remaining, reset: at(reset) }
    }

    #[test]
    fn what_an_answer_says_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(Left::of(&headers), None, "a server without limits says nothing");
        for (name, value) in
            [("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "3600")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        assert_eq!(Left::of(&headers), Some(left(7, 3_600)));
    }

    #[test]
    fn people_have_the_last_of_an_hour_and_who_looks_for_what_was_missed_leaves_a_tenth() {
        let until = |urgency, remaining| left(remaining, 3_600).used_up_until(urgency, 1, at(10)).is_some();
        for (urgency, enough) in [(Urgency::People, 2), (Urgency::Timeline, 102), (Urgency::Reconciliation, 502)] {
            assert!(!until(urgency, enough) && until(urgency, enough - 1), "{urgency:?}");
        }
        let none = left(0, 3_600);
        assert_eq!(none.used_up_until(Urgency::People, 0, at(10)), Some(at(3_601)));
        assert_eq!(none.used_up_until(Urgency::People, 0, at(3_601)), None, "a new hour");
    }

    #[test]
    fn answers_come_in_any_order() {
        assert_eq!(left(7, 3_600).with(left(9, 3_600)), left(7, 3_600));
        assert_eq!(left(7, 3_600).with(left(4_999, 7_200)), left(4_999, 7_200));
        assert_eq!(left(4_999, 7_200).with(left(7, 3_600)), left(4_999, 7_200));
    }
}
