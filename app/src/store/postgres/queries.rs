//! What is read of executions, in SQL; and when they are looked at again.

use flowctl_core::execution::{Event, Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::payloads;
use super::text::storable;
use crate::store::columns::{micros, micros_after, signed, tenant as tenant_of, timestamp, unsigned};
use crate::store::payloads::{Payloads, Read, Text, whole};
use crate::store::states::{self, Part, states_of};
use crate::store::{Backlog, DeliveryId, StoreError, Stored, StoredEvent, backlog};

const LOAD: &str = states_of!("select position, version, tenant from executions where tenant = $1 and id = $2");

pub(super) async fn load(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: ExecutionId,
) -> Result<Option<Stored>, StoreError> {
    let rows = sqlx::query(LOAD).bind(tenant.as_str()).bind(id).fetch_all(&mut *connection).await?;
    Ok(states(connection, &rows).await?.pop())
}

const LOAD_ALL: &str = states_of!("select position, version, tenant from executions where position = any($1)");

/// Those of these positions that there are, in no order.
pub(super) async fn load_all(connection: &mut PgConnection, positions: &[i64]) -> Result<Vec<Execution>, StoreError> {
    let rows = sqlx::query(LOAD_ALL).bind(positions).fetch_all(&mut *connection).await?;
    Ok(states(connection, &rows).await?.into_iter().map(|stored| stored.execution).collect())
}

async fn states(connection: &mut PgConnection, rows: &[PgRow]) -> Result<Vec<Stored>, StoreError> {
    let mut texts = Vec::with_capacity(rows.len());
    for row in rows {
        texts.push(read(row)?);
    }
    let bodies = payloads::of(connection, &texts).await?;
    states::states(rows.iter().zip(&texts).map(|(row, text)| part(row, text, &bodies)))
}

fn part(row: &PgRow, read: &Read, bodies: &Payloads) -> Result<Part, StoreError> {
    if row.try_get::<i64, _>("seq")? == 0 {
        let there = !read.text.text.is_empty();
        let snapshot = there.then(|| whole("an execution", read, bodies)).transpose()?;
        return Ok(Part::Next(unsigned("a version", row.try_get("version")?)?, snapshot));
    }
    Ok(Part::Events(whole("the events", read, bodies)?))
}

fn read(row: &PgRow) -> Result<Read, StoreError> {
    let text: Option<String> = row.try_get("text")?;
    let text = Text { text: text.unwrap_or_default(), large: row.try_get("large")?, ..Text::default() };
    Ok(Read { tenant: row.try_get("tenant")?, text })
}

const BY_START_KEY: &str = "select id from executions where tenant = $1 and start_key = $2";

pub(super) async fn by_start_key(
    connection: &mut PgConnection,
    tenant: &TenantId,
    key: &str,
) -> Result<Option<ExecutionId>, StoreError> {
    let query = sqlx::query_scalar(BY_START_KEY).bind(tenant.as_str()).bind(storable(key));
    Ok(query.fetch_optional(connection).await?)
}

const KNOWS_WORD: &str = "select count(*) from words where tenant = $1 and word = $2";

pub(super) async fn knows_word(
    connection: &mut PgConnection,
    tenant: &TenantId,
    word: &str,
) -> Result<bool, StoreError> {
    let query = sqlx::query_scalar(KNOWS_WORD).bind(tenant.as_str()).bind(storable(word));
    let count: i64 = query.fetch_one(connection).await?;
    Ok(count > 0)
}

const DUE: &str = "
    select tenant, id from executions where wake_at is not null and wake_at <= $1 order by wake_at, id limit $2";

pub(super) async fn due(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, ExecutionId)>, StoreError> {
    let rows = sqlx::query(DUE).bind(micros(now)).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((tenant_of(row.try_get("tenant")?), row.try_get("id")?))).collect()
}

const NEXT_WAKE: &str = "select min(wake_at) from executions where wake_at is not null";

pub(super) async fn next_wake(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT_WAKE).fetch_one(connection).await?;
    next.map(timestamp).transpose()
}

const EXECUTIONS_OF: &str = states_of!(
    "select position, version, tenant from executions
    where tenant = $1 and repository = $2 and ($3::bigint is null or number = $3) and (open or not $4)"
);

pub(super) async fn executions_of(
    connection: &mut PgConnection,
    tenant: &TenantId,
    repository: &str,
    number: Option<u64>,
    open_only: bool,
) -> Result<Vec<Execution>, StoreError> {
    let rows = sqlx::query(EXECUTIONS_OF)
        .bind(tenant.as_str())
        .bind(storable(repository))
        .bind(number.map(|number| signed("the number", number)).transpose()?)
        .bind(open_only)
        .fetch_all(&mut *connection)
        .await?;
    let mut executions: Vec<Execution> =
        states(connection, &rows).await?.into_iter().map(|stored| stored.execution).collect();
    executions.sort_by_key(|execution| (execution.created_at, execution.id));
    Ok(executions)
}

/// A row holds at least one event: so many rows are enough.
const EVENTS: &str = "
    select e.tenant, events.seq, events.delivery, events.events as text, events.large
    from executions e join events on events.execution = e.position
    where e.tenant = $1 and e.id = $2 and events.seq > $3 order by events.seq limit $4";

pub(super) async fn events(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: ExecutionId,
    after_seq: u64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = sqlx::query(EVENTS)
        .bind(tenant.as_str())
        .bind(id)
        .bind(signed("the sequence number", after_seq)?)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    let texts: Vec<Read> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let bodies = payloads::of(connection, &texts).await?;
    let mut found = Vec::new();
    for (row, text) in rows.iter().zip(&texts) {
        let delivery = row.try_get::<Option<String>, _>("delivery")?.map(DeliveryId);
        let events: Vec<Event> = whole("the events", text, &bodies)?;
        found.extend(states::numbered(row.try_get("seq")?, events, delivery, after_seq)?);
    }
    found.truncate(limit as usize);
    Ok(found)
}

pub(super) async fn backlog(connection: &mut PgConnection) -> Result<Backlog, StoreError> {
    backlog::read(&sqlx::query(backlog::QUERY).fetch_one(connection).await?)
}

/// Reads what every migration so far has left in its place; writes nothing.
pub(super) async fn ping(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("select base_bytes from executions limit 1").fetch_optional(connection).await?;
    Ok(())
}

const APPLIED: &str = "select coalesce(max(version), 0) from _sqlx_migrations where success";

/// The newest migration that stands.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(APPLIED).fetch_one(connection).await?)
}

const POSTPONE: &str = "
    update executions set wake_at = $4 where tenant = $1 and id = $2 and version = $3 and wake_at is not null";

pub(super) async fn postpone(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: ExecutionId,
    version: u64,
    until: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(POSTPONE)
        .bind(tenant.as_str())
        .bind(id)
        .bind(signed("the version", version)?)
        .bind(micros_after(until))
        .execute(connection)
        .await?;
    Ok(())
}
