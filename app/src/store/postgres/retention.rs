//! Forgets executions that ended long ago, with everything of theirs, a few at a time.

use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::columns::micros;

/// The last event of an execution that has ended is its end. Ids are by the time of creation, so the oldest come first;
/// what another server forgets at the same time is left to it.
const ENDED: &str = "
    select tenant, id from executions e
    where not open and created_at < $1 and (
      select at from events last where last.tenant = e.tenant and last.execution = e.id and last.seq = e.last_seq) < $1
    order by id limit $2 for update skip locked";
/// The execution's own row goes last, since others refer to it.
const FORGET: [&str; 9] = [
    "delete from events where tenant = $1 and execution = $2",
    "delete from work where tenant = $1 and execution = $2",
    "delete from words where tenant = $1 and execution = $2",
    "delete from approvals where tenant = $1 and execution = $2",
    "delete from event_waits where tenant = $1 and execution = $2",
    "delete from signals where tenant = $1 and execution = $2",
    "delete from github_comments where tenant = $1 and execution = $2",
    "delete from github_check_runs where tenant = $1 and execution = $2",
    "delete from executions where tenant = $1 and id = $2",
];

pub(super) async fn forget(
    connection: &mut PgConnection,
    ended_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let mut transaction = connection.begin().await?;
    let ended: Vec<(String, Uuid)> =
        sqlx::query_as(ENDED).bind(micros(ended_before)).bind(i64::from(limit)).fetch_all(&mut *transaction).await?;
    for (tenant, id) in &ended {
        for statement in FORGET {
            sqlx::query(statement).bind(tenant).bind(id).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(ended.len() as u64)
}
