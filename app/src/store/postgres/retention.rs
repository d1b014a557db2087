//! Forgets executions that ended long ago, with everything of theirs, a few at a time; and turns that nobody has.

use jiff::Timestamp;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::payloads;
use super::text::storable;
use crate::store::columns::{micros, tenant as tenant_of, timestamp};
use crate::store::{ProcessKey, StoreError};

/// Turns that are forgotten at a time.
const MOST_TURNS: i64 = 1_000;

/// What another server forgets at the same time, or has go on, is left to it.
const ENDED: &str = "
    select position, tenant, id from executions where ended_at < $1 order by ended_at limit $2 for update skip locked";
const ENDED_OF: &str = "
    select position, tenant, id from executions
    where process = $3 and tenant = $4 and repository = $5 and ended_at < $1 order by id limit $2
    for update skip locked";
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
    let ended: Vec<Ended> =
        sqlx::query_as(ENDED).bind(micros(ended_before)).bind(i64::from(limit)).fetch_all(&mut *transaction).await?;
    forget_all(&mut transaction, &ended).await?;
    transaction.commit().await?;
    sqlx::query(UNTOLD).bind(micros(ended_before)).execute(&mut *connection).await?;
    sqlx::query(TURNS).bind(MOST_TURNS).execute(connection).await?;
    Ok(ended.len() as u64)
}

/// The same of one process.
pub(super) async fn forget_of(
    connection: &mut PgConnection,
    process: &ProcessKey,
    ended_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let ProcessKey { tenant, repository, process } = process;
    let mut transaction = connection.begin().await?;
    let ended: Vec<Ended> = sqlx::query_as(ENDED_OF)
        .bind(micros(ended_before))
        .bind(i64::from(limit))
        .bind(storable(process))
        .bind(tenant.as_str())
        .bind(storable(repository))
        .fetch_all(&mut *transaction)
        .await?;
    forget_all(&mut transaction, &ended).await?;
    transaction.commit().await?;
    Ok(ended.len() as u64)
}

/// Position, tenant and id.
type Ended = (i64, String, Uuid);

async fn forget_all(transaction: &mut PgConnection, ended: &[Ended]) -> Result<(), StoreError> {
    let positions: Vec<i64> = ended.iter().map(|(position, ..)| *position).collect();
    for statement in BY_POSITION {
        sqlx::query(statement).bind(&positions).execute(&mut *transaction).await?;
    }
    payloads::forget(transaction, &positions).await?;
    for (_, tenant, id) in ended {
        for statement in BY_ID {
            sqlx::query(statement).bind(tenant).bind(id).execute(&mut *transaction).await?;
        }
    }
    Ok(())
}

const PROCESSES: &str = "select distinct tenant, repository, process from executions where ended_at < $1";

pub(super) async fn processes_ended(
    connection: &mut PgConnection,
    ended_before: Timestamp,
) -> Result<Vec<ProcessKey>, StoreError> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as(PROCESSES).bind(micros(ended_before)).fetch_all(connection).await?;
    let key = |(tenant, repository, process)| ProcessKey { tenant: tenant_of(tenant), repository, process };
    Ok(rows.into_iter().map(key).collect())
}

const ARCHIVED: &str = "
    insert into archived_processes (tenant, repository, process, since) values ($1, $2, $3, $4) on conflict do nothing";
const SINCE: &str = "
    select since from archived_processes where tenant = $1 and repository = $2 and process = $3";
const LIVE: &str = "delete from archived_processes where tenant = $1 and repository = $2 and process = $3";

pub(super) async fn note_archived(
    connection: &mut PgConnection,
    key: &ProcessKey,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let ProcessKey { tenant, repository, process } = key;
    let noted = sqlx::query(ARCHIVED).bind(tenant.as_str()).bind(storable(repository)).bind(storable(process));
    noted.bind(micros(now)).execute(&mut *connection).await?;
    let since = sqlx::query_scalar(SINCE).bind(tenant.as_str()).bind(storable(repository)).bind(storable(process));
    let since: Option<i64> = since.fetch_optional(connection).await?;
    since.map_or(Ok(now), timestamp)
}

pub(super) async fn note_live(connection: &mut PgConnection, key: &ProcessKey) -> Result<(), StoreError> {
    let ProcessKey { tenant, repository, process } = key;
    let query = sqlx::query(LIVE).bind(tenant.as_str()).bind(storable(repository)).bind(storable(process));
    query.execute(connection).await?;
    Ok(())
}
