//! Group commit: transitions that queue at the same time are stored in one transaction. A few writers take turns, so that
//! one fills its transaction while the disk works on another's. Nothing is acknowledged before its commit.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::batch::{self, Outcome, Outgrown, Stored};
use super::connections::{Connections, is_collision, is_lost};
use super::executions;
use super::hints::Hints;
use super::prepared::Unit;
use crate::store::StoreError;
use crate::store::measures::measured;

/// Transitions that one transaction takes at most. More would make the first ones wait for the last.
const MAX_BATCH: usize = 256;
/// Transitions that wait at most; who comes then waits for room.
const MAX_QUEUED: usize = 1024;
/// Transactions under way at the same time.
const WRITERS: usize = 2;
/// How long a transaction may take before its connection is given up.
const WITHIN: Duration = Duration::from_secs(30);
/// How often a transaction is tried that collides with others.
const MAX_COLLISIONS: u32 = 8;
/// The pause after a collision, times their number.
const COLLISION_PAUSE: Duration = Duration::from_millis(3);

/// The way to the writers.
#[derive(Debug)]
pub(super) struct Writers {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    commits: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Request {
    unit: Unit,
    reply: oneshot::Sender<Outcome>,
}

impl Writers {
    pub(super) fn start(connections: &Arc<Connections>, hints: &Hints) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        let requests = Arc::new(tokio::sync::Mutex::new(receiver));
        let commits = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            let writer = Writer {
                requests: Arc::clone(&requests),
                connections: Arc::clone(connections),
                connection: None,
                hints: hints.clone(),
                commits: Arc::clone(&commits),
            };
            tasks.spawn(writer.run());
        }
        Self { requests: Mutex::new(Some(sender)), tasks: tokio::sync::Mutex::new(tasks), commits }
    }

    /// Stores a unit; gives what became of it, after the commit. It is stored also if the caller stops waiting.
    pub(super) async fn store(&self, unit: Unit) -> Outcome {
        let sender = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        sender.send(Request { unit, reply }).await.map_err(|_| StoreError::Closed)?;
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
        let mut tasks = self.tasks.lock().await;
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a writer of the database ended badly");
            }
        }
    }
}

struct Writer {
    requests: Arc<tokio::sync::Mutex<mpsc::Receiver<Request>>>,
    connections: Arc<Connections>,
    connection: Option<PgConnection>,
    hints: Hints,
    commits: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self) {
        let mut waiting = VecDeque::new();
        while self.fill(&mut waiting).await {
            let batch = apart(&mut waiting);
            let (units, replies): (Vec<Unit>, Vec<_>) =
                batch.into_iter().map(|Request { unit, reply }| (unit, reply)).unzip();
            let began = Instant::now();
            let Stored { outcomes, outgrown } = self.store(&units).await;
            let failed = matches!(&*outcomes, [Err(StoreError::Database(_)), ..]);
            measured(!failed, units.len(), began.elapsed());
            if outcomes.iter().any(Result::is_ok) {
                self.hints.tell();
            }
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // A caller who stopped waiting needs no answer.
                let _ = reply.send(outcome);
            }
            for outgrown in outgrown {
                self.keep_snapshot(&units, &outgrown).await;
            }
        }
        if let Some(connection) = self.connection.take() {
            // The server forgets a connection that is gone anyway.
            let _ = connection.close().await;
        }
    }

    /// Adds what has queued; whether there is anything to do, now or later.
    async fn fill(&self, waiting: &mut VecDeque<Request>) -> bool {
        let room = MAX_BATCH.saturating_sub(waiting.len());
        if !waiting.is_empty() {
            // Another writer may be waiting for requests; what is here already goes first then.
            if let Ok(mut requests) = self.requests.try_lock() {
                while waiting.len() < MAX_BATCH
                    && let Ok(request) = requests.try_recv()
                {
                    waiting.push_back(request);
                }
            }
            return true;
        }
        let mut batch = Vec::with_capacity(room);
        let received = self.requests.lock().await.recv_many(&mut batch, room).await;
        waiting.extend(batch);
        received > 0
    }

    /// Stores units of which no two share a key.
    async fn store(&mut self, units: &[Unit]) -> Stored {
        let failed = |outcomes| Stored { outcomes, outgrown: Vec::new() };
        match self.try_to_store(units).await {
            Ok(stored) => stored,
            Err(error) if units.len() == 1 => failed(vec![Err(error)]),
            Err(StoreError::Database(error)) if is_lost(&error) => {
                failed(units.iter().map(|_| Err(StoreError::Database(Arc::clone(&error)))).collect())
            }
            Err(StoreError::Closed) => failed(units.iter().map(|_| Err(StoreError::Closed)).collect()),
            Err(error) => {
                // One of them may be what the database does not take: the others do not have to suffer for it.
                tracing::warn!(%error, transitions = units.len(), "a transaction failed; each is tried by itself");
                let mut outcomes = Vec::with_capacity(units.len());
                for unit in units {
                    outcomes.push(match self.try_to_store(std::slice::from_ref(unit)).await {
                        // Its next transition finds that its events have outgrown the snapshot.
                        Ok(mut stored) => stored.outcomes.pop().unwrap_or(Err(StoreError::Closed)),
                        Err(error) => Err(error),
                    });
                }
                failed(outcomes)
            }
        }
    }

    /// Keeps a state whose events have outgrown the last snapshot. It only saves work: where it fails, the next
    /// transition asks for it again.
    async fn keep_snapshot(&mut self, units: &[Unit], outgrown: &Outgrown) {
        let (Some(mut connection), Some(unit)) = (self.connection.take(), units.get(outgrown.unit)) else { return };
        let kept = tokio::time::timeout(WITHIN, executions::keep_snapshot(&mut connection, unit, outgrown)).await;
        match kept {
            Ok(Ok(())) => self.connection = Some(connection),
            // The connection is in the middle of something; another one is made.
            Ok(Err(error)) => tracing::warn!(%error, "the state of an execution could not be kept; it is tried again"),
            Err(_) => tracing::warn!("the state of an execution could not be kept in time; it is tried again"),
        }
    }

    /// Stores all of them, where need be after a collision or on a new connection.
    async fn try_to_store(&mut self, units: &[Unit]) -> Result<Stored, StoreError> {
        let (mut collisions, mut lost) = (0, false);
        loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.connections.connect_writer().await?,
            };
            let stored = tokio::time::timeout(WITHIN, batch::store(&mut connection, units, lost)).await;
            let error = match stored {
                Ok(Ok(outcomes)) => {
                    self.connection = Some(connection);
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    return Ok(outcomes);
                }
                Ok(Err(StoreError::Database(error))) => error,
                Ok(Err(other)) => {
                    self.connection = Some(connection);
                    return Err(other);
                }
                Err(_) => Arc::new(sqlx::Error::PoolTimedOut),
            };
            if is_lost(&error) {
                self.connections.lost();
                // Doing it again is safe, whether or not the first one was stored: versions and keys guard it.
                if lost {
                    return Err(StoreError::Database(error));
                }
                lost = true;
                continue;
            }
            self.connection = Some(connection);
            if !is_collision(&error) || collisions == MAX_COLLISIONS {
                return Err(StoreError::Database(error));
            }
            collisions += 1;
            tracing::debug!(%error, "a transaction stood in another's way and is tried again");
            tokio::time::sleep(COLLISION_PAUSE * collisions).await;
        }
    }
}

/// Takes requests, in their order, of which no two share a key; the others stay.
fn apart(waiting: &mut VecDeque<Request>) -> Vec<Request> {
    let (mut batch, mut rest) = (Vec::with_capacity(waiting.len()), VecDeque::new());
    let mut taken = BTreeSet::new();
    for request in waiting.drain(..) {
        let shares = request.unit.keys.iter().any(|key| taken.contains(key));
        // What stays holds its keys too, or a later one would overtake it.
        taken.extend(request.unit.keys.iter().cloned());
        if shares { rest.push_back(request) } else { batch.push(request) }
    }
    *waiting = rest;
    batch
}
