//! Answers about people, kept for a moment: what is younger than the limit is used as it is, what is older is asked
//! for again with its ETag, which costs GitHub and the hourly limit nothing when it has not changed.
//! Only successes are kept: somebody who was just let in must not be kept out by an older "no".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::repository::InstallationId;
use super::transport::Answer;

/// The limit of LANGUAGE: "Membership is at most 30 s old when a word is weighed."
pub(super) const FRESH_FOR: SignedDuration = SignedDuration::from_secs(30);
const MOST_ENTRIES: usize = 1_024;
const MOST_BYTES: usize = 16 * 1024 * 1024;

type Key = (InstallationId, String);

/// What is remembered, by installation and URL. One installation never sees what another was told.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    by_key: BTreeMap<Key, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// When the request was sent: the answer is never older than that.
    asked_at: Timestamp,
    answer: Answer,
}

impl Freshness {
    /// The answer and whether it is young enough to be used without asking.
    pub(super) fn recall(
        &self,
        (installation, url): (InstallationId, &str),
        good_for: SignedDuration,
        now: Timestamp,
    ) -> Option<(Answer, bool)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_key.get(&(installation, url.to_owned()))?;
        let age = now.duration_since(entry.asked_at);
        // A clock that was set back makes nothing young.
        Some((entry.answer.clone(), age >= SignedDuration::ZERO && age < good_for))
    }

    /// Keeps an answer to a request that was sent at `asked_at`.
    pub(super) fn keep(&self, installation: InstallationId, url: &str, asked_at: Timestamp, answer: Answer) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (installation, url.to_owned());
        entries.remove(&key);
        entries.bytes += answer.body.len();
        entries.by_key.insert(key, Entry { asked_at, answer });
        while entries.by_key.len() > MOST_ENTRIES || entries.bytes > MOST_BYTES {
            let oldest = entries.by_key.iter().min_by_key(|(_, entry)| entry.asked_at).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            entries.remove(&oldest);
        }
    }

    /// Forgets what is no longer so.
    pub(super) fn forget(&self, installation: InstallationId, url: &str) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&(installation, url.to_owned()));
    }
}

impl Entries {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.answer.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};

    use super::super::error::RequestLine;
    use super::*;

    fn answer(size: usize) -> Answer {
        let request = RequestLine { method: Method::GET, path: "/".to_owned() };
        Answer { request, status: StatusCode::OK, headers: HeaderMap::new(), body: Bytes::from(vec![b' '; size]) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn an_answer_is_young_for_less_than_thirty_seconds_and_for_its_own_installation() {
        let freshness = Freshness::default();
        freshness.keep(InstallationId(1), "u", at(100), answer(1));
        let recalled = |id, url, now| freshness.recall((InstallationId(id), url), FRESH_FOR, at(now));
        let young = |now| recalled(1, "u", now).map(|(_, young)| young);
        assert_eq!([young(100), young(129), young(130), young(99)], [true, true, false, false].map(Some));
        assert!(recalled(2, "u", 100).is_none());
        freshness.forget(InstallationId(1), "u");
        assert_eq!(young(100), None);
    }

    #[test]
    fn it_is_bounded_in_number_and_in_size() {
        let freshness = Freshness::default();
        let is_kept = |url| freshness.recall((InstallationId(1), url), FRESH_FOR, at(0)).is_some();
        for second in 0..1_100_i64 {
            freshness.keep(InstallationId(1), &second.to_string(), at(second), answer(1));
        }
        assert!(!is_kept("0"));
        assert!(is_kept("1099"));
        freshness.keep(InstallationId(1), "large", at(2_000), answer(MOST_BYTES));
        assert!(!is_kept("1099"));
        assert!(is_kept("large"));
    }
}
