//! What is read of executions, in SQL. Nothing here changes anything.

use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::columns::{execution_id, from_json, micros, micros_after, signed, tenant as tenant_of, timestamp, unsigned};
use crate::store::{Backlog, DeliveryId, ExecutionFilter, Page, StoreError, Stored, StoredEvent};

const LOAD: &str = "select version, state from executions where tenant = $1 and id = $2";

pub(super) async fn load(
    readers: &SqlitePool,
    tenant: &TenantId,
    id: ExecutionId,
) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query(LOAD).bind(tenant.as_str()).bind(id.to_string()).fetch_optional(readers).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Stored { execution: execution(&row)?, version: unsigned("a version", row.try_get("version")?)? }))
}

fn execution(row: &SqliteRow) -> Result<Execution, StoreError> {
    from_json("an execution", row.try_get("state")?)
}

const BY_START_KEY: &str = "select id from executions where tenant = $1 and start_key = $2";

pub(super) async fn by_start_key(
    readers: &SqlitePool,
    tenant: &TenantId,
    key: &str,
) -> Result<Option<ExecutionId>, StoreError> {
    let id: Option<String> =
        sqlx::query_scalar(BY_START_KEY).bind(tenant.as_str()).bind(key).fetch_optional(readers).await?;
    id.as_deref().map(execution_id).transpose()
}

const KNOWS_WORD: &str = "select count(*) from words where tenant = $1 and word = $2";

pub(super) async fn knows_word(readers: &SqlitePool, tenant: &TenantId, word: &str) -> Result<bool, StoreError> {
    let count: i64 = sqlx::query_scalar(KNOWS_WORD).bind(tenant.as_str()).bind(word).fetch_one(readers).await?;
    Ok(count > 0)
}

const DUE: &str = "
    select tenant, id from executions where wake_at is not null and wake_at <= $1 order by wake_at, id limit $2";

pub(super) async fn due(
    readers: &SqlitePool,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, ExecutionId)>, StoreError> {
    let rows = sqlx::query(DUE).bind(micros(now)).bind(limit).fetch_all(readers).await?;
    rows.iter().map(|row| Ok((tenant_of(row.try_get("tenant")?), execution_id(row.try_get("id")?)?))).collect()
}

const NEXT_WAKE: &str = "select min(wake_at) from executions where wake_at is not null";

pub(super) async fn next_wake(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT_WAKE).fetch_one(readers).await?;
    next.map(timestamp).transpose()
}

const EXECUTIONS_OF: &str = "
    select state from executions
    where tenant = $1 and repository = $2 and ($3 is null or number = $3) and open >= $4
    order by created_at, id";

pub(super) async fn executions_of(
    readers: &SqlitePool,
    tenant: &TenantId,
    repository: &str,
    number: Option<u64>,
    open_only: bool,
) -> Result<Vec<Execution>, StoreError> {
    let rows = sqlx::query(EXECUTIONS_OF)
        .bind(tenant.as_str())
        .bind(repository)
        .bind(number.map(|number| signed("the number", number)).transpose()?)
        .bind(open_only)
        .fetch_all(readers)
        .await?;
    rows.iter().map(execution).collect()
}

/// Ids are UUIDv7: by time, and unique. So an id is the cursor too.
macro_rules! list {
    ($scope:literal) => {
        concat!(
            "select state from executions where ",
            $scope,
            " and ($2 is null or repository = $2)
              and ($3 is null or process = $3)
              and ($4 is null or status = $4)
              and ($5 is null or created_at >= $5)
              and ($6 is null or created_at < $6)
              and ($7 is null or lower(id || ' ' || process || ' ' || repository) like $7 escape '\\')
              and ($8 is null or id < $8)
            order by id desc limit $9"
        )
    };
}
const LIST_OF_TENANT: &str = list!("tenant = $1");
const LIST_OF_ALL: &str = list!("$1 is null");

pub(super) async fn list(
    readers: &SqlitePool,
    tenant: Option<&TenantId>,
    filter: &ExecutionFilter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Execution>, StoreError> {
    let cursor: Option<ExecutionId> =
        cursor.map(|cursor| cursor.parse().map_err(|_| StoreError::WrongCursor)).transpose()?;
    let rows = sqlx::query(if tenant.is_some() { LIST_OF_TENANT } else { LIST_OF_ALL })
        .bind(tenant.map(TenantId::as_str))
        .bind(&filter.repository)
        .bind(&filter.process)
        .bind(filter.status.map(|status| status.as_str()))
        .bind(filter.since.map(micros_after))
        .bind(filter.until.map(micros_after))
        .bind(filter.text.as_deref().map(containing))
        .bind(cursor.map(|cursor| cursor.to_string()))
        .bind(i64::from(limit) + 1)
        .fetch_all(readers)
        .await?;
    let mut items: Vec<Execution> = rows.iter().map(execution).collect::<Result<_, _>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next })
}

/// A `like` pattern for texts that contain this one.
fn containing(text: &str) -> String {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

const EVENTS: &str = "
    select seq, delivery, event from events where tenant = $1 and execution = $2 and seq > $3 order by seq limit $4";

pub(super) async fn events(
    readers: &SqlitePool,
    tenant: &TenantId,
    id: ExecutionId,
    after_seq: u64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = sqlx::query(EVENTS)
        .bind(tenant.as_str())
        .bind(id.to_string())
        .bind(signed("the sequence number", after_seq)?)
        .bind(limit)
        .fetch_all(readers)
        .await?;
    rows.iter().map(event).collect()
}

fn event(row: &SqliteRow) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        seq: unsigned("a sequence number", row.try_get("seq")?)?,
        event: from_json("an event", row.try_get("event")?)?,
        delivery: row.try_get::<Option<String>, _>("delivery")?.map(DeliveryId),
    })
}

const BACKLOG: &str = "
    select (select count(*) from deliveries where status = 'pending') as deliveries,
      (select count(*) from work) as work,
      (select count(*) from effects where status = 'pending') as effects";

pub(super) async fn backlog(readers: &SqlitePool) -> Result<Backlog, StoreError> {
    let row = sqlx::query(BACKLOG).fetch_one(readers).await?;
    Ok(Backlog {
        deliveries: unsigned("a count", row.try_get("deliveries")?)?,
        work: unsigned("a count", row.try_get("work")?)?,
        effects: unsigned("a count", row.try_get("effects")?)?,
    })
}

pub(super) async fn ping(readers: &SqlitePool) -> Result<(), StoreError> {
    sqlx::query("select 1 from executions limit 1").fetch_optional(readers).await?;
    Ok(())
}
