//! Forgets executions that ended long ago, with everything of theirs, a few at a time.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::columns::{all, execute, micros, optional, tenant, timestamp};
use crate::store::{ProcessKey, StoreError};

const ENDED: &str = "
    select position, tenant, id from executions where ended_at < ?1 order by ended_at limit ?2";
const ENDED_OF: &str = "
    select position, tenant, id from executions
    where process = ?3 and tenant = ?4 and repository = ?5 and ended_at < ?1 order by id limit ?2";
/// By position, then by tenant and id; the execution's own row goes last, since the others refer to it.
const BY_POSITION: [&str; 5] = [
    "delete from untold_events where execution = ?1",
    "delete from output_uses where execution = ?1",
    "delete from events where execution = ?1",
    "delete from snapshots where execution = ?1",
    "delete from work where execution = ?1",
];
const BY_ID: [&str; 7] = [
    "delete from approvals where tenant = ?1 and execution = ?2",
    "delete from words where tenant = ?1 and execution = ?2",
    "delete from event_waits where tenant = ?1 and execution = ?2",
    "delete from signals where tenant = ?1 and execution = ?2",
    "delete from github_comments where tenant = ?1 and execution = ?2",
    "delete from github_check_runs where tenant = ?1 and execution = ?2",
    "delete from executions where tenant = ?1 and id = ?2",
];

/// What could not be told then is not told any more.
const UNTOLD: &str = "delete from effects where status = 'failed' and not_before < ?1";

pub(super) fn forget(connection: &Connection, ended_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let ended = all(connection, ENDED, params![micros(ended_before), limit], ended)?;
    forget_all(connection, &ended)?;
    execute(connection, UNTOLD, [micros(ended_before)])?;
    Ok(ended.len() as u64)
}

/// The same of one process.
pub(super) fn forget_of(
    connection: &Connection,
    process: &ProcessKey,
    ended_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let ProcessKey { tenant, repository, process } = process;
    let of = params![micros(ended_before), limit, process, tenant.as_str(), repository];
    let ended = all(connection, ENDED_OF, of, ended)?;
    forget_all(connection, &ended)?;
    Ok(ended.len() as u64)
}

/// Position, tenant and id.
type Ended = (i64, String, String);

fn ended(row: &Row<'_>) -> Result<Ended, StoreError> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn forget_all(connection: &Connection, ended: &[Ended]) -> Result<(), StoreError> {
    for (position, tenant, id) in ended {
        for statement in BY_POSITION {
            execute(connection, statement, [position])?;
        }
        for statement in BY_ID {
            execute(connection, statement, [tenant, id])?;
        }
    }
    Ok(())
}

const PROCESSES: &str = "select distinct tenant, repository, process from executions where ended_at < $1";

pub(super) async fn processes_ended(
    readers: &SqlitePool,
    ended_before: Timestamp,
) -> Result<Vec<ProcessKey>, StoreError> {
    let rows = sqlx::query(PROCESSES).bind(micros(ended_before)).fetch_all(readers).await?;
    let key = |row: &SqliteRow| {
        let (repository, process) = (row.try_get("repository")?, row.try_get("process")?);
        Ok(ProcessKey { tenant: tenant(row.try_get("tenant")?), repository, process })
    };
    rows.iter().map(key).collect()
}

const ARCHIVED: &str = "
    insert into archived_processes (tenant, repository, process, since) values (?1, ?2, ?3, ?4) on conflict do nothing";
const SINCE: &str = "
    select since from archived_processes where tenant = ?1 and repository = ?2 and process = ?3";
const LIVE: &str = "delete from archived_processes where tenant = ?1 and repository = ?2 and process = ?3";

pub(super) fn note_archived(
    connection: &Connection,
    key: &ProcessKey,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let ProcessKey { tenant, repository, process } = key;
    execute(connection, ARCHIVED, params![tenant.as_str(), repository, process, micros(now)])?;
    let since = optional(connection, SINCE, params![tenant.as_str(), repository, process], |row| row.get(0))?;
    since.map_or(Ok(now), timestamp)
}

pub(super) fn note_live(connection: &Connection, key: &ProcessKey) -> Result<(), StoreError> {
    let ProcessKey { tenant, repository, process } = key;
    execute(connection, LIVE, params![tenant.as_str(), repository, process])?;
    Ok(())
}
