//! What can go wrong with the store.

use std::path::PathBuf;
use std::sync::Arc;

use super::OverBudget;

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The execution is no longer at the version that the transition was decided for, or exists already.
    #[error("the execution has moved on meanwhile")]
    Conflict,
    /// The word was recorded before; nothing was stored.
    #[error("this word was recorded before")]
    WordKnown,
    /// The signal was taken before; nothing was stored.
    #[error("this signal was taken before")]
    SignalTaken,
    /// Somebody else has what the transition was made for: its lease had ended. Nothing was stored.
    #[error("somebody else has taken this over meanwhile")]
    Fenced,
    /// A model is not asked: a budget that counts by month does not allow it. Nothing was stored.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// The cursor is none of ours.
    #[error("the cursor is not one that a list gave")]
    WrongCursor,
    /// The address of the database cannot be used.
    #[error("the database address cannot be used: {reason}")]
    Address {
        /// Why, and what to write instead.
        reason: String,
    },
    /// The database file cannot be opened.
    #[error("the database {} cannot be opened: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The file is something else than a database.
    #[error(
        "{} is no SQLite database; nothing was written to it. Name another data folder or another file (FLOWCTL_DATABASE_URL), or, \
         where it was the database, put a back-up in its place: `flowctl db restore FILE --force`", .path.display()
    )]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database server cannot be reached, or does not let us in.
    #[error("the database server cannot be reached: {0}; see FLOWCTL_DATABASE_URL")]
    Connect(#[source] sqlx::Error),
    /// Another process has the database to itself.
    #[error("the database {} is in use by another flowctl; end that one first, or name another data folder", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file that says whose the database is cannot be used.
    #[error("{} cannot be locked: {source}", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A newer flowctl has changed the database.
    #[error(
        "the database was written by a newer flowctl (its schema has migration {migration}, this version knows up to \
         {known}): start that version again, or restore a back-up from before"
    )]
    TooNew {
        /// The first migration that this version does not know.
        migration: i64,
        /// The last one that it knows.
        known: i64,
    },
    /// A migration failed.
    #[error("the database's schema cannot be brought up to date: {0}")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database failed. Nothing of the request is stored.
    #[error("the database failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// SQLite failed while it wrote. Nothing of the request is stored.
    #[error("the database failed: {0}")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// What was written may not be on the disk. Nothing of the request is acknowledged, and nothing more is written.
    #[error(
        "the disk did not keep what was written to the database ({reason}): nothing more is written, or what is lost would \
         grow; look at the disk, then start again"
    )]
    Broken {
        /// What the disk said.
        reason: Arc<str>,
    },
    /// A file beside the database cannot be read or written.
    #[error("the large output {}: {source}", .path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something stored cannot be read back.
    #[error("{what} in the database cannot be read: {reason}")]
    Corrupt {
        /// What.
        what: String,
        /// Why.
        reason: String,
    },
    /// A number or time that the database has no room for.
    #[error("{what} is out of the range that the database can hold")]
    OutOfRange {
        /// What.
        what: &'static str,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolClosed => Self::Closed,
            other => Self::Database(Arc::new(other)),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl StoreError {
    /// Whether the same may go well later: the database cannot be reached, is busy, or has no room left.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => super::postgres::passes(error),
            Self::Sqlite(error) => super::sqlite::passes(error),
            _ => false,
        }
    }

    /// Something stored cannot be read back.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.to_string() }
    }
}
