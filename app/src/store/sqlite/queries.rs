//! What is read of executions, in SQL. Nothing here changes anything.

use std::path::Path;

use flowctl_core::execution::{Event, Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::columns::{execution_id, micros, signed, tenant as tenant_of, timestamp, unsigned};
use super::{Reading, outputs};
use crate::store::payloads::{Payloads, Read, Text, whole};
use crate::store::states::{self, Part, states_of};
use crate::store::{Backlog, DeliveryId, StoreError, Stored, StoredEvent, backlog};

/// The executions of such rows.
async fn states(rows: &[SqliteRow], outputs: &Path) -> Result<Vec<Stored>, StoreError> {
    let texts = rows.iter().map(read).collect::<Result<Vec<Read>, _>>()?;
    let bodies = outputs::of(outputs, &texts).await?;
    states::states(rows.iter().zip(&texts).map(|(row, text)| part(row, text, &bodies)))
}

fn part(row: &SqliteRow, read: &Read, bodies: &Payloads) -> Result<Part, StoreError> {
    if row.try_get::<i64, _>("seq")? == 0 {
        let there = !read.text.text.is_empty();
        let snapshot = there.then(|| whole("an execution", read, bodies)).transpose()?;
        return Ok(Part::Next(unsigned("a version", row.try_get("version")?)?, snapshot));
    }
    Ok(Part::Events(whole("the events", read, bodies)?))
}

/// A row's text with what is kept apart of it.
pub(super) fn read(row: &SqliteRow) -> Result<Read, StoreError> {
    let text: Option<String> = row.try_get("text")?;
    let text = Text { text: text.unwrap_or_default(), large: row.try_get("large")?, ..Text::default() };
    Ok(Read { tenant: row.try_get("tenant")?, text })
}

const LOAD: &str = states_of!("select position, version, tenant from executions where tenant = $1 and id = $2");

pub(super) async fn load(
    Reading { pool, outputs }: Reading<'_>,
    tenant: &TenantId,
    id: ExecutionId,
) -> Result<Option<Stored>, StoreError> {
    let rows = sqlx::query(LOAD).bind(tenant.as_str()).bind(id.to_string()).fetch_all(pool).await?;
    Ok(states(&rows, outputs).await?.pop())
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

const EXECUTIONS_OF: &str = states_of!(
    "select position, version, tenant from executions
    where tenant = $1 and repository = $2 and ($3 is null or number = $3) and open >= $4"
);

pub(super) async fn executions_of(
    Reading { pool, outputs }: Reading<'_>,
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
        .fetch_all(pool)
        .await?;
    let stored = states(&rows, outputs).await?;
    let mut executions: Vec<Execution> = stored.into_iter().map(|stored| stored.execution).collect();
    executions.sort_by_key(|execution| (execution.created_at, execution.id));
    Ok(executions)
}

/// A row holds at least one event: so many rows are enough.
const EVENTS: &str = "
    select seq, delivery, events as text, large, $1 as tenant from events
    where execution = (select position from executions where tenant = $1 and id = $2) and seq > $3
    order by seq limit $4";

pub(super) async fn events(
    Reading { pool, outputs }: Reading<'_>,
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
        .fetch_all(pool)
        .await?;
    let texts = rows.iter().map(read).collect::<Result<Vec<Read>, _>>()?;
    let bodies = outputs::of(outputs, &texts).await?;
    let mut found = Vec::new();
    for (row, text) in rows.iter().zip(&texts) {
        let events: Vec<Event> = whole("the events", text, &bodies)?;
        let delivery = row.try_get::<Option<String>, _>("delivery")?.map(DeliveryId);
        found.extend(states::numbered(row.try_get("seq")?, events, delivery, after_seq)?);
    }
    found.truncate(limit as usize);
    Ok(found)
}

pub(super) async fn backlog(readers: &SqlitePool) -> Result<Backlog, StoreError> {
    backlog::read(&sqlx::query(backlog::QUERY).fetch_one(readers).await?)
}

pub(super) async fn ping(readers: &SqlitePool) -> Result<(), StoreError> {
    sqlx::query("select 1 from executions limit 1").fetch_optional(readers).await?;
    Ok(())
}

const APPLIED: &str = "select coalesce(max(version), 0) from _sqlx_migrations where success";

/// The newest migration that stands.
pub(super) async fn applied(readers: &SqlitePool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(APPLIED).fetch_one(readers).await?)
}
