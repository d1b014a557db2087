//! What the API lists and looks up, in SQL: executions and approvals page by page, how far executions have got, paused
//! processes, keys. A page is found along one index from where the last one ended; nothing is counted or skipped over.

use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, TenantId};
use rusqlite::{Connection, params};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool};
use uuid::Uuid;

use super::columns::{
    execute, execution_id, from_json, json, micros, micros_after, small, tenant as tenant_of, timestamp, unsigned,
};
use super::{Reading, audit, queries};
use crate::audit::of_pause;
use crate::store::approval::{ApprovalChange, approval_changes};
use crate::store::listing;
use crate::store::{
    Approval, ApprovalFilter, ApprovalStatus, ExecutionFilter, Page, PausedProcess, Progress, StoreError, Transition,
};

pub(super) async fn executions(
    reading: Reading<'_>,
    tenant: Option<&TenantId>,
    filter: &ExecutionFilter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Execution>, StoreError> {
    let before: Option<ExecutionId> =
        cursor.map(|cursor| cursor.parse().map_err(|_| StoreError::WrongCursor)).transpose()?;
    let (rows, looked_at) = look(reading.pool, tenant, filter, limit, before).await?;
    let fitting: Vec<&Looked> = rows.iter().filter(|row| row.fits).collect();
    let shown = &fitting[..fitting.len().min(limit as usize)];
    let next = if fitting.len() > shown.len() {
        shown.last().map(|row| row.id.clone())
    } else {
        rows.last().filter(|_| rows.len() >= looked_at as usize).map(|row| row.id.clone())
    };
    let mut items = Vec::with_capacity(shown.len());
    for row in shown {
        // What was taken away meanwhile is not on the page.
        let stored = queries::load(reading, &tenant_of(row.tenant.clone()), execution_id(&row.id)?).await?;
        items.extend(stored.map(|stored| stored.execution));
    }
    Ok(Page { items, next })
}

/// An execution that a page looks at.
struct Looked {
    tenant: String,
    id: String,
    fits: bool,
}

/// Looks along one index: the executions met, newest first, and how many were to be looked at.
async fn look(
    readers: &SqlitePool,
    tenant: Option<&TenantId>,
    filter: &ExecutionFilter,
    limit: u32,
    before: Option<ExecutionId>,
) -> Result<(Vec<Looked>, u32), StoreError> {
    // The index: of what is rare first. `completed` is no rare status.
    let rare = filter.status.filter(|status| *status != ExecutionStatus::Completed);
    let by_process = filter.process.as_ref().filter(|_| rare.is_none());
    let by_tenant = tenant.filter(|_| rare.is_none() && by_process.is_none());
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("select tenant, id, (1 = 1");
    let mut exact = true;
    let mut also = |query: &mut QueryBuilder<Sqlite>, condition: &'static str, value: String| {
        query.push(condition).push_bind(value);
        exact = false;
    };
    if let Some(tenant) = tenant.filter(|_| by_tenant.is_none()) {
        also(&mut query, " and tenant = ", tenant.0.clone());
    }
    if let Some(process) = filter.process.as_ref().filter(|_| by_process.is_none()) {
        also(&mut query, " and process = ", process.clone());
    }
    if let Some(status) = filter.status.filter(|_| rare.is_none()) {
        also(&mut query, " and status = ", status.as_str().to_owned());
    }
    if let Some(repository) = &filter.repository {
        also(&mut query, " and repository = ", repository.clone());
    }
    if let Some(text) = &filter.text {
        also(&mut query, " and lower(id || ' ' || process || ' ' || repository) like ", listing::containing(text));
        query.push(" escape '\\'");
    }
    // Ids tell milliseconds; within one the time of creation decides.
    if let Some(since) = filter.since {
        query.push(" and created_at >= ").push_bind(micros_after(since));
    }
    if let Some(until) = filter.until {
        query.push(" and created_at < ").push_bind(micros_after(until));
    }
    query.push(") as fits from executions where 1 = 1");
    if let Some(status) = rare {
        // Written out, with the words of the index: only then is it seen that the partial index serves.
        query.push(" and status <> 'completed' and status = '").push(status.as_str()).push("'");
    }
    if let Some(process) = by_process {
        query.push(" and process = ").push_bind(process.clone());
    }
    if let Some(tenant) = by_tenant {
        query.push(" and tenant = ").push_bind(tenant.0.clone());
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before.to_string());
    }
    if let Some(since) = filter.since {
        query.push(" and id >= ").push_bind(listing::first_id_of(since).to_string());
    }
    if let Some(until) = filter.until.and_then(|until| until.checked_add(jiff::SignedDuration::from_millis(1)).ok()) {
        query.push(" and id < ").push_bind(listing::first_id_of(until).to_string());
    }
    let edges = filter.since.is_some() || filter.until.is_some();
    let looked_at = listing::looked_at(limit, exact && !edges);
    query.push(" order by id desc limit ").push_bind(i64::from(looked_at));
    let rows = query.build().fetch_all(readers).await?;
    let looked = |row: &SqliteRow| {
        Ok(Looked { tenant: row.try_get("tenant")?, id: row.try_get("id")?, fits: row.try_get::<i64, _>("fits")? == 1 })
    };
    Ok((rows.iter().map(looked).collect::<Result<_, StoreError>>()?, looked_at))
}

const TENANT_OF: &str = "select tenant from executions where id = $1 limit 1";

pub(super) async fn tenant_of_execution(readers: &SqlitePool, id: ExecutionId) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<String> = sqlx::query_scalar(TENANT_OF).bind(id.to_string()).fetch_optional(readers).await?;
    Ok(tenant.map(tenant_of))
}

const PROGRESS: &str = "
    select e.id, e.last_seq, e.open from json_each($1) watched cross join executions e on e.id = watched.value";

pub(super) async fn progress(readers: &SqlitePool, ids: &[ExecutionId]) -> Result<Vec<Progress>, StoreError> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(PROGRESS).bind(json("ids", &ids)?).fetch_all(readers).await?;
    let progress = |row: &SqliteRow| {
        Ok(Progress {
            execution: execution_id(row.try_get("id")?)?,
            last_seq: unsigned("a sequence number", row.try_get("last_seq")?)?,
            ended: row.try_get::<i64, _>("open")? == 0,
        })
    };
    rows.iter().map(progress).collect()
}

const ASKED: &str = "
    insert into approvals
      (id, tenant, execution, repository, process, step, attempt, status, url, request, decisions, ended_at)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8, ?9, ?10, null)
    on conflict (tenant, execution, step, attempt) do update
      set status = excluded.status, url = excluded.url, request = excluded.request, decisions = excluded.decisions,
        ended_at = null";
const ENDED: &str = "
    update approvals set status = ?5, decisions = ?6, ended_at = ?7
    where tenant = ?1 and execution = ?2 and step = ?3 and attempt = ?4";

/// Keeps the rows of approvals as the transition leaves them.
pub(super) fn of_transition(connection: &Connection, transition: &Transition, id: &str) -> Result<(), StoreError> {
    let tenant = transition.tenant.as_str();
    for change in approval_changes(transition) {
        match change {
            ApprovalChange::Asked(approval) => {
                let Approval { repository, process, step, attempt, url, .. } = &*approval;
                let (request, decisions) =
                    (json("an approval", &approval.request)?, json("decisions", &approval.decisions)?);
                let key = approval.id.to_string();
                let row = params![key, tenant, id, repository, process, step, attempt, url, request, decisions];
                execute(connection, ASKED, row)?;
            }
            ApprovalChange::Ended { step, attempt, status, decisions, at } => {
                let decisions = json("decisions", &decisions)?;
                let row = params![tenant, id, step, attempt, status.as_str(), decisions, at.map(micros)];
                execute(connection, ENDED, row)?;
            }
        }
    }
    Ok(())
}

const COLUMNS: &str = "
    select id, tenant, execution, repository, process, step, attempt, status, url, request, decisions, ended_at
    from approvals where ";

pub(super) async fn approvals(
    readers: &SqlitePool,
    tenant: Option<&TenantId>,
    filter: &ApprovalFilter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Approval>, StoreError> {
    let before: Option<Uuid> = cursor.map(|cursor| cursor.parse().map_err(|_| StoreError::WrongCursor)).transpose()?;
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(COLUMNS);
    query.push("1 = 1");
    if let Some(tenant) = tenant {
        query.push(" and tenant = ").push_bind(tenant.0.clone());
    }
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status.as_str());
    }
    if let Some(execution) = filter.execution {
        query.push(" and execution = ").push_bind(execution.to_string());
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before.to_string());
    }
    query.push(" order by id desc limit ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(readers).await?;
    let mut items: Vec<Approval> = rows.iter().map(approval).collect::<Result<_, _>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next })
}

pub(super) async fn approval_by_id(readers: &SqlitePool, id: Uuid) -> Result<Option<Approval>, StoreError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(COLUMNS);
    query.push("id = ").push_bind(id.to_string());
    query.build().fetch_optional(readers).await?.as_ref().map(approval).transpose()
}

fn approval(row: &SqliteRow) -> Result<Approval, StoreError> {
    let status: String = row.try_get("status")?;
    let unknown = || StoreError::corrupt("an approval", format!("the status {status}"));
    Ok(Approval {
        id: execution_id(row.try_get("id")?)?,
        tenant: tenant_of(row.try_get("tenant")?),
        execution: execution_id(row.try_get("execution")?)?,
        repository: row.try_get("repository")?,
        process: row.try_get("process")?,
        step: row.try_get("step")?,
        attempt: small("an attempt", row.try_get("attempt")?)?,
        status: ApprovalStatus::named(&status).ok_or_else(unknown)?,
        url: row.try_get("url")?,
        request: from_json("an approval", row.try_get("request")?)?,
        decisions: from_json("decisions", row.try_get("decisions")?)?,
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(timestamp).transpose()?,
    })
}

const PAUSE: &str = "
    insert into paused_processes (tenant, repository, process, since) values (?1, ?2, ?3, ?4) on conflict do nothing";
const RESUME: &str = "delete from paused_processes where tenant = ?1 and repository = ?2 and process = ?3";

/// Pauses a process, or has it go on; whether that changed anything.
pub(super) fn pause(connection: &Connection, process: &PausedProcess, pause: bool) -> Result<bool, StoreError> {
    let PausedProcess { tenant, repository, process: name, since } = process;
    let changed = match pause {
        true => execute(connection, PAUSE, params![tenant.as_str(), repository, name, micros(*since)])?,
        false => execute(connection, RESUME, params![tenant.as_str(), repository, name])?,
    };
    if changed == 1 {
        audit::append(connection, tenant, &[of_pause(repository, name, *since, pause)])?;
    }
    Ok(changed == 1)
}

const COPY_PAUSES: &str = "
    insert into paused_processes (tenant, repository, process, since)
    select tenant, ?3, process, since from paused_processes where tenant = ?1 and repository = ?2 on conflict do nothing";
const DROP_PAUSES: &str = "delete from paused_processes where tenant = ?1 and repository = ?2";

/// What is paused under the name that a repository had is paused under its new one.
pub(super) fn move_pauses(connection: &Connection, tenant: &TenantId, from: &str, to: &str) -> Result<(), StoreError> {
    execute(connection, COPY_PAUSES, params![tenant.as_str(), from, to])?;
    execute(connection, DROP_PAUSES, params![tenant.as_str(), from])?;
    Ok(())
}

const PAUSED: &str =
    "select tenant, repository, process, since from paused_processes order by tenant, repository, process";

pub(super) async fn paused(readers: &SqlitePool) -> Result<Vec<PausedProcess>, StoreError> {
    let rows = sqlx::query(PAUSED).fetch_all(readers).await?;
    let paused = |row: &SqliteRow| {
        Ok(PausedProcess {
            tenant: tenant_of(row.try_get("tenant")?),
            repository: row.try_get("repository")?,
            process: row.try_get("process")?,
            since: timestamp(row.try_get("since")?)?,
        })
    };
    rows.iter().map(paused).collect()
}

const NEW_KEY: &str = "insert into server_keys (name, key) values (?1, ?2) on conflict do nothing";
const KEY: &str = "select key from server_keys where name = ?1";

/// The key of this name; `candidate` becomes it where there is none.
pub(super) fn server_key(connection: &Connection, name: &str, candidate: &[u8]) -> Result<Vec<u8>, StoreError> {
    execute(connection, NEW_KEY, params![name, candidate])?;
    Ok(connection.prepare_cached(KEY)?.query_row([name], |row| row.get(0))?)
}
