//! The work queue in SQL.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{execution_id, micros, small, tenant};
use crate::store::{ClaimedWork, StoreError};

const CLAIM: &str = "
    update work set lease_owner = $1, lease_until = $2, claims = claims + 1
    where position in (
      select candidate.position from work candidate
      where candidate.lease_until is null or candidate.lease_until <= $3
      order by candidate.position limit $4)
    returning position, tenant, execution, step, attempt, claims";

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    owner: String,
    limit: u32,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<ClaimedWork>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    // RETURNING promises no order.
    let mut claimed: Vec<(i64, ClaimedWork)> =
        rows.iter().map(|row| Ok((row.try_get("position")?, claimed(row)?))).collect::<Result<_, StoreError>>()?;
    claimed.sort_by_key(|(position, _)| *position);
    Ok(claimed.into_iter().map(|(_, work)| work).collect())
}

fn claimed(row: &SqliteRow) -> Result<ClaimedWork, StoreError> {
    Ok(ClaimedWork {
        tenant: tenant(row.try_get("tenant")?),
        execution: execution_id(row.try_get("execution")?)?,
        step: row.try_get("step")?,
        attempt: small("an attempt", row.try_get("attempt")?)?,
        claims: small("a count", row.try_get("claims")?)?,
    })
}

/// The claim is fenced by its count: whoever claimed the attempt earlier has a lower one.
const RENEW: &str = "
    update work set lease_until = $7
    where tenant = $1 and execution = $2 and step = $3 and attempt = $4 and lease_owner = $5 and claims = $6";

pub(super) async fn renew(
    connection: &mut SqliteConnection,
    work: ClaimedWork,
    owner: String,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    let result = of_claim(RENEW, work, owner).bind(micros(lease_until)).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

const FINISH: &str = "
    delete from work
    where tenant = $1 and execution = $2 and step = $3 and attempt = $4 and lease_owner = $5 and claims = $6";

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    work: ClaimedWork,
    owner: String,
) -> Result<bool, StoreError> {
    let result = of_claim(FINISH, work, owner).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

/// What is given back was not performed, so the claim does not count.
const RELEASE: &str = "
    update work set lease_owner = null, lease_until = $7, claims = claims - 1
    where tenant = $1 and execution = $2 and step = $3 and attempt = $4 and lease_owner = $5 and claims = $6";

pub(super) async fn release(
    connection: &mut SqliteConnection,
    work: ClaimedWork,
    owner: String,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let result = of_claim(RELEASE, work, owner).bind(micros(until)).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn of_claim(sql: &'static str, work: ClaimedWork, owner: String) -> Query<'static> {
    sqlx::query(sql)
        .bind(work.tenant.0)
        .bind(work.execution.to_string())
        .bind(work.step)
        .bind(work.attempt)
        .bind(owner)
        .bind(work.claims)
}
