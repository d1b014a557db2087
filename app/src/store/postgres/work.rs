//! The work queue in SQL.

use flowctl_core::execution::ExecutionId;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::store::columns::{micros, small, tenant, timestamp};
use crate::store::{ClaimedWork, StoreError};

/// What others are claiming at this moment is passed over, so nobody waits for anybody. Whose lease has ended goes
/// first: it has waited longest.
const CLAIM: &str = "
    with expired as (
      select execution, step, attempt, position from work where lease_until is not null and lease_until <= $3
        and (cardinality($5::uuid[]) = 0 or not exists (
          select 1 from executions sated where sated.position = work.execution and sated.id = any($5::uuid[])))
      order by lease_until, position limit $4 for update skip locked),
    fresh as (
      select execution, step, attempt, position from work
      where lease_until is null
        and (cardinality($5::uuid[]) = 0 or not exists (
          select 1 from executions sated where sated.position = work.execution and sated.id = any($5::uuid[])))
      order by position limit $4 for update skip locked),
    chosen as (
      select candidate.execution, candidate.step, candidate.attempt
      from (
        select execution, step, attempt, position, 0 as place from expired
        union all select execution, step, attempt, position, 1 from fresh) candidate
      order by candidate.place, candidate.position limit $4),
    claimed as (
      update work set lease_owner = $1, lease_until = $2, claims = work.claims + 1 from chosen
      where work.execution = chosen.execution and work.step = chosen.step and work.attempt = chosen.attempt
      returning work.position, work.execution, work.step, work.attempt, work.claims)
    select claimed.position, executions.tenant, executions.id as execution, claimed.step, claimed.attempt, claimed.claims
    from claimed join executions on executions.position = claimed.execution order by claimed.position";

pub(super) async fn claim(
    connection: &mut PgConnection,
    owner: &str,
    limit: u32,
    (now, lease_until): (Timestamp, Timestamp),
    sated: &[ExecutionId],
) -> Result<Vec<ClaimedWork>, StoreError> {
    let rows = sqlx::query(CLAIM)
        .bind(owner)
        .bind(micros(lease_until))
        .bind(micros(now))
        .bind(i64::from(limit))
        .bind(sated)
        .fetch_all(connection)
        .await?;
    rows.iter().map(claimed).collect()
}

fn claimed(row: &PgRow) -> Result<ClaimedWork, StoreError> {
    Ok(ClaimedWork {
        tenant: tenant(row.try_get("tenant")?),
        execution: row.try_get("execution")?,
        step: row.try_get("step")?,
        attempt: small("an attempt", row.try_get("attempt")?)?,
        claims: small("a count", row.try_get("claims")?)?,
    })
}

const NEXT: &str = "
    select coalesce(
      (select 0::bigint from work where lease_until is null limit 1),
      (select min(lease_until) from work where lease_until is not null))";

/// When the next attempt may be claimed; the beginning of time for one that nobody has.
pub(super) async fn next(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(connection).await?;
    next.map(timestamp).transpose()
}

/// The claim is fenced by its count: whoever claimed the attempt earlier has a lower one.
macro_rules! of_claim {
    ($statement:literal) => {
        concat!(
            $statement,
            " where execution = (select position from executions where tenant = $1 and id = $2)
              and step = $3 and attempt = $4 and lease_owner = $5 and claims = $6"
        )
    };
}

const RENEW: &str = of_claim!("update work set lease_until = $7");

pub(super) async fn renew(
    connection: &mut PgConnection,
    work: &ClaimedWork,
    owner: &str,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    let result = of_claim(RENEW, work, owner).bind(micros(lease_until)).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

const FINISH: &str = of_claim!("delete from work");

pub(super) async fn finish(connection: &mut PgConnection, work: &ClaimedWork, owner: &str) -> Result<bool, StoreError> {
    let result = of_claim(FINISH, work, owner).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

/// What is given back was not performed, so the claim does not count.
const RELEASE: &str = of_claim!("update work set lease_owner = null, lease_until = $7, claims = claims - 1");

pub(super) async fn release(
    connection: &mut PgConnection,
    work: &ClaimedWork,
    owner: &str,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let result = of_claim(RELEASE, work, owner).bind(micros(until)).execute(connection).await?;
    Ok(result.rows_affected() == 1)
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn of_claim<'q>(sql: &'static str, work: &'q ClaimedWork, owner: &'q str) -> Query<'q> {
    sqlx::query(sql)
        .bind(work.tenant.as_str())
        .bind(work.execution)
        .bind(&work.step)
        .bind(i64::from(work.attempt))
        .bind(owner)
        .bind(i64::from(work.claims))
}
