//! The inbox in SQL.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::columns::{all, execute, micros, optional, signed, small, tenant, timestamp, unsigned};
use super::signals;
use crate::store::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Receipt, StoreError};

/// The oldest delivery of a key that waits is its head; others may be, too. One that failed is stored anew, where it may be
/// the oldest: GitHub redelivers under the same id when a person asks for it. Its attempts count from the start, or one
/// that used all of them up would fail again at once.
const RECEIVE: &str = "
    insert into deliveries
      (id, event, action, installation_id, tenant, repository, ordering_key, body, received_at, status, head)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'pending',
      not exists (select 1 from deliveries where status = 'pending' and ordering_key = ?7))
    on conflict (id) do update
      set status = 'pending', head = 1, reason = null, retry_at = 0, attempts = 0, unended = 0, body = excluded.body,
        received_at = excluded.received_at
      where deliveries.status = 'failed'";

pub(super) fn receive(connection: &Connection, delivery: &NewDelivery) -> Result<Receipt, StoreError> {
    if let (Some(tenant), Some(repository)) = (&delivery.tenant, &delivery.repository) {
        signals::learn(connection, tenant, repository)?;
    }
    let values = params![
        delivery.id.0,
        delivery.event,
        delivery.action,
        delivery.installation_id.map(|id| signed("the installation's id", id)).transpose()?,
        delivery.tenant.as_ref().map(|tenant| tenant.as_str()),
        delivery.repository,
        delivery.ordering_key,
        &delivery.body[..],
        micros(delivery.received_at),
    ];
    let stored = execute(connection, RECEIVE, values)?;
    Ok(if stored == 1 { Receipt::Stored } else { Receipt::Duplicate })
}

/// Of each ordering key only the oldest pending one can be claimed, so those behind it wait while it is under lease
/// or put off. What it costs does not depend on how many there are.
pub(super) const CLAIM: &str = "
    update deliveries set lease_owner = ?1, lease_until = ?2, attempts = attempts + 1, unended = unended + 1
    where position in (
      select candidate.position from deliveries candidate
      where candidate.status = 'pending' and candidate.head = 1 and candidate.retry_at <= ?3
        and (candidate.lease_until is null or candidate.lease_until <= ?3)
        and not exists (
          select 1 from deliveries older
          where older.status = 'pending' and older.ordering_key = candidate.ordering_key
            and older.position < candidate.position)
      order by candidate.position limit ?4)
    returning position, id, event, action, installation_id, tenant, repository, ordering_key, body, received_at,
      attempts, unended";

pub(super) fn claim(
    connection: &Connection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let values = params![owner, micros(lease_until), micros(now), limit];
    let mut claimed = all(connection, CLAIM, values, |row| Ok((row.get::<_, i64>("position")?, claimed(row)?)))?;
    // RETURNING promises no order.
    claimed.sort_by_key(|(position, _)| *position);
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn claimed(row: &Row<'_>) -> Result<ClaimedDelivery, StoreError> {
    let installation_id: Option<i64> = row.get("installation_id")?;
    let delivery = NewDelivery {
        id: DeliveryId(row.get("id")?),
        event: row.get("event")?,
        action: row.get("action")?,
        installation_id: installation_id.map(|id| unsigned("an installation's id", id)).transpose()?,
        tenant: row.get::<_, Option<String>>("tenant")?.map(tenant),
        repository: row.get("repository")?,
        ordering_key: row.get("ordering_key")?,
        body: Bytes::from(row.get::<_, Vec<u8>>("body")?),
        received_at: timestamp(row.get("received_at")?)?,
    };
    let (attempts, unended) = (row.get("attempts")?, row.get("unended")?);
    Ok(ClaimedDelivery { delivery, attempts: small("a count", attempts)?, unended: small("a count", unended)? })
}

const RENEW: &str = "
    update deliveries set lease_until = ?4
    where id = ?1 and lease_owner = ?2 and attempts = ?3 and status = 'pending'";

pub(super) fn renew(
    connection: &Connection,
    id: &DeliveryId,
    attempts: u32,
    owner: &str,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute(connection, RENEW, params![id.0, owner, attempts, micros(lease_until)])? == 1)
}

const FINISH: &str = "
    update deliveries
    set status = ?3, reason = ?4, retry_at = ?5, unended = 0, lease_owner = null, lease_until = null
    where id = ?1 and lease_owner = ?2 and attempts = ?6 and status = 'pending'
    returning ordering_key, status";
/// The next one of its key comes to the head.
const PROMOTE: &str = "
    update deliveries set head = 1
    where head = 0 and position = (
      select min(position) from deliveries where status = 'pending' and ordering_key = ?1)";

pub(super) fn finish(
    connection: &Connection,
    id: &DeliveryId,
    attempts: u32,
    owner: &str,
    end: DeliveryEnd,
) -> Result<bool, StoreError> {
    let (status, reason, retry_at) = match end {
        DeliveryEnd::Done => ("done", None, 0),
        DeliveryEnd::Ignored(reason) => ("ignored", Some(reason), 0),
        DeliveryEnd::Failed(reason) => ("failed", Some(reason), 0),
        DeliveryEnd::RetryAt(at, reason) => ("pending", Some(reason), micros(at)),
    };
    let values = params![id.0, owner, status, reason, retry_at, attempts];
    let ended = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let Some((key, status)) = optional(connection, FINISH, values, ended)? else { return Ok(false) };
    if status != "pending" {
        execute(connection, PROMOTE, [key])?;
    }
    Ok(true)
}

/// Positions are in the order of arrival, so what is old is among the first.
const FORGET: &str = "
    delete from deliveries
    where position in (select position from deliveries order by position limit ?2)
      and received_at < ?1 and status <> 'pending'";

pub(super) fn forget(connection: &Connection, received_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    Ok(execute(connection, FORGET, params![micros(received_before), limit])? as u64)
}
