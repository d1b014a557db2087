//! The one transaction of a transition: the execution's row, events, work and effects together, guarded by the version.
//! A step changes a small row and adds its events; the state is what they fold to, from the last snapshot on.

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{EventKind, ExecutionId, ExecutionStatus, StepStatus, TenantId};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{execute, execution_id, micros, micros_after, optional, signed, unsigned};
use super::{audit, effects, lists, outputs, signals, spending, stream};
use crate::store::payloads::{Payloads, Text, split, split_where};
use crate::store::states::{self, bytes, wake_at};
use crate::store::{Committed, Held, StoreError, Transition};

/// A transition with its texts made, which needs no database and so is done before the writer's turn.
pub(super) struct Prepared {
    transition: Transition,
    id: String,
    /// Of one that has ended: it is read more often than it changes from now on.
    state: Option<Text>,
    events: Text,
    starts: Vec<Prepared>,
}

impl Prepared {
    /// What is large goes into `large`, to be kept before this is stored.
    pub(super) fn new(mut transition: Transition, large: &mut Payloads) -> Result<Self, StoreError> {
        let starts = std::mem::take(&mut transition.starts).into_iter();
        let starts = starts.map(|start| Self::new(start, large)).collect::<Result<_, _>>()?;
        let tenant = transition.tenant.as_str();
        let state = states::ends(&transition).then(|| states::snapshot(&transition, tenant, large)).transpose()?;
        let events = split("the events", &transition.events, tenant, large)?;
        Ok(Self { id: transition.execution.id.to_string(), state, events, starts, transition })
    }

    /// The moment of the transition.
    pub(super) fn at(&self) -> Timestamp {
        let last = self.transition.events.last();
        last.map_or(self.transition.execution.created_at, |event| event.at)
    }

    /// The digests of what is large in it or beside it.
    fn digests(&self) -> impl Iterator<Item = &String> {
        let texts = [Some(&self.events), self.state.as_ref()].into_iter().flatten();
        self.transition.outputs.iter().chain(texts.flat_map(|text| &text.digests))
    }

    fn tenant(&self) -> &str {
        self.transition.tenant.as_str()
    }
}

/// An execution's row, as far as a transition needs it.
struct Stands {
    position: i64,
    version: i64,
    last_seq: i64,
    base_bytes: i64,
    tail_bytes: i64,
}

pub(super) fn commit(connection: &Connection, mut prepared: Prepared) -> Result<Committed, StoreError> {
    check_claim(connection, &prepared)?;
    for start in std::mem::take(&mut prepared.starts) {
        let started = commit(connection, start)?;
        if started.busy.is_some() {
            return Ok(started);
        }
        // A start key that is known names the child of an attempt that was recorded before.
        if started.existing.is_some() {
            return Err(StoreError::Conflict);
        }
    }
    let group = prepared.transition.execution.group_key();
    let stands = if prepared.transition.expected_version == 0 {
        match insert(connection, &prepared, group.as_deref())? {
            Inserted::Instead(instead) => return Ok(instead),
            Inserted::New(stands) => stands,
        }
    } else {
        if let Some(busy) = held_up(connection, &prepared, group.as_deref())? {
            return Ok(busy);
        }
        update(connection, &prepared)?
    };
    record_word(connection, &prepared)?;
    record_events(connection, &prepared, &stands)?;
    drop_ended_work(connection, &prepared.transition, stands.position)?;
    add_work(connection, &prepared.transition, stands.position)?;
    outputs::name(connection, prepared.tenant(), stands.position, prepared.digests())?;
    stream::add(connection, &prepared.transition, stands.position, stands.last_seq)?;
    let transition = prepared.transition;
    let at = transition.events.last().map_or(0, |event| micros(event.at));
    signals::of_transition(connection, &transition, &prepared.id, group.as_deref(), at)?;
    if let (Some(group), true) = (&group, transition.execution.status.is_final()) {
        signals::wake_next_of_group(connection, &transition, group, at)?;
    }
    spending::charge(connection, &transition, &prepared.id, at)?;
    lists::of_transition(connection, &transition, &prepared.id)?;
    audit::append(connection, &transition.tenant, &transition.audit)?;
    effects::add(connection, transition.effects)?;
    let end = unsigned("a sequence number", stands.last_seq)? + 1;
    let seqs = end - transition.events.len() as u64..end;
    Ok(Committed { version: unsigned("a version", stands.version)?, seqs, existing: None, busy: None })
}

const HELD: &str = "
    select 1 from work
    where execution = (select position from executions where tenant = ?1 and id = ?2)
      and step = ?3 and attempt = ?4 and lease_owner = ?5 and claims = ?6";

/// Refuses what is made under a claim that is somebody else's by now.
fn check_claim(connection: &Connection, prepared: &Prepared) -> Result<(), StoreError> {
    let Some(Held { work, owner }) = &prepared.transition.under else { return Ok(()) };
    let values = params![prepared.tenant(), prepared.id, work.step, work.attempt, owner, work.claims];
    let held = optional(connection, HELD, values, |_| Ok(()))?;
    held.ok_or(StoreError::Fenced)
}

const REST: &str = "
    update executions set wake_at = null where tenant = ?1 and id = ?2 and version = ?3 and status = 'pending'";

/// Whether another execution of the group is under way that this one would have to run beside. Then it rests until it
/// is told.
fn held_up(connection: &Connection, prepared: &Prepared, group: Option<&str>) -> Result<Option<Committed>, StoreError> {
    let transition = &prepared.transition;
    let Some(group) = group.filter(|_| transition.enters_group) else { return Ok(None) };
    let Some(busy) = signals::other_of_group(connection, transition, group, false)? else { return Ok(None) };
    let version = transition.expected_version;
    execute(connection, REST, params![prepared.tenant(), prepared.id, signed("the version", version)?])?;
    Ok(Some(Committed { version, seqs: 0..0, existing: None, busy: Some(busy) }))
}

enum Inserted {
    New(Stands),
    /// The start key belongs to another one already, or another one stands in the way.
    Instead(Committed),
}

const INSERT: &str = "
    insert into executions
      (tenant, id, version, repository, process, status, open, number, start_key, created_at, ended_at, wake_at,
       last_seq, concurrency_group, base_bytes, tail_bytes)
    values (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 0)
    on conflict do nothing";
const SNAPSHOT: &str = "
    insert into snapshots (execution, seq, state, large) values (?1, ?2, ?3, ?4)
    on conflict (execution) do update set seq = excluded.seq, state = excluded.state, large = excluded.large";

fn insert(connection: &Connection, prepared: &Prepared, group: Option<&str>) -> Result<Inserted, StoreError> {
    let transition = &prepared.transition;
    let execution = &transition.execution;
    let other = match group {
        Some(group) => signals::other_of_group(connection, transition, group, true)?,
        None => None,
    };
    let skips = execution.group.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Skip);
    if let Some(other) = other.filter(|_| skips) {
        // The same start again is no other one.
        let busy = || Committed { version: 0, seqs: 0..0, existing: None, busy: Some(other) };
        return Ok(Inserted::Instead(known(connection, transition)?.unwrap_or_else(busy)));
    }
    // One that is queued is woken by the end of the one before it.
    let wake_at =
        if other.is_some() && execution.status == ExecutionStatus::Pending { None } else { wake_at(execution) };
    signals::learn(connection, &transition.tenant, &execution.repository)?;
    let number = execution.subject.as_ref().and_then(|subject| subject.number);
    let last_seq = signed("the number of events", transition.events.len() as u64)?;
    let base_bytes = bytes(&prepared.state.as_ref().unwrap_or(&prepared.events).text)?;
    let values = params![
        prepared.tenant(),
        prepared.id,
        execution.repository,
        execution.process,
        execution.status.as_str(),
        !execution.status.is_final(),
        number.map(|number| signed("the number", number)).transpose()?,
        transition.start_key,
        micros(execution.created_at),
        execution.completed_at.map(micros),
        wake_at,
        last_seq,
        group,
        base_bytes,
    ];
    if execute(connection, INSERT, values)? != 1 {
        return known(connection, transition)?.ok_or(StoreError::Conflict).map(Inserted::Instead);
    }
    let position = connection.last_insert_rowid();
    if let Some(state) = &prepared.state {
        execute(connection, SNAPSHOT, params![position, last_seq, state.text, state.large])?;
    }
    Ok(Inserted::New(Stands { position, version: 1, last_seq, base_bytes, tail_bytes: 0 }))
}

const BY_START_KEY: &str = "select id, version from executions where tenant = ?1 and start_key = ?2";

/// The execution that the start key belongs to.
fn known(connection: &Connection, transition: &Transition) -> Result<Option<Committed>, StoreError> {
    let Some(key) = &transition.start_key else { return Ok(None) };
    let existing = optional(connection, BY_START_KEY, params![transition.tenant.as_str(), key], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
    })?;
    let Some((id, version)) = existing else { return Ok(None) };
    let (version, existing) = (unsigned("a version", version)?, Some(execution_id(&id)?));
    Ok(Some(Committed { version, seqs: 0..0, existing, busy: None }))
}

const STANDS: &str = "
    select position, version, last_seq, base_bytes, tail_bytes, status, wake_at from executions
    where tenant = ?1 and id = ?2";
/// Most steps change neither the status nor when something is due: then no index changes.
const STEP: &str = "
    update executions set version = ?2, last_seq = ?3, base_bytes = ?4, tail_bytes = ?5 where position = ?1";
const TURN: &str = "
    update executions
    set version = ?2, last_seq = ?3, base_bytes = ?4, tail_bytes = ?5, status = ?6, open = ?7, wake_at = ?8,
      ended_at = ?9
    where position = ?1";

/// Brings the row up to date, and the snapshot where it is time for one.
fn update(connection: &Connection, prepared: &Prepared) -> Result<Stands, StoreError> {
    let transition = &prepared.transition;
    let execution = &transition.execution;
    let stood = optional(connection, STANDS, params![prepared.tenant(), prepared.id], |row| {
        let stands = Stands {
            position: row.get(0)?,
            version: row.get(1)?,
            last_seq: row.get(2)?,
            base_bytes: row.get(3)?,
            tail_bytes: row.get(4)?,
        };
        let goes_on = row.get_ref(5)?.as_str()? == execution.status.as_str()
            && row.get::<_, Option<i64>>(6)? == wake_at(execution);
        Ok((stands, goes_on))
    })?;
    let (mut stands, goes_on) = stood.ok_or(StoreError::Conflict)?;
    if unsigned("a version", stands.version)? != transition.expected_version {
        return Err(StoreError::Conflict);
    }
    stands.version += 1;
    stands.last_seq += signed("the number of events", transition.events.len() as u64)?;
    stands.tail_bytes += bytes(&prepared.events.text)?;
    snapshot(connection, prepared, &mut stands)?;
    let Stands { position, version, last_seq, base_bytes, tail_bytes } = stands;
    if goes_on {
        execute(connection, STEP, params![position, version, last_seq, base_bytes, tail_bytes])?;
    } else {
        let (status, open) = (execution.status.as_str(), !execution.status.is_final());
        let (wake_at, ended_at) = (wake_at(execution), execution.completed_at.map(micros));
        let values = params![position, version, last_seq, base_bytes, tail_bytes, status, open, wake_at, ended_at];
        execute(connection, TURN, values)?;
    }
    Ok(stands)
}

fn snapshot(connection: &Connection, prepared: &Prepared, stands: &mut Stands) -> Result<(), StoreError> {
    let made;
    let state = match &prepared.state {
        Some(state) => state,
        None if states::is_outgrown(stands.base_bytes, stands.tail_bytes) => {
            made = outgrown(connection, prepared, stands.position)?;
            &made
        }
        None => return Ok(()),
    };
    execute(connection, SNAPSHOT, params![stands.position, stands.last_seq, state.text, state.large])?;
    (stands.base_bytes, stands.tail_bytes) = (bytes(&state.text)?, 0);
    Ok(())
}

/// The text of a snapshot that is made in the writer's turn, where nothing can be kept any more: what its events brought
/// has been, and what is large otherwise stays in it.
fn outgrown(connection: &Connection, prepared: &Prepared, position: i64) -> Result<Text, StoreError> {
    split_where(states::SNAPSHOT, &*prepared.transition.execution, &mut |digest, _| {
        Ok(prepared.digests().any(|it| it == digest) || outputs::is_named(connection, position, digest)?)
    })
}

const RECORD_WORD: &str = "
    insert into words (tenant, word, execution) values (?1, ?2, ?3) on conflict do nothing";

fn record_word(connection: &Connection, prepared: &Prepared) -> Result<(), StoreError> {
    let Some(word) = &prepared.transition.word else { return Ok(()) };
    let recorded = execute(connection, RECORD_WORD, params![prepared.tenant(), word, prepared.id])?;
    if recorded == 1 { Ok(()) } else { Err(StoreError::WordKnown) }
}

const RECORD_EVENTS: &str = "insert into events (execution, seq, delivery, events, large) values (?1, ?2, ?3, ?4, ?5)";

fn record_events(connection: &Connection, prepared: &Prepared, stands: &Stands) -> Result<(), StoreError> {
    if prepared.transition.events.is_empty() {
        return Ok(());
    }
    let delivery = prepared.transition.delivery.as_ref().map(|delivery| delivery.0.as_str());
    let Text { text, large, .. } = &prepared.events;
    execute(connection, RECORD_EVENTS, params![stands.position, stands.last_seq, delivery, text, large])?;
    Ok(())
}

const DROP_WORK: &str = "delete from work where execution = ?1";
const DROP_WORK_OF_STEP: &str = "delete from work where execution = ?1 and step = ?2 and attempt <> ?3";

/// Drops attempts whose steps no longer run them: their results would be refused. Only steps that the events are about
/// can have stopped.
fn drop_ended_work(connection: &Connection, transition: &Transition, position: i64) -> Result<(), StoreError> {
    if transition.expected_version == 0 {
        return Ok(());
    }
    if transition.execution.status.is_final() {
        execute(connection, DROP_WORK, [position])?;
        return Ok(());
    }
    for event in &transition.events {
        // What begins had not run before, of earlier attempts nothing is left; what records something goes on.
        let ends_none = matches!(event.kind, EventKind::StepStarted { .. } | EventKind::StepNoted { .. });
        let (Some(step), false) = (&event.step, ends_none) else { continue };
        let state = transition.execution.steps.get(step);
        let runs = state.filter(|state| state.status == StepStatus::Running).map_or(0, |state| state.attempt);
        execute(connection, DROP_WORK_OF_STEP, params![position, step, runs])?;
    }
    Ok(())
}

const ADD_WORK: &str = "
    insert into work (execution, step, attempt, claims, lease_owner, lease_until) values (?1, ?2, ?3, ?4, ?5, ?6)
    on conflict do nothing";

fn add_work(connection: &Connection, transition: &Transition, position: i64) -> Result<(), StoreError> {
    let claim = transition.claim.as_ref();
    for (place, work) in transition.work.iter().enumerate() {
        let claim = claim.filter(|claim| place < claim.count);
        let (owner, until) = (claim.map(|claim| &claim.owner), claim.map(|claim| micros(claim.until)));
        let values = params![position, work.step, work.attempt, u32::from(claim.is_some()), owner, until];
        execute(connection, ADD_WORK, values)?;
    }
    Ok(())
}

const POSTPONE: &str = "
    update executions set wake_at = ?4 where tenant = ?1 and id = ?2 and version = ?3 and wake_at is not null";

pub(super) fn postpone(
    connection: &Connection,
    tenant: &TenantId,
    id: ExecutionId,
    version: u64,
    until: Timestamp,
) -> Result<(), StoreError> {
    let version = signed("the version", version)?;
    execute(connection, POSTPONE, params![tenant.as_str(), id.to_string(), version, micros_after(until)])?;
    Ok(())
}
