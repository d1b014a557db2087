//! Rows of executions with their events, snapshots and work, which change together: one statement for those of a
//! transaction that go on, one for those that are new. What is refused changes nothing.

use std::collections::BTreeMap;

use flowctl_core::execution::ExecutionId;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::batch::Outgrown;
use super::payloads;
use super::prepared::{Prepared, Unit};
use super::text::storable;
use crate::store::columns::{micros, signed};
use crate::store::payloads::Payloads;
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

/// The version guards; so does the epoch of the claim that a result was made under. Attempts are dropped whose results
/// would be refused: all of an execution that has ended, else those of `ended_step` but for one. Every row is found along
/// an index; what belongs to a transition travels with it, so that nothing has to be looked for again. The tenant is no
/// condition that an index can serve (`is true`): a server that knows nothing of a table yet may take it for selective.
const GO_ON: &str = "
    with moved as (
      update executions e
      set version = e.version + 1, status = t.status, open = t.open, wake_at = t.wake_at, ended_at = t.ended_at,
        last_seq = e.last_seq + t.events,
        base_bytes = case when t.snapshot is null then e.base_bytes else octet_length(t.snapshot) end,
        tail_bytes = case when t.snapshot is null then e.tail_bytes + octet_length(t.texts) else 0 end
      from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[],
          $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[],
          $16::bigint[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::bigint[], $22::text[],
          $23::bigint[], $24::boolean[]) with ordinality
        as t(tenant, id, version, status, open, wake_at, ended_at, events, texts, large, delivery, snapshot,
          snapshot_large, step, attempt, claims, owner, ended_step, ended_attempt, new_step, new_attempt, new_owner,
          new_until, streamed, place)
      where e.id = t.id and (e.tenant = t.tenant) is true and e.version = t.version
        and (t.step is null or exists (
          select 1 from work w
          where w.execution = e.position and w.step = t.step and w.attempt = t.attempt and w.claims = t.claims
            and w.lease_owner = t.owner))
      returning t.place, e.position, e.version, e.last_seq, e.base_bytes, e.tail_bytes, t.open, t.events, t.texts,
        t.large, t.delivery, t.snapshot, t.snapshot_large, t.ended_step, t.ended_attempt, t.new_step, t.new_attempt,
        t.new_owner, t.new_until, t.streamed),
    recorded as (
      insert into events (execution, seq, delivery, events, large)
      select position, last_seq, delivery, texts, large from moved where events > 0),
    kept as (
      insert into snapshots (execution, seq, state, large)
      select position, last_seq, snapshot, snapshot_large from moved where snapshot is not null
      on conflict (execution) do update set seq = excluded.seq, state = excluded.state, large = excluded.large),
    dropped as (
      delete from work w using moved
      where w.execution = moved.position
        and (not moved.open or (w.step = moved.ended_step and w.attempt <> moved.ended_attempt))),
    added as (
      insert into work (execution, step, attempt, claims, lease_owner, lease_until)
      select position, new_step, new_attempt, case when new_owner is null then 0 else 1 end, new_owner, new_until
      from moved where new_step is not null order by place
      on conflict do nothing),
    untold as (
      insert into untold_events (execution, seq)
      select position, last_seq from moved where streamed and events > 0 order by place)
    select place, position, version, last_seq, base_bytes, tail_bytes from moved";

/// Has executions go on; how those stand, by their number, that were at the expected version and under a claim that
/// holds. Of their work only the first attempt that ended and the first new one are seen to; [`more_work`] does the rest.
pub(super) async fn go_on<'p>(
    connection: &mut PgConnection,
    parts: impl Iterator<Item = &'p Prepared>,
) -> Result<BTreeMap<usize, Stands>, StoreError> {
    let (mut rows, mut texts) = (Rows::default(), Texts::default());
    let (mut versions, mut events) = (Vec::new(), Vec::new());
    let (mut held, mut ended, mut new) = (Attempts::default(), Attempts::default(), Attempts::default());
    let mut claims = Vec::new();
    for part in parts {
        rows.push(part, states::wake_at(&part.transition.execution));
        texts.push(part);
        versions.push(signed("the version", part.transition.expected_version)?);
        events.push(signed("the number of events", part.transition.events.len() as u64)?);
        let under = part.transition.under.as_ref();
        held.push(under.map(|held| (&*held.work.step, held.work.attempt)), under.map(|held| &*held.owner), None);
        claims.push(under.map(|held| i64::from(held.work.claims)));
        ended.push(part.ended_steps().next(), None, None);
        new.push_new(part, 0);
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
        .bind(held.steps)
        .bind(held.attempts)
        .bind(claims)
        .bind(held.owners)
        .bind(ended.steps)
        .bind(ended.attempts)
        .bind(new.steps)
        .bind(new.attempts)
        .bind(new.owners)
        .bind(new.leases)
        .bind(texts.streamed)
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
    given as materialized (
      select nextval(pg_get_serial_sequence('executions', 'position')) as position, t.*
      from unnest($1::text[], $2::uuid[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[], $7::bigint[],
          $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[],
          $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::text[], $22::bigint[],
          $23::boolean[])
        as t(tenant, id, status, open, wake_at, ended_at, events, repository, process, number, start_key,
          concurrency_group, created_at, texts, snapshot, large, delivery, snapshot_large, new_step, new_attempt,
          new_owner, new_until, streamed)),
    created as (
      insert into executions
        (position, tenant, id, version, status, open, wake_at, ended_at, last_seq, repository, process, number,
         start_key, concurrency_group, created_at, base_bytes, tail_bytes)
      select position, tenant, id, 1, status, open, wake_at, ended_at, events, repository, process, number, start_key,
        concurrency_group, created_at, octet_length(coalesce(snapshot, texts)), 0
      from given
      on conflict do nothing
      returning position, tenant, id),
    placed as materialized (select given.* from given join created on created.position = given.position),
    recorded as (
      insert into events (execution, seq, delivery, events, large)
      select position, events, delivery, texts, large from placed where events > 0),
    kept as (
      insert into snapshots (execution, seq, state, large)
      select position, events, snapshot, snapshot_large from placed where snapshot is not null),
    added as (
      insert into work (execution, step, attempt, claims, lease_owner, lease_until)
      select position, new_step, new_attempt, case when new_owner is null then 0 else 1 end, new_owner, new_until
      from placed where new_step is not null order by position),
    untold as (
      insert into untold_events (execution, seq)
      select position, events from placed where streamed and events > 0 order by position)
    select position, tenant, id from created";

/// Stores new executions, each with when it is to be looked at; the positions of those whose id and start key were not
/// there yet. Of their work only the first attempt is added; [`more_work`] does the rest.
pub(super) async fn create<'p>(
    connection: &mut PgConnection,
    parts: impl Iterator<Item = (&'p Prepared, Option<i64>)>,
) -> Result<BTreeMap<Key, i64>, StoreError> {
    let (mut rows, mut texts, mut new) = (Rows::default(), Texts::default(), Attempts::default());
    let (mut events, mut repositories, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut numbers, mut start_keys, mut groups, mut moments) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (part, wake_at) in parts {
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
        new.push_new(part, 0);
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
        .bind(new.steps)
        .bind(new.attempts)
        .bind(new.owners)
        .bind(new.leases)
        .bind(texts.streamed)
        .fetch_all(connection)
        .await?;
    let position = |row: &PgRow| Ok(((row.try_get("tenant")?, row.try_get("id")?), row.try_get("position")?));
    created.iter().map(position).collect()
}

const DROP_MORE: &str = "
    delete from work w using unnest($1::bigint[], $2::text[], $3::bigint[]) as ended(execution, step, attempt)
    where w.execution = ended.execution and w.step = ended.step and w.attempt <> ended.attempt";
const ADD_MORE: &str = "
    insert into work (execution, step, attempt, claims, lease_owner, lease_until)
    select execution, step, attempt, case when owner is null then 0 else 1 end, owner, until
    from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[]) with ordinality
      as new(execution, step, attempt, owner, until, place)
    order by place
    on conflict do nothing";

/// Drops and adds the attempts of parts, each at its execution's position, but for the first of each.
pub(super) async fn more_work(connection: &mut PgConnection, parts: &[(i64, &Prepared)]) -> Result<(), StoreError> {
    let (mut of_ended, mut ended) = (Vec::new(), Attempts::default());
    let (mut of_new, mut new) = (Vec::new(), Attempts::default());
    for (position, part) in parts {
        for step in part.ended_steps().skip(1) {
            of_ended.push(*position);
            ended.push(Some(step), None, None);
        }
        for number in 1..part.transition.work.len() {
            of_new.push(*position);
            new.push_new(part, number);
        }
    }
    if !of_ended.is_empty() {
        let query = sqlx::query(DROP_MORE).bind(of_ended).bind(ended.steps).bind(ended.attempts);
        query.execute(&mut *connection).await?;
    }
    if !of_new.is_empty() {
        let query = sqlx::query(ADD_MORE).bind(of_new).bind(new.steps).bind(new.attempts);
        query.bind(new.owners).bind(new.leases).execute(connection).await?;
    }
    Ok(())
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
    let text = states::snapshot(&part.transition, &part.tenant, &mut large)?;
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
    streamed: Vec<bool>,
    snapshots: Vec<Option<&'p str>>,
    snapshots_large: Vec<Option<&'p str>>,
}

impl<'p> Texts<'p> {
    fn push(&mut self, part: &'p Prepared) {
        self.events.push(&part.events.text);
        self.large.push(part.events.large.as_deref());
        self.deliveries.push(part.transition.delivery.as_ref().map(|delivery| delivery.0.as_str()));
        self.streamed.push(part.transition.streamed);
        self.snapshots.push(part.snapshot.as_ref().map(|text| text.text.as_str()));
        self.snapshots_large.push(part.snapshot.as_ref().and_then(|text| text.large.as_deref()));
    }
}

/// Columns of the work queue.
#[derive(Default)]
struct Attempts<'p> {
    steps: Vec<Option<&'p str>>,
    attempts: Vec<Option<i64>>,
    owners: Vec<Option<&'p str>>,
    leases: Vec<Option<i64>>,
}

impl<'p> Attempts<'p> {
    fn push(&mut self, attempt: Option<(&'p str, u32)>, owner: Option<&'p str>, lease: Option<i64>) {
        let (step, attempt) = attempt.unzip();
        self.steps.push(step);
        self.attempts.push(attempt.map(i64::from));
        self.owners.push(owner);
        self.leases.push(lease);
    }

    /// The attempt of this number that somebody must perform, if there are so many.
    fn push_new(&mut self, part: &'p Prepared, number: usize) {
        let claim = part.transition.claim.as_ref().filter(|claim| number < claim.count);
        let attempt = part.transition.work.get(number).map(|work| (&*work.step, work.attempt));
        self.push(attempt, claim.map(|claim| &*claim.owner), claim.map(|claim| micros(claim.until)));
    }
}
