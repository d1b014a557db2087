//! The database that is measured: SQLite's file or PostgreSQL's server, and what each does by itself.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowctl_app::store::{PostgresStore, SqliteStore, Store};
use flowctl_core::execution::ExecutionId;
use rusqlite::params;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::{Failure, Options, history};

/// Time for each half of the floor.
const FLOOR_TIME: Duration = Duration::from_secs(2);
/// Rows of a commit in the batched half.
const BATCH: usize = 100;

/// Where executions are stored.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// A database's own rates with the durability that the engine asks for.
pub struct Floor {
    /// One row a commit.
    pub commits_per_s: f64,
    /// A hundred rows a commit.
    pub rows_per_s: f64,
}

impl Database {
    /// The one that is named, or a new one in `folder`.
    pub fn of(options: &Options, folder: &Path) -> Result<Self, Failure> {
        match &options.database_url {
            Some(url) => Self::at(url),
            None => Ok(Self::Sqlite(folder.join("bench.db"))),
        }
    }

    /// The one at this address.
    pub fn at(url: &str) -> Result<Self, Failure> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(Self::Sqlite(path.split('?').next().unwrap_or(path).into()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err(format!("`{url}`: only databases of `sqlite://` and `postgres://` can be measured").into())
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Opens it as a server does: SQLite's file for this process alone.
    pub async fn open(&self) -> Result<Measured, Failure> {
        Ok(match self {
            Self::Sqlite(_) => Measured::Sqlite(Arc::new(SqliteStore::open_alone(&self.url()).await?)),
            Self::Postgres(url) => Measured::Postgres(Arc::new(PostgresStore::open(url).await?)),
        })
    }

    /// Makes `count` copies of an execution.
    pub async fn lay(&self, template: ExecutionId, count: usize) -> Result<(), Failure> {
        match self.clone() {
            Self::Sqlite(path) => {
                tokio::task::spawn_blocking(move || history::lay_in_sqlite(&path, template, count)).await?
            }
            Self::Postgres(url) => history::lay_in_postgres(&mut connect(&url).await?, template, count).await,
        }
    }

    /// The bytes of events that a transition wrote on average.
    pub async fn bytes_per_transition(&self) -> Result<usize, Failure> {
        let average: f64 = match self {
            Self::Sqlite(path) => rusqlite::Connection::open(path)?.query_row(
                "select avg(length(events)) from (select events from events order by position desc limit 10000)",
                [],
                |row| row.get(0),
            )?,
            Self::Postgres(url) => {
                let latest = "
                    select avg(octet_length(events))::double precision from (
                      select events from events order by execution desc, seq desc limit 10000) latest";
                sqlx::query_scalar(latest).fetch_one(&mut connect(url).await?).await?
            }
        };
        Ok(average as usize)
    }

    /// How fast the database alone stores rows of this size: SQLite in `folder`, PostgreSQL in a table beside the others.
    pub async fn floor(&self, folder: &Path, bytes: usize) -> Result<Floor, Failure> {
        match self {
            Self::Sqlite(_) => {
                let folder = folder.to_owned();
                tokio::task::spawn_blocking(move || floor_of_sqlite(&folder, bytes)).await?
            }
            Self::Postgres(url) => floor_of_postgres(&mut connect(url).await?, bytes).await,
        }
    }
}

/// The store that is measured.
#[derive(Clone)]
pub enum Measured {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl Measured {
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => store.clone(),
            Self::Postgres(store) => store.clone(),
        }
    }

    pub fn commits(&self) -> u64 {
        match self {
            Self::Sqlite(store) => store.commits(),
            Self::Postgres(store) => store.commits(),
        }
    }
}

async fn connect(url: &str) -> Result<PgConnection, Failure> {
    Ok(PgConnectOptions::from_str(url)?.disable_statement_logging().connect().await?)
}

fn floor_of_sqlite(folder: &Path, bytes: usize) -> Result<Floor, Failure> {
    let connection = rusqlite::Connection::open(folder.join("floor.db"))?;
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

const FLOOR_TABLE: &str = "
    create table bench_floor (
      execution bigint not null, seq bigint not null, events text not null, primary key (execution, seq))";
const FLOOR_ROWS: &str = "
    insert into bench_floor (execution, seq, events)
    select execution, seq, events from unnest($1::bigint[], $2::bigint[], $3::text[]) as t(execution, seq, events)";

async fn floor_of_postgres(connection: &mut PgConnection, bytes: usize) -> Result<Floor, Failure> {
    sqlx::query("drop table if exists bench_floor").execute(&mut *connection).await?;
    sqlx::query(FLOOR_TABLE).execute(&mut *connection).await?;
    let text = "x".repeat(bytes);
    let mut row = 0_i64;
    let mut rates = Vec::new();
    for rows in [1, BATCH] {
        let start = Instant::now();
        let mut stored = 0;
        while start.elapsed() < FLOOR_TIME {
            let (mut executions, mut seqs) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
            for _ in 0..rows {
                row += 1;
                executions.push(row / 6);
                seqs.push(row % 6);
            }
            let texts = vec![text.as_str(); rows];
            sqlx::query(FLOOR_ROWS).bind(executions).bind(seqs).bind(texts).execute(&mut *connection).await?;
            stored += rows;
        }
        rates.push(stored as f64 / start.elapsed().as_secs_f64());
    }
    sqlx::query("drop table bench_floor").execute(&mut *connection).await?;
    Ok(Floor { commits_per_s: rates[0], rows_per_s: rates[1] })
}
