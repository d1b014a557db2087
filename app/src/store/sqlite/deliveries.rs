//! The inbox in SQL.

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{micros, signed, small, tenant, timestamp, unsigned};
use super::signals;
use crate::store::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Receipt, StoreError};

/// A delivery that failed is stored anew: GitHub redelivers under the same id when a person asks for it. Its attempts
/// count from the start, or one that used all of them up would fail again at once.
const RECEIVE: &str = "
    insert into deliveries
      (id, event, action, installation_id, tenant, repository, ordering_key, body, received_at, status)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending')
    on conflict (id) do update
      set status = 'pending', reason = null, retry_at = 0, attempts = 0, body = excluded.body,
        received_at = excluded.received_at
      where deliveries.status = 'failed'";

pub(super) async fn receive(connection: &mut SqliteConnection, delivery: NewDelivery) -> Result<Receipt, StoreError> {
    if let (Some(tenant), Some(repository)) = (&delivery.tenant, &delivery.repository) {
        signals::learn(connection, tenant, repository).await?;
    }
    let installation_id = delivery.installation_id.map(|id| signed("the installation's id", id)).transpose()?;
    let result = sqlx::query(RECEIVE)
        .bind(delivery.id.0)
        .bind(delivery.event)
        .bind(delivery.action)
        .bind(installation_id)
        .bind(delivery.tenant.map(|tenant| tenant.0))
        .bind(delivery.repository)
        .bind(delivery.ordering_key)
        .bind(Vec::from(delivery.body))
        .bind(micros(delivery.received_at))
        .execute(connection)
        .await?;
    Ok(if result.rows_affected() == 1 { Receipt::Stored } else { Receipt::Duplicate })
}

/// Of each ordering key only the oldest pending one can be claimed, so those behind it wait while it is under lease
/// or put off.
const CLAIM: &str = "
    update deliveries set lease_owner = $1, lease_until = $2, attempts = attempts + 1
    where position in (
      select candidate.position from deliveries candidate
      where candidate.status = 'pending' and candidate.retry_at <= $3
        and (candidate.lease_until is null or candidate.lease_until <= $3)
        and not exists (
          select 1 from deliveries older
          where older.status = 'pending' and older.ordering_key = candidate.ordering_key
            and older.position < candidate.position)
      order by candidate.position limit $4)
    returning position, id, event, action, installation_id, tenant, repository, ordering_key, body, received_at,
      attempts";

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    owner: String,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    // RETURNING promises no order.
    let mut claimed: Vec<(i64, ClaimedDelivery)> =
        rows.iter().map(|row| Ok((row.try_get("position")?, claimed(row)?))).collect::<Result<_, StoreError>>()?;
    claimed.sort_by_key(|(position, _)| *position);
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn claimed(row: &SqliteRow) -> Result<ClaimedDelivery, StoreError> {
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
    Ok(ClaimedDelivery { delivery, attempts: small("a count", row.try_get("attempts")?)? })
}

const FINISH: &str = "
    update deliveries
    set status = $3, reason = $4, retry_at = $5, lease_owner = null, lease_until = null
    where id = $1 and lease_owner = $2 and status = 'pending'";

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    id: DeliveryId,
    owner: String,
    end: DeliveryEnd,
) -> Result<bool, StoreError> {
    let (status, reason, retry_at) = match end {
        DeliveryEnd::Done => ("done", None, 0),
        DeliveryEnd::Ignored(reason) => ("ignored", Some(reason), 0),
        DeliveryEnd::Failed(reason) => ("failed", Some(reason), 0),
        DeliveryEnd::RetryAt(at, reason) => ("pending", Some(reason), micros(at)),
    };
    let result =
        sqlx::query(FINISH).bind(id.0).bind(owner).bind(status).bind(reason).bind(retry_at).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}
