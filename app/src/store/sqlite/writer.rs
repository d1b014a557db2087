//! The one writer: takes requests from a channel and commits whatever has queued in one transaction, each request in a
//! savepoint of its own, so that a refused one leaves the others. It acknowledges after the commit, never before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::store::StoreError;

/// Requests that one transaction takes at most. More would make the first ones wait for the last.
const MAX_BATCH: usize = 128;
/// Requests that wait at most; who comes then waits for room.
const MAX_QUEUED: usize = 1024;

/// Whether subscribers learn of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// There may be something new to do or to show.
    Tell,
    /// Only leases and bookkeeping changed.
    Quiet,
}

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Writer {
    requests: Mutex<Option<mpsc::Sender<Box<dyn Request>>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the writer on its connection. `changed` is raised after each commit that has something to tell.
    pub(super) fn start(connection: SqliteConnection, changed: watch::Sender<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let commits = Arc::new(AtomicU64::new(0));
        let writing = Writing { connection, changed, commits: commits.clone() };
        let task = tokio::spawn(writing.run(receiver));
        Self { requests: Mutex::new(Some(sender)), task: tokio::sync::Mutex::new(Some(task)), commits }
    }

    /// Has `operation` done in the next transaction and returns what it gave, after the commit. Where it gives an
    /// error nothing of it is stored. The operation is done also if the caller stops waiting.
    pub(super) async fn write<T, F>(&self, hint: Hint, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let sender = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let write = Write { hint, operation: Some(operation), outcome: None, reply };
        sender.send(Box::new(write)).await.map_err(|_| StoreError::Closed)?;
        drop(sender);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Transactions committed so far.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Does what has queued, then ends.
    pub(super) async fn close(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the database's writer ended badly");
        }
    }
}

/// A request of any result type.
#[async_trait]
trait Request: Send {
    /// Does it; whether it is to be kept.
    async fn run(&mut self, connection: &mut SqliteConnection) -> bool;

    /// Whether subscribers learn of it.
    fn hint(&self) -> Hint;

    /// Tells the caller, once the transaction is committed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>);
}

struct Write<T, F> {
    hint: Hint,
    operation: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

#[async_trait]
impl<T, F> Request for Write<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
{
    async fn run(&mut self, connection: &mut SqliteConnection) -> bool {
        let Some(operation) = self.operation.take() else { return false };
        let outcome = operation(connection).await;
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn hint(&self) -> Hint {
        self.hint
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<sqlx::Error>>) {
        let answer = match (self.outcome, committed) {
            // What was refused was refused, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)), Err(error)) => Err(StoreError::Database(error)),
            (None, Err(error)) => Err(StoreError::Database(error)),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // A caller who stopped waiting needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// The writer's own side.
struct Writing {
    connection: SqliteConnection,
    changed: watch::Sender<u64>,
    commits: Arc<AtomicU64>,
}

impl Writing {
    async fn run(mut self, mut requests: mpsc::Receiver<Box<dyn Request>>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while requests.recv_many(&mut batch, MAX_BATCH).await > 0 {
            let committed = self.commit(&mut batch).await.map_err(Arc::new);
            match &committed {
                Ok(()) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    if batch.iter().any(|request| request.hint() == Hint::Tell) {
                        self.changed.send_modify(|count| *count += 1);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, requests = batch.len(), "a transaction failed");
                    // SQLite may have rolled back by itself already; then this fails and there is nothing to undo.
                    let _ = sqlx::query("rollback").execute(&mut self.connection).await;
                }
            }
            for request in batch.drain(..) {
                request.answer(committed.clone());
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database could not be closed cleanly");
        }
    }

    async fn commit(&mut self, batch: &mut [Box<dyn Request>]) -> Result<(), sqlx::Error> {
        let connection = &mut self.connection;
        // IMMEDIATE takes the write lock at once: a transaction that begins by reading could fail half-way where
        // another process writes.
        sqlx::query("begin immediate").execute(&mut *connection).await?;
        for request in batch {
            sqlx::query("savepoint request").execute(&mut *connection).await?;
            if !request.run(connection).await {
                sqlx::query("rollback to request").execute(&mut *connection).await?;
            }
            sqlx::query("release request").execute(&mut *connection).await?;
        }
        sqlx::query("commit").execute(&mut *connection).await?;
        Ok(())
    }
}
