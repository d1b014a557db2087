//! What the event stream is still to be told of, and leases on what one server does at a time, in SQL.

use flowctl_core::execution::Event;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{execute, execution_id, micros, tenant};
use super::{Reading, outputs, queries};
use crate::store::payloads::{Payloads, Read, whole};
use crate::store::{DeliveryId, StoreError, Transition, UntoldEvents, states};

const ADD: &str = "insert into untold_events (execution, seq) values (?1, ?2)";

/// Keeps in mind that the stream is to be told of a transition.
pub(super) fn add(
    connection: &Connection,
    transition: &Transition,
    position: i64,
    last_seq: i64,
) -> Result<(), StoreError> {
    if transition.streamed && !transition.events.is_empty() {
        execute(connection, ADD, [position, last_seq])?;
    }
    Ok(())
}

const UNTOLD: &str = "
    select untold.position, executions.tenant, executions.id, repository, process, events.seq, delivery, events as text, events.large
    from (select position, execution, seq from untold_events order by position limit $1) untold
      join executions on executions.position = untold.execution
      join events on events.execution = untold.execution and events.seq = untold.seq
    order by untold.position";

pub(super) async fn untold(
    Reading { pool, outputs }: Reading<'_>,
    limit: u32,
) -> Result<Vec<UntoldEvents>, StoreError> {
    let rows = sqlx::query(UNTOLD).bind(limit).fetch_all(pool).await?;
    let texts = rows.iter().map(queries::read).collect::<Result<Vec<Read>, _>>()?;
    let bodies = outputs::of(outputs, &texts).await?;
    rows.iter().zip(&texts).map(|(row, text)| read(row, text, &bodies)).collect()
}

fn read(row: &SqliteRow, text: &Read, bodies: &Payloads) -> Result<UntoldEvents, StoreError> {
    let events: Vec<Event> = whole("the events", text, bodies)?;
    let delivery = row.try_get::<Option<String>, _>("delivery")?.map(DeliveryId);
    Ok(UntoldEvents {
        position: row.try_get("position")?,
        tenant: tenant(row.try_get("tenant")?),
        execution: execution_id(row.try_get("id")?)?,
        repository: row.try_get("repository")?,
        process: row.try_get("process")?,
        events: states::numbered(row.try_get("seq")?, events, delivery, 0)?.collect(),
    })
}

const TOLD: &str = "delete from untold_events where position = ?1";

pub(super) fn told(connection: &Connection, positions: &[i64]) -> Result<(), StoreError> {
    for position in positions {
        execute(connection, TOLD, [position])?;
    }
    Ok(())
}

const TAKE_LEASE: &str = "
    insert into leases (name, owner, until) values (?1, ?2, ?3)
    on conflict (name) do update set owner = excluded.owner, until = excluded.until
      where leases.owner = excluded.owner or leases.until <= ?4";
const END_LEASE: &str = "delete from leases where name = ?1 and owner = ?2";

pub(super) fn take_lease(
    connection: &Connection,
    name: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute(connection, TAKE_LEASE, params![name, owner, micros(until), micros(now)])? == 1)
}

pub(super) fn end_lease(connection: &Connection, name: &str, owner: &str) -> Result<(), StoreError> {
    execute(connection, END_LEASE, [name, owner])?;
    Ok(())
}
