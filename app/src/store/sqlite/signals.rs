//! Signals, events, occurrences and time tables in SQL.

use flowctl_core::definition::StepType;
use flowctl_core::execution::{ExecutionId, ExecutionStatus, Signal, StepStatus, TenantId, Waiting};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::columns::{
    all, execute, execution_id, from_json, json, micros, micros_after, optional, small, tenant as tenant_of, timestamp,
};
use crate::store::{
    ApiEvent, ClaimedOccurrence, MAX_LOOK_BACK, NewOccurrence, OccurrenceEnd, PendingSignal, Receipt, ScheduleKey,
    StoreError, Transition,
};

const ADD: &str = "insert into signals (tenant, execution, signal, not_before) values (?1, ?2, ?3, ?4)";
const TO_GROUP: &str = "
    insert into signals (tenant, execution, signal, not_before)
    select tenant, id, ?4, ?5 from executions
    where tenant = ?1 and concurrency_group = ?2 and open = 1 and id <> ?3";
const TAKE: &str = "delete from signals where id = ?1 and tenant = ?2 and execution = ?3";

/// What a transition tells others, and the signal that it came from.
pub(super) fn of_transition(
    connection: &Connection,
    transition: &Transition,
    id: &str,
    group: Option<&str>,
    at: i64,
) -> Result<(), StoreError> {
    let tenant = transition.tenant.as_str();
    if let Some(taken) = transition.taken
        && execute(connection, TAKE, params![taken, tenant, id])? != 1
    {
        return Err(StoreError::SignalTaken);
    }
    for new in &transition.signals {
        let signal = json("a signal", &new.signal)?;
        execute(connection, ADD, params![tenant, new.execution.to_string(), signal, at])?;
    }
    if let (Some(signal), Some(group)) = (&transition.to_group, group) {
        execute(connection, TO_GROUP, params![tenant, group, id, json("a signal", signal)?, at])?;
    }
    waits(connection, transition, id)?;
    add_occurrences(connection, &transition.occurrences)
}

/// Tells an execution something; `signal` is JSON.
pub(super) fn tell(
    connection: &Connection,
    tenant: &str,
    execution: &str,
    signal: &str,
    at: i64,
) -> Result<(), StoreError> {
    execute(connection, ADD, params![tenant, execution, signal, at])?;
    Ok(())
}

const FORGET_WAIT: &str = "delete from event_waits where tenant = ?1 and execution = ?2 and step = ?3";
const REMEMBER_WAIT: &str = "
    insert into event_waits (tenant, execution, step, name, since) values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, execution, step) do update set name = excluded.name, since = excluded.since";
/// Events that came since the execution started, and before its step began to wait: the last of them.
const LOOK_BACK: &str = "
    insert into signals (tenant, execution, event, not_before)
    select tenant, ?2, id, at from (
      select tenant, id, at from api_events where tenant = ?1 and name = ?3 and at >= ?4 order by at desc limit ?5)
    order by at
    on conflict do nothing";

/// Which events the execution waits for now. Only steps that this transition is about can have changed that.
fn waits(connection: &Connection, transition: &Transition, id: &str) -> Result<(), StoreError> {
    let mut seen: Vec<&str> = Vec::new();
    for step in transition.events.iter().filter_map(|event| event.step.as_deref()) {
        let Some(state) = transition.execution.steps.get(step).filter(|it| it.step_type == StepType::Wait) else {
            continue;
        };
        if seen.contains(&step) {
            continue;
        }
        seen.push(step);
        let tenant = transition.tenant.as_str();
        match (&state.waiting, state.status) {
            (Some(Waiting::Event { name, since, .. }), StepStatus::Waiting) => {
                let since = micros(*since);
                execute(connection, REMEMBER_WAIT, params![tenant, id, step, name, since])?;
                execute(connection, LOOK_BACK, params![tenant, id, name, since, MAX_LOOK_BACK])?;
            }
            _ => {
                execute(connection, FORGET_WAIT, params![tenant, id, step])?;
            }
        }
    }
    Ok(())
}

/// Of each execution the oldest signal: they are taken in their order.
const DUE: &str = "
    select s.id, s.tenant, s.execution, s.signal, e.id as event_id, e.name, e.payload, e.at
    from signals s left join api_events e on e.tenant = s.tenant and e.id = s.event
    where s.not_before <= ?1
      and not exists (
        select 1 from signals older
        where older.tenant = s.tenant and older.execution = s.execution and older.id < s.id)
    order by s.not_before, s.id limit ?2";

pub(super) async fn due(readers: &SqlitePool, now: Timestamp, limit: u32) -> Result<Vec<PendingSignal>, StoreError> {
    let rows = sqlx::query(DUE).bind(micros(now)).bind(limit).fetch_all(readers).await?;
    rows.iter().map(pending).collect()
}

fn pending(row: &SqliteRow) -> Result<PendingSignal, StoreError> {
    let signal = match row.try_get::<Option<String>, _>("signal")? {
        Some(signal) => from_json("a signal", &signal)?,
        None => Signal::EventReceived {
            name: row.try_get("name")?,
            id: row.try_get("event_id")?,
            at: timestamp(row.try_get("at")?)?,
            payload: from_json("an event's payload", row.try_get("payload")?)?,
        },
    };
    let execution: ExecutionId = execution_id(row.try_get("execution")?)?;
    Ok(PendingSignal { id: row.try_get("id")?, tenant: tenant_of(row.try_get("tenant")?), execution, signal })
}

const NEXT: &str = "select min(not_before) from signals";

pub(super) async fn next(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(readers).await?;
    next.map(timestamp).transpose()
}

const DROP: &str = "delete from signals where id in (select value from json_each(?1))";
const POSTPONE: &str = "update signals set not_before = ?2 where id = ?1";

pub(super) fn drop(connection: &Connection, ids: &[i64]) -> Result<(), StoreError> {
    execute(connection, DROP, [json("signals", &ids)?])?;
    Ok(())
}

pub(super) fn postpone(connection: &Connection, id: i64, until: Timestamp) -> Result<(), StoreError> {
    execute(connection, POSTPONE, params![id, micros_after(until)])?;
    Ok(())
}

const RECORD: &str = "
    insert into api_events (tenant, id, name, payload, at) values (?1, ?2, ?3, ?4, ?5) on conflict do nothing";
/// Who waits already is told whatever the clocks of two servers say: the event came after the wait began.
const TELL: &str = "
    insert into signals (tenant, execution, event, not_before)
    select distinct tenant, execution, ?2, ?4 from event_waits where tenant = ?1 and name = ?3
    on conflict do nothing";

/// Records an event and tells whoever waits for it.
pub(super) fn publish(
    connection: &Connection,
    tenant: &TenantId,
    event: &ApiEvent,
    occurrences: &[NewOccurrence],
) -> Result<Receipt, StoreError> {
    let (tenant, at) = (tenant.as_str(), micros(event.at));
    let payload = json("an event's payload", &event.payload)?;
    if execute(connection, RECORD, params![tenant, event.id, event.name, payload, at])? == 0 {
        return Ok(Receipt::Duplicate);
    }
    execute(connection, TELL, params![tenant, event.id, event.name, at])?;
    add_occurrences(connection, occurrences)?;
    Ok(Receipt::Stored)
}

const API_EVENT: &str = "select id, name, payload, at from api_events where tenant = $1 and id = $2";

pub(super) async fn api_event(
    readers: &SqlitePool,
    tenant: &TenantId,
    id: &str,
) -> Result<Option<ApiEvent>, StoreError> {
    let row = sqlx::query(API_EVENT).bind(tenant.as_str()).bind(id).fetch_optional(readers).await?;
    let read = |row: SqliteRow| {
        Ok(ApiEvent {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            payload: from_json("an event's payload", row.try_get("payload")?)?,
            at: timestamp(row.try_get("at")?)?,
        })
    };
    row.map(read).transpose()
}

/// What is still to be told of keeps its event.
const FORGET: &str = "
    delete from api_events
    where at < ?1 and not exists (
      select 1 from signals where signals.tenant = api_events.tenant and signals.event = api_events.id)";

pub(super) fn forget(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    Ok(execute(connection, FORGET, [micros(before)])? as u64)
}

const ADD_OCCURRENCE: &str = "insert into occurrences (tenant, body, not_before) values (?1, ?2, ?3)";

pub(super) fn add_occurrences(connection: &Connection, occurrences: &[NewOccurrence]) -> Result<(), StoreError> {
    for NewOccurrence { tenant, body, not_before } in occurrences {
        let body = json("an occurrence", body)?;
        execute(connection, ADD_OCCURRENCE, params![tenant.as_str(), body, micros(*not_before)])?;
    }
    Ok(())
}

const CLAIM: &str = "
    update occurrences set lease_owner = ?1, lease_until = ?2, attempts = attempts + 1
    where id in (
      select id from occurrences
      where not_before <= ?3 and (lease_until is null or lease_until <= ?3) order by not_before, id limit ?4)
    returning id, tenant, body, attempts";

pub(super) fn claim(
    connection: &Connection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedOccurrence>, StoreError> {
    let values = params![owner, micros(lease_until), micros(now), limit];
    let mut claimed = all(connection, CLAIM, values, |row| {
        Ok(ClaimedOccurrence {
            id: row.get("id")?,
            tenant: tenant_of(row.get("tenant")?),
            body: from_json("an occurrence", &row.get::<_, String>("body")?)?,
            attempts: small("a count", row.get("attempts")?)?,
        })
    })?;
    // RETURNING promises no order.
    claimed.sort_by_key(|occurrence| occurrence.id);
    Ok(claimed)
}

/// The claim is fenced by its count: whoever claimed the occurrence earlier has a lower one.
const DONE: &str = "delete from occurrences where id = ?1 and attempts = ?2";
const RETRY: &str = "
    update occurrences set lease_owner = null, lease_until = null, not_before = ?3 where id = ?1 and attempts = ?2";

pub(super) fn finish(
    connection: &Connection,
    occurrence: &ClaimedOccurrence,
    end: &OccurrenceEnd,
) -> Result<bool, StoreError> {
    let ClaimedOccurrence { id, attempts, .. } = occurrence;
    let ended = match end {
        OccurrenceEnd::Done => execute(connection, DONE, params![id, attempts])?,
        OccurrenceEnd::RetryAt(at) => execute(connection, RETRY, params![id, attempts, micros_after(*at)])?,
    };
    Ok(ended == 1)
}

/// One under lease may be claimed once that has ended: whoever claimed it may be dead.
const NEXT_OCCURRENCE: &str = "select min(max(not_before, coalesce(lease_until, not_before))) from occurrences";

pub(super) async fn next_occurrence(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT_OCCURRENCE).fetch_one(readers).await?;
    next.map(timestamp).transpose()
}

const REPOSITORIES: &str = "select name from repositories where tenant = ?1 order by name";
const TENANTS: &str = "select distinct tenant from repositories order by tenant";
const LEARN: &str = "insert into repositories (tenant, name) values (?1, ?2) on conflict do nothing";

pub(super) fn learn(connection: &Connection, tenant: &TenantId, repository: &str) -> Result<(), StoreError> {
    execute(connection, LEARN, params![tenant.as_str(), repository])?;
    Ok(())
}

pub(super) async fn repositories(readers: &SqlitePool, tenant: &TenantId) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(REPOSITORIES).bind(tenant.as_str()).fetch_all(readers).await?)
}

pub(super) async fn tenants(readers: &SqlitePool) -> Result<Vec<TenantId>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(TENANTS).fetch_all(readers).await?;
    Ok(names.into_iter().map(tenant_of).collect())
}

const HANDLED: &str = "
    insert into schedules (tenant, repository, process, timetable, handled_until) values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, repository, process, timetable)
      do update set handled_until = max(handled_until, excluded.handled_until)
    returning handled_until";

/// Records up to when a time table has been dealt with, which never goes back. Gives the moment that stands then.
pub(super) fn handled(connection: &Connection, key: &ScheduleKey, until: Timestamp) -> Result<Timestamp, StoreError> {
    let ScheduleKey { tenant, repository, process, timetable } = key;
    let values = params![tenant.as_str(), repository, process, timetable, micros(until)];
    timestamp(connection.prepare_cached(HANDLED)?.query_row(values, |row| row.get(0))?)
}

const FORGET_SCHEDULES: &str = "
    delete from schedules
    where tenant = ?1 and repository = ?2 and not exists (
      select 1 from json_each(?3)
      where value ->> 0 = schedules.process and value ->> 1 = schedules.timetable)";

pub(super) fn forget_schedules(
    connection: &Connection,
    tenant: &TenantId,
    repository: &str,
    current: &[ScheduleKey],
) -> Result<u64, StoreError> {
    let current: Vec<(&str, &str)> = current.iter().map(|key| (key.process.as_str(), key.timetable.as_str())).collect();
    let current = json("time tables", &current)?;
    let forgotten = execute(connection, FORGET_SCHEDULES, params![tenant.as_str(), repository, current])?;
    Ok(forgotten as u64)
}

const HANDLED_UNTIL: &str = "
    select handled_until from schedules where tenant = ?1 and repository = ?2 and process = ?3 and timetable = ?4";

pub(super) async fn handled_until(readers: &SqlitePool, key: &ScheduleKey) -> Result<Option<Timestamp>, StoreError> {
    let query = sqlx::query_scalar(HANDLED_UNTIL).bind(key.tenant.as_str());
    let query = query.bind(&key.repository).bind(&key.process).bind(&key.timetable);
    let until: Option<i64> = query.fetch_optional(readers).await?;
    until.map(timestamp).transpose()
}

const BUSY: &str = "
    select id from executions
    where tenant = ?1 and concurrency_group = ?2 and open = 1 and id <> ?3
      and (?4 or status <> 'pending'
        or position < (select own.position from executions own where own.tenant = ?1 and own.id = ?3))
    limit 1";

/// Another execution of a group that has not ended. Without `queued`: one that has started, or has waited longer.
pub(super) fn other_of_group(
    connection: &Connection,
    transition: &Transition,
    group: &str,
    queued: bool,
) -> Result<Option<ExecutionId>, StoreError> {
    let values = params![transition.tenant.as_str(), group, transition.execution.id.to_string(), queued];
    let other = optional(connection, BUSY, values, |row| row.get::<_, String>(0))?;
    other.as_deref().map(execution_id).transpose()
}

const NEXT_OF_GROUP: &str = "
    update executions set wake_at = ?3
    where position = (
      select min(position) from executions
      where tenant = ?1 and concurrency_group = ?2 and open = 1 and status = 'pending')";

/// Tells the execution of a group that has waited longest that its turn has come.
pub(super) fn wake_next_of_group(
    connection: &Connection,
    transition: &Transition,
    group: &str,
    at: i64,
) -> Result<(), StoreError> {
    debug_assert!(transition.execution.status != ExecutionStatus::Pending, "who is queued has not ended");
    execute(connection, NEXT_OF_GROUP, params![transition.tenant.as_str(), group, at])?;
    Ok(())
}
