//! Signals, events, occurrences and time tables in SQL, but for what a transition brings along.

use flowctl_core::execution::{ExecutionId, Signal, TenantId};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::text::storable;
use crate::store::columns::{from_json, json, micros, micros_after, small, tenant as tenant_of, timestamp};
use crate::store::{
    ApiEvent, ClaimedOccurrence, NewOccurrence, OccurrenceEnd, PendingSignal, Receipt, ScheduleKey, StoreError,
};

/// Of each execution the oldest signal: they are taken in their order.
const DUE: &str = "
    select s.id, s.tenant, s.execution, s.signal, e.id as event_id, e.name, e.payload, e.at
    from signals s left join api_events e on e.tenant = s.tenant and e.id = s.event
    where s.not_before <= $1
      and not exists (
        select 1 from signals older
        where older.tenant = s.tenant and older.execution = s.execution and older.id < s.id)
    order by s.not_before, s.id limit $2";

pub(super) async fn due(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<PendingSignal>, StoreError> {
    let rows = sqlx::query(DUE).bind(micros(now)).bind(i64::from(limit)).fetch_all(connection).await?;
    rows.iter().map(pending).collect()
}

fn pending(row: &PgRow) -> Result<PendingSignal, StoreError> {
    let signal = match row.try_get::<Option<String>, _>("signal")? {
        Some(signal) => from_json("a signal", &signal)?,
        None => Signal::EventReceived {
            name: row.try_get("name")?,
            id: row.try_get("event_id")?,
            at: timestamp(row.try_get("at")?)?,
            payload: from_json("an event's payload", row.try_get("payload")?)?,
        },
    };
    let execution: ExecutionId = row.try_get("execution")?;
    Ok(PendingSignal { id: row.try_get("id")?, tenant: tenant_of(row.try_get("tenant")?), execution, signal })
}

const NEXT: &str = "select min(not_before) from signals";

pub(super) async fn next(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(connection).await?;
    next.map(timestamp).transpose()
}

const DROP: &str = "delete from signals where id = any($1)";
const POSTPONE: &str = "update signals set not_before = $2 where id = $1";

pub(super) async fn drop(connection: &mut PgConnection, ids: &[i64]) -> Result<(), StoreError> {
    sqlx::query(DROP).bind(ids).execute(connection).await?;
    Ok(())
}

pub(super) async fn postpone(connection: &mut PgConnection, id: i64, until: Timestamp) -> Result<(), StoreError> {
    sqlx::query(POSTPONE).bind(id).bind(micros_after(until)).execute(connection).await?;
    Ok(())
}

const LOCK_TURNS: &str = "
    insert into turns (tenant, name)
    select tenant, name from unnest($1::text[], $2::text[]) as t(tenant, name) order by tenant, name
    on conflict (tenant, name) do update set name = excluded.name";

/// Takes turns, by tenant and name, until the transaction ends; they have to be sorted and each there once. What whoever
/// had one before has committed is seen by the next statement.
pub(super) async fn lock_turns(
    connection: &mut PgConnection,
    tenants: Vec<String>,
    names: Vec<String>,
) -> Result<(), sqlx::Error> {
    if !names.is_empty() {
        sqlx::query(LOCK_TURNS).bind(tenants).bind(names).execute(connection).await?;
    }
    Ok(())
}

/// The turn of those who publish events of a name, and of those who begin to wait for one.
pub(super) fn turn_of_event(name: &str) -> String {
    format!("event:{}", storable(name))
}

const RECORD: &str = "
    insert into api_events (tenant, id, name, payload, at) values ($1, $2, $3, $4, $5) on conflict do nothing";
/// Who waits already is told whatever the clocks of two servers say: the event came after the wait began.
const TELL: &str = "
    insert into signals (tenant, execution, event, not_before)
    select distinct tenant, execution, $2::text, $4::bigint from event_waits where tenant = $1 and name = $3
    on conflict do nothing";

/// Records an event and tells whoever waits for it.
pub(super) async fn publish(
    connection: &mut PgConnection,
    tenant: &TenantId,
    event: &ApiEvent,
    occurrences: &[NewOccurrence],
) -> Result<Receipt, StoreError> {
    let (at, id, name) = (micros(event.at), storable(&event.id), storable(&event.name));
    let mut transaction = connection.begin().await?;
    lock_turns(&mut transaction, vec![tenant.0.clone()], vec![turn_of_event(&event.name)]).await?;
    let recorded = sqlx::query(RECORD)
        .bind(tenant.as_str())
        .bind(&id)
        .bind(&name)
        .bind(json("an event's payload", &event.payload)?)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    if recorded.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Receipt::Duplicate);
    }
    sqlx::query(TELL).bind(tenant.as_str()).bind(&id).bind(&name).bind(at).execute(&mut *transaction).await?;
    let occurrences: Vec<&NewOccurrence> = occurrences.iter().collect();
    add_occurrences(&mut transaction, &occurrences).await?;
    transaction.commit().await?;
    Ok(Receipt::Stored)
}

const API_EVENT: &str = "select id, name, payload, at from api_events where tenant = $1 and id = $2";

pub(super) async fn api_event(
    connection: &mut PgConnection,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ApiEvent>, StoreError> {
    let query = sqlx::query(API_EVENT).bind(tenant.as_str()).bind(storable(id));
    let read = |row: PgRow| {
        Ok(ApiEvent {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            payload: from_json("an event's payload", row.try_get("payload")?)?,
            at: timestamp(row.try_get("at")?)?,
        })
    };
    query.fetch_optional(connection).await?.map(read).transpose()
}

/// What is still to be told of keeps its event.
const FORGET: &str = "
    delete from api_events
    where at < $1 and not exists (
      select 1 from signals where signals.tenant = api_events.tenant and signals.event = api_events.id)";

pub(super) async fn forget(connection: &mut PgConnection, before: Timestamp) -> Result<u64, StoreError> {
    Ok(sqlx::query(FORGET).bind(micros(before)).execute(connection).await?.rows_affected())
}

const ADD_OCCURRENCES: &str = "
    insert into occurrences (tenant, body, not_before)
    select tenant, body, not_before
    from unnest($1::text[], $2::text[], $3::bigint[]) with ordinality as t(tenant, body, not_before, place)
    order by place";

pub(super) async fn add_occurrences(
    connection: &mut PgConnection,
    occurrences: &[&NewOccurrence],
) -> Result<(), StoreError> {
    if occurrences.is_empty() {
        return Ok(());
    }
    let (mut tenants, mut bodies, mut moments) = (Vec::new(), Vec::new(), Vec::new());
    for occurrence in occurrences {
        tenants.push(occurrence.tenant.as_str());
        bodies.push(json("an occurrence", &occurrence.body)?);
        moments.push(micros(occurrence.not_before));
    }
    sqlx::query(ADD_OCCURRENCES).bind(&tenants).bind(bodies).bind(moments).execute(connection).await?;
    Ok(())
}

const CLAIM: &str = "
    update occurrences set lease_owner = $1, lease_until = $2, attempts = attempts + 1
    where id in (
      select id from occurrences
      where not_before <= $3 and (lease_until is null or lease_until <= $3)
      order by not_before, id limit $4 for update skip locked)
    returning id, tenant, body, attempts";

pub(super) async fn claim(
    connection: &mut PgConnection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedOccurrence>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    let claimed = |row: &PgRow| {
        Ok(ClaimedOccurrence {
            id: row.try_get("id")?,
            tenant: tenant_of(row.try_get("tenant")?),
            body: from_json("an occurrence", row.try_get("body")?)?,
            attempts: small("a count", row.try_get("attempts")?)?,
        })
    };
    let mut claimed: Vec<ClaimedOccurrence> = rows.iter().map(claimed).collect::<Result<_, StoreError>>()?;
    // RETURNING promises no order.
    claimed.sort_by_key(|occurrence| occurrence.id);
    Ok(claimed)
}

/// The claim is fenced by its count: whoever claimed the occurrence earlier has a lower one.
const DONE: &str = "delete from occurrences where id = $1 and attempts = $2";
const RETRY: &str = "
    update occurrences set lease_owner = null, lease_until = null, not_before = $3 where id = $1 and attempts = $2";

pub(super) async fn finish(
    connection: &mut PgConnection,
    occurrence: &ClaimedOccurrence,
    end: &OccurrenceEnd,
) -> Result<bool, StoreError> {
    let query = |sql| sqlx::query(sql).bind(occurrence.id).bind(i64::from(occurrence.attempts));
    let query = match end {
        OccurrenceEnd::Done => query(DONE),
        OccurrenceEnd::RetryAt(at) => query(RETRY).bind(micros_after(*at)),
    };
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

/// One under lease may be claimed once that has ended: whoever claimed it may be dead.
const NEXT_OCCURRENCE: &str = "select min(greatest(not_before, coalesce(lease_until, not_before))) from occurrences";

pub(super) async fn next_occurrence(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT_OCCURRENCE).fetch_one(connection).await?;
    next.map(timestamp).transpose()
}

const REPOSITORIES: &str = "select name from repositories where tenant = $1 order by name";
const TENANTS: &str = "select distinct tenant from repositories order by tenant";

pub(super) async fn repositories(connection: &mut PgConnection, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(REPOSITORIES).bind(tenant.as_str()).fetch_all(connection).await?)
}

pub(super) async fn tenants(connection: &mut PgConnection) -> Result<Vec<TenantId>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(TENANTS).fetch_all(connection).await?;
    Ok(names.into_iter().map(tenant_of).collect())
}

const HANDLED: &str = "
    insert into schedules (tenant, repository, process, timetable, handled_until) values ($1, $2, $3, $4, $5)
    on conflict (tenant, repository, process, timetable)
      do update set handled_until = greatest(schedules.handled_until, excluded.handled_until)
    returning handled_until";

/// Records up to when a time table has been dealt with, which never goes back. Gives the moment that stands then.
pub(super) async fn handled(
    connection: &mut PgConnection,
    key: &ScheduleKey,
    until: Timestamp,
) -> Result<Timestamp, StoreError> {
    let stands: i64 = of_schedule(HANDLED, key).bind(micros(until)).fetch_one(connection).await?;
    timestamp(stands)
}

const FORGET_SCHEDULES: &str = "
    delete from schedules
    where tenant = $1 and repository = $2 and not exists (
      select 1 from unnest($3::text[], $4::text[]) as current(process, timetable)
      where current.process = schedules.process and current.timetable = schedules.timetable)";

pub(super) async fn forget_schedules(
    connection: &mut PgConnection,
    tenant: &TenantId,
    repository: &str,
    current: &[ScheduleKey],
) -> Result<u64, StoreError> {
    let (processes, timetables): (Vec<&str>, Vec<&str>) =
        current.iter().map(|key| (key.process.as_str(), key.timetable.as_str())).unzip();
    let query = sqlx::query(FORGET_SCHEDULES).bind(tenant.as_str()).bind(repository).bind(processes).bind(timetables);
    Ok(query.execute(connection).await?.rows_affected())
}

const HANDLED_UNTIL: &str = "
    select handled_until from schedules where tenant = $1 and repository = $2 and process = $3 and timetable = $4";

pub(super) async fn handled_until(
    connection: &mut PgConnection,
    key: &ScheduleKey,
) -> Result<Option<Timestamp>, StoreError> {
    let until: Option<i64> = of_schedule(HANDLED_UNTIL, key).fetch_optional(connection).await?;
    until.map(timestamp).transpose()
}

type Scalar<'q> = sqlx::query::QueryScalar<'q, sqlx::Postgres, i64, sqlx::postgres::PgArguments>;

fn of_schedule<'q>(sql: &'static str, key: &'q ScheduleKey) -> Scalar<'q> {
    sqlx::query_scalar(sql).bind(key.tenant.as_str()).bind(&key.repository).bind(&key.process).bind(&key.timetable)
}
