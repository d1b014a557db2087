//! Looks at a database without changing it: whether SQLite finds it sound, whether its schema is this version's, and
//! whether folding the events of each execution gives what is stored of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flowctl_core::execution::{Event, Execution};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row};

use super::columns::{all, from_json, micros, optional, timestamp};
use super::{MIGRATIONS, options, outputs};
use crate::store::{StoreError, states};

/// Executions that are looked at at a time.
const PAGE: i64 = 500;
/// Faults that are told by name.
const TOLD: usize = 20;

/// What was found of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The file.
    pub path: PathBuf,
    /// What SQLite finds broken; nothing where it is sound.
    pub broken: Vec<String>,
    /// Migrations that this version would still make.
    pub missing_migrations: usize,
    /// Migrations that this version does not know, or knows otherwise.
    pub foreign_migrations: Vec<i64>,
    /// Executions looked at.
    pub executions: u64,
    /// Events folded.
    pub events: u64,
    /// What differs between events and state, the first few.
    pub differences: Vec<String>,
    /// How many more.
    pub more_differences: u64,
    /// Large outputs that executions name and that are not there.
    pub missing_outputs: Vec<String>,
    /// When the last execution was accepted.
    pub newest: Option<Timestamp>,
}

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
    let mut found = Examination {
        path,
        broken,
        missing_migrations,
        foreign_migrations,
        executions: 0,
        events: 0,
        differences: Vec::new(),
        more_differences: 0,
        missing_outputs: Vec::new(),
        newest: None,
    };
    if found.broken.is_empty() && found.missing_migrations == 0 && found.foreign_migrations.is_empty() {
        found.fold(&connection)?;
        found.missing_outputs = missing_outputs(&connection, &found.path)?;
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

/// An execution's row, as far as its events say the same.
struct Stored {
    position: i64,
    id: String,
    status: String,
    open: bool,
    ended_at: Option<i64>,
    last_seq: i64,
    snapshot: Option<(i64, String)>,
}

const EXECUTIONS: &str = "
    select position, id, status, open, ended_at, last_seq, snapshots.seq, snapshots.state
    from executions left join snapshots on snapshots.execution = position
    where position > ?1 order by position limit ?2";
const EVENTS: &str = "select seq, events from events where execution = ?1 order by seq";

fn stored(row: &Row<'_>) -> Result<Stored, StoreError> {
    let (seq, state): (Option<i64>, Option<String>) = (row.get(6)?, row.get(7)?);
    Ok(Stored {
        position: row.get(0)?,
        id: row.get(1)?,
        status: row.get(2)?,
        open: row.get(3)?,
        ended_at: row.get(4)?,
        last_seq: row.get(5)?,
        snapshot: seq.zip(state),
    })
}

impl Examination {
    fn fold(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let page = all(connection, EXECUTIONS, [after, PAGE], stored)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            for stored in &page {
                self.executions += 1;
                // What cannot be read is a difference too.
                let difference = self.difference(connection, stored).unwrap_or_else(|error| Some(error.to_string()));
                match difference {
                    Some(what) if self.differences.len() < TOLD => {
                        self.differences.push(format!("execution {}: {what}", stored.id));
                    }
                    Some(_) => self.more_differences += 1,
                    None => {}
                }
            }
        }
    }

    /// What differs between the events of an execution and what is stored of it.
    fn difference(&mut self, connection: &Connection, stored: &Stored) -> Result<Option<String>, StoreError> {
        let batches =
            all(connection, EVENTS, [stored.position], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let (mut state, mut last) = (None, 0);
        let mut snapshot = stored.snapshot.as_ref();
        for (seq, text) in batches {
            let events: Vec<Event> = from_json("events", &text)?;
            self.events += events.len() as u64;
            last += i64::try_from(events.len()).unwrap_or(i64::MAX);
            if seq != last {
                return Ok(Some(format!("events are missing before number {seq}")));
            }
            states::fold(&mut state, events);
            if let Some((_, text)) = snapshot.take_if(|(at, _)| *at == last) {
                let kept: Execution = from_json("a snapshot", text)?;
                if state.as_ref() != Some(&kept) {
                    return Ok(Some(format!("its events up to number {last} give another state than the stored one")));
                }
            }
        }
        let Some(state) = state else { return Ok(Some("it has no beginning".to_owned())) };
        if last != stored.last_seq {
            return Ok(Some(format!("it has {last} events, and {} are said to be there", stored.last_seq)));
        }
        if snapshot.is_some() {
            return Ok(Some("a state of it is stored as of a number that no transition ends with".to_owned()));
        }
        // Rows of earlier versions keep the end to the second.
        let seconds = |micros: i64| micros.div_euclid(1_000_000);
        let ended = state.completed_at.map(micros).map(seconds);
        let told = (state.status.as_str(), !state.status.is_final(), ended);
        if told != (stored.status.as_str(), stored.open, stored.ended_at.map(seconds)) {
            let said = format!("its events say that it is {}, and its row that it is {}", told.0, stored.status);
            return Ok(Some(said));
        }
        Ok(None)
    }
}
