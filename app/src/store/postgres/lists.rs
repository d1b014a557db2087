//! What the API lists and looks up, in SQL: executions and approvals page by page, how far executions have got, paused
//! processes, keys. A page is found along one index from where the last one ended; nothing is counted or skipped over.

use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, TenantId};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::payloads::tenant_text;
use super::prepared::Prepared;
use super::signals::lock_turns;
use super::text::storable;
use super::{audit, queries};
use crate::audit::of_pause;
use crate::store::approval::ApprovalChange;
use crate::store::columns::{from_json, json, micros, micros_after, small, tenant as tenant_of, timestamp, unsigned};
use crate::store::listing;
use crate::store::{
    Approval, ApprovalFilter, ApprovalStatus, ExecutionFilter, Page, PausedProcess, Progress, StoreError,
};

pub(super) async fn executions(
    connection: &mut PgConnection,
    tenant: Option<&TenantId>,
    filter: &ExecutionFilter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Execution>, StoreError> {
    let before: Option<ExecutionId> =
        cursor.map(|cursor| cursor.parse().map_err(|_| StoreError::WrongCursor)).transpose()?;
    let (rows, looked_at) = look(connection, tenant, filter, limit, before).await?;
    let fitting: Vec<&Looked> = rows.iter().filter(|row| row.fits).collect();
    let shown = &fitting[..fitting.len().min(limit as usize)];
    let next = if fitting.len() > shown.len() {
        shown.last().map(|row| row.id.to_string())
    } else {
        rows.last().filter(|_| rows.len() >= looked_at as usize).map(|row| row.id.to_string())
    };
    let positions: Vec<i64> = shown.iter().map(|row| row.position).collect();
    // What was taken away meanwhile is not on the page.
    let mut items = queries::load_all(connection, &positions).await?;
    items.sort_by_key(|execution| std::cmp::Reverse(execution.id));
    Ok(Page { items, next })
}

/// An execution that a page looks at.
struct Looked {
    position: i64,
    id: ExecutionId,
    fits: bool,
}

/// Looks along one index: the executions met, newest first, and how many were to be looked at.
async fn look(
    connection: &mut PgConnection,
    tenant: Option<&TenantId>,
    filter: &ExecutionFilter,
    limit: u32,
    before: Option<ExecutionId>,
) -> Result<(Vec<Looked>, u32), StoreError> {
    // The index: of what is rare first. `completed` is no rare status.
    let rare = filter.status.filter(|status| *status != ExecutionStatus::Completed);
    let by_process = filter.process.as_ref().filter(|_| rare.is_none());
    let by_tenant = tenant.filter(|_| rare.is_none() && by_process.is_none());
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new("select position, id, (1 = 1");
    let mut exact = true;
    let mut also = |query: &mut QueryBuilder<Postgres>, condition: &'static str, value: String| {
        query.push(condition).push_bind(value);
        exact = false;
    };
    if let Some(tenant) = tenant.filter(|_| by_tenant.is_none()) {
        also(&mut query, " and tenant = ", storable(tenant.as_str()).into_owned());
    }
    if let Some(process) = filter.process.as_ref().filter(|_| by_process.is_none()) {
        also(&mut query, " and process = ", storable(process).into_owned());
    }
    if let Some(status) = filter.status.filter(|_| rare.is_none()) {
        also(&mut query, " and status = ", status.as_str().to_owned());
    }
    if let Some(repository) = &filter.repository {
        also(&mut query, " and repository = ", storable(repository).into_owned());
    }
    if let Some(text) = &filter.text {
        also(
            &mut query,
            " and lower(id::text || ' ' || process || ' ' || repository) like ",
            listing::containing(&storable(text)),
        );
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
        query.push(" and process = ").push_bind(storable(process).into_owned());
    }
    if let Some(tenant) = by_tenant {
        query.push(" and tenant = ").push_bind(storable(tenant.as_str()).into_owned());
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before);
    }
    if let Some(since) = filter.since {
        query.push(" and id >= ").push_bind(listing::first_id_of(since));
    }
    if let Some(until) = filter.until.and_then(|until| until.checked_add(jiff::SignedDuration::from_millis(1)).ok()) {
        query.push(" and id < ").push_bind(listing::first_id_of(until));
    }
    let edges = filter.since.is_some() || filter.until.is_some();
    let looked_at = listing::looked_at(limit, exact && !edges);
    query.push(" order by id desc limit ").push_bind(i64::from(looked_at));
    let rows = query.build().fetch_all(&mut *connection).await?;
    let looked = |row: &PgRow| {
        Ok(Looked { position: row.try_get("position")?, id: row.try_get("id")?, fits: row.try_get("fits")? })
    };
    Ok((rows.iter().map(looked).collect::<Result<_, StoreError>>()?, looked_at))
}

const TENANT_OF: &str = "select tenant from executions where id = $1 limit 1";

pub(super) async fn tenant_of_execution(
    connection: &mut PgConnection,
    id: ExecutionId,
) -> Result<Option<TenantId>, StoreError> {
    let tenant: Option<String> = sqlx::query_scalar(TENANT_OF).bind(id).fetch_optional(connection).await?;
    Ok(tenant.map(tenant_of))
}

const PROGRESS: &str = "select id, last_seq, open from executions where id = any($1)";

pub(super) async fn progress(connection: &mut PgConnection, ids: &[ExecutionId]) -> Result<Vec<Progress>, StoreError> {
    let rows = sqlx::query(PROGRESS).bind(ids).fetch_all(connection).await?;
    let progress = |row: &PgRow| {
        Ok(Progress {
            execution: row.try_get("id")?,
            last_seq: unsigned("a sequence number", row.try_get("last_seq")?)?,
            ended: !row.try_get::<bool, _>("open")?,
        })
    };
    rows.iter().map(progress).collect()
}

const ASKED: &str = "
    insert into approvals
      (id, tenant, execution, repository, process, step, attempt, status, url, request, decisions, ended_at)
    values ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, null)
    on conflict (tenant, execution, step, attempt) do update
      set status = excluded.status, url = excluded.url, request = excluded.request, decisions = excluded.decisions,
        ended_at = null";
const ENDED: &str = "
    update approvals set status = $5, decisions = $6, ended_at = $7
    where tenant = $1 and execution = $2 and step = $3 and attempt = $4";

/// Keeps the rows of approvals as the transition leaves them.
pub(super) async fn of_transition(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let id = part.transition.execution.id;
    for change in &part.approvals {
        let query = match change {
            ApprovalChange::Asked(approval) => {
                let Approval { id: key, repository, process, step, attempt, url, request, decisions, .. } = &**approval;
                sqlx::query(ASKED)
                    .bind(key)
                    .bind(&part.tenant)
                    .bind(id)
                    .bind(repository)
                    .bind(process)
                    .bind(step)
                    .bind(i64::from(*attempt))
                    .bind(url)
                    .bind(json("an approval", request)?)
                    .bind(json("decisions", decisions)?)
            }
            ApprovalChange::Ended { step, attempt, status, decisions, at } => sqlx::query(ENDED)
                .bind(&part.tenant)
                .bind(id)
                .bind(step)
                .bind(i64::from(*attempt))
                .bind(status.as_str())
                .bind(json("decisions", decisions)?)
                .bind(at.map(micros)),
        };
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

const COLUMNS: &str = "
    select id, tenant, execution, repository, process, step, attempt, status, url, request, decisions, ended_at
    from approvals where ";

pub(super) async fn approvals(
    connection: &mut PgConnection,
    tenant: Option<&TenantId>,
    filter: &ApprovalFilter,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Page<Approval>, StoreError> {
    let before: Option<Uuid> = cursor.map(|cursor| cursor.parse().map_err(|_| StoreError::WrongCursor)).transpose()?;
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new(COLUMNS);
    query.push("1 = 1");
    if let Some(tenant) = tenant {
        query.push(" and tenant = ").push_bind(storable(tenant.as_str()).into_owned());
    }
    if let Some(status) = filter.status {
        query.push(" and status = ").push_bind(status.as_str());
    }
    if let Some(execution) = filter.execution {
        query.push(" and execution = ").push_bind(execution);
    }
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(" order by id desc limit ").push_bind(i64::from(limit) + 1);
    let rows = query.build().fetch_all(&mut *connection).await?;
    let mut items: Vec<Approval> = rows.iter().map(approval).collect::<Result<_, _>>()?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Page { items, next })
}

pub(super) async fn approval_by_id(connection: &mut PgConnection, id: Uuid) -> Result<Option<Approval>, StoreError> {
    let mut query: QueryBuilder<Postgres> = QueryBuilder::new(COLUMNS);
    query.push("id = ").push_bind(id);
    query.build().fetch_optional(connection).await?.as_ref().map(approval).transpose()
}

fn approval(row: &PgRow) -> Result<Approval, StoreError> {
    let status: String = row.try_get("status")?;
    let unknown = || StoreError::corrupt("an approval", format!("the status {status}"));
    Ok(Approval {
        id: row.try_get("id")?,
        tenant: tenant_of(row.try_get("tenant")?),
        execution: row.try_get("execution")?,
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
    insert into paused_processes (tenant, repository, process, since) values ($1, $2, $3, $4) on conflict do nothing";
const RESUME: &str = "delete from paused_processes where tenant = $1 and repository = $2 and process = $3";

/// Pauses a process, or has it go on; whether that changed anything.
pub(super) async fn pause(
    connection: &mut PgConnection,
    process: &PausedProcess,
    pause: bool,
) -> Result<bool, StoreError> {
    let PausedProcess { tenant, repository, process, since } = process;
    let of = |sql| sqlx::query(sql).bind(tenant.as_str()).bind(storable(repository)).bind(storable(process));
    let query = if pause { of(PAUSE).bind(micros(*since)) } else { of(RESUME) };
    let mut transaction = connection.begin().await?;
    let changed = query.execute(&mut *transaction).await?.rows_affected() == 1;
    if changed {
        lock_turns(&mut transaction, vec![tenant_text(tenant)], vec![audit::TURN.to_owned()]).await?;
        let entry = of_pause(repository, process, *since, pause);
        audit::append(&mut transaction, &[(tenant, &entry)]).await?;
    }
    transaction.commit().await?;
    Ok(changed)
}

const MOVE_PAUSES: &str = "
    with moved as (
      delete from paused_processes where tenant = $1 and repository = $2 returning tenant, process, since)
    insert into paused_processes (tenant, repository, process, since)
    select tenant, $3, process, since from moved on conflict do nothing";

/// What is paused under the name that a repository had is paused under its new one.
pub(super) async fn move_pauses(
    connection: &mut PgConnection,
    tenant: &str,
    from: &str,
    to: &str,
) -> Result<(), StoreError> {
    sqlx::query(MOVE_PAUSES).bind(tenant).bind(from).bind(to).execute(connection).await?;
    Ok(())
}

const PAUSED: &str =
    "select tenant, repository, process, since from paused_processes order by tenant, repository, process";

pub(super) async fn paused(connection: &mut PgConnection) -> Result<Vec<PausedProcess>, StoreError> {
    let rows = sqlx::query(PAUSED).fetch_all(connection).await?;
    let paused = |row: &PgRow| {
        Ok(PausedProcess {
            tenant: tenant_of(row.try_get("tenant")?),
            repository: row.try_get("repository")?,
            process: row.try_get("process")?,
            since: timestamp(row.try_get("since")?)?,
        })
    };
    rows.iter().map(paused).collect()
}

const NEW_KEY: &str = "insert into server_keys (name, key) values ($1, $2) on conflict do nothing";
const KEY: &str = "select key from server_keys where name = $1";

/// The key of this name; `candidate` becomes it where there is none. Of several servers that give one, one does.
pub(super) async fn server_key(
    connection: &mut PgConnection,
    name: &str,
    candidate: &[u8],
) -> Result<Vec<u8>, StoreError> {
    sqlx::query(NEW_KEY).bind(name).bind(candidate).execute(&mut *connection).await?;
    Ok(sqlx::query_scalar(KEY).bind(name).fetch_one(connection).await?)
}
