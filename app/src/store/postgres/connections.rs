//! Connections to the server: lent one by one, given back where they are still good, made anew where they are not.
//! A server that is away is asked again with growing pauses. Knows nothing of what is stored.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::store::StoreError;

/// How long somebody waits for a connection, be it a free one or a new one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pauses between two tries to reach a server that is away: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What every connection is told first. A replica that is stopped in the middle of a transaction must not keep what it
/// has locked: the server ends its transaction. The level is what the statements are written for.
const GREETING: &str = "
    set session characteristics as transaction isolation level read committed;
    set idle_in_transaction_session_timeout = 5000;
    set lock_timeout = 10000;
    set statement_timeout = 60000;
    set client_min_messages = warning";

/// What those connections are told that transitions are written on: every row is found along an index, whatever the
/// server believes of tables that have just begun to fill, and how is thought about once.
const WRITERS_GREETING: &str = "
    set plan_cache_mode = force_generic_plan;
    set enable_seqscan = off;
    set enable_hashjoin = off;
    set enable_mergejoin = off";

/// The connections of one store.
#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    idle: Mutex<Vec<Idle>>,
    permits: Semaphore,
    /// Raised whenever a connection was lost: those made before are not trusted any more.
    losses: AtomicU64,
    outage: Mutex<Option<Outage>>,
}

#[derive(Debug)]
struct Idle {
    connection: PgConnection,
    losses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    since: Instant,
    pause: Duration,
    next_try: Instant,
}

impl Connections {
    /// Up to `most` connections, none of which is made yet.
    pub(super) fn new(options: PgConnectOptions, most: usize) -> Self {
        let options = options.disable_statement_logging();
        let (idle, outage) = (Mutex::default(), Mutex::default());
        Self { options, idle, permits: Semaphore::new(most), losses: AtomicU64::new(0), outage }
    }

    /// Lends a connection. One that is not given back, because its operation failed or nobody waits for it any more, is
    /// dropped.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let permit = match tokio::time::timeout(PATIENCE, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(sqlx::Error::PoolTimedOut.into()),
        };
        let losses = self.losses.load(Ordering::Acquire);
        let known = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|idle| idle.losses == losses);
            idle.pop()
        };
        let connection = match known {
            Some(known) => known.connection,
            None => self.connect().await?,
        };
        Ok(Lent { of: self, connection: Some(connection), losses, _permit: permit })
    }

    /// A new connection, which is the caller's.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        self.wait_for_turn().await?;
        let connecting = async {
            let mut connection = self.options.connect().await?;
            connection.execute(GREETING).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let connected = match tokio::time::timeout(PATIENCE, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        self.note(connected.as_ref().err());
        Ok(connected?)
    }

    /// A new connection to write transitions on.
    pub(super) async fn connect_writer(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect().await?;
        // A database that knows these settings under no name has its own ways.
        if let Err(error) = connection.execute(WRITERS_GREETING).await {
            if is_lost(&error) {
                return Err(error.into());
            }
            tracing::debug!(%error, "the database plans by itself");
        }
        Ok(connection)
    }

    /// Says that a connection was lost, so that its siblings are not tried one by one.
    pub(super) fn lost(&self) {
        self.losses.fetch_add(1, Ordering::AcqRel);
    }

    /// Closes what is idle; whatever comes later is refused.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for idle in idle {
            // The server forgets a connection that is gone anyway.
            let _ = idle.connection.close().await;
        }
    }

    /// Waits until the server may be asked again; an error where that is longer than anybody waits.
    async fn wait_for_turn(&self) -> Result<(), StoreError> {
        let outage = *self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outage) = outage {
            tokio::time::sleep_until(outage.next_try.into()).await;
        }
        if self.permits.is_closed() { Err(StoreError::Closed) } else { Ok(()) }
    }

    /// Tells once that the server is away, and once that it is back.
    fn note(&self, error: Option<&sqlx::Error>) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match (error, *outage) {
            (None, None) => {}
            (None, Some(over)) => {
                tracing::info!(seconds = over.since.elapsed().as_secs(), "the database answers again");
                *outage = None;
            }
            (Some(error), None) => {
                tracing::error!(%error, "the database cannot be reached; it is tried again until it can");
                *outage = Some(Outage { since: now, pause: PAUSES.0, next_try: now + PAUSES.0 });
            }
            (Some(_), Some(before)) => {
                let pause = (before.pause * 2).min(PAUSES.1);
                *outage = Some(Outage { since: before.since, pause, next_try: now + pause });
            }
        }
    }
}

/// A connection that somebody has.
#[derive(Debug)]
pub(super) struct Lent<'c> {
    of: &'c Connections,
    connection: Option<PgConnection>,
    losses: u64,
    _permit: SemaphorePermit<'c>,
}

impl Lent<'_> {
    /// Gives the connection back, unless the outcome says that it is of no use any more.
    pub(super) fn give_back<T>(mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let broken = matches!(&outcome, Err(StoreError::Database(error)) if is_lost(error));
        if broken {
            self.of.lost();
        } else if let Some(connection) = self.connection.take()
            && !self.of.permits.is_closed()
        {
            let idle = Idle { connection, losses: self.losses };
            self.of.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
        outcome
    }
}

#[expect(clippy::expect_used, reason = "the connection is taken only when it is given back, which ends the loan")]
impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("a connection that is lent")
    }
}

#[expect(clippy::expect_used, reason = "the connection is taken only when it is given back, which ends the loan")]
impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("a connection that is lent")
    }
}

/// Whether the same may go well later: the server cannot be reached, or has no room left.
pub(in crate::store) fn passes(error: &sqlx::Error) -> bool {
    // 53100 disk_full, 53200 out_of_memory.
    let of_resources = |code: &str| matches!(code, "53100" | "53200");
    is_lost(error) || error.as_database_error().and_then(|error| error.code()).is_some_and(|code| of_resources(&code))
}

/// Whether the connection is gone, or the server is on its way down or up. SQLSTATEs: PostgreSQL's manual, appendix A.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // 25P03: the server ended a transaction in which nothing came for too long. 55000: it lets nobody in.
            code.starts_with("08") || code.starts_with("57P") || matches!(&*code, "25P03" | "25P04" | "53300" | "55000")
        }),
        _ => false,
    }
}

/// Whether the same again may go well: two transactions stood in each other's way.
pub(super) fn is_collision(error: &sqlx::Error) -> bool {
    // 40001 serialization_failure, 40P01 deadlock_detected, 55P03 lock_not_available.
    let codes = ["40001", "40P01", "55P03"];
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&&*code))
}
