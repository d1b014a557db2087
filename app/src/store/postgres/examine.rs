//! Looks at a database without changing it: whether its schema is this version's, and whether folding the events of each
//! execution gives what is stored of it. That its files are sound is PostgreSQL's own to see.

use std::collections::BTreeMap;

use flowctl_core::execution::{Execution, ExecutionId};
use sqlx::postgres::PgRow;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};

use super::{MIGRATIONS, options, queries, standing};
use crate::store::columns::{small, tenant as tenant_of, timestamp, unsigned};
use crate::store::examination::{Beside, Examination, filled_in};
use crate::store::standing::EXAMINED;
use crate::store::{MAX_COUNTED, StoreError};

/// Executions that are looked at at a time.
const PAGE: i64 = 200;

/// Looks at the database at `url`; nothing where it has no tables yet.
///
/// # Errors
/// Where it cannot be reached or read at all.
pub async fn examine(url: &str) -> Result<Option<Examination>, StoreError> {
    let options = options(url)?.disable_statement_logging();
    let place = format!("{} on {}", options.get_database().unwrap_or("the user's database"), options.get_host());
    let mut connection = options.connect().await.map_err(StoreError::Connect)?;
    // Everything as of one moment.
    connection.execute("begin isolation level repeatable read read only").await?;
    let examined = look(&mut connection, place).await;
    // What was asked for is done; a connection that does not end well is forgotten by the server.
    let _ = connection.close().await;
    examined
}

async fn look(connection: &mut PgConnection, place: String) -> Result<Option<Examination>, StoreError> {
    let there: Option<String> =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations')::text").fetch_one(&mut *connection).await?;
    if there.is_none() {
        return Ok(None);
    }
    let (missing_migrations, foreign_migrations) = migrations(connection).await?;
    let mut found = Examination { place, missing_migrations, foreign_migrations, ..Examination::default() };
    if found.can_be_read() {
        fold(&mut found, connection).await?;
        found.missing_outputs = missing_payloads(connection).await?;
        let untold = "select count(*) from (select 1 from untold_events limit $1) untold";
        let untold: i64 = sqlx::query_scalar(untold).bind(MAX_COUNTED).fetch_one(&mut *connection).await?;
        found.untold = unsigned("a count", untold)?;
        for beginning in EXAMINED {
            found.standings.extend(standing::all(connection, beginning).await?);
        }
        let failed = "select count(*) from deliveries where status = 'failed'";
        found.failed_deliveries = unsigned("a count", sqlx::query_scalar(failed).fetch_one(&mut *connection).await?)?;
        let oldest = "select min(received_at) from deliveries where status = 'pending'";
        let oldest: Option<i64> = sqlx::query_scalar(oldest).fetch_one(&mut *connection).await?;
        found.oldest_delivery = oldest.map(timestamp).transpose()?;
        let newest: Option<i64> =
            sqlx::query_scalar("select max(created_at) from executions").fetch_one(connection).await?;
        found.newest = newest.map(timestamp).transpose()?;
    }
    Ok(Some(found))
}

async fn migrations(connection: &mut PgConnection) -> Result<(usize, Vec<i64>), StoreError> {
    let rows = sqlx::query("select version, checksum from _sqlx_migrations order by version");
    let mut done: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
    for row in rows.fetch_all(connection).await? {
        done.insert(row.try_get("version")?, row.try_get("checksum")?);
    }
    let known: BTreeMap<i64, &[u8]> = MIGRATIONS.iter().map(|it| (it.version, &*it.checksum)).collect();
    let missing = known.keys().filter(|version| !done.contains_key(version)).count();
    let foreign = done.iter().filter(|(version, checksum)| known.get(version) != Some(&&checksum[..]));
    Ok((missing, foreign.map(|(version, _)| *version).collect()))
}

/// Large values that executions refer to and that are not there.
async fn missing_payloads(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let missing = "
        select distinct uses.digest from payload_uses uses
        where not exists (select 1 from payloads p where p.tenant = uses.tenant and p.digest = uses.digest)
        order by 1";
    Ok(sqlx::query_scalar(missing).fetch_all(connection).await?)
}

/// An execution's row.
struct Stored {
    position: i64,
    tenant: String,
    id: ExecutionId,
    last_seq: i64,
    beside: Beside,
}

const EXECUTIONS: &str = "
    select position, tenant, id, last_seq, status, open, ended_at, wake_at is not null as wakes, repository, process,
      number, concurrency_group
    from executions where position > $1 order by position limit $2";

fn stored(row: &PgRow) -> Result<Stored, StoreError> {
    let beside = Beside {
        status: row.try_get("status")?,
        open: row.try_get("open")?,
        ended_at: row.try_get("ended_at")?,
        wakes: row.try_get("wakes")?,
        repository: row.try_get("repository")?,
        process: row.try_get("process")?,
        number: row.try_get("number")?,
        group: row.try_get("concurrency_group")?,
        ..Beside::default()
    };
    Ok(Stored {
        position: row.try_get("position")?,
        tenant: row.try_get("tenant")?,
        id: row.try_get("id")?,
        last_seq: row.try_get("last_seq")?,
        beside,
    })
}

async fn fold(found: &mut Examination, connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let rows = sqlx::query(EXECUTIONS).bind(after).bind(PAGE).fetch_all(&mut *connection).await?;
        let mut page = rows.iter().map(stored).collect::<Result<Vec<Stored>, _>>()?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.position;
        complete(connection, &mut page).await?;
        for stored in &page {
            let difference = match whole(found, connection, stored).await {
                Ok(Ok(state)) => stored.beside.difference(&state),
                Ok(Err(difference)) => Some(difference),
                // What cannot be understood is a difference too; a database that fails is not.
                Err(StoreError::Database(error)) => return Err(StoreError::Database(error)),
                Err(error) => Some(error.to_string()),
            };
            found.looked_at(&stored.id.to_string(), difference);
        }
    }
}

const WORK: &str = "select execution, step, attempt from work where execution = any($1)";
const APPROVALS: &str = "select execution, step, attempt, status from approvals where execution = any($1)";
const EVENT_WAITS: &str = "select execution, step from event_waits where execution = any($1)";

/// Adds what stands in other tables.
async fn complete(connection: &mut PgConnection, page: &mut [Stored]) -> Result<(), StoreError> {
    let positions: Vec<i64> = page.iter().map(|stored| stored.position).collect();
    let ids: Vec<ExecutionId> = page.iter().map(|stored| stored.id).collect();
    let mut by_position: BTreeMap<i64, Beside> = BTreeMap::new();
    let mut by_id: BTreeMap<ExecutionId, Beside> = BTreeMap::new();
    for row in sqlx::query(WORK).bind(positions).fetch_all(&mut *connection).await? {
        by_position.entry(row.try_get("execution")?).or_default().work.insert(attempt(&row)?);
    }
    for row in sqlx::query(APPROVALS).bind(&ids).fetch_all(&mut *connection).await? {
        let beside = by_id.entry(row.try_get("execution")?).or_default();
        beside.approvals.insert(attempt(&row)?, row.try_get("status")?);
    }
    for row in sqlx::query(EVENT_WAITS).bind(&ids).fetch_all(connection).await? {
        by_id.entry(row.try_get("execution")?).or_default().event_waits.insert(row.try_get("step")?);
    }
    for stored in page {
        stored.beside.work = by_position.remove(&stored.position).unwrap_or_default().work;
        let Beside { approvals, event_waits, .. } = by_id.remove(&stored.id).unwrap_or_default();
        (stored.beside.approvals, stored.beside.event_waits) = (approvals, event_waits);
    }
    Ok(())
}

fn attempt(row: &PgRow) -> Result<(String, u32), StoreError> {
    Ok((row.try_get("step")?, small("an attempt", row.try_get("attempt")?)?))
}

/// The state that the events of an execution give, or what differs between them and what is stored.
async fn whole(
    found: &mut Examination,
    connection: &mut PgConnection,
    stored: &Stored,
) -> Result<Result<Execution, String>, StoreError> {
    let tenant = tenant_of(stored.tenant.clone());
    let events = queries::events(connection, &tenant, stored.id, 0, u32::MAX).await?;
    found.events += events.len() as u64;
    let gap = (1..).zip(&events).find(|(number, event)| *number != event.seq);
    if let Some((number, _)) = gap {
        return Ok(Err(format!("event number {number} is missing")));
    }
    let Some(state) = Execution::fold(events.iter().map(|stored| &stored.event)) else {
        return Ok(Err("it has no beginning".to_owned()));
    };
    if i64::try_from(events.len()).ok() != Some(stored.last_seq) {
        return Ok(Err(format!("it has {} events, and {} are said to be there", events.len(), stored.last_seq)));
    }
    let kept = queries::load(connection, &tenant, stored.id).await?.map(|kept| filled_in(kept.execution, Some(&state)));
    if kept.as_ref() != Some(&state) {
        return Ok(Err("its events give another state than the stored one".to_owned()));
    }
    Ok(Ok(state))
}
