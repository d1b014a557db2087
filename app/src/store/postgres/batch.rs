//! Many transitions in one transaction, by statements of many rows. What refuses one of them leaves the others: either it
//! shows before anything of it is written, or the transaction is rolled back and done again without it.
//!
//! Two transactions, of this process or another, may be about the same things: an execution is guarded by its version,
//! words, start keys and signals by their keys, groups and events by turns that are taken first.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{ExecutionId, ExecutionStatus};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use super::prepared::{Prepared, Unit};
use super::text::storable;
use super::{along, payloads, signals};
use crate::store::columns::{micros, signed, unsigned};
use crate::store::{Committed, StoreError};

/// What became of a unit.
pub(super) type Outcome = Result<Committed, StoreError>;

/// A part's place: its unit and its place there.
type Place = (usize, usize);

/// An execution by tenant and id.
type Key = (String, ExecutionId);

/// Stores units of which no two share a key; an outcome for each. `again`: this was tried before, and nobody knows
/// whether it was stored.
///
/// # Errors
/// Where the database failed: then nothing is stored, or nobody knows, if that was in the last statement.
pub(super) async fn store(
    connection: &mut PgConnection,
    units: &[Unit],
    again: bool,
) -> Result<Vec<Outcome>, StoreError> {
    let mut refused: BTreeMap<usize, Outcome> = BTreeMap::new();
    loop {
        let mut transaction = connection.begin().await?;
        let mut batch = Batch::new(units, &refused, again);
        batch.write(&mut transaction).await?;
        if batch.late.is_empty() {
            transaction.commit().await?;
            let mut outcomes = batch.outcomes;
            outcomes.append(&mut refused);
            let outcome = |unit| outcomes.remove(&unit).unwrap_or(Err(StoreError::Closed));
            return Ok((0..units.len()).map(outcome).collect());
        }
        transaction.rollback().await?;
        refused.append(&mut batch.late);
    }
}

/// One try.
struct Batch<'u> {
    units: &'u [Unit],
    again: bool,
    /// Units that are still to be stored.
    live: BTreeSet<usize>,
    outcomes: BTreeMap<usize, Outcome>,
    /// Units that were refused when something of them was written already.
    late: BTreeMap<usize, Outcome>,
    /// New executions that are queued behind others of their group.
    queued: BTreeSet<Place>,
}

impl<'u> Batch<'u> {
    fn new(units: &'u [Unit], refused: &BTreeMap<usize, Outcome>, again: bool) -> Self {
        let live = (0..units.len()).filter(|unit| !refused.contains_key(unit)).collect();
        Self { units, again, live, outcomes: BTreeMap::new(), late: BTreeMap::new(), queued: BTreeSet::new() }
    }

    async fn write(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        self.take_turns(connection).await?;
        self.look_at_groups(connection).await?;
        self.update(connection).await?;
        self.insert(connection).await?;
        self.record_words(connection).await?;
        self.take_signals(connection).await?;
        if self.late.is_empty() {
            let parts: Vec<(&Prepared, i64)> = self
                .parts(|_| true)
                .map(|((unit, place), part)| (part, if place == 0 { self.last_seq_before(unit) } else { 0 }))
                .collect();
            let mut kept = payloads::Payloads::new();
            for unit in &self.live {
                kept.extend(self.units[*unit].payloads.iter().map(|(key, body)| (key.clone(), body.clone())));
            }
            payloads::add(connection, &kept).await?;
            along::write(connection, &parts).await?;
        }
        Ok(())
    }

    /// Where the numbering of a unit's events goes on.
    fn last_seq_before(&self, unit: usize) -> i64 {
        match self.outcomes.get(&unit) {
            Some(Ok(committed)) => i64::try_from(committed.seqs.start).unwrap_or(i64::MAX).saturating_sub(1),
            _ => 0,
        }
    }

    fn parts<'b>(&'b self, which: impl Fn(&Prepared) -> bool + 'b) -> impl Iterator<Item = (Place, &'u Prepared)> + 'b {
        self.live
            .iter()
            .flat_map(move |unit| {
                let parts = self.units[*unit].parts.iter().enumerate();
                parts.map(move |(place, part)| ((*unit, place), part))
            })
            .filter(move |(_, part)| which(part))
    }

    /// The unit is done with, and nothing of it was written.
    fn refuse(&mut self, unit: usize, outcome: Outcome) {
        self.live.remove(&unit);
        self.outcomes.insert(unit, outcome);
    }

    /// The unit is done with, and something of it was written.
    fn refuse_late(&mut self, unit: usize, outcome: Outcome) {
        self.live.remove(&unit);
        self.late.insert(unit, outcome);
    }

    async fn take_turns(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let turns: BTreeSet<(String, String)> = self.live.iter().flat_map(|unit| self.units[*unit].turns()).collect();
        let (tenants, names) = turns.into_iter().unzip();
        Ok(signals::lock_turns(connection, tenants, names).await?)
    }

    /// Who of a concurrency group may go, who is queued, and who is not started at all.
    async fn look_at_groups(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let grouped: Vec<(Place, &Prepared)> = self.parts(|part| part.group.is_some()).collect();
        for ((unit, place), part) in grouped {
            let new = part.is_new();
            if !self.live.contains(&unit) || !(new || part.transition.enters_group) {
                continue;
            }
            let Some(other) = other_of_group(connection, part, new).await? else { continue };
            if !new {
                rest(connection, part).await?;
                let version = part.transition.expected_version;
                self.refuse(unit, Ok(Committed { version, seqs: 0..0, existing: None, busy: Some(other) }));
                continue;
            }
            let group = part.transition.execution.group.as_ref();
            if group.is_some_and(|group| group.on_conflict == OnConflict::Skip) {
                let busy = Committed { version: 0, seqs: 0..0, existing: None, busy: Some(other) };
                // The same start again is no other one.
                let known = if place == 0 { known(connection, part).await? } else { None };
                self.refuse(unit, Ok(known.unwrap_or(busy)));
            } else if part.transition.execution.status == ExecutionStatus::Pending {
                // It is woken by the end of the one before it.
                self.queued.insert((unit, place));
            }
        }
        Ok(())
    }

    async fn update(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let moving: Vec<(Place, &Prepared)> = self.parts(|part| !part.is_new()).collect();
        if moving.is_empty() {
            return Ok(());
        }
        let moved = update(connection, &moving).await?;
        for ((unit, _), part) in moving {
            match moved.get(&key(part)) {
                Some((version, last_seq)) => {
                    let last = unsigned("a sequence number", *last_seq)? + 1;
                    let seqs = last - part.events.len() as u64..last;
                    let version = unsigned("a version", *version)?;
                    self.outcomes.insert(unit, Ok(Committed { version, seqs, existing: None, busy: None }));
                }
                None if still_claimed(connection, part).await? => self.refuse(unit, Err(StoreError::Conflict)),
                None => self.refuse(unit, Err(StoreError::Fenced)),
            }
        }
        Ok(())
    }

    async fn insert(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let new: Vec<(Place, &Prepared)> = self.parts(Prepared::is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let inserted = insert(connection, &new, &self.queued).await?;
        for ((unit, place), part) in new {
            let done = inserted.contains(&key(part));
            match (done, place) {
                (true, 0) => {
                    let seqs = 1..part.events.len() as u64 + 1;
                    self.outcomes.insert(unit, Ok(Committed { version: 1, seqs, existing: None, busy: None }));
                }
                (true, _) => {}
                (false, 0) => {
                    let outcome = if self.again && exists(connection, part).await? {
                        let seqs = 1..part.events.len() as u64 + 1;
                        Ok(Committed { version: 1, seqs, existing: None, busy: None })
                    } else {
                        known(connection, part).await?.ok_or(StoreError::Conflict)
                    };
                    let alone = self.units[unit].parts.len() == 1;
                    if alone { self.refuse(unit, outcome) } else { self.refuse_late(unit, outcome) }
                }
                // A start key that is known names the child of an attempt that was recorded before.
                (false, _) => self.refuse_late(unit, Err(StoreError::Conflict)),
            }
        }
        Ok(())
    }

    async fn record_words(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let said: Vec<(Place, &Prepared)> = self.parts(|part| part.transition.word.is_some()).collect();
        if said.is_empty() {
            return Ok(());
        }
        let (mut tenants, mut words, mut executions) = (Vec::new(), Vec::new(), Vec::new());
        for (_, part) in &said {
            tenants.push(part.tenant.clone());
            words.push(word(part));
            executions.push(part.transition.execution.id);
        }
        let rows = sqlx::query(RECORD_WORDS).bind(tenants).bind(words).bind(executions).fetch_all(connection).await?;
        let mut recorded: BTreeSet<(String, String)> = BTreeSet::new();
        for row in rows {
            recorded.insert((row.try_get("tenant")?, row.try_get("word")?));
        }
        for ((unit, _), part) in said {
            if !recorded.contains(&(part.tenant.clone(), word(part))) {
                self.refuse_late(unit, Err(StoreError::WordKnown));
            }
        }
        Ok(())
    }

    async fn take_signals(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let taking: Vec<(Place, &Prepared)> = self.parts(|part| part.transition.taken.is_some()).collect();
        if taking.is_empty() {
            return Ok(());
        }
        let (mut ids, mut tenants, mut executions) = (Vec::new(), Vec::new(), Vec::new());
        for (_, part) in &taking {
            ids.extend(part.transition.taken);
            tenants.push(part.tenant.clone());
            executions.push(part.transition.execution.id);
        }
        let query = sqlx::query_scalar(TAKE_SIGNALS).bind(ids).bind(tenants).bind(executions);
        let taken: Vec<i64> = query.fetch_all(connection).await?;
        for ((unit, _), part) in taking {
            if !part.transition.taken.is_some_and(|id| taken.contains(&id)) {
                self.refuse_late(unit, Err(StoreError::SignalTaken));
            }
        }
        Ok(())
    }
}

fn key(part: &Prepared) -> Key {
    (part.tenant.clone(), part.transition.execution.id)
}

fn word(part: &Prepared) -> String {
    part.transition.word.as_deref().map(|word| storable(word).into_owned()).unwrap_or_default()
}

const RECORD_WORDS: &str = "
    insert into words (tenant, word, execution)
    select tenant, word, execution from unnest($1::text[], $2::text[], $3::uuid[]) as t(tenant, word, execution)
    on conflict do nothing
    returning tenant, word";
const TAKE_SIGNALS: &str = "
    delete from signals s using unnest($1::bigint[], $2::text[], $3::uuid[]) as t(id, tenant, execution)
    where s.id = t.id and s.tenant = t.tenant and s.execution = t.execution
    returning s.id";

const BUSY: &str = "
    select id from executions
    where tenant = $1 and concurrency_group = $2 and open and id <> $3
      and ($4 or status <> 'pending'
        or position < (select own.position from executions own where own.tenant = $1 and own.id = $3))
    limit 1";

/// Another execution of the group that has not ended. Without `queued`: one that has started, or has waited longer.
async fn other_of_group(
    connection: &mut PgConnection,
    part: &Prepared,
    queued: bool,
) -> Result<Option<ExecutionId>, StoreError> {
    let query = sqlx::query_scalar(BUSY).bind(&part.tenant).bind(&part.group).bind(part.transition.execution.id);
    Ok(query.bind(queued).fetch_optional(connection).await?)
}

const REST: &str = "
    update executions set wake_at = null where tenant = $1 and id = $2 and version = $3 and status = 'pending'";

/// One that has to wait for its turn is due no more until it is told.
async fn rest(connection: &mut PgConnection, part: &Prepared) -> Result<(), StoreError> {
    let version = signed("the version", part.transition.expected_version)?;
    let query = sqlx::query(REST).bind(&part.tenant).bind(part.transition.execution.id).bind(version);
    query.execute(connection).await?;
    Ok(())
}

const KNOWN: &str = "select id, version from executions where tenant = $1 and start_key = $2";

/// The execution that the start key belongs to.
async fn known(connection: &mut PgConnection, part: &Prepared) -> Result<Option<Committed>, StoreError> {
    let Some(start_key) = &part.transition.start_key else { return Ok(None) };
    let row = sqlx::query(KNOWN).bind(&part.tenant).bind(storable(start_key)).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let version = unsigned("a version", row.try_get("version")?)?;
    Ok(Some(Committed { version, seqs: 0..0, existing: Some(row.try_get("id")?), busy: None }))
}

const EXISTS: &str = "select count(*) from executions where tenant = $1 and id = $2";

/// Whether an execution of this id is there. Ids are never given twice, so a new one that is there was stored before.
async fn exists(connection: &mut PgConnection, part: &Prepared) -> Result<bool, StoreError> {
    let query = sqlx::query_scalar(EXISTS).bind(&part.tenant).bind(part.transition.execution.id);
    let count: i64 = query.fetch_one(connection).await?;
    Ok(count > 0)
}

/// The version guards; so does the epoch of the claim that a result was made under.
const UPDATE: &str = "
    update executions e
    set version = e.version + 1, status = t.status, open = t.open, number = t.number, wake_at = t.wake_at,
      last_seq = e.last_seq + t.events, state = t.state, large = t.large
    from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[], $6::bigint[], $7::bigint[],
        $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[])
      as t(tenant, id, version, status, open, number, wake_at, events, state, large, step, attempt, claims, owner)
    where e.tenant = t.tenant and e.id = t.id and e.version = t.version
      and (t.step is null or exists (
        select 1 from work w
        where w.tenant = t.tenant and w.execution = t.id and w.step = t.step and w.attempt = t.attempt
          and w.claims = t.claims and w.lease_owner = t.owner))
    returning e.tenant, e.id, e.version, e.last_seq";

/// Replaces states; the new versions and last sequence numbers of those that were at the expected version.
async fn update(
    connection: &mut PgConnection,
    parts: &[(Place, &Prepared)],
) -> Result<BTreeMap<Key, (i64, i64)>, StoreError> {
    let mut rows = Rows::default();
    let (mut versions, mut events) = (Vec::new(), Vec::new());
    let (mut steps, mut attempts, mut claims, mut owners) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, part) in parts {
        rows.push(part, part.wake_at())?;
        versions.push(signed("the version", part.transition.expected_version)?);
        events.push(signed("the number of events", part.events.len() as u64)?);
        let held = part.transition.under.as_ref();
        steps.push(held.map(|held| held.work.step.as_str()));
        attempts.push(held.map(|held| i64::from(held.work.attempt)));
        claims.push(held.map(|held| i64::from(held.work.claims)));
        owners.push(held.map(|held| held.owner.as_str()));
    }
    let moved = sqlx::query(UPDATE)
        .bind(rows.tenants)
        .bind(rows.ids)
        .bind(versions)
        .bind(rows.statuses)
        .bind(rows.open)
        .bind(rows.numbers)
        .bind(rows.wakes)
        .bind(events)
        .bind(rows.states)
        .bind(rows.large)
        .bind(steps)
        .bind(attempts)
        .bind(claims)
        .bind(owners)
        .fetch_all(connection)
        .await?;
    let entry = |row: &PgRow| {
        let key = (row.try_get("tenant")?, row.try_get("id")?);
        Ok((key, (row.try_get("version")?, row.try_get("last_seq")?)))
    };
    moved.iter().map(entry).collect()
}

const STILL_CLAIMED: &str = "
    select count(*) from work
    where tenant = $1 and execution = $2 and step = $3 and attempt = $4 and claims = $5 and lease_owner = $6";

/// Whether the claim that a transition was made under holds; true where it was made under none.
async fn still_claimed(connection: &mut PgConnection, part: &Prepared) -> Result<bool, StoreError> {
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

const INSERT: &str = "
    with learned as (
      insert into repositories (tenant, name)
      select distinct tenant, name from unnest($1::text[], $3::text[]) as t(tenant, name) order by tenant, name
      on conflict do nothing)
    insert into executions
      (tenant, id, version, repository, process, status, open, number, start_key, concurrency_group, created_at, wake_at,
       last_seq, state, large)
    select tenant, id, 1, repository, process, status, open, number, start_key, concurrency_group, created_at, wake_at,
      last_seq, state, large
    from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bigint[], $8::text[],
        $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[])
      as t(tenant, id, repository, process, status, open, number, start_key, concurrency_group, created_at, wake_at,
        last_seq, state, large)
    on conflict do nothing
    returning tenant, id";

/// Inserts new executions; those whose id and start key were not there yet.
async fn insert(
    connection: &mut PgConnection,
    parts: &[(Place, &Prepared)],
    queued: &BTreeSet<Place>,
) -> Result<BTreeSet<Key>, StoreError> {
    let mut rows = Rows::default();
    let (mut repositories, mut processes, mut start_keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut groups, mut created, mut last_seqs) = (Vec::new(), Vec::new(), Vec::new());
    for (place, part) in parts {
        let execution = &part.transition.execution;
        rows.push(part, if queued.contains(place) { None } else { part.wake_at() })?;
        repositories.push(storable(&execution.repository).into_owned());
        processes.push(execution.process.as_str());
        start_keys.push(part.transition.start_key.as_deref().map(|key| storable(key).into_owned()));
        groups.push(part.group.as_deref());
        created.push(micros(execution.created_at));
        last_seqs.push(signed("the number of events", part.events.len() as u64)?);
    }
    let inserted = sqlx::query(INSERT)
        .bind(rows.tenants)
        .bind(rows.ids)
        .bind(repositories)
        .bind(processes)
        .bind(rows.statuses)
        .bind(rows.open)
        .bind(rows.numbers)
        .bind(start_keys)
        .bind(groups)
        .bind(created)
        .bind(rows.wakes)
        .bind(last_seqs)
        .bind(rows.states)
        .bind(rows.large)
        .fetch_all(connection)
        .await?;
    inserted.iter().map(|row| Ok((row.try_get("tenant")?, row.try_get("id")?))).collect()
}

/// Columns of executions.
#[derive(Default)]
struct Rows<'p> {
    tenants: Vec<&'p str>,
    ids: Vec<ExecutionId>,
    statuses: Vec<&'static str>,
    open: Vec<bool>,
    numbers: Vec<Option<i64>>,
    wakes: Vec<Option<i64>>,
    states: Vec<&'p str>,
    large: Vec<Option<&'p str>>,
}

impl<'p> Rows<'p> {
    fn push(&mut self, part: &'p Prepared, wake_at: Option<i64>) -> Result<(), StoreError> {
        let execution = &part.transition.execution;
        let number = execution.subject.as_ref().and_then(|subject| subject.number);
        self.tenants.push(&part.tenant);
        self.ids.push(execution.id);
        self.statuses.push(execution.status.as_str());
        self.open.push(!execution.status.is_final());
        self.numbers.push(number.map(|number| signed("the number", number)).transpose()?);
        self.wakes.push(wake_at);
        self.states.push(&part.state.text);
        self.large.push(part.state.large.as_deref());
        Ok(())
    }
}
