//! The one writer: a thread that takes requests from a channel and commits whatever has queued in one transaction, each
//! request in a savepoint of its own, so that a refused one leaves the others. It acknowledges after the commit, never
//! before. Statements run on its own connection without a hop between threads; that hop would cost more than they do.
//! Where the disk did not keep what was written, it writes nothing any more, and does not even close its connection.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::columns::{all, execute};
use super::faults;
use crate::store::StoreError;
use crate::store::measures::measured;

/// Requests that one transaction takes at most. More would make the first ones wait for the last.
const MAX_BATCH: usize = 256;
/// Requests that wait at most; who comes then waits for room.
const MAX_QUEUED: usize = 1024;

/// Pages of the log after which it is brought into the file; pages that change often are brought there once.
const CHECKPOINT_PAGES: i32 = 4096;
const CHECKPOINT: &str = "pragma wal_checkpoint(passive)";

thread_local! {
    /// Pages of the log after the last commit of this thread's connection.
    static LOG_PAGES: Cell<i32> = const { Cell::new(0) };
}

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
    thread: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
    broken: Arc<Broken>,
}

/// Why nothing is written any more, once that is so.
type Broken = watch::Sender<Option<Arc<str>>>;

impl Writer {
    /// Starts the writer on its connection. `changed` is raised after each commit that has something to tell.
    ///
    /// # Errors
    /// Where the system has no thread left.
    pub(super) fn start(connection: Connection, changed: watch::Sender<u64>) -> std::io::Result<Self> {
        // Instead of `wal_autocheckpoint`, which keeps to itself that the disk fails.
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }));
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let (commits, broken) = (Arc::new(AtomicU64::new(0)), Arc::new(watch::channel(None).0));
        let writing = Writing { connection, changed, commits: commits.clone(), broken: Arc::clone(&broken) };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(|| writing.run(receiver))?;
        Ok(Self { requests: Mutex::new(Some(sender)), thread: tokio::sync::Mutex::new(Some(thread)), commits, broken })
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

    /// Writes nothing any more: what was written beside the database may not be on the disk.
    pub(super) fn break_down(&self, reason: &dyn std::fmt::Display) -> StoreError {
        let reason: Arc<str> = reason.to_string().into();
        self.broken.send_replace(Some(Arc::clone(&reason)));
        StoreError::Broken { reason }
    }

    /// Waits until nothing is written any more because of the disk.
    pub(super) async fn broken(&self) -> StoreError {
        let mut broken = self.broken.subscribe();
        match broken.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) {
            Some(reason) => StoreError::Broken { reason },
            None => StoreError::Closed,
        }
    }

    /// Does what has queued, then ends. Who closes it meanwhile waits for that end, too.
    pub(super) async fn close(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut running = self.thread.lock().await;
        let Some(thread) = running.take() else { return };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("the database's writer ended badly");
        }
    }
}

/// A request of any result type.
trait Request: Send {
    /// Does it. An error says that it is not to be kept; it holds why the database failed, where it did.
    fn run(&mut self, connection: &Connection) -> Result<(), Option<Arc<rusqlite::Error>>>;

    /// Whether subscribers learn of it.
    fn hint(&self) -> Hint;

    /// Tells the caller, once the transaction is committed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Failure>);
}

/// Why a transaction was not committed.
#[derive(Debug, Clone)]
enum Failure {
    Sqlite(Arc<rusqlite::Error>),
    Broken(Arc<str>),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => Self::Sqlite(error),
            Failure::Broken(reason) => Self::Broken { reason },
        }
    }
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
    fn run(&mut self, connection: &Connection) -> Result<(), Option<Arc<rusqlite::Error>>> {
        let operation = self.operation.take().ok_or(None)?;
        let outcome = operation(connection);
        let kept = match &outcome {
            Ok(_) => Ok(()),
            Err(StoreError::Sqlite(error)) => Err(Some(Arc::clone(error))),
            Err(_) => Err(None),
        };
        self.outcome = Some(outcome);
        kept
    }

    fn hint(&self) -> Hint {
        self.hint
    }

    fn answer(self: Box<Self>, committed: Result<(), Failure>) {
        let answer = match (self.outcome, committed) {
            // What was refused was refused, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(failure)) => Err(failure.into()),
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
    broken: Arc<Broken>,
}

impl Writing {
    fn run(self, mut requests: mpsc::Receiver<Box<dyn Request>>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while requests.blocking_recv_many(&mut batch, MAX_BATCH) > 0 {
            let began = Instant::now();
            let committed = match self.broken() {
                Some(reason) => Err(Failure::Broken(reason)),
                None => self.try_to_commit(&mut batch),
            };
            measured(committed.is_ok(), batch.len(), began.elapsed());
            for request in batch.drain(..) {
                request.answer(committed.clone());
            }
            if committed.is_ok() && LOG_PAGES.get() >= CHECKPOINT_PAGES {
                self.check_point();
            }
        }
        if self.broken().is_some() {
            // Closing it would sync, and perhaps be told that all is well. The process ends soon.
            std::mem::forget(self.connection);
        } else if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database could not be closed cleanly");
        }
    }

    fn broken(&self) -> Option<Arc<str>> {
        self.broken.borrow().clone()
    }

    fn try_to_commit(&self, batch: &mut [Box<dyn Request>]) -> Result<(), Failure> {
        match self.commit(batch) {
            Ok(()) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                if batch.iter().any(|request| request.hint() == Hint::Tell) {
                    self.changed.send_modify(|count| *count += 1);
                }
                Ok(())
            }
            Err(error) if faults::breaks(&error) => Err(Failure::Broken(self.break_down(&error))),
            Err(error) => {
                tracing::error!(%error, requests = batch.len(), "a transaction failed");
                // SQLite may have rolled back by itself already; then this fails and there is nothing to undo.
                let _ = execute(&self.connection, "rollback", []);
                Err(Failure::Sqlite(error))
            }
        }
    }

    /// Nothing is written any more from here on.
    fn break_down(&self, error: &rusqlite::Error) -> Arc<str> {
        tracing::error!(%error, "the disk fails; nothing is written any more");
        let reason: Arc<str> = error.to_string().into();
        self.broken.send_replace(Some(Arc::clone(&reason)));
        reason
    }

    /// Brings the log into the file. What is committed stays in the log until all of it is there.
    fn check_point(&self) {
        match all(&self.connection, CHECKPOINT, [], |_| Ok(())) {
            Ok(_) => {}
            Err(StoreError::Sqlite(error)) if faults::breaks(&error) => drop(self.break_down(&error)),
            // No room: the log grows on, and it is tried again after the next commit.
            Err(error) => tracing::debug!(%error, "the log could not be brought into the database"),
        }
    }

    fn commit(&self, batch: &mut [Box<dyn Request>]) -> Result<(), Arc<rusqlite::Error>> {
        let connection = &self.connection;
        // IMMEDIATE takes the write lock at once: a transaction that begins by reading could fail half-way where
        // another process writes.
        execute(connection, "begin immediate", [])?;
        for request in batch {
            execute(connection, "savepoint request", [])?;
            match request.run(connection) {
                Ok(()) => {}
                // Where the disk is full SQLite may end the whole transaction.
                Err(Some(error)) if connection.is_autocommit() || faults::breaks(&error) => return Err(error),
                Err(_) => {
                    execute(connection, "rollback to request", [])?;
                }
            }
            execute(connection, "release request", [])?;
        }
        execute(connection, "commit", [])?;
        Ok(())
    }
}
