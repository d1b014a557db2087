//! Who asked the REST API and git what, in order, for tests to look at.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

/// How many requests are remembered.
const KEPT: usize = 20_000;
/// How many bytes of bodies are remembered; older ones are dropped first.
const KEPT_BODIES: usize = 64 * 1024 * 1024;

/// One request that was answered (or broken off).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// When it came.
    pub at: Timestamp,
    /// `GET`, `POST` …
    pub method: String,
    /// The path with its query, without `/api/v3`.
    pub path: String,
    /// The answer's status; 0 where the connection was reset.
    pub status: u16,
    /// Who asked: `app`, `installation:ID`, `person:LOGIN`, `anonymous`.
    pub caller: String,
    /// The JSON body as it came; `None` where none was read, or where it has been dropped to save memory.
    pub body: Option<Bytes>,
}

/// Where an endpoint that reads its body leaves it for the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadBody(Arc<OnceLock<Bytes>>);

impl ReadBody {
    pub(crate) fn put(&self, body: Bytes) {
        // A body is read once; whoever came first has put the same.
        let _ = self.0.set(body);
    }

    pub(crate) fn take(&self) -> Option<Bytes> {
        self.0.get().filter(|body| !body.is_empty()).cloned()
    }
}

impl RequestRecord {
    /// Whether it was git's, and not the REST API's.
    pub fn is_git(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        ["/info/refs", "/git-upload-pack", "/git-receive-pack"].iter().any(|end| path.ends_with(end))
    }

    /// Whether it was meant to change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// All requests since the start, oldest first.
#[derive(Debug, Default)]
pub struct RequestLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<RequestRecord>,
    body_bytes: usize,
    /// Records before this one have lost their bodies.
    bodies_from: usize,
}

impl Kept {
    fn add(&mut self, record: RequestRecord) {
        let length = |record: &RequestRecord| record.body.as_ref().map_or(0, Bytes::len);
        if self.records.len() >= KEPT {
            let forgotten: usize = self.records.drain(..KEPT / 2).map(|record| length(&record)).sum();
            self.body_bytes -= forgotten;
            self.bodies_from = self.bodies_from.saturating_sub(KEPT / 2);
        }
        self.body_bytes += length(&record);
        self.records.push(record);
        while self.body_bytes > KEPT_BODIES {
            let Some(oldest) = self.records.get_mut(self.bodies_from) else { break };
            self.body_bytes -= length(oldest);
            oldest.body = None;
            self.bodies_from += 1;
        }
    }
}

impl RequestLog {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, record: RequestRecord) {
        self.lock().add(record);
    }

    /// Everything that was asked.
    pub fn all(&self) -> Vec<RequestRecord> {
        self.lock().records.clone()
    }

    /// Requests that changed something and said so (2xx), token requests aside.
    pub fn writes(&self) -> Vec<RequestRecord> {
        let all = self.all().into_iter();
        let told = |record: &RequestRecord| record.is_write() && (200..300).contains(&record.status);
        all.filter(|record| told(record) && !record.path.ends_with("/access_tokens")).collect()
    }

    /// Forgets what was asked so far.
    pub fn clear(&self) {
        *self.lock() = Kept::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: usize) -> RequestRecord {
        let body = (body > 0).then(|| Bytes::from(vec![b' '; body]));
        RequestRecord {
            at: Timestamp::UNIX_EPOCH,
            method: "POST".into(),
            path: "/".into(),
            status: 201,
            caller: "app".into(),
            body,
        }
    }

    #[test]
    fn old_bodies_are_dropped_before_the_records_are() {
        let log = RequestLog::default();
        for body in [KEPT_BODIES, 0, 1, KEPT_BODIES - 1] {
            log.add(record(body));
        }
        let kept: Vec<_> = log.all().iter().map(|record| record.body.as_ref().map(Bytes::len)).collect();
        assert_eq!(kept, [None, None, Some(1), Some(KEPT_BODIES - 1)]);
        (0..KEPT).for_each(|_| log.add(record(1)));
        let all = log.all();
        assert!(all.len() <= KEPT && all.iter().all(|record| record.body.as_ref().map(Bytes::len) == Some(1)));
    }
}
