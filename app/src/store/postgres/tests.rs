//! The conformance suite on PostgreSQL, and what only a server has: replicas, migrations at the same time, connections
//! that break. Runs on the server of `FLOWCTL_TEST_POSTGRES_URL`, each test in a database of its own; without one the
//! tests count as ignored (`tests/run` brings a server).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

use std::str::FromStr;

use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::PostgresStore;
use crate::store::conformance::store_conformance;
use crate::store::{DeliveryEnd, DeliveryId, NewDelivery, Receipt, Store, StoreError};

const SERVER: &str = "FLOWCTL_TEST_POSTGRES_URL";

/// A database that is there as long as this.
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = std::env::var(SERVER).unwrap_or_else(|_| panic!("{SERVER} says where the server is"));
        let name = format!("flowctl_test_{}", uuid::Uuid::now_v7().simple());
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        let server = PgConnectOptions::from_str(&server).unwrap();
        let database = Self { server, name, url: url.into() };
        database.on_server(&format!("create database {}", database.name)).await;
        database
    }

    /// A statement of ours on the server, beside the database.
    async fn on_server(&self, statement: &str) {
        let mut connection = self.server.connect().await.unwrap();
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnectOptions::from_str(&self.url).unwrap().connect().await.unwrap()
    }

    /// Ends every connection to the database, as a server does that is shut down.
    async fn break_connections(&self) {
        let statement = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()",
            self.name
        );
        self.on_server(&statement).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropping = async move {
            let mut connection = server.connect().await?;
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map(drop)
        };
        let dropped = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(dropping)
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("{} is left behind: {error}", self.name);
        }
    }
}

async fn fresh() -> (PostgresStore, Database) {
    let database = Database::new().await;
    (PostgresStore::open(&database.url).await.unwrap(), database)
}

store_conformance!(with [#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]]; fresh());

fn ping(id: usize) -> NewDelivery {
    NewDelivery {
        id: DeliveryId(id.to_string()),
        event: "ping".to_owned(),
        action: None,
        installation_id: None,
        tenant: None,
        repository: None,
        ordering_key: id.to_string(),
        body: bytes::Bytes::new(),
        received_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn replicas_that_start_at_once_bring_the_schema_up_to_date_once() {
    let database = Database::new().await;
    let stores = join_all((0..5).map(|_| PostgresStore::open(&database.url))).await;
    for store in stores {
        let migrations = store.unwrap().migrations().await.unwrap();
        assert_eq!(migrations.applied, migrations.known);
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn two_replicas_share_the_deliveries() {
    let (one, database) = fresh().await;
    let other = PostgresStore::open(&database.url).await.unwrap();
    let writes = (0..40).map(|id| if id % 2 == 0 { one.receive(ping(id)) } else { other.receive(ping(id)) });
    assert!(join_all(writes).await.into_iter().all(|receipt| receipt.is_ok()));
    let now = jiff::Timestamp::UNIX_EPOCH;
    let later = now.checked_add(jiff::SignedDuration::from_secs(30)).unwrap();
    let (mine, theirs) =
        tokio::join!(one.claim_deliveries("one", 40, now, later), other.claim_deliveries("other", 40, now, later));
    let (mut mine, theirs) = (mine.unwrap(), theirs.unwrap());
    // What the other one was claiming at that moment was passed over.
    mine.extend(one.claim_deliveries("one", 40, now, later).await.unwrap());
    let mut ids: Vec<_> = mine.iter().chain(&theirs).map(|claimed| claimed.delivery.id.0.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), mine.len() + theirs.len()), (40, 40));
    for claimed in &theirs {
        assert!(!one.finish_delivery(&claimed.delivery.id, claimed.attempts, "one", DeliveryEnd::Done).await.unwrap());
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_replica_learns_of_what_another_one_stored() {
    let (one, database) = fresh().await;
    let other = PostgresStore::open(&database.url).await.unwrap();
    let mut changed = other.subscribe();
    // Its listener may not be there yet: then it hears of a later one.
    let heard = async { changed.changed().await.unwrap() };
    let telling = async {
        for id in 0.. {
            one.receive(ping(id)).await.unwrap();
        }
    };
    tokio::select! {
        () = heard => {}
        () = telling => {}
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_store_goes_on_after_its_connections_were_broken() {
    let (store, database) = fresh().await;
    assert_eq!(store.receive(ping(1)).await.unwrap(), Receipt::Stored);
    // Several idle connections, and those of the writers.
    join_all((0..20).map(|_| store.backlog())).await;
    database.break_connections().await;
    assert_eq!(store.receive(ping(1)).await.unwrap(), Receipt::Duplicate);
    assert_eq!(store.backlog().await.unwrap().deliveries, 1);
    assert!(join_all((0..20).map(|_| store.backlog())).await.iter().all(Result::is_ok));
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_newer_schema_is_refused() {
    let (store, database) = fresh().await;
    store.close().await;
    let mut connection = database.connect().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'from the future', true, '', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = PostgresStore::open(&database.url).await.unwrap_err();
    assert!(matches!(error, StoreError::TooNew { migration: 9999, .. }), "{error}");
}

#[tokio::test]
async fn an_address_of_no_server_is_refused_without_its_password() {
    for url in ["sqlite://flowctl.db", "postgres://user:hunter2@host:not-a-port/name", "localhost/flowctl"] {
        let error = PostgresStore::open(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Address { .. }), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let error = PostgresStore::open("postgres://user:hunter2@127.0.0.1:1/name").await.unwrap_err();
    assert!(matches!(error, StoreError::Connect(_)), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn the_server_ends_what_a_stopped_replica_has_locked() {
    let (store, _database) = fresh().await;
    let mut connection = store.connections.connect().await.unwrap();
    for (setting, expected) in
        [("idle_in_transaction_session_timeout", "5s"), ("transaction_isolation", "read committed")]
    {
        let shown: String =
            sqlx::query_scalar(AssertSqlSafe(format!("show {setting}"))).fetch_one(&mut connection).await.unwrap();
        assert_eq!(shown, expected, "{setting}");
    }
}
