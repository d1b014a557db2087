//! Who asked the REST API and git what, in order, for tests to look at.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// How many requests are remembered.
const KEPT: usize = 20_000;

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
}

impl RequestRecord {
    /// Whether it was meant to change something.
    pub fn is_write(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// All requests since the start, oldest first.
#[derive(Debug, Default)]
pub struct RequestLog {
    records: Mutex<Vec<RequestRecord>>,
}

impl RequestLog {
    pub(crate) fn add(&self, record: RequestRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= KEPT {
            records.drain(..KEPT / 2);
        }
        records.push(record);
    }

    /// Everything that was asked.
    pub fn all(&self) -> Vec<RequestRecord> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that changed something and said so (2xx), token requests aside.
    pub fn writes(&self) -> Vec<RequestRecord> {
        let all = self.all().into_iter();
        let told = |record: &RequestRecord| record.is_write() && (200..300).contains(&record.status);
        all.filter(|record| told(record) && !record.path.ends_with("/access_tokens")).collect()
    }

    /// Forgets what was asked so far.
    pub fn clear(&self) {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
