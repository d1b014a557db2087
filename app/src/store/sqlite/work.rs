//! The work queue in SQL.

use flowctl_core::execution::ExecutionId;
use jiff::Timestamp;
use rusqlite::{Connection, Params, params};
use sqlx::SqlitePool;

use super::columns::{all, execute, execution_id, json, micros, small, tenant, timestamp};
use crate::store::{ClaimedWork, StoreError};

const CLAIM: &str = "
    update work set lease_owner = ?1, lease_until = ?2, claims = claims + 1
    where position in (
      select candidate.position from work candidate
      where (candidate.lease_until is null or candidate.lease_until <= ?3)
        and (?5 = '[]' or not exists (
          select 1 from executions
          where position = candidate.execution and id in (select value from json_each(?5))))
      order by candidate.position limit ?4)
    returning position, execution, step, attempt, claims";
const EXECUTION: &str = "select tenant, id from executions where position = ?1";

pub(super) fn claim(
    connection: &Connection,
    owner: &str,
    limit: u32,
    (now, lease_until): (Timestamp, Timestamp),
    sated: &[ExecutionId],
) -> Result<Vec<ClaimedWork>, StoreError> {
    let sated = json("executions", &sated)?;
    let mut claimed = all(connection, CLAIM, params![owner, micros(lease_until), micros(now), limit, sated], |row| {
        let of: i64 = row.get(1)?;
        let (of_tenant, id): (String, String) =
            connection.prepare_cached(EXECUTION)?.query_row([of], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let work = ClaimedWork {
            tenant: tenant(of_tenant),
            execution: execution_id(&id)?,
            step: row.get(2)?,
            attempt: small("an attempt", row.get(3)?)?,
            claims: small("a count", row.get(4)?)?,
        };
        Ok((row.get::<_, i64>(0)?, work))
    })?;
    // RETURNING promises no order.
    claimed.sort_by_key(|(position, _)| *position);
    Ok(claimed.into_iter().map(|(_, work)| work).collect())
}

const NEXT: &str = "
    select coalesce((select 0 from work where lease_until is null limit 1), (select min(lease_until) from work))";

/// When the next attempt may be claimed; the beginning of time for one that nobody has.
pub(super) async fn next(readers: &SqlitePool) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(readers).await?;
    next.map(timestamp).transpose()
}

/// The claim is fenced by its count: whoever claimed the attempt earlier has a lower one.
macro_rules! of_claim {
    ($statement:literal) => {
        concat!(
            $statement,
            " where execution = (select position from executions where tenant = ?1 and id = ?2)
              and step = ?3 and attempt = ?4 and lease_owner = ?5 and claims = ?6"
        )
    };
}

const RENEW: &str = of_claim!("update work set lease_until = ?7");

pub(super) fn renew(
    connection: &Connection,
    work: &ClaimedWork,
    owner: &str,
    lease_until: Timestamp,
) -> Result<bool, StoreError> {
    let (id, until) = (work.execution.to_string(), micros(lease_until));
    let values = params![work.tenant.as_str(), id, work.step, work.attempt, owner, work.claims, until];
    one(connection, RENEW, values)
}

const FINISH: &str = of_claim!("delete from work");

pub(super) fn finish(connection: &Connection, work: &ClaimedWork, owner: &str) -> Result<bool, StoreError> {
    let id = work.execution.to_string();
    one(connection, FINISH, params![work.tenant.as_str(), id, work.step, work.attempt, owner, work.claims])
}

/// What is given back was not performed, so the claim does not count.
const RELEASE: &str = of_claim!("update work set lease_owner = null, lease_until = ?7, claims = claims - 1");

pub(super) fn release(
    connection: &Connection,
    work: &ClaimedWork,
    owner: &str,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let (id, until) = (work.execution.to_string(), micros(until));
    let values = params![work.tenant.as_str(), id, work.step, work.attempt, owner, work.claims, until];
    one(connection, RELEASE, values)
}

fn one(connection: &Connection, sql: &str, values: impl Params) -> Result<bool, StoreError> {
    Ok(execute(connection, sql, values)? == 1)
}
