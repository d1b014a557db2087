//! The conformance suite on SQLite, and what only SQLite has: one file, one writer, migrations.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation fails the test")]

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::{BackupError, SqliteStore, back_up, examine, restore};
use crate::store::conformance::{self, store_conformance};
use crate::store::{
    DeliveryEnd, DeliveryId, ExecutionFilter, NewDelivery, Outputs, Receipt, StandingStore as _, Store, StoreError,
};

async fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&url(&folder)).await.unwrap();
    (store, folder)
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("flowctl.db").display())
}

store_conformance!(fresh());

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
async fn requests_that_queue_share_a_transaction() {
    let (store, _folder) = fresh().await;
    let before = store.commits();
    let receipts = futures_util::future::join_all((0..100).map(|id| store.receive(ping(id)))).await;
    assert!(receipts.into_iter().all(|receipt| receipt.unwrap() == Receipt::Stored));
    let commits = store.commits() - before;
    assert!(commits < 50, "{commits} transactions for 100 requests that came at once");
    assert_eq!(store.backlog().await.unwrap().deliveries, 100);
}

#[tokio::test]
async fn a_store_goes_on_where_it_was_closed() {
    let (store, folder) = fresh().await;
    store.receive(ping(1)).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&url(&folder)).await.unwrap();
    assert_eq!(store.receive(ping(1)).await.unwrap(), Receipt::Duplicate);
}

#[tokio::test]
async fn two_processes_share_a_file() {
    let (one, folder) = fresh().await;
    let other = SqliteStore::open(&url(&folder)).await.unwrap();
    let writes = (0..40).map(|id| if id % 2 == 0 { one.receive(ping(id)) } else { other.receive(ping(id)) });
    assert!(futures_util::future::join_all(writes).await.into_iter().all(|receipt| receipt.is_ok()));
    let now = jiff::Timestamp::UNIX_EPOCH;
    let later = now.checked_add(jiff::SignedDuration::from_secs(30)).unwrap();
    let (mine, theirs) =
        tokio::join!(one.claim_deliveries("one", 40, now, later), other.claim_deliveries("other", 40, now, later));
    let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
    assert_eq!(mine.len() + theirs.len(), 40);
    for claimed in &theirs {
        assert!(!one.finish_delivery(&claimed.delivery.id, claimed.attempts, "one", DeliveryEnd::Done).await.unwrap());
    }
}

#[tokio::test]
async fn the_file_survives_a_loss_of_power() {
    let (store, folder) = fresh().await;
    store.ping().await.unwrap();
    let options = super::options(&url(&folder)).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut connection).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut connection).await.unwrap();
    let foreign_keys: i64 = sqlx::query_scalar("pragma foreign_keys").fetch_one(&mut connection).await.unwrap();
    assert_eq!((mode.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (store, folder) = fresh().await;
    store.close().await;
    let options = super::options(&url(&folder)).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'from the future', true, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = SqliteStore::open(&url(&folder)).await.unwrap_err();
    assert!(matches!(error, StoreError::TooNew { migration: 9999, .. }), "{error}");
    assert!(error.to_string().contains("newer flowctl"), "{error}");
}

#[tokio::test]
async fn an_address_that_names_no_file_is_refused() {
    let cases = ["sqlite::memory:", "sqlite://?mode=memory", "postgres://localhost/flowctl", "sqlite://", "flowctl.db"];
    for url in cases {
        let error = SqliteStore::open(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Address { .. }), "{url}: {error}");
    }
    let error = SqliteStore::open("sqlite:///nowhere/at/all/flowctl.db").await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}

#[tokio::test]
async fn a_process_that_is_alone_takes_up_at_once_what_a_dead_one_had_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let far = now.checked_add(jiff::SignedDuration::from_hours(9)).unwrap();
    let dead = SqliteStore::open_alone(&url(&folder)).await.unwrap();
    dead.receive(ping(1)).await.unwrap();
    assert_eq!(dead.claim_deliveries("dead", 1, now, far).await.unwrap().len(), 1);
    let second = SqliteStore::open_alone(&url(&folder)).await;
    assert!(matches!(second, Err(StoreError::InUse { .. })), "it is still alive");
    dead.close().await;
    let next = SqliteStore::open_alone(&url(&folder)).await.unwrap();
    assert_eq!(next.claim_deliveries("next", 1, now, far).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_closed_database_stayed_in_use_while_something_held_its_store_or_a_program_was_being_started() {
    let folder = tempfile::tempdir().unwrap();
    let ended = std::sync::Arc::new(SqliteStore::open_alone(&url(&folder)).await.unwrap());
    let held = std::sync::Arc::clone(&ended);
    let _started = ended.alone.lock().unwrap().as_ref().map(super::opening::Alone::copy).unwrap();
    tokio::join!(ended.close(), held.close());
    let next = SqliteStore::open_alone(&url(&folder)).await.unwrap();
    assert!(matches!(held.receive(ping(1)).await, Err(StoreError::Closed)), "who holds it still writes nothing");
    next.receive(ping(1)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_stays_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flowctl.db");
    for content in ["hello", "a page and more, of text".repeat(400).as_str()] {
        std::fs::write(&file, content).unwrap();
        let error = SqliteStore::open_alone(&url(&folder)).await.unwrap_err();
        assert!(matches!(error, StoreError::NoDatabase { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn what_earlier_versions_stored_as_whole_states_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let options = super::options(&url(&folder)).unwrap();
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let earlier = super::MIGRATIONS.iter().filter(|migration| migration.version <= 3).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(earlier).run(&mut connection).await.unwrap();
    let (execution, events) = crate::store::conformance::drafting_since(0);
    let state = serde_json::to_string(&execution).unwrap();
    let id = execution.id.to_string();
    for (sql, texts) in [
        ("insert into executions (tenant, id, version, repository, process, status, open, created_at, last_seq, state)
          values ('acme', $1, 2, 'acme/shop', 'release', 'running', 1, 0, 3, $2)", vec![id.clone(), state]),
        ("insert into words (tenant, word, execution) values ('acme', $2, $1)", vec![id.clone(), "hi".to_owned()]),
        ("insert into work (tenant, execution, step, attempt) values ('acme', $1, $2, 1)", vec![id.clone(), "draft".to_owned()]),
    ] {
        let query = texts.into_iter().fold(sqlx::query(sql), |query, text| query.bind(text));
        query.execute(&mut connection).await.unwrap();
    }
    for (seq, event) in (1_i64..).zip(&events) {
        let insert = "insert into events (tenant, execution, seq, type, at, event) values ('acme', $1, $2, '', 0, $3)";
        let query = sqlx::query(insert).bind(&id).bind(seq).bind(serde_json::to_string(event).unwrap());
        query.execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();

    let store = SqliteStore::open(&url(&folder)).await.unwrap();
    let stored = store.load(&execution.tenant, execution.id).await.unwrap().unwrap();
    assert_eq!((stored.version, &stored.execution), (2, &execution));
    let read = store.events(&execution.tenant, execution.id, 0, 10).await.unwrap();
    assert_eq!(read.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(read.into_iter().map(|stored| stored.event).collect::<Vec<_>>(), events);
    assert!(store.knows_word(&execution.tenant, "hi").await.unwrap());
    let now = jiff::Timestamp::UNIX_EPOCH;
    assert_eq!(store.claim_work("one", 9, now, now).await.unwrap()[0].execution, execution.id);
    let broken: Vec<i64> =
        sqlx::query_scalar("select 1 from pragma_foreign_key_check").fetch_all(&store.readers).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn what_stands_was_read_whole_by_whoever_looked_for_a_part() {
    let (store, folder) = fresh().await;
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("explain query plan {}", super::standing::STANDINGS)))
            .bind("settings:")
            .bind("settings;")
            .fetch_all(&store.readers)
            .await
            .unwrap();
    let plan: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
    assert_eq!(plan, ["SEARCH standings USING INDEX standings_by_name (name>? AND name<?)"]);
    let tenant = flowctl_core::execution::TenantId("acme".to_owned());
    for name in ["audit-ref:refs/flowctl/audit:7", "login:bob", "server:all", "settings:id:7"] {
        assert!(store.note_standing(&tenant, name, None, serde_json::json!({}), None).await.unwrap());
    }
    let found = examine(&url(&folder)).unwrap().unwrap();
    let names: Vec<&str> = found.standings.iter().map(|named| named.name.as_str()).collect();
    assert_eq!(names, ["settings:id:7", "audit-ref:refs/flowctl/audit:7"], "as far as it is examined");
}

#[tokio::test]
async fn a_back_up_under_load_is_of_one_moment_and_can_be_restored() {
    let (store, folder) = fresh().await;
    let store = std::sync::Arc::new(store);
    let (stop, writing) = (tokio_util::sync::CancellationToken::new(), store.clone());
    let stopped = stop.clone();
    let load = tokio::spawn(async move {
        let mut stored = 0_u32;
        while !stopped.is_cancelled() {
            stored += 1;
            writing.commit(crate::store::conformance::drafting(u128::from(stored))).await.unwrap();
            // A delivery for each: a picture of one moment has as many, but for the one under way.
            writing.receive(ping(stored as usize)).await.unwrap();
        }
        stored
    });
    let mut changed = store.subscribe();
    while store.backlog().await.unwrap().deliveries < 50 {
        changed.changed().await.unwrap();
    }
    let (from, file) = (url(&folder), folder.path().join("kept.flowctl"));
    let to = file.clone();
    let kept = tokio::task::spawn_blocking(move || back_up(&from, &to)).await.unwrap().unwrap();
    stop.cancel();
    let stored = load.await.unwrap();
    assert!(kept.executions >= 50 && kept.executions <= u64::from(stored), "{kept:?} of {stored}");
    let again = back_up(&url(&folder), &file).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");

    let other = tempfile::tempdir().unwrap();
    assert_eq!(restore(&file, &url(&other), false).unwrap(), kept);
    let found = examine(&url(&other)).unwrap().unwrap();
    assert_eq!((found.executions, &found.broken[..], &found.differences[..]), (kept.executions, &[][..], &[][..]));
    let restored = SqliteStore::open_alone(&url(&other)).await.unwrap();
    let deliveries = restored.backlog().await.unwrap().deliveries;
    assert!(kept.executions - deliveries <= 1, "{kept:?}, {deliveries} deliveries");
    let (first, _) = crate::store::conformance::drafting_since(1);
    assert_eq!(restored.load(&first.tenant, first.id).await.unwrap().unwrap().execution, first);

    let live = restore(&file, &url(&other), true).unwrap_err();
    assert!(matches!(live, BackupError::Store(StoreError::InUse { .. })), "never under a server: {live}");
    restored.close().await;
    drop(restored);
    let full = restore(&file, &url(&other), false).unwrap_err();
    assert!(matches!(full, BackupError::NotEmpty { executions, .. } if executions == kept.executions), "{full}");
    assert!(full.to_string().contains("--force"), "{full}");
    assert_eq!(restore(&file, &url(&other), true).unwrap(), kept);
}

#[tokio::test]
async fn nothing_of_a_forgotten_execution_is_left() {
    let (store, folder) = fresh().await;
    let after = crate::store::conformance::retention::live_and_end(&store).await;
    let connection = rusqlite::Connection::open(folder.path().join("flowctl.db")).unwrap();
    let filled = || -> Vec<String> {
        let tables = "select name from sqlite_schema
            where type = 'table' and name not like 'sqlite%' and name not like '\\_sqlx%' escape '\\' order by 1";
        let names = super::columns::all(&connection, tables, [], |row| Ok(row.get::<_, String>(0)?)).unwrap();
        let has_rows = |name: &String| {
            let count = format!("select count(*) from {name}");
            connection.query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap() > 0
        };
        names.into_iter().filter(has_rows).collect()
    };
    let left = ["api_events", "outputs", "repositories"];
    let of_it = [
        "approvals",
        "effects",
        "event_waits",
        "events",
        "executions",
        "github_check_runs",
        "github_comments",
        "output_uses",
        "signals",
        "snapshots",
        "untold_events",
        "words",
    ];
    let mut all: Vec<&str> = left.into_iter().chain(of_it).collect();
    all.sort_unstable();
    assert_eq!(filled(), all);
    assert_eq!(store.forget_executions(after, 9).await.unwrap(), 1);
    assert_eq!(filled(), left);
}

/// Files in a folder and those below.
fn files(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn what_is_large_is_kept_as_files_which_a_back_up_takes_along() {
    let (store, folder) = fresh().await;
    let after = conformance::retention::live_and_end(&store).await + jiff::SignedDuration::from_hours(1);
    let written = store.list(None, &ExecutionFilter::default(), 9, None).await.unwrap().items;
    let connection = rusqlite::Connection::open(folder.path().join("flowctl.db")).unwrap();
    let longest = "select max(length(it)) from (select events as it from events union all select state from snapshots)";
    let longest: i64 = connection.query_row(longest, [], |row| row.get(0)).unwrap();
    assert!(longest < 8 * 1024, "{longest} bytes in one row");
    let outputs = folder.path().join("outputs");
    assert_eq!(files(&outputs), 2, "an input and an output, each once");

    let (kept, elsewhere) = (folder.path().join("kept.db"), tempfile::tempdir().unwrap());
    back_up(&url(&folder), &kept).unwrap();
    restore(&kept, &url(&elsewhere), false).unwrap();
    let restored = SqliteStore::open(&url(&elsewhere)).await.unwrap();
    assert_eq!(restored.list(None, &ExecutionFilter::default(), 9, None).await.unwrap().items, written);
    let found = examine(&url(&elsewhere)).unwrap().unwrap();
    assert_eq!((found.executions, found.differences, found.missing_outputs), (1, Vec::new(), Vec::new()));

    std::fs::remove_dir_all(elsewhere.path().join("outputs")).unwrap();
    let found = examine(&url(&elsewhere)).unwrap().unwrap();
    assert_eq!((found.differences.len(), found.missing_outputs.len()), (1, 2), "{:?}", found.differences);
    let lost = restored.load(&written[0].tenant, written[0].id).await;
    assert!(matches!(lost, Err(StoreError::Corrupt { .. })), "{lost:?}");

    assert_eq!(Outputs::forget(&store, after, 9).await.unwrap(), 0, "the execution is there");
    assert_eq!(store.forget_executions(after, 9).await.unwrap(), 1);
    assert_eq!(Outputs::forget(&store, after, 9).await.unwrap(), 2);
    assert_eq!(files(&outputs), 0);
}

/// How much SQLite does for a claim: instructions of its machine. Nothing is claimed.
fn steps_of_a_claim(connection: &rusqlite::Connection, now: i64) -> i32 {
    connection.execute_batch("begin").unwrap();
    let steps = {
        let mut claim = connection.prepare(super::deliveries::CLAIM).unwrap();
        let claimed: Vec<i64> = claim
            .query_map(rusqlite::params!["me", now + 1, now, 16], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(claimed.len() <= 1, "one of each key");
        claim.get_status(rusqlite::StatementStatus::VmStep)
    };
    connection.execute_batch("rollback").unwrap();
    steps
}

#[tokio::test]
async fn what_a_claim_of_deliveries_costs_does_not_grow_with_what_waits_behind_them() {
    let (store, folder) = fresh().await;
    let connection = rusqlite::Connection::open(folder.path().join("flowctl.db")).unwrap();
    let busy = |id| NewDelivery { ordering_key: "acme/shop".to_owned(), ..ping(id) };
    let mut costs = Vec::new();
    for waiting in [0..10, 10..3_000] {
        let receipts = futures_util::future::join_all(waiting.map(|id| store.receive(busy(id)))).await;
        assert!(receipts.into_iter().all(|receipt| receipt.unwrap() == Receipt::Stored));
        // Once the first may be claimed, and once somebody else has it.
        let free = steps_of_a_claim(&connection, 0);
        let lease = "update deliveries set lease_owner = 'a', lease_until = 9 where position = 1";
        connection.execute(lease, []).unwrap();
        let held = steps_of_a_claim(&connection, 0);
        connection.execute("update deliveries set lease_owner = null, lease_until = null", []).unwrap();
        costs.push((free, held));
    }
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn what_is_no_back_up_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (text, empty) = (folder.path().join("a.txt"), folder.path().join("empty.db"));
    std::fs::write(&text, "once upon a time").unwrap();
    std::fs::write(&empty, "").unwrap();
    for file in [&text, &empty] {
        let error = restore(file, &url(&folder), true).unwrap_err();
        assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");
    }
    let nothing = restore(&folder.path().join("nowhere"), &url(&folder), true).unwrap_err();
    assert!(matches!(nothing, BackupError::Io { .. }), "{nothing}");
    let nothing = back_up(&url(&folder), &folder.path().join("b")).unwrap_err();
    assert!(matches!(nothing, BackupError::Nothing { .. }), "{nothing}");
}

#[tokio::test]
async fn what_is_no_back_up_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&url(&folder)).await.unwrap();
    store.commit(crate::store::conformance::drafting(1)).await.unwrap();
    let copy = folder.path().join("copy.db");
    let reader = rusqlite::Connection::open(folder.path().join("flowctl.db")).unwrap();
    reader.execute("vacuum into ?1", [copy.to_string_lossy()]).unwrap();
    let (log, before) = (folder.path().join("flowctl.db-wal"), examine(&url(&folder)).unwrap().unwrap());
    assert!(std::fs::metadata(&log).unwrap().len() > 0, "what was committed stands in the log");
    let refused = restore(&copy, &url(&folder), true).unwrap_err();
    assert!(refused.to_string().contains("`flowctl db backup` makes one"), "{refused}");
    assert_eq!(examine(&url(&folder)).unwrap().unwrap(), before);

    // One that fails half-way: the outputs' folder cannot be made.
    let kept = folder.path().join("kept.db");
    back_up(&url(&folder), &kept).unwrap();
    let connection = rusqlite::Connection::open(&kept).unwrap();
    connection.execute("insert into kept_outputs values ('local', 'abcd', x'00')", []).unwrap();
    connection.close().unwrap();
    std::fs::write(folder.path().join("outputs"), "in the way").unwrap();
    let failed = restore(&kept, &url(&folder), true).unwrap_err();
    assert!(matches!(failed, BackupError::Io { .. }), "{failed}");
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.retain(|name| name.to_string_lossy().contains("partial"));
    assert_eq!(names, Vec::<std::ffi::OsString>::new(), "nothing half-made is left");
    assert_eq!(examine(&url(&folder)).unwrap().unwrap(), before);
}
