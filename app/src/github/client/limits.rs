//! How many requests each installation has left in its hour, as GitHub says with every answer
//! (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit>).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;

use super::repository::InstallationId;

/// Requests that are kept for what people wait for: their words are weighed with the rest of the hour.
const KEPT_BACK: u64 = 100;

/// What is left, by installation.
#[derive(Debug, Default)]
pub(super) struct Limits {
    left: Mutex<BTreeMap<InstallationId, Left>>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    limit: u64,
    remaining: u64,
    reset: Timestamp,
}

impl Limits {
    /// Remembers what an answer says.
    pub(super) fn note(&self, installation: InstallationId, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        let reset =
            number("x-ratelimit-reset").and_then(|reset| Timestamp::from_second(i64::try_from(reset).ok()?).ok());
        let (Some(limit), Some(remaining), Some(reset)) =
            (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), reset)
        else {
            return;
        };
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.insert(installation, Left { limit, remaining, reset });
    }

    /// Until when an installation should ask for nothing that can wait; nothing where enough is left.
    pub(super) fn used_up_until(&self, installation: InstallationId, now: Timestamp) -> Option<Timestamp> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Left { limit, remaining, reset } = *left.get(&installation)?;
        (remaining < KEPT_BACK.min(limit / 10) && reset > now).then_some(reset)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    #[test]
    fn the_last_requests_of_an_hour_are_kept_back() {
        let limits = Limits::default();
        let (one, at) = (InstallationId(1), |second| Timestamp::from_second(second).unwrap());
        let until = |remaining: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [("x-ratelimit-limit", "5000"), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "3600")]
            {
                headers.insert(name, value.parse().unwrap());
            }
            limits.note(one, &headers);
            limits.used_up_until(one, at(10))
        };
        assert_eq!([until("4000"), until("100"), until("99")], [None, None, Some(at(3600))]);
        assert_eq!(limits.used_up_until(one, at(3600)), None, "a new hour");
        assert_eq!(limits.used_up_until(InstallationId(2), at(10)), None);
        limits.note(one, &HeaderMap::new());
        assert_eq!(limits.used_up_until(one, at(10)), Some(at(3600)), "a server without limits says nothing");
    }
}
