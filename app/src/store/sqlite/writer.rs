//! The one writer: a thread that takes requests from a channel and commits whatever has queued in one transaction, each
//! request in a savepoint of its own, so that a refused one leaves the others. It acknowledges after the commit, never
//! before. Statements run on its own connection without a hop between threads; that hop would cost more than they do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::columns::execute;
use crate::store::StoreError;
use crate::store::measures::measured;

/// Requests that one transaction takes at most. More would make the first ones wait for the last.
const MAX_BATCH: usize = 256;
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
    thread: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the writer on its connection. `changed` is raised after each commit that has something to tell.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub(super) fn start(connection: Connection, changed: watch::Sender<u64>) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let commits = Arc::new(AtomicU64::new(0));
        let writing = Writing { connection, changed, commits: commits.clone() };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(|| writing.run(receiver))?;
        Ok(Self { requests: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), commits })
    }

    /// Has `operation` done in the next transaction and returns what it gave, after the commit. Where it gives an
    /// error nothing of it is stored. The operation is done also if the caller stops waiting.
    pub(super) async fn write<T, F>(&self, hint: Hint, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
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
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the database's writer ended badly");
        }
    }
}

/// A request of any result type.
trait Request: Send {
    /// Does it; whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Whether subscribers learn of it.
    fn hint(&self) -> Hint;

    /// Tells the caller, once the transaction is committed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Write<T, F> {
    hint: Hint,
    operation: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Request for Write<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(operation) = self.operation.take() else { return false };
        let outcome = operation(connection);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn hint(&self) -> Hint {
        self.hint
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        let answer = match (self.outcome, committed) {
            // What was refused was refused, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)), Err(error)) => Err(StoreError::Sqlite(error)),
            (None, Err(error)) => Err(StoreError::Sqlite(error)),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // A caller who stopped waiting needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// The writer's own side.
struct Writing {
    connection: Connection,
    changed: watch::Sender<u64>,
    commits: Arc<AtomicU64>,
}

impl Writing {
    fn run(self, mut requests: mpsc::Receiver<Box<dyn Request>>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while requests.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            let began = Instant::now();
            let committed = self.commit(&mut batch).map_err(Arc::new);
            measured(committed.is_ok(), batch.len(), began.elapsed());
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
                    let _ = execute(&self.connection, "rollback", []);
                }
            }
            for request in batch.drain(..) {
                request.answer(committed.clone());
            }
        }
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database could not be closed cleanly");
        }
    }

    fn commit(&self, batch: &mut [Box<dyn Request>]) -> Result<(), rusqlite::Error> {
        let connection = &self.connection;
        // IMMEDIATE takes the write lock at once: a transaction that begins by reading could fail half-way where
        // another process writes.
        execute(connection, "begin immediate", [])?;
        for request in batch {
            execute(connection, "savepoint request", [])?;
            if !request.run(connection) {
                execute(connection, "rollback to request", [])?;
            }
            execute(connection, "release request", [])?;
        }
        execute(connection, "commit", [])?;
        Ok(())
    }
}
