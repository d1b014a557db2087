//! Forgets executions that ended long ago, with everything of theirs, a few at a time.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{all, execute, micros};
use crate::store::StoreError;

const ENDED: &str = "
    select position, tenant, id from executions where ended_at < ?1 order by ended_at limit ?2";
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
    let ended = all(connection, ENDED, params![micros(ended_before), limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for (position, tenant, id) in &ended {
        for statement in BY_POSITION {
            execute(connection, statement, [position])?;
        }
        for statement in BY_ID {
            execute(connection, statement, [tenant, id])?;
        }
    }
    execute(connection, UNTOLD, [micros(ended_before)])?;
    Ok(ended.len() as u64)
}
