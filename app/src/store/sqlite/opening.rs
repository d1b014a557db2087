//! How a database is opened: its file made for this user alone, taken for one process, and brought up to date.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rusqlite::config::DbConfig;
use sqlx::SqliteConnection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::columns::execute;
use crate::store::StoreError;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// How long a statement waits for another process that writes; shorter than anybody waits for an answer.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Memory for pages that the writer keeps, in KiB: those that executions under way change again and again.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Statements that the writer keeps prepared: more than there are.
const STATEMENTS: usize = 128;
/// Nobody has anything any more; what rests until a moment goes on resting.
const FORGET_LEASES: [&str; 5] = [
    "delete from leases",
    "update occurrences set lease_owner = null, lease_until = null where lease_owner is not null",
    "update deliveries set lease_owner = null, lease_until = null where lease_owner is not null",
    "update work set lease_owner = null, lease_until = null where lease_owner is not null",
    "update effects set lease_owner = null, lease_until = null where lease_owner is not null",
];

pub(super) fn forget_leases(connection: &rusqlite::Connection) -> Result<(), StoreError> {
    for statement in FORGET_LEASES {
        execute(connection, statement, [])?;
    }
    Ok(())
}

/// Makes a file that this user alone may read, where there is none: a database holds what tokens are signed with.
/// SQLite takes an empty file for a new database, and gives the files beside it the same permissions
/// (<https://sqlite.org/src/file/src/os_unix.c>, `findCreateFileMode`).
pub(super) fn make_private(path: &Path) {
    // Where it is there it stays as it is; where it cannot be made SQLite says why.
    let _ = private().create_new(true).open(path);
}

/// How files are opened that are made for this user alone.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// How folders are made that are for this user alone.
pub(super) fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Why a file was not opened.
pub(super) fn unopened(path: &Path, source: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // SQLITE_NOTADB (<https://sqlite.org/rescode.html#notadb>).
    if code.is_some_and(|code| code == "26") {
        return StoreError::NoDatabase { path };
    }
    StoreError::Open { path, source }
}

/// That a database is this process's alone, until this is dropped; the system lets it go when the process ends, however that is.
#[derive(Debug)]
pub(super) struct Alone(File);

impl Drop for Alone {
    fn drop(&mut self) {
        // To close it does not suffice: a program that is being started has a copy of it until it runs.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the database stays locked until this process ends");
        }
    }
}

/// Takes a database for this process alone.
pub(super) fn lock(path: &Path) -> Result<Alone, StoreError> {
    let lock_path = path.with_extension("lock");
    let failed = |source| StoreError::Lock { path: lock_path.clone(), source };
    let lock = private().create(true).truncate(false).open(&lock_path).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Alone(lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
impl Alone {
    /// What a program has of it that is being started.
    pub(super) fn copy(&self) -> File {
        self.0.try_clone().unwrap_or_else(|error| panic!("{error}"))
    }
}

pub(super) fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let address = |reason: &str| StoreError::Address { reason: reason.to_owned() };
    if !url.starts_with("sqlite:") {
        return Err(address("it does not begin with `sqlite://`"));
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(address("a database in memory loses everything at the end; name a file, `sqlite://PATH`"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(|error| address(&error.to_string()))?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(address("it names no file; write `sqlite://PATH`"));
    }
    Ok(options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL can lose the last commits with the power (https://sqlite.org/pragma.html#pragma_synchronous), and what
        // is committed here has been acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT))
}

/// The writer's connection, with what holds for every other one.
pub(super) fn writing(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // Otherwise a statement is parsed again whenever a bound value might suggest another plan
    // (https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenableqpsg).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match MIGRATIONS.run(&mut *connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(migration)) => Err(StoreError::TooNew { migration, known: newest() }),
        Err(error) => Err(StoreError::Migration(error)),
    }
}

pub(super) fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}
