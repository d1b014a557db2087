//! The conformance suite on PostgreSQL, and what only a server has: replicas, migrations at the same time, connections
//! that break. Runs on the server of `FLOWCTL_TEST_POSTGRES_URL`, each test in a database of its own; without one the
//! tests count as ignored (`tests/run` brings a server).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

use std::str::FromStr;

use flowctl_core::execution::{Event, EventKind};
use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::{PostgresStore, examine, payloads};
use crate::store::conformance::store_conformance;
use crate::store::payloads::{Payloads, split};
use crate::store::{DeliveryEnd, DeliveryId, Held, NewDelivery, Receipt, Store, StoreError, Transition};

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

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn nothing_of_a_forgotten_execution_is_left() {
    let (store, database) = fresh().await;
    let after = crate::store::conformance::retention::live_and_end(&store).await;
    let mut connection = database.connect().await;
    let left = ["api_events", "outbox_lanes", "repositories"];
    let of_it = [
        "approvals",
        "effects",
        "event_waits",
        "events",
        "executions",
        "github_check_runs",
        "github_comments",
        "payload_uses",
        "payloads",
        "signals",
        "snapshots",
        "turns",
        "untold_events",
        "words",
    ];
    let mut all: Vec<&str> = left.into_iter().chain(of_it).collect();
    all.sort_unstable();
    assert_eq!(filled(&mut connection).await, all);
    assert_eq!(store.forget_executions(after, 9).await.unwrap(), 1);
    assert_eq!(filled(&mut connection).await, left);
}

/// The tables that have rows.
async fn filled(connection: &mut PgConnection) -> Vec<String> {
    let tables = "select table_name::text from information_schema.tables
        where table_schema = 'public' and table_name not like '\\_sqlx%' order by 1";
    let mut filled: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *connection).await.unwrap();
    let mut kept = Vec::new();
    for name in filled.drain(..) {
        let count = AssertSqlSafe(format!("select count(*) from {name}"));
        if sqlx::query_scalar::<_, i64>(count).fetch_one(&mut *connection).await.unwrap() > 0 {
            kept.push(name);
        }
    }
    kept
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(database: &Database) {
    let mut connection = database.connect().await;
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut connection).await.unwrap() == 0 {
        assert!(std::time::Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}

fn payload() -> Payloads {
    Payloads::from([(("acme".to_owned(), "d".repeat(64)), "{}".to_owned())])
}

async fn is_there(connection: &mut PgConnection) -> bool {
    let there = "select count(*) from payloads";
    sqlx::query_scalar::<_, i64>(there).fetch_one(connection).await.unwrap() == 1
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn what_somebody_is_about_to_refer_to_is_not_forgotten() {
    let (_store, database) = fresh().await;
    let (mut one, mut other) = (database.connect().await, database.connect().await);
    let digest = "d".repeat(64);
    payloads::add(&mut one, &payload()).await.unwrap();
    payloads::refer(&mut one, &[(1, "acme", &digest)]).await.unwrap();

    let mut writing = other.begin().await.unwrap();
    payloads::add(&mut writing, &payload()).await.unwrap();
    let forgetting = async {
        let mut transaction = one.begin().await.unwrap();
        payloads::forget(&mut transaction, &[1]).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let going_on = async {
        somebody_waits(&database).await;
        payloads::refer(&mut writing, &[(2, "acme", &digest)]).await.unwrap();
        writing.commit().await.unwrap();
    };
    tokio::join!(forgetting, going_on);
    assert!(is_there(&mut one).await, "the second one refers to it");
    payloads::forget(&mut one, &[2]).await.unwrap();
    assert!(!is_there(&mut one).await, "nobody refers to it any more");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn what_is_being_forgotten_is_stored_again_by_who_needs_it() {
    let (_store, database) = fresh().await;
    let (mut one, mut other) = (database.connect().await, database.connect().await);
    let digest = "d".repeat(64);
    payloads::add(&mut one, &payload()).await.unwrap();
    payloads::refer(&mut one, &[(1, "acme", &digest)]).await.unwrap();

    let mut forgetting = one.begin().await.unwrap();
    payloads::forget(&mut forgetting, &[1]).await.unwrap();
    let writing = async {
        let mut transaction = other.begin().await.unwrap();
        payloads::add(&mut transaction, &payload()).await.unwrap();
        payloads::refer(&mut transaction, &[(2, "acme", &digest)]).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let ending = async {
        somebody_waits(&database).await;
        forgetting.commit().await.unwrap();
    };
    tokio::join!(writing, ending);
    assert!(is_there(&mut one).await);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_turn_that_somebody_has_is_kept() {
    let (store, database) = fresh().await;
    let now = jiff::Timestamp::UNIX_EPOCH;
    let (mut one, mut other) = (database.connect().await, database.connect().await);
    let turn = |name: &str| (vec!["acme".to_owned()], vec![name.to_owned()]);
    for name in ["free", "taken"] {
        let (tenants, names) = turn(name);
        super::signals::lock_turns(&mut one, tenants, names).await.unwrap();
    }
    let mut having = one.begin().await.unwrap();
    let (tenants, names) = turn("taken");
    super::signals::lock_turns(&mut having, tenants, names).await.unwrap();
    store.forget_executions(now, 9).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar("select name from turns").fetch_all(&mut other).await.unwrap();
    assert_eq!(left, ["taken"]);
    having.commit().await.unwrap();
    store.forget_executions(now, 9).await.unwrap();
    assert_eq!(filled(&mut other).await, [""; 0]);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn what_earlier_versions_stored_as_whole_states_goes_on() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    let earlier = super::MIGRATIONS.iter().filter(|migration| migration.version <= 2).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(earlier).run(&mut connection).await.unwrap();
    let (mut execution, mut events) = crate::store::conformance::drafting_since(0);
    let much = serde_json::json!("m".repeat(20_000));
    execution.inputs.insert("much".to_owned(), much.clone());
    if let EventKind::ExecutionCreated { execution } = &mut events[0].kind {
        execution.inputs.insert("much".to_owned(), much);
    }
    let mut apart = payload();
    let state = split("a state", &execution, "acme", &mut apart).unwrap();
    assert_eq!(apart.len(), 2, "one of the execution's, and one that nobody refers to");
    let insert = "insert into executions
          (tenant, id, version, repository, process, status, open, created_at, last_seq, state, large)
        values ('acme', $1, 2, 'acme/shop', 'release', 'running', true, 0, 3, $2, $3)";
    let query = sqlx::query(insert).bind(execution.id).bind(state.text).bind(state.large);
    query.execute(&mut connection).await.unwrap();
    for (seq, event) in (1_i64..).zip(&events) {
        let text = split("an event", event, "acme", &mut apart).unwrap();
        let insert = "insert into events (tenant, execution, seq, type, at, event, large)
            values ('acme', $1, $2, '', 7, $3, $4)";
        let query = sqlx::query(insert).bind(execution.id).bind(seq).bind(text.text).bind(text.large);
        query.execute(&mut connection).await.unwrap();
    }
    for ((tenant, digest), body) in &apart {
        let insert = "insert into payloads (tenant, digest, body) values ($1, $2, $3)";
        sqlx::query(insert).bind(tenant).bind(digest).bind(body).execute(&mut connection).await.unwrap();
    }
    let work = "insert into work (tenant, execution, step, attempt) values ('acme', $1, 'draft', 1)";
    sqlx::query(work).bind(execution.id).execute(&mut connection).await.unwrap();
    // Another one has ended.
    let ended = "insert into executions
          (tenant, id, version, repository, process, status, open, created_at, last_seq, state)
        select tenant, gen_random_uuid(), 1, repository, process, 'completed', false, 0, 1, state from executions";
    sqlx::query(ended).execute(&mut connection).await.unwrap();
    let end = "insert into events (tenant, execution, seq, type, at, event)
        select tenant, id, 1, '', 500, '{}' from executions where not open";
    sqlx::query(end).execute(&mut connection).await.unwrap();

    let store = PostgresStore::open(&database.url).await.unwrap();
    let tenant = &execution.tenant.clone();
    let stored = store.load(tenant, execution.id).await.unwrap().unwrap();
    assert_eq!((stored.version, &stored.execution), (2, &execution));
    let read = store.events(tenant, execution.id, 0, 10).await.unwrap();
    assert_eq!(read.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(read.into_iter().map(|stored| stored.event).collect::<Vec<_>>(), events);
    assert!(is_there(&mut connection).await, "what nobody refers to is gone");

    let now = jiff::Timestamp::UNIX_EPOCH;
    let claimed = store.claim_work("one", 9, now, now).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].execution, claimed[0].claims), (1, execution.id, 1));
    let output = serde_json::json!({"status": 200});
    let kind = EventKind::StepCompleted { output, usage: None };
    let completed =
        Event { at: execution.created_at, step: Some("draft".to_owned()), attempt: None, actor: None, kind };
    execution.apply(&completed);
    let under = Held { work: claimed[0].clone(), owner: "one".to_owned() };
    let transition = Transition { under: Some(under), ..Transition::of(execution.clone(), 2, vec![completed]) };
    assert_eq!(store.commit(transition).await.unwrap().seqs, 4..5);
    assert_eq!(store.load(tenant, execution.id).await.unwrap().unwrap().execution, execution);
    assert_eq!(store.backlog().await.unwrap().work, 0);
    let moment = |micros| jiff::Timestamp::from_microsecond(micros).unwrap();
    assert_eq!(store.forget_executions(moment(500), 9).await.unwrap(), 0);
    assert_eq!(store.forget_executions(moment(501), 9).await.unwrap(), 1, "it ended with its last event");
}

#[tokio::test]
#[ignore = "needs FLOWCTL_TEST_POSTGRES_URL"]
async fn a_state_that_its_events_do_not_give_is_found() {
    let database = Database::new().await;
    assert_eq!(examine(&database.url).await.unwrap(), None, "there are no tables yet");
    let store = PostgresStore::open(&database.url).await.unwrap();
    for number in 1..=3 {
        store.commit(crate::store::conformance::drafting(number)).await.unwrap();
    }
    let found = examine(&database.url).await.unwrap().unwrap();
    assert_eq!((found.executions, found.events, &found.differences), (3, 9, &Vec::new()));
    let mut connection = database.connect().await;
    for forge in [
        "update executions set process = 'x' where position = 1",
        "update events set events = replace(events, 'release', 'rejoice') where execution = 2",
        "delete from work where execution = 3",
    ] {
        assert_eq!(sqlx::query(forge).execute(&mut connection).await.unwrap().rows_affected(), 1, "{forge}");
    }
    let found = examine(&database.url).await.unwrap().unwrap();
    let told = found.differences.join("; ");
    assert_eq!(found.differences.len(), 3, "{told}");
    for words in ["names another process", "nobody is to perform it"] {
        assert!(told.contains(words), "{told}");
    }
    connection.close().await.unwrap();
    store.close().await;
}

/// How many rows PostgreSQL looks at for a claim. Nothing is claimed.
async fn rows_of_a_claim(connection: &mut PgConnection) -> f64 {
    let mut transaction = connection.begin().await.unwrap();
    let explained = format!("explain (analyze, costs off, timing off, summary off) {}", super::deliveries::CLAIM);
    let lines: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explained))
        .bind("me")
        .bind(1_i64)
        .bind(0_i64)
        .bind(16_i64)
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let number = |line: &str, after: &str| {
        let text = line.split_once(after)?.1;
        text.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?.parse::<f64>().ok()
    };
    let looked_at = lines.iter().map(|line| {
        let rows = number(line, "rows=").unwrap_or(0.0) * number(line, "loops=").unwrap_or(1.0);
        rows + number(line, "Rows Removed by Filter: ").unwrap_or(0.0)
    });
    looked_at.sum()
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn what_a_claim_of_deliveries_costs_does_not_grow_with_what_waits_behind_them() {
    let (_store, database) = fresh().await;
    let mut connection = database.connect().await;
    sqlx::query("set enable_seqscan = off").execute(&mut connection).await.unwrap();
    let wait = "
        insert into deliveries (id, event, ordering_key, body, received_at, status, head)
        select n::text, 'ping', case n when $2 then n::text else 'acme/shop' end, '', 0, 'pending', n in (1, $2)
        from generate_series($1::bigint, $2) as n";
    let lease = "update deliveries set lease_owner = 'a', lease_until = 9 where position = 1";
    let free = "update deliveries set lease_owner = null, lease_until = null where position = 1";
    let mut costs = Vec::new();
    for (first, last) in [(1_i64, 10_i64), (11, 3_000)] {
        sqlx::query(wait).bind(first).bind(last).execute(&mut connection).await.unwrap();
        sqlx::query("vacuum analyze deliveries").execute(&mut connection).await.unwrap();
        let whole = rows_of_a_claim(&mut connection).await;
        sqlx::query(lease).execute(&mut connection).await.unwrap();
        let held = rows_of_a_claim(&mut connection).await;
        sqlx::query(free).execute(&mut connection).await.unwrap();
        costs.push((whole, held));
    }
    // One more may be claimed the second time.
    assert!(costs[1].0 <= costs[0].0 + 20.0 && costs[1].1 <= costs[0].1 + 20.0, "{costs:?}");
}
