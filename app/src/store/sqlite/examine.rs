//! Looks at a database without changing it: whether SQLite finds it sound, whether its schema is this version's, and
//! whether folding the events of each execution gives what is stored of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use flowctl_core::execution::{Event, Execution};
use rusqlite::{Connection, OpenFlags, Row};
use serde::de::DeserializeOwned;

use super::columns::{all, optional, small, timestamp, unsigned};
use super::{MIGRATIONS, options, outputs, standing};
use crate::store::examination::{Beside, Examination, filled_in};
use crate::store::payloads::{self, Read, Text};
use crate::store::standing::EXAMINED;
use crate::store::{MAX_COUNTED, StoreError, states};

/// Executions that are looked at at a time.
const PAGE: i64 = 500;
/// Looks at the database at `url`; nothing where there is none yet.
///
/// # Errors
/// Where it cannot be read at all.
pub fn examine(url: &str) -> Result<Option<Examination>, StoreError> {
    let path = options(url)?.get_filename().to_owned();
    if !path.exists() {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // Everything as of one moment.
    connection.execute_batch("begin")?;
    let broken = broken(&connection)?;
    let (missing_migrations, foreign_migrations) = migrations(&connection)?;
    let place = path.display().to_string();
    let mut found = Examination { place, broken, missing_migrations, foreign_migrations, ..Examination::default() };
    if found.can_be_read() {
        fold(&mut found, &connection, &outputs::path_of(&path))?;
        found.missing_outputs = missing_outputs(&connection, &path)?;
        let untold = "select count(*) from (select 1 from untold_events limit ?1)";
        let untold = optional(&connection, untold, [MAX_COUNTED], |row| row.get(0))?;
        found.untold = unsigned("a count", untold.unwrap_or_default())?;
        for beginning in EXAMINED {
            found.standings.extend(standing::all_of(&connection, beginning)?);
        }
        let failed = "select count(*) from deliveries where status = 'failed'";
        let failed = optional(&connection, failed, [], |row| row.get(0))?;
        found.failed_deliveries = unsigned("a count", failed.unwrap_or_default())?;
        let oldest = "select min(received_at) from deliveries where status = 'pending'";
        let oldest = optional(&connection, oldest, [], |row| row.get(0))?;
        found.oldest_delivery = oldest.flatten().map(timestamp).transpose()?;
        let newest = optional(&connection, "select max(created_at) from executions", [], |row| row.get(0))?;
        found.newest = newest.flatten().map(timestamp).transpose()?;
    }
    Ok(Some(found))
}

fn broken(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut broken = all(connection, "pragma integrity_check(20)", [], |row| Ok(row.get::<_, String>(0)?))?;
    broken.retain(|line| line != "ok");
    let orphans = "select \"table\", count(*) from pragma_foreign_key_check group by 1 limit 20";
    broken.extend(all(connection, orphans, [], |row| {
        let (table, count): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok(format!("{count} rows of `{table}` belong to nothing"))
    })?);
    Ok(broken)
}

/// Files of large outputs that are named and missing, or of another size. What is in them is seen when they are read.
fn missing_outputs(connection: &Connection, database: &Path) -> Result<Vec<String>, StoreError> {
    let folder = outputs::path_of(database);
    let named = "
        select distinct uses.tenant, uses.digest, outputs.bytes
        from output_uses uses left join outputs on outputs.tenant = uses.tenant and outputs.digest = uses.digest";
    let files = all(connection, named, [], |row| {
        let (tenant, digest, bytes): (String, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let file = outputs::file_of(&folder, &tenant, &digest);
        let there = fs::metadata(&file).ok().and_then(|there| i64::try_from(there.len()).ok());
        Ok((file, there.is_some() && there == bytes))
    })?;
    Ok(files.into_iter().filter(|(_, there)| !there).map(|(file, _)| file.display().to_string()).collect())
}

fn migrations(connection: &Connection) -> Result<(usize, Vec<i64>), StoreError> {
    let has = "select count(*) from sqlite_schema where name = '_sqlx_migrations'";
    let there: i64 = connection.query_row(has, [], |row| row.get(0))?;
    if there == 0 {
        return Ok((MIGRATIONS.iter().count(), Vec::new()));
    }
    let done = all(connection, "select version, checksum from _sqlx_migrations order by version", [], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let known: BTreeMap<i64, &[u8]> = MIGRATIONS.iter().map(|it| (it.version, &*it.checksum)).collect();
    let foreign = done.iter().filter(|(version, checksum)| known.get(version) != Some(&&checksum[..]));
    let foreign: Vec<i64> = foreign.map(|(version, _)| *version).collect();
    let missing = known.keys().filter(|version| !done.iter().any(|(it, _)| it == *version)).count();
    Ok((missing, foreign))
}

/// An execution's row.
struct Stored {
    position: i64,
    tenant: String,
    id: String,
    last_seq: i64,
    snapshot: Option<(i64, Read)>,
    beside: Beside,
}

const EXECUTIONS: &str = "
    select position, tenant, id, last_seq, snapshots.seq, snapshots.state, snapshots.large, status, open, ended_at, wake_at is not null,
      repository, process, number, concurrency_group
    from executions left join snapshots on snapshots.execution = position
    where position > ?1 order by position limit ?2";
const EVENTS: &str = "select seq, events, large from events where execution = ?1 order by seq";
const WORK: &str = "select step, attempt from work where execution = ?1";
const APPROVALS: &str = "select step, attempt, status from approvals where tenant = ?1 and execution = ?2";
const EVENT_WAITS: &str = "select step from event_waits where tenant = ?1 and execution = ?2";

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let (seq, state): (Option<i64>, Option<String>) = (row.get(4)?, row.get(5)?);
    let (tenant, large): (String, Option<String>) = (row.get(1)?, row.get(6)?);
    let state = state.map(|text| read(&tenant, text, large));
    let beside = Beside {
        status: row.get(7)?,
        open: row.get(8)?,
        ended_at: row.get(9)?,
        wakes: row.get(10)?,
        repository: row.get(11)?,
        process: row.get(12)?,
        number: row.get(13)?,
        group: row.get(14)?,
        ..Beside::default()
    };
    let (position, id, last_seq) = (row.get(0)?, row.get(2)?, row.get(3)?);
    Ok(Stored { position, tenant, id, last_seq, snapshot: seq.zip(state), beside })
}

fn read(tenant: &str, text: String, large: Option<String>) -> Read {
    Read { tenant: tenant.to_owned(), text: Text { text, large, ..Text::default() } }
}

fn fold(found: &mut Examination, connection: &Connection, folder: &Path) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = all(connection, EXECUTIONS, [after, PAGE], stored)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.position;
        for mut stored in page {
            // What cannot be read is a difference too.
            let difference = match whole(found, connection, folder, &stored) {
                Ok(Ok(state)) => complete(connection, &mut stored).map(|()| stored.beside.difference(&state)),
                Ok(Err(difference)) => Ok(Some(difference)),
                Err(error) => Err(error),
            };
            found.looked_at(&stored.id, difference.unwrap_or_else(|error| Some(error.to_string())));
        }
    }
}

/// Adds what stands in other tables.
fn complete(connection: &Connection, stored: &mut Stored) -> Result<(), StoreError> {
    let attempt = |row: &Row<'_>| Ok((row.get(0)?, small("an attempt", row.get(1)?)?));
    stored.beside.work = all(connection, WORK, [stored.position], attempt)?.into_iter().collect();
    let of = [&stored.tenant, &stored.id];
    let question = |row: &Row<'_>| Ok((attempt(row)?, row.get(2)?));
    stored.beside.approvals = all(connection, APPROVALS, of, question)?.into_iter().collect();
    stored.beside.event_waits = all(connection, EVENT_WAITS, of, |row| Ok(row.get(0)?))?.into_iter().collect();
    Ok(())
}

/// The state that the events of an execution give, or what differs between them and its snapshot.
fn whole(
    found: &mut Examination,
    connection: &Connection,
    folder: &Path,
    stored: &Stored,
) -> Result<Result<Execution, String>, StoreError> {
    let batches = all(connection, EVENTS, [stored.position], |row| {
        Ok((row.get::<_, i64>(0)?, read(&stored.tenant, row.get(1)?, row.get(2)?)))
    })?;
    let (mut state, mut last) = (None, 0);
    let mut snapshot = stored.snapshot.as_ref();
    for (seq, text) in batches {
        let events: Vec<Event> = part("the events", folder, &text)?;
        found.events += events.len() as u64;
        last += i64::try_from(events.len()).unwrap_or(i64::MAX);
        if seq != last {
            return Ok(Err(format!("events are missing before number {seq}")));
        }
        states::fold(&mut state, events);
        if let Some((_, text)) = snapshot.take_if(|(at, _)| *at == last) {
            let kept: Execution = part("a snapshot", folder, text)?;
            let kept = filled_in(kept, state.as_ref());
            if state.as_ref() != Some(&kept) {
                return Ok(Err(format!("its events up to number {last} give another state than the stored one")));
            }
        }
    }
    if last != stored.last_seq && state.is_some() {
        return Ok(Err(format!("it has {last} events, and {} are said to be there", stored.last_seq)));
    }
    if snapshot.is_some() && state.is_some() {
        return Ok(Err("a state of it is stored as of a number that no transition ends with".to_owned()));
    }
    Ok(state.ok_or_else(|| "it has no beginning".to_owned()))
}

/// A text as it was, with what is kept apart of it.
fn part<T: DeserializeOwned>(what: &'static str, folder: &Path, text: &Read) -> Result<T, StoreError> {
    let bodies = outputs::bodies(folder, std::slice::from_ref(text))?;
    payloads::whole(what, text, &bodies)
}
