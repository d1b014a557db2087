//! How the writer runs its statements; and how values become columns and come back, as everywhere in the store.

use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::store::StoreError;
pub(super) use crate::store::columns::{
    execution_id, from_json, json, micros, micros_after, signed, small, tenant, timestamp, unsigned,
};

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
