//! Rows of executions with their events, snapshots and work, which change together: one statement for those of a
//! transaction that go on, one for those that are new. What is refused changes nothing.

use std::collections::BTreeMap;

use flowctl_core::execution::{EventKind, ExecutionId, StepStatus};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::batch::Outgrown;
use super::payloads::{self, Payloads};
use super::prepared::{Prepared, Unit, snapshot};
use super::text::storable;
use crate::store::columns::{micros, signed};
use crate::store::{StoreError, states};

/// An execution by tenant and id.
pub(super) type Key = (String, ExecutionId);

pub(super) fn key(part: &Prepared) -> Key {
    (part.tenant.clone(), part.transition.execution.id)
}

/// How an execution's row stands after a transition.
#[derive(Debug)]
pub(super) struct Stands {
    pub(super) position: i64,
    pub(super) version: i64,
    pub(super) last_seq: i64,
    pub(super) base_bytes: i64,
    pub(super) tail_bytes: i64,
}

/// The version guards; so does the epoch of the claim that a result was made under. `ended` are the steps whose attempts
/// are dropped but for one, since their results would be refused; without a step all of the execution's.
const GO_ON: &str = "
    with moved as (
      update executions e
      set version = e.version + 1, status = t.status, open = t.open, wake_at = t.wake_at, ended_at = t.ended_at,
        last_seq = e.last_seq + t.events,
        base_bytes = case when t.snapshot is null then e.base_bytes else octet_length(t.snapshot) end,
        tail_bytes = case when t.snapshot is null then e.tail_bytes + octet_length(t.texts) else 0 end
      from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[],
          $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[],
          $16::bigint[], $17::text[]) with ordinality
        as t(tenant, id, version, status, open, wake_at, ended_at, events, texts, large, delivery, snapshot,
          snapshot_large, step, attempt, claims, owner, place)
      where e.tenant = t.tenant and e.id = t.id and e.version = t.version
        and (t.step is null or exists (
          select 1 from work w
          where w.execution = e.position and w.step = t.step and w.attempt = t.attempt and w.claims = t.claims
            and w.lease_owner = t.owner))
      returning t.place, e.position, e.version, e.last_seq, e.base_bytes, e.tail_bytes, t.events, t.texts, t.large,
        t.delivery, t.snapshot, t.snapshot_large),
    recorded as (
      insert into events (execution, seq, delivery, events, large)
      select position, last_seq, delivery, texts, large from moved where events > 0),
    kept as (
      insert into snapshots (execution, seq, state, large)
      select position, last_seq, snapshot, snapshot_large from moved where snapshot is not null
      on conflict (execution) do update set seq = excluded.seq, state = excluded.state, large = excluded.large),
    dropped as (
      delete from work w
      using moved, unnest($18::bigint[], $19::text[], $20::bigint[]) as ended(place, step, attempt)
      where ended.place = moved.place and w.execution = moved.position
        and (ended.step is null or (w.step = ended.step and w.attempt <> ended.attempt))),
    added as (
      insert into work (execution, step, attempt, claims, lease_owner, lease_until)
      select moved.position, new.step, new.attempt, case when new.owner is null then 0 else 1 end, new.owner, new.until
      from moved
        join unnest($21::bigint[], $22::text[], $23::bigint[], $24::text[], $25::bigint[]) with ordinality
          as new(place, step, attempt, owner, until, number) on new.place = moved.place
      order by new.number
      on conflict do nothing)
    select place, position, version, last_seq, base_bytes, tail_bytes from moved";

/// Has executions go on; how those stand, by their number, that were at the expected version and under a claim that
/// holds.
pub(super) async fn go_on<'p>(
    connection: &mut PgConnection,
    parts: impl Iterator<Item = &'p Prepared>,
) -> Result<BTreeMap<usize, Stands>, StoreError> {
    let (mut rows, mut texts, mut added) = (Rows::default(), Texts::default(), Attempts::default());
    let (mut versions, mut events, mut dropped) = (Vec::new(), Vec::new(), Attempts::default());
    let (mut steps, mut attempts, mut claims, mut owners) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, part) in parts.enumerate() {
        rows.push(part, states::wake_at(&part.transition.execution));
        texts.push(part);
        versions.push(signed("the version", part.transition.expected_version)?);
        events.push(signed("the number of events", part.transition.events.len() as u64)?);
        let held = part.transition.under.as_ref();
        steps.push(held.map(|held| held.work.step.as_str()));
        attempts.push(held.map(|held| i64::from(held.work.attempt)));
        claims.push(held.map(|held| i64::from(held.work.claims)));
        owners.push(held.map(|held| held.owner.as_str()));
        // WITH ORDINALITY counts from 1.
        let place = signed("the number of transitions", number as u64 + 1)?;
        dropped.ended(part, place);
        added.begun(part, place);
    }
    let moved = sqlx::query(GO_ON)
        .bind(rows.tenants)
        .bind(rows.ids)
        .bind(versions)
        .bind(rows.statuses)
        .bind(rows.open)
        .bind(rows.wakes)
        .bind(rows.ends)
        .bind(events)
        .bind(texts.events)
        .bind(texts.large)
        .bind(texts.deliveries)
        .bind(texts.snapshots)
        .bind(texts.snapshots_large)
        .bind(steps)
        .bind(attempts)
        .bind(claims)
        .bind(owners)
        .bind(dropped.places)
        .bind(dropped.steps)
        .bind(dropped.attempts)
        .bind(added.places)
        .bind(added.steps)
        .bind(added.attempts)
        .bind(added.owners)
        .bind(added.leases)
        .fetch_all(connection)
        .await?;
    moved.iter().map(stands).collect()
}

fn stands(row: &PgRow) -> Result<(usize, Stands), StoreError> {
    let place: i64 = row.try_get("place")?;
    let number = usize::try_from(place - 1).map_err(|error| StoreError::corrupt("a place", error))?;
    let stands = Stands {
        position: row.try_get("position")?,
        version: row.try_get("version")?,
        last_seq: row.try_get("last_seq")?,
        base_bytes: row.try_get("base_bytes")?,
        tail_bytes: row.try_get("tail_bytes")?,
    };
    Ok((number, stands))
}

const STILL_CLAIMED: &str = "
    select count(*) from work
    where execution = (select position from executions where tenant = $1 and id = $2)
      and step = $3 and attempt = $4 and claims = $5 and lease_owner = $6";

/// Whether the claim that a transition was made under holds; true where it was made under none.
pub(super) async fn still_claimed(connection: &mut PgConnection, part: &Prepared) -> Result<bool, StoreError> {
    let Some(held) = &part.transition.under else { return Ok(true) };
    let count: i64 = sqlx::query_scalar(STILL_CLAIMED)
        .bind(&part.tenant)
        .bind(part.transition.execution.id)
        .bind(&held.work.step)
        .bind(i64::from(held.work.attempt))
        .bind(i64::from(held.work.claims))
        .bind(&held.owner)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

const CREATE: &str = "
    with learned as (
      insert into repositories (tenant, name)
      select distinct tenant, name from unnest($1::text[], $8::text[]) as t(tenant, name) order by tenant, name
      on conflict do nothing),
    created as (
      insert into executions
        (tenant, id, version, status, open, wake_at, ended_at, last_seq, repository, process, number, start_key,
         concurrency_group, created_at, base_bytes, tail_bytes)
      select tenant, id, 1, status, open, wake_at, ended_at, events, repository, process, number, start_key,
        concurrency_group, created_at, octet_length(coalesce(snapshot, texts)), 0
      from unnest($1::text[], $2::uuid[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[], $7::bigint[],
          $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[])
        as t(tenant, id, status, open, wake_at, ended_at, events, repository, process, number, start_key,
          concurrency_group, created_at, texts, snapshot)
      on conflict do nothing
      returning position, tenant, id),
    placed as materialized (
      select t.place, created.position, t.events, t.texts, t.large, t.delivery, t.snapshot, t.snapshot_large
      from created
        join unnest($1::text[], $2::uuid[], $7::bigint[], $14::text[], $16::text[], $17::text[], $15::text[],
            $18::text[]) with ordinality
          as t(tenant, id, events, texts, large, delivery, snapshot, snapshot_large, place)
          on t.tenant = created.tenant and t.id = created.id),
    recorded as (
      insert into events (execution, seq, delivery, events, large)
      select position, events, delivery, texts, large from placed where events > 0),
    kept as (
      insert into snapshots (execution, seq, state, large)
      select position, events, snapshot, snapshot_large from placed where snapshot is not null),
    added as (
      insert into work (execution, step, attempt, claims, lease_owner, lease_until)
      select placed.position, new.step, new.attempt, case when new.owner is null then 0 else 1 end, new.owner, new.until
      from placed
        join unnest($19::bigint[], $20::text[], $21::bigint[], $22::text[], $23::bigint[]) with ordinality
          as new(place, step, attempt, owner, until, number) on new.place = placed.place
      order by new.number)
    select position, tenant, id from created";

/// Stores new executions, each with when it is to be looked at; the positions of those whose id and start key were not
/// there yet.
pub(super) async fn create<'p>(
    connection: &mut PgConnection,
    parts: impl Iterator<Item = (&'p Prepared, Option<i64>)>,
) -> Result<BTreeMap<Key, i64>, StoreError> {
    let (mut rows, mut texts, mut added) = (Rows::default(), Texts::default(), Attempts::default());
    let (mut events, mut repositories, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut numbers, mut start_keys, mut groups, mut moments) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, (part, wake_at)) in parts.enumerate() {
        let execution = &part.transition.execution;
        rows.push(part, wake_at);
        texts.push(part);
        events.push(signed("the number of events", part.transition.events.len() as u64)?);
        repositories.push(storable(&execution.repository));
        processes.push(storable(&execution.process));
        let subject = execution.subject.as_ref().and_then(|subject| subject.number);
        numbers.push(subject.map(|number| signed("the number", number)).transpose()?);
        start_keys.push(part.transition.start_key.as_deref().map(storable));
        groups.push(part.group.as_deref());
        moments.push(micros(execution.created_at));
        added.begun(part, signed("the number of transitions", number as u64 + 1)?);
    }
    let created = sqlx::query(CREATE)
        .bind(rows.tenants)
        .bind(rows.ids)
        .bind(rows.statuses)
        .bind(rows.open)
        .bind(rows.wakes)
        .bind(rows.ends)
        .bind(events)
        .bind(repositories)
        .bind(processes)
        .bind(numbers)
        .bind(start_keys)
        .bind(groups)
        .bind(moments)
        .bind(texts.events)
        .bind(texts.snapshots)
        .bind(texts.large)
        .bind(texts.deliveries)
        .bind(texts.snapshots_large)
        .bind(added.places)
        .bind(added.steps)
        .bind(added.attempts)
        .bind(added.owners)
        .bind(added.leases)
        .fetch_all(connection)
        .await?;
    let position = |row: &PgRow| Ok(((row.try_get("tenant")?, row.try_get("id")?), row.try_get("position")?));
    created.iter().map(position).collect()
}

/// Nothing is kept where the execution was forgotten meanwhile, or a later state is kept already.
const KEEP_SNAPSHOT: &str = "
    with stands as (select position from executions where position = $1 for update),
    kept as (
      insert into snapshots (execution, seq, state, large) select position, $2, $3, $4 from stands
      on conflict (execution) do update set seq = excluded.seq, state = excluded.state, large = excluded.large
        where snapshots.seq < excluded.seq
      returning execution)
    update executions set base_bytes = octet_length($3), tail_bytes = greatest(tail_bytes - $5, 0)
    where position in (select execution from kept)";

/// Keeps the state that the transition of a unit led to.
pub(super) async fn keep_snapshot(
    connection: &mut PgConnection,
    unit: &Unit,
    outgrown: &Outgrown,
) -> Result<(), StoreError> {
    let Some(part) = unit.parts.first() else { return Ok(()) };
    let mut large = Payloads::new();
    let text = snapshot(&part.transition, &part.tenant, &mut large)?;
    let mut transaction = connection.begin().await?;
    payloads::add(&mut transaction, &large).await?;
    let uses: Vec<(i64, &str, &str)> =
        text.digests.iter().map(|digest| (outgrown.position, part.tenant.as_str(), digest.as_str())).collect();
    payloads::refer(&mut transaction, &uses).await?;
    sqlx::query(KEEP_SNAPSHOT)
        .bind(outgrown.position)
        .bind(outgrown.last_seq)
        .bind(&text.text)
        .bind(&text.large)
        .bind(outgrown.tail_bytes)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// Columns of executions.
#[derive(Default)]
struct Rows<'p> {
    tenants: Vec<&'p str>,
    ids: Vec<ExecutionId>,
    statuses: Vec<&'static str>,
    open: Vec<bool>,
    wakes: Vec<Option<i64>>,
    ends: Vec<Option<i64>>,
}

impl<'p> Rows<'p> {
    fn push(&mut self, part: &'p Prepared, wake_at: Option<i64>) {
        let execution = &part.transition.execution;
        self.tenants.push(&part.tenant);
        self.ids.push(execution.id);
        self.statuses.push(execution.status.as_str());
        self.open.push(!execution.status.is_final());
        self.wakes.push(wake_at);
        self.ends.push(execution.completed_at.map(micros));
    }
}

/// Columns of events and snapshots.
#[derive(Default)]
struct Texts<'p> {
    events: Vec<&'p str>,
    large: Vec<Option<&'p str>>,
    deliveries: Vec<Option<&'p str>>,
    snapshots: Vec<Option<&'p str>>,
    snapshots_large: Vec<Option<&'p str>>,
}

impl<'p> Texts<'p> {
    fn push(&mut self, part: &'p Prepared) {
        self.events.push(&part.events.text);
        self.large.push(part.events.large.as_deref());
        self.deliveries.push(part.transition.delivery.as_ref().map(|delivery| delivery.0.as_str()));
        self.snapshots.push(part.snapshot.as_ref().map(|text| text.text.as_str()));
        self.snapshots_large.push(part.snapshot.as_ref().and_then(|text| text.large.as_deref()));
    }
}

/// Columns of the work queue.
#[derive(Default)]
struct Attempts<'p> {
    places: Vec<i64>,
    steps: Vec<Option<&'p str>>,
    attempts: Vec<Option<i64>>,
    owners: Vec<Option<&'p str>>,
    leases: Vec<Option<i64>>,
}

impl<'p> Attempts<'p> {
    fn push(&mut self, place: i64, step: Option<&'p str>, attempt: Option<u32>) {
        self.places.push(place);
        self.steps.push(step);
        self.attempts.push(attempt.map(i64::from));
    }

    /// Steps that the events are about, with the attempt that runs; only these can have stopped. What begins had not run
    /// before: of earlier attempts nothing is left.
    fn ended(&mut self, part: &'p Prepared, place: i64) {
        if part.transition.execution.status.is_final() {
            return self.push(place, None, None);
        }
        for event in &part.transition.events {
            let (Some(step), false) = (&event.step, matches!(event.kind, EventKind::StepStarted { .. })) else {
                continue;
            };
            let state = part.transition.execution.steps.get(step);
            let runs = state.filter(|state| state.status == StepStatus::Running).map_or(0, |state| state.attempt);
            self.push(place, Some(step), Some(runs));
        }
    }

    /// Attempts that somebody must perform.
    fn begun(&mut self, part: &'p Prepared, place: i64) {
        let claim = part.transition.claim.as_ref();
        for (number, work) in part.transition.work.iter().enumerate() {
            let claim = claim.filter(|claim| number < claim.count);
            self.push(place, Some(&work.step), Some(work.attempt));
            self.owners.push(claim.map(|claim| claim.owner.as_str()));
            self.leases.push(claim.map(|claim| micros(claim.until)));
        }
    }
}
