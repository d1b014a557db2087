//! Many transitions in one transaction, by statements of many rows. What refuses one of them leaves the others: either it
//! shows before anything of it is written, or the transaction is rolled back and done again without it.
//!
//! Two transactions, of this process or another, may be about the same things: an execution is guarded by its version,
//! words, start keys and signals by their keys, groups and events by turns that are taken first.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{ExecutionId, ExecutionStatus};
use sqlx::{Connection, PgConnection, Row};

use super::executions::{self, Stands};
use super::prepared::{Prepared, Unit};
use super::text::storable;
use super::{along, payloads, signals, spending};
use crate::store::columns::{signed, unsigned};
use crate::store::payloads::Payloads;
use crate::store::{Committed, StoreError, states};

/// What became of a unit.
pub(super) type Outcome = Result<Committed, StoreError>;

/// A part's place: its unit and its place there.
type Place = (usize, usize);

/// An execution whose events have outgrown its last snapshot with this unit.
#[derive(Debug)]
pub(super) struct Outgrown {
    pub(super) unit: usize,
    pub(super) position: i64,
    pub(super) last_seq: i64,
    pub(super) tail_bytes: i64,
}

/// What storing units led to.
pub(super) struct Stored {
    /// What became of each.
    pub(super) outcomes: Vec<Outcome>,
    /// Which of them are to have a new snapshot.
    pub(super) outgrown: Vec<Outgrown>,
}

/// Stores units of which no two share a key. `again`: this was tried before, and nobody knows whether it was stored.
///
/// # Errors
/// Where the database failed: then nothing is stored, or nobody knows, if that was in the last statement.
pub(super) async fn store(connection: &mut PgConnection, units: &[Unit], again: bool) -> Result<Stored, StoreError> {
    let mut refused: BTreeMap<usize, Outcome> = BTreeMap::new();
    // One statement is a transaction by itself.
    let moving = units.iter().filter(|unit| unit.parts.iter().any(|part| !part.is_new())).count();
    if units.iter().all(Unit::is_plain) && (moving == 0 || moving == units.len()) {
        let mut batch = Batch::new(units, &refused, again);
        if moving == 0 {
            batch.create(connection).await?
        } else {
            batch.go_on(connection).await?
        };
        return Ok(batch.stored(refused));
    }
    loop {
        let mut transaction = connection.begin().await?;
        let mut batch = Batch::new(units, &refused, again);
        batch.write(&mut transaction).await?;
        if batch.late.is_empty() {
            transaction.commit().await?;
            return Ok(batch.stored(refused));
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
    /// Where the executions stand that were written.
    positions: BTreeMap<Place, i64>,
    outgrown: Vec<Outgrown>,
}

impl<'u> Batch<'u> {
    fn new(units: &'u [Unit], refused: &BTreeMap<usize, Outcome>, again: bool) -> Self {
        let live = (0..units.len()).filter(|unit| !refused.contains_key(unit)).collect();
        Self {
            units,
            again,
            live,
            outcomes: BTreeMap::new(),
            late: BTreeMap::new(),
            queued: BTreeSet::new(),
            positions: BTreeMap::new(),
            outgrown: Vec::new(),
        }
    }

    fn stored(self, mut refused: BTreeMap<usize, Outcome>) -> Stored {
        let mut outcomes = self.outcomes;
        outcomes.append(&mut refused);
        let outcome = |unit| outcomes.remove(&unit).unwrap_or(Err(StoreError::Closed));
        Stored { outcomes: (0..self.units.len()).map(outcome).collect(), outgrown: self.outgrown }
    }

    async fn write(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        self.take_turns(connection).await?;
        self.look_at_groups(connection).await?;
        self.go_on(connection).await?;
        self.create(connection).await?;
        self.record_words(connection).await?;
        self.take_signals(connection).await?;
        self.charge(connection).await?;
        if self.late.is_empty() {
            self.keep_apart(connection).await?;
            executions::more_work(connection, &self.placed()).await?;
            let parts: Vec<&Prepared> = self.parts(|_| true).map(|(_, part)| part).collect();
            along::write(connection, &parts).await?;
        }
        Ok(())
    }

    async fn keep_apart(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let mut kept = Payloads::new();
        for unit in &self.live {
            kept.extend(self.units[*unit].payloads.iter().map(|(key, body)| (key.clone(), body.clone())));
        }
        if kept.is_empty() {
            return Ok(());
        }
        payloads::add(connection, &kept).await?;
        let uses = self
            .placed()
            .into_iter()
            .flat_map(|(position, part)| part.digests().map(move |digest| (position, part.tenant.as_str(), digest)));
        let uses: Vec<(i64, &str, &str)> = uses.collect();
        Ok(payloads::refer(connection, &uses).await?)
    }

    /// What was written, with its execution's position.
    fn placed(&self) -> Vec<(i64, &'u Prepared)> {
        let parts = self.parts(|_| true);
        parts.filter_map(|(place, part)| Some((*self.positions.get(&place)?, part))).collect()
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

    /// Executions that are there: their rows, events and work.
    async fn go_on(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let moving: Vec<(Place, &Prepared)> = self.parts(|part| !part.is_new()).collect();
        if moving.is_empty() {
            return Ok(());
        }
        let mut moved = executions::go_on(connection, moving.iter().map(|(_, part)| *part)).await?;
        for (number, ((unit, place), part)) in moving.into_iter().enumerate() {
            match moved.remove(&number) {
                Some(stands) => {
                    self.outcomes.insert(unit, committed(part, stands.version, stands.last_seq));
                    self.positions.insert((unit, place), stands.position);
                    if states::is_outgrown(stands.base_bytes, stands.tail_bytes) {
                        let Stands { position, last_seq, tail_bytes, .. } = stands;
                        self.outgrown.push(Outgrown { unit, position, last_seq, tail_bytes });
                    }
                }
                None if executions::still_claimed(connection, part).await? => {
                    self.refuse(unit, Err(StoreError::Conflict));
                }
                None => self.refuse(unit, Err(StoreError::Fenced)),
            }
        }
        Ok(())
    }

    /// New executions with their events and work.
    async fn create(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let new: Vec<(Place, &Prepared)> = self.parts(Prepared::is_new).collect();
        if new.is_empty() {
            return Ok(());
        }
        let parts = new.iter().map(|(place, part)| {
            let wake_at = states::wake_at(&part.transition.execution).filter(|_| !self.queued.contains(place));
            (*part, wake_at)
        });
        let created = executions::create(connection, parts).await?;
        for ((unit, place), part) in new {
            let last_seq = part.transition.events.len() as i64;
            match (created.get(&executions::key(part)), place) {
                (Some(position), _) => {
                    self.positions.insert((unit, place), *position);
                    if place == 0 {
                        self.outcomes.insert(unit, committed(part, 1, last_seq));
                    }
                }
                (None, 0) => {
                    let outcome = if self.again && exists(connection, part).await? {
                        committed(part, 1, last_seq)
                    } else {
                        known(connection, part).await?.ok_or(StoreError::Conflict)
                    };
                    let alone = self.units[unit].parts.len() == 1;
                    if alone { self.refuse(unit, outcome) } else { self.refuse_late(unit, outcome) }
                }
                // A start key that is known names the child of an attempt that was recorded before.
                (None, _) => self.refuse_late(unit, Err(StoreError::Conflict)),
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

    /// What models used and may use up, unit by unit: what one reserves is not there for the next.
    async fn charge(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let charging: Vec<(Place, &Prepared)> = self.parts(|part| !part.transition.charges.is_empty()).collect();
        for ((unit, _), part) in charging {
            match spending::charge(connection, part).await {
                Ok(()) => {}
                Err(refused @ StoreError::OverBudget(_)) => self.refuse_late(unit, Err(refused)),
                Err(error) => return Err(error),
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

/// The outcome of a transition after which the execution stands there.
fn committed(part: &Prepared, version: i64, last_seq: i64) -> Outcome {
    let end = unsigned("a sequence number", last_seq)? + 1;
    let seqs = end.saturating_sub(part.transition.events.len() as u64)..end;
    Ok(Committed { version: unsigned("a version", version)?, seqs, existing: None, busy: None })
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
