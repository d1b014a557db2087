//! How values become columns and come back: times as microseconds, unsigned numbers as signed ones, JSON as text.

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// A moment, cut to the microsecond before it.
pub(in crate::store) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A moment, raised to the microsecond after it: what is due then is never asked for too early.
pub(in crate::store) fn micros_after(at: Timestamp) -> i64 {
    let cut = at.as_microsecond();
    match Timestamp::from_microsecond(cut) {
        Ok(exact) if exact == at => cut,
        _ => cut.saturating_add(1),
    }
}

pub(in crate::store) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::corrupt("a time", error))
}

/// An id or count of the outside world. The integers of databases are signed 64-bit.
pub(in crate::store) fn signed(what: &'static str, number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::OutOfRange { what })
}

pub(in crate::store) fn unsigned(what: &str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::corrupt(what, error))
}

pub(in crate::store) fn small(what: &str, number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::corrupt(what, error))
}

pub(in crate::store) fn json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt(what, error))
}

pub(in crate::store) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(what, error))
}

pub(in crate::store) fn execution_id(text: &str) -> Result<ExecutionId, StoreError> {
    text.parse().map_err(|error| StoreError::corrupt("the id of an execution", error))
}

pub(in crate::store) fn tenant(text: String) -> TenantId {
    TenantId(text)
}
