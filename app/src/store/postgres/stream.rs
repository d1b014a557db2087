//! What the event stream is still to be told of, and leases on what one server does at a time, in SQL. That a transition
//! is to be told of is stored with its execution's row.

use flowctl_core::execution::Event;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::payloads;
use crate::store::columns::{micros, tenant};
use crate::store::payloads::{Payloads, Read, Text, whole};
use crate::store::{DeliveryId, StoreError, UntoldEvents, states};

const UNTOLD: &str = "
    select untold.position, e.tenant, e.id, e.repository, e.process, events.seq, events.delivery,
      events.events as text, events.large
    from (select position, execution, seq from untold_events order by position limit $1) untold
      join executions e on e.position = untold.execution
      join events on events.execution = untold.execution and events.seq = untold.seq
    order by untold.position";

pub(super) async fn untold(connection: &mut PgConnection, limit: u32) -> Result<Vec<UntoldEvents>, StoreError> {
    let rows = sqlx::query(UNTOLD).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
    let texts: Vec<Read> = rows.iter().map(text).collect::<Result<_, _>>()?;
    let bodies = payloads::of(connection, &texts).await?;
    rows.iter().zip(&texts).map(|(row, text)| read(row, text, &bodies)).collect()
}

fn text(row: &PgRow) -> Result<Read, StoreError> {
    let text = Text { text: row.try_get("text")?, large: row.try_get("large")?, ..Text::default() };
    Ok(Read { tenant: row.try_get("tenant")?, text })
}

fn read(row: &PgRow, text: &Read, bodies: &Payloads) -> Result<UntoldEvents, StoreError> {
    let events: Vec<Event> = whole("the events", text, bodies)?;
    let delivery = row.try_get::<Option<String>, _>("delivery")?.map(DeliveryId);
    Ok(UntoldEvents {
        position: row.try_get("position")?,
        tenant: tenant(row.try_get("tenant")?),
        execution: row.try_get("id")?,
        repository: row.try_get("repository")?,
        process: row.try_get("process")?,
        events: states::numbered(row.try_get("seq")?, events, delivery, 0)?.collect(),
    })
}

const TOLD: &str = "delete from untold_events where position = any($1)";

pub(super) async fn told(connection: &mut PgConnection, positions: &[i64]) -> Result<(), StoreError> {
    sqlx::query(TOLD).bind(positions).execute(connection).await?;
    Ok(())
}

const TAKE_LEASE: &str = "
    insert into leases (name, owner, until) values ($1, $2, $3)
    on conflict (name) do update set owner = excluded.owner, until = excluded.until
      where leases.owner = excluded.owner or leases.until <= $4";
const END_LEASE: &str = "delete from leases where name = $1 and owner = $2";

pub(super) async fn take_lease(
    connection: &mut PgConnection,
    name: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let query = sqlx::query(TAKE_LEASE).bind(name).bind(owner).bind(micros(until)).bind(micros(now));
    Ok(query.execute(connection).await?.rows_affected() == 1)
}

pub(super) async fn end_lease(connection: &mut PgConnection, name: &str, owner: &str) -> Result<(), StoreError> {
    sqlx::query(END_LEASE).bind(name).bind(owner).execute(connection).await?;
    Ok(())
}
