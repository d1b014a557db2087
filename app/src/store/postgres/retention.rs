//! Forgets executions that ended long ago, with everything of theirs, a few at a time; and turns that nobody has.

use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::payloads;
use crate::store::StoreError;
use crate::store::columns::micros;

/// Turns that are forgotten at a time.
const MOST_TURNS: i64 = 1_000;

/// What another server forgets at the same time, or has go on, is left to it.
const ENDED: &str = "
    select position, tenant, id from executions where ended_at < $1 order by ended_at limit $2 for update skip locked";
/// By position, then by tenant and id; the execution's own row goes last, since others refer to it.
const BY_POSITION: [&str; 4] = [
    "delete from untold_events where execution = any($1)",
    "delete from events where execution = any($1)",
    "delete from snapshots where execution = any($1)",
    "delete from work where execution = any($1)",
];
const BY_ID: [&str; 7] = [
    "delete from words where tenant = $1 and execution = $2",
    "delete from approvals where tenant = $1 and execution = $2",
    "delete from event_waits where tenant = $1 and execution = $2",
    "delete from signals where tenant = $1 and execution = $2",
    "delete from github_comments where tenant = $1 and execution = $2",
    "delete from github_check_runs where tenant = $1 and execution = $2",
    "delete from executions where tenant = $1 and id = $2",
];
/// What could not be told then is not told any more.
const UNTOLD: &str = "delete from effects where status = 'failed' and not_before < $1";
/// A turn that nobody has or waits for is nothing but a row; who takes it next makes it again.
const TURNS: &str = "
    delete from turns
    where (tenant, name) in (select tenant, name from turns order by tenant, name limit $1 for update skip locked)";

pub(super) async fn forget(
    connection: &mut PgConnection,
    ended_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut transaction = connection.begin().await?;
    let ended: Vec<(i64, String, Uuid)> =
        sqlx::query_as(ENDED).bind(micros(ended_before)).bind(i64::from(limit)).fetch_all(&mut *transaction).await?;
    let positions: Vec<i64> = ended.iter().map(|(position, ..)| *position).collect();
    for statement in BY_POSITION {
        sqlx::query(statement).bind(&positions).execute(&mut *transaction).await?;
    }
    payloads::forget(&mut transaction, &positions).await?;
    for (_, tenant, id) in &ended {
        for statement in BY_ID {
            sqlx::query(statement).bind(tenant).bind(id).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    sqlx::query(UNTOLD).bind(micros(ended_before)).execute(&mut *connection).await?;
    sqlx::query(TURNS).bind(MOST_TURNS).execute(connection).await?;
    Ok(ended.len() as u64)
}
