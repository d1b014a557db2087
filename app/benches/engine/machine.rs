//! What the machine says: time of its processors, memory; and what SQLite by itself does on its disk.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::Failure;

/// Time for each half of the floor.
const FLOOR_TIME: Duration = Duration::from_secs(2);
/// Rows of a commit in the batched half.
const BATCH: usize = 100;

/// SQLite's own rates with the durability that the engine asks for.
pub struct Floor {
    /// One row a commit.
    pub commits_per_s: f64,
    /// A hundred rows a commit.
    pub rows_per_s: f64,
}

/// Measures how fast rows of this size are stored by SQLite alone, in the same folder.
pub fn floor(folder: &Path, bytes: usize) -> Result<Floor, Failure> {
    let connection = Connection::open(folder.join("floor.db"))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(
        "create table rows (
           position integer primary key, execution integer not null, seq integer not null, events text not null);
         create unique index rows_of_execution on rows (execution, seq);",
    )?;
    let text = "x".repeat(bytes);
    let mut row = 0_i64;
    let mut count = |rows: usize| -> Result<f64, Failure> {
        let start = Instant::now();
        let mut stored = 0;
        while start.elapsed() < FLOOR_TIME {
            connection.execute_batch("begin immediate")?;
            for _ in 0..rows {
                row += 1;
                connection
                    .prepare_cached("insert into rows (execution, seq, events) values (?1, ?2, ?3)")?
                    .execute(params![row / 6, row % 6, text])?;
            }
            connection.execute_batch("commit")?;
            stored += rows;
        }
        Ok(stored as f64 / start.elapsed().as_secs_f64())
    };
    Ok(Floor { commits_per_s: count(1)?, rows_per_s: count(BATCH)? })
}

/// The bytes of events that a transition wrote on average.
pub fn bytes_per_transition(database: &Path) -> Result<usize, Failure> {
    let connection = Connection::open(database)?;
    let average: f64 = connection.query_row(
        "select avg(length(events)) from (select events from events order by position desc limit 10000)",
        [],
        |row| row.get(0),
    )?;
    Ok(average as usize)
}

/// The time that this process has had of the processors, where the system tells it (Linux).
pub fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15 of proc_pid_stat(5), counted behind the name in parentheses; in ticks of 10 ms.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// The most memory that this process has had at a time.
pub fn peak_rss_mib() -> Option<f64> {
    memory("VmHWM:")
}

/// The memory that this process has now.
pub fn rss_mib() -> Option<f64> {
    memory("VmRSS:")
}

/// A line of proc_pid_status(5), where the system has it (Linux).
fn memory(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?.trim().split(' ').next()?;
    Some(kilobytes.parse::<f64>().ok()? / 1024.0)
}
