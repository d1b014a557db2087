//! The one transaction of a transition: state, events, work and effects together, guarded by the version.

use flowctl_core::execution::{Event, Execution, ExecutionId, ExecutionStatus, StepStatus, TenantId};
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::columns::{execution_id, json, micros, micros_after, signed, small, unsigned};
use super::effects;
use crate::store::{Committed, StoreError, Transition, Work};

/// A transition with its texts made, which needs no database and so is done before the writer's turn.
pub(super) struct Prepared {
    transition: Transition,
    state: String,
    events: Vec<String>,
}

impl Prepared {
    pub(super) fn new(transition: Transition) -> Result<Self, StoreError> {
        let state = json("the execution", &transition.execution)?;
        let events: Result<_, _> = transition.events.iter().map(|event| json("an event", event)).collect();
        Ok(Self { state, events: events?, transition })
    }
}

pub(super) async fn commit(connection: &mut SqliteConnection, prepared: Prepared) -> Result<Committed, StoreError> {
    let Prepared { transition, state, events } = prepared;
    let (version, last_seq) = if transition.expected_version == 0 {
        if let Some(existing) = insert(connection, &transition, &state).await? {
            return Ok(existing);
        }
        (1, 0)
    } else {
        update(connection, &transition, &state).await?
    };
    record_word(connection, &transition).await?;
    record_events(connection, &transition, &events, last_seq).await?;
    drop_ended_work(connection, &transition).await?;
    add_work(connection, &transition).await?;
    effects::add(connection, transition.effects).await?;
    let first = unsigned("a sequence number", last_seq)? + 1;
    let seqs = first..first + events.len() as u64;
    Ok(Committed { version: unsigned("a version", version)?, seqs, existing: None })
}

const INSERT: &str = "
    insert into executions
      (tenant, id, version, repository, process, status, open, number, start_key, created_at, wake_at, last_seq, state)
    values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict do nothing";
const BY_START_KEY: &str = "select id from executions where tenant = $1 and start_key = $2";
const VERSION: &str = "select version from executions where tenant = $1 and id = $2";

/// Inserts a new execution; gives the one that the start key belongs to already, if there is one.
async fn insert(
    connection: &mut SqliteConnection,
    transition: &Transition,
    state: &str,
) -> Result<Option<Committed>, StoreError> {
    let execution = &transition.execution;
    let number = execution.subject.as_ref().and_then(|subject| subject.number);
    let inserted = sqlx::query(INSERT)
        .bind(transition.tenant.as_str())
        .bind(execution.id.to_string())
        .bind(&execution.repository)
        .bind(&execution.process)
        .bind(execution.status.as_str())
        .bind(!execution.status.is_final())
        .bind(number.map(|number| signed("the number", number)).transpose()?)
        .bind(&transition.start_key)
        .bind(micros(execution.created_at))
        .bind(wake_at(execution))
        .bind(signed("the number of events", transition.events.len() as u64)?)
        .bind(state)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let Some(key) = &transition.start_key else { return Err(StoreError::Conflict) };
    let existing: Option<String> = sqlx::query_scalar(BY_START_KEY)
        .bind(transition.tenant.as_str())
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(existing) = existing else { return Err(StoreError::Conflict) };
    let version: i64 =
        sqlx::query_scalar(VERSION).bind(transition.tenant.as_str()).bind(&existing).fetch_one(connection).await?;
    let (version, existing) = (unsigned("a version", version)?, Some(execution_id(&existing)?));
    Ok(Some(Committed { version, seqs: 0..0, existing }))
}

const UPDATE: &str = "
    update executions
    set version = version + 1, status = $4, open = $5, number = $6, wake_at = $7, last_seq = last_seq + $8, state = $9
    where tenant = $1 and id = $2 and version = $3
    returning version, last_seq";

/// Replaces the state; gives the new version and the last sequence number before this transition's events.
async fn update(
    connection: &mut SqliteConnection,
    transition: &Transition,
    state: &str,
) -> Result<(i64, i64), StoreError> {
    let execution = &transition.execution;
    let number = execution.subject.as_ref().and_then(|subject| subject.number);
    let events = signed("the number of events", transition.events.len() as u64)?;
    let row = sqlx::query(UPDATE)
        .bind(transition.tenant.as_str())
        .bind(execution.id.to_string())
        .bind(signed("the version", transition.expected_version)?)
        .bind(execution.status.as_str())
        .bind(!execution.status.is_final())
        .bind(number.map(|number| signed("the number", number)).transpose()?)
        .bind(wake_at(execution))
        .bind(events)
        .bind(state)
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::Conflict)?;
    let last_seq: i64 = row.try_get("last_seq")?;
    Ok((row.try_get("version")?, last_seq - events))
}

/// When somebody must look at the execution again. A pending one is due from its creation.
fn wake_at(execution: &Execution) -> Option<i64> {
    if execution.status == ExecutionStatus::Pending {
        return Some(micros(execution.created_at));
    }
    execution.wake_at().map(micros_after)
}

const RECORD_WORD: &str = "
    insert into words (tenant, word, execution) values ($1, $2, $3) on conflict do nothing";

async fn record_word(connection: &mut SqliteConnection, transition: &Transition) -> Result<(), StoreError> {
    let Some(word) = &transition.word else { return Ok(()) };
    let recorded = sqlx::query(RECORD_WORD)
        .bind(transition.tenant.as_str())
        .bind(word)
        .bind(transition.execution.id.to_string())
        .execute(connection)
        .await?;
    if recorded.rows_affected() == 1 { Ok(()) } else { Err(StoreError::WordKnown) }
}

const RECORD_EVENT: &str = "
    insert into events (tenant, execution, seq, type, at, delivery, event) values ($1, $2, $3, $4, $5, $6, $7)";

async fn record_events(
    connection: &mut SqliteConnection,
    transition: &Transition,
    texts: &[String],
    last_seq: i64,
) -> Result<(), StoreError> {
    let id = transition.execution.id.to_string();
    let delivery = transition.delivery.as_ref().map(|delivery| delivery.0.as_str());
    let numbered = (last_seq + 1..).zip(transition.events.iter().zip(texts));
    for (seq, (Event { at, kind, .. }, text)) in numbered {
        sqlx::query(RECORD_EVENT)
            .bind(transition.tenant.as_str())
            .bind(&id)
            .bind(seq)
            .bind(kind.name())
            .bind(micros(*at))
            .bind(delivery)
            .bind(text)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

const WORK_OF: &str = "select position, step, attempt from work where tenant = $1 and execution = $2";
const DROP_WORK: &str = "delete from work where position = $1";

/// Drops attempts whose steps no longer run them: their results would be refused.
async fn drop_ended_work(connection: &mut SqliteConnection, transition: &Transition) -> Result<(), StoreError> {
    if transition.expected_version == 0 {
        return Ok(());
    }
    let rows = sqlx::query(WORK_OF)
        .bind(transition.tenant.as_str())
        .bind(transition.execution.id.to_string())
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let work = Work { step: row.try_get("step")?, attempt: small("an attempt", row.try_get("attempt")?)? };
        if !runs(&transition.execution, &work) {
            let position: i64 = row.try_get("position")?;
            sqlx::query(DROP_WORK).bind(position).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

fn runs(execution: &Execution, work: &Work) -> bool {
    let step = execution.steps.get(&work.step);
    step.is_some_and(|step| step.status == StepStatus::Running && step.attempt == work.attempt)
}

const ADD_WORK: &str = "
    insert into work (tenant, execution, step, attempt) values ($1, $2, $3, $4) on conflict do nothing";

async fn add_work(connection: &mut SqliteConnection, transition: &Transition) -> Result<(), StoreError> {
    for work in &transition.work {
        sqlx::query(ADD_WORK)
            .bind(transition.tenant.as_str())
            .bind(transition.execution.id.to_string())
            .bind(&work.step)
            .bind(work.attempt)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

const POSTPONE: &str = "
    update executions set wake_at = $4 where tenant = $1 and id = $2 and version = $3 and wake_at is not null";

pub(super) async fn postpone(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    id: ExecutionId,
    version: u64,
    until: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(POSTPONE)
        .bind(tenant.as_str())
        .bind(id.to_string())
        .bind(signed("the version", version)?)
        .bind(micros_after(until))
        .execute(connection)
        .await?;
    Ok(())
}
