//! The one transaction of a transition: state, events, work and effects together, guarded by the version.

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{Event, Execution, ExecutionId, ExecutionStatus, StepStatus, TenantId};
use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::columns::{execution_id, json, micros, micros_after, signed, small, unsigned};
use super::{effects, signals};
use crate::store::{Committed, StoreError, Transition, Work};

/// A transition with its texts made, which needs no database and so is done before the writer's turn.
pub(super) struct Prepared {
    transition: Transition,
    state: String,
    events: Vec<String>,
    starts: Vec<Prepared>,
}

impl Prepared {
    pub(super) fn new(mut transition: Transition) -> Result<Self, StoreError> {
        let starts: Result<_, _> = std::mem::take(&mut transition.starts).into_iter().map(Self::new).collect();
        let state = json("the execution", &transition.execution)?;
        let events: Result<_, _> = transition.events.iter().map(|event| json("an event", event)).collect();
        Ok(Self { state, events: events?, starts: starts?, transition })
    }
}

pub(super) async fn commit(connection: &mut SqliteConnection, prepared: Prepared) -> Result<Committed, StoreError> {
    let Prepared { transition, state, events, starts } = prepared;
    for start in starts {
        let started = Box::pin(commit(connection, start)).await?;
        if started.busy.is_some() {
            return Ok(started);
        }
        // A start key that is known names the child of an attempt that was recorded before.
        if started.existing.is_some() {
            return Err(StoreError::Conflict);
        }
    }
    let group = group_of(&transition.execution);
    let (version, last_seq) = if transition.expected_version == 0 {
        match insert(connection, &transition, &state, group.as_deref()).await? {
            Some(instead) => return Ok(instead),
            None => (1, 0),
        }
    } else {
        if let Some(busy) = held_up(connection, &transition, group.as_deref()).await? {
            return Ok(busy);
        }
        update(connection, &transition, &state).await?
    };
    record_word(connection, &transition).await?;
    record_events(connection, &transition, &events, last_seq).await?;
    drop_ended_work(connection, &transition).await?;
    add_work(connection, &transition).await?;
    let at = transition.events.last().map_or(0, |event| micros(event.at));
    signals::of_transition(connection, &transition, group.as_deref(), at).await?;
    if let (Some(group), true) = (&group, transition.execution.status.is_final()) {
        signals::wake_next_of_group(connection, &transition, group, at).await?;
    }
    effects::add(connection, transition.effects).await?;
    let first = unsigned("a sequence number", last_seq)? + 1;
    let seqs = first..first + events.len() as u64;
    Ok(Committed { version: unsigned("a version", version)?, seqs, existing: None, busy: None })
}

/// Groups are within a repository.
fn group_of(execution: &Execution) -> Option<String> {
    execution.group.as_ref().map(|group| format!("{}/{}", execution.repository, group.key))
}

const REST: &str = "
    update executions set wake_at = null where tenant = $1 and id = $2 and version = $3 and status = 'pending'";

/// Whether another execution of the group is under way that this one would have to run beside. Then it rests until it
/// is told.
async fn held_up(
    connection: &mut SqliteConnection,
    transition: &Transition,
    group: Option<&str>,
) -> Result<Option<Committed>, StoreError> {
    let Some(group) = group.filter(|_| transition.enters_group) else { return Ok(None) };
    let Some(busy) = signals::other_of_group(connection, transition, group, false).await? else { return Ok(None) };
    sqlx::query(REST)
        .bind(transition.tenant.as_str())
        .bind(transition.execution.id.to_string())
        .bind(signed("the version", transition.expected_version)?)
        .execute(connection)
        .await?;
    let version = transition.expected_version;
    Ok(Some(Committed { version, seqs: 0..0, existing: None, busy: Some(busy) }))
}

const INSERT: &str = "
    insert into executions
      (tenant, id, version, repository, process, status, open, number, start_key, created_at, wake_at, last_seq, state,
       concurrency_group)
    values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    on conflict do nothing";
const BY_START_KEY: &str = "select id from executions where tenant = $1 and start_key = $2";
const VERSION: &str = "select version from executions where tenant = $1 and id = $2";

/// Inserts a new execution; gives the one that the start key belongs to already, or that stands in the way, if there is
/// one.
async fn insert(
    connection: &mut SqliteConnection,
    transition: &Transition,
    state: &str,
    group: Option<&str>,
) -> Result<Option<Committed>, StoreError> {
    let execution = &transition.execution;
    let other = match group {
        Some(group) => signals::other_of_group(connection, transition, group, true).await?,
        None => None,
    };
    let skips = execution.group.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Skip);
    if let Some(other) = other.filter(|_| skips) {
        // The same start again is no other one.
        if let Some(known) = known(connection, transition).await? {
            return Ok(Some(known));
        }
        return Ok(Some(Committed { version: 0, seqs: 0..0, existing: None, busy: Some(other) }));
    }
    // One that is queued is woken by the end of the one before it.
    let wake_at =
        if other.is_some() && execution.status == ExecutionStatus::Pending { None } else { wake_at(execution) };
    signals::learn(connection, &transition.tenant, &execution.repository).await?;
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
        .bind(wake_at)
        .bind(signed("the number of events", transition.events.len() as u64)?)
        .bind(state)
        .bind(group)
        .execute(&mut *connection)
        .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    known(connection, transition).await?.ok_or(StoreError::Conflict).map(Some)
}

/// The execution that the start key belongs to.
async fn known(connection: &mut SqliteConnection, transition: &Transition) -> Result<Option<Committed>, StoreError> {
    let Some(key) = &transition.start_key else { return Ok(None) };
    let existing: Option<String> = sqlx::query_scalar(BY_START_KEY)
        .bind(transition.tenant.as_str())
        .bind(key)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(existing) = existing else { return Ok(None) };
    let version: i64 =
        sqlx::query_scalar(VERSION).bind(transition.tenant.as_str()).bind(&existing).fetch_one(connection).await?;
    let (version, existing) = (unsigned("a version", version)?, Some(execution_id(&existing)?));
    Ok(Some(Committed { version, seqs: 0..0, existing, busy: None }))
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
