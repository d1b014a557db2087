//! How values become columns and come back: times as microseconds, unsigned numbers as signed ones, JSON as text; and
//! how the writer runs its statements.

use flowctl_core::execution::{ExecutionId, TenantId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

/// A moment, cut to the microsecond before it.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A moment, raised to the microsecond after it: what is due then is never asked for too early.
pub(super) fn micros_after(at: Timestamp) -> i64 {
    let cut = at.as_microsecond();
    match Timestamp::from_microsecond(cut) {
        Ok(exact) if exact == at => cut,
        _ => cut.saturating_add(1),
    }
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::corrupt("a time", error))
}

/// An id or count of the outside world. SQLite's integers are signed 64-bit.
pub(super) fn signed(what: &'static str, number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::OutOfRange { what })
}

pub(super) fn unsigned(what: &str, number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn small(what: &str, number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(what, error))
}

pub(super) fn execution_id(text: &str) -> Result<ExecutionId, StoreError> {
    text.parse().map_err(|error| StoreError::corrupt("the id of an execution", error))
}

pub(super) fn tenant(text: String) -> TenantId {
    TenantId(text)
}

/// Runs a statement, prepared once per connection; how many rows it changed.
pub(super) fn execute(connection: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(values)
}

/// The row that a statement gives, if it gives one.
pub(super) fn optional<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached(sql)?.query_row(values, read).optional()
}

/// Every row that a statement gives.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let mut read_rows = Vec::new();
    while let Some(row) = rows.next()? {
        read_rows.push(read(row)?);
    }
    Ok(read_rows)
}
