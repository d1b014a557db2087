//! The inbox in SQL.

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::text::storable;
use crate::store::columns::{micros, signed, small, tenant, timestamp, unsigned};
use crate::store::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Receipt, StoreError};

/// The oldest delivery of a key that waits is its head; others may be, too. Whoever comes behind the oldest one holds it,
/// so that it does not end before this is seen by what looks for the next head; see [`finish`]. One that failed is stored
/// anew, where it may be the oldest: GitHub redelivers under the same id when a person asks for it. Its attempts count from
/// the start, or one that used all of them up would fail again at once.
const RECEIVE: &str = "
    with learned as (
      insert into repositories (tenant, name)
      select $5::text, $6::text where $5::text is not null and $6::text is not null on conflict do nothing),
    oldest as materialized (
      select position from deliveries
      where status = 'pending' and ordering_key = $7 order by position limit 1 for key share)
    insert into deliveries
      (id, event, action, installation_id, tenant, repository, ordering_key, body, received_at, status, head)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', not exists (select 1 from oldest))
    on conflict (id) do update
      set status = 'pending', head = true, reason = null, retry_at = 0, attempts = 0, unended = 0, body = excluded.body,
        received_at = excluded.received_at
      where deliveries.status = 'failed'";

pub(super) async fn receive(connection: &mut PgConnection, delivery: &NewDelivery) -> Result<Receipt, StoreError> {
    let installation_id = delivery.installation_id.map(|id| signed("the installation's id", id)).transpose()?;
    let result = sqlx::query(RECEIVE)
        .bind(storable(&delivery.id.0))
        .bind(storable(&delivery.event))
        .bind(delivery.action.as_deref().map(storable))
        .bind(installation_id)
        .bind(delivery.tenant.as_ref().map(|tenant| storable(tenant.as_str())))
        .bind(delivery.repository.as_deref().map(storable))
        .bind(storable(&delivery.ordering_key))
        .bind(&delivery.body[..])
        .bind(micros(delivery.received_at))
        .execute(connection)
        .await?;
    Ok(if result.rows_affected() == 1 { Receipt::Stored } else { Receipt::Duplicate })
}

/// Of each ordering key only the oldest pending one can be claimed, so those behind it wait while it is under lease
/// or put off. Positions are given before a row can be seen: where an older one shows up later than a younger one that
/// is under lease already, it waits for that. What it costs does not depend on how many there are: keys and positions are
/// compared together, which no index but that of both serves.
pub(super) const CLAIM: &str = "
    update deliveries set lease_owner = $1, lease_until = $2, attempts = attempts + 1, unended = unended + 1
    where position in (
      select candidate.position from deliveries candidate
      where candidate.status = 'pending' and candidate.head and candidate.retry_at <= $3
        and (candidate.lease_until is null or candidate.lease_until <= $3)
        and not exists (
          select 1 from deliveries older
          where older.status = 'pending' and older.ordering_key = candidate.ordering_key
            and (older.ordering_key, older.position) < (candidate.ordering_key, candidate.position))
        and not exists (
          select 1 from deliveries leased
          where leased.status = 'pending' and leased.ordering_key = candidate.ordering_key
            and leased.lease_until is not null and leased.lease_until > $3)
      order by candidate.position limit $4 for update skip locked)
    returning position, id, event, action, installation_id, tenant, repository, ordering_key, body, received_at,
      attempts, unended";

pub(super) async fn claim(
    connection: &mut PgConnection,
    owner: &str,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    // RETURNING promises no order.
    let mut claimed: Vec<(i64, ClaimedDelivery)> =
        rows.iter().map(|row| Ok((row.try_get("position")?, claimed(row)?))).collect::<Result<_, StoreError>>()?;
    claimed.sort_by_key(|(position, _)| *position);
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn claimed(row: &PgRow) -> Result<ClaimedDelivery, StoreError> {
    let installation_id: Option<i64> = row.try_get("installation_id")?;
    let delivery = NewDelivery {
        id: DeliveryId(row.try_get("id")?),
        event: row.try_get("event")?,
        action: row.try_get("action")?,
        installation_id: installation_id.map(|id| unsigned("an installation's id", id)).transpose()?,
        tenant: row.try_get::<Option<String>, _>("tenant")?.map(tenant),
        repository: row.try_get("repository")?,
        ordering_key: row.try_get("ordering_key")?,
        body: Bytes::from(row.try_get::<Vec<u8>, _>("body")?),
        received_at: timestamp(row.try_get("received_at")?)?,
    };
    let (attempts, unended) = (row.try_get("attempts")?, row.try_get("unended")?);
    Ok(ClaimedDelivery { delivery, attempts: small("a count", attempts)?, unended: small("a count", unended)? })
}

const RENEW: &str = "
    update deliveries set lease_until = $4
    where id = $1 and lease_owner = $2 and attempts = $3 and status = 'pending'";

pub(super) async fn renew(
    connection: &mut PgConnection,
    id: &DeliveryId,
    attempts: u32,
    owner: &str,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    let renewed = sqlx::query(RENEW)
        .bind(storable(&id.0))
        .bind(owner)
        .bind(i64::from(attempts))
        .bind(micros(lease_until))
        .execute(connection)
        .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Waits for those that are just being stored behind it.
const HOLD: &str = "select ordering_key from deliveries where id = $1 for update";
const FINISH: &str = "
    update deliveries
    set status = $3, reason = $4, retry_at = $5, unended = 0, lease_owner = null, lease_until = null
    where id = $1 and lease_owner = $2 and attempts = $6 and status = 'pending'";
/// The next one of its key comes to the head. A statement of its own sees what was stored meanwhile.
const PROMOTE: &str = "
    update deliveries set head = true
    where not head and position = (
      select min(position) from deliveries where status = 'pending' and ordering_key = $1)";

pub(super) async fn finish(
    connection: &mut PgConnection,
    id: &DeliveryId,
    attempts: u32,
    owner: &str,
    end: &DeliveryEnd,
) -> Result<bool, StoreError> {
    let (status, reason, retry_at) = match end {
        DeliveryEnd::Done => ("done", None, 0),
        DeliveryEnd::Ignored(reason) => ("ignored", Some(reason), 0),
        DeliveryEnd::Failed(reason) => ("failed", Some(reason), 0),
        DeliveryEnd::RetryAt(at, reason) => ("pending", Some(reason), micros(*at)),
    };
    let mut transaction = connection.begin().await?;
    let key: Option<String> = sqlx::query_scalar(HOLD).bind(storable(&id.0)).fetch_optional(&mut *transaction).await?;
    let Some(key) = key else { return Ok(false) };
    let result = sqlx::query(FINISH)
        .bind(storable(&id.0))
        .bind(owner)
        .bind(status)
        .bind(reason.map(|reason| storable(reason)))
        .bind(retry_at)
        .bind(i64::from(attempts))
        .execute(&mut *transaction)
        .await?;
    let ended = result.rows_affected() == 1;
    if ended && status != "pending" {
        sqlx::query(PROMOTE).bind(key).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(ended)
}

/// A replica of a version that knew no heads may have left keys without one while versions were changed.
const MEND: &str = "
    update deliveries set head = true
    where status = 'pending' and not head and not exists (
      select 1 from deliveries older
      where older.status = 'pending' and older.ordering_key = deliveries.ordering_key
        and older.position < deliveries.position)";

/// Positions are about in the order of arrival, so what is old is among the first.
const FORGET: &str = "
    delete from deliveries
    where position in (select position from deliveries order by position limit $2)
      and received_at < $1 and status <> 'pending'";

pub(super) async fn forget(
    connection: &mut PgConnection,
    received_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    sqlx::query(MEND).execute(&mut *connection).await?;
    let query = sqlx::query(FORGET).bind(micros(received_before)).bind(i64::from(limit));
    Ok(query.execute(connection).await?.rows_affected())
}
