//! The disk under the real program fails: it is full, it does not keep what is written, somebody else has the database.
//! Nothing is acknowledged then that is not stored; what was acknowledged before is there; a server that cannot trust its
//! disk stops and says so, every other one goes on when it is over.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod disk;
mod stage;

use disk::{Disk, Small};
use flowctl_core::execution::ExecutionStatus;
use flowctl_tests::{Database, Server};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use stage::{Stage, all_there, eventually};

/// A full disk, before a call is answered and after it: `fill` fills the disk or makes room again.
async fn full_and_not_any_more(stage: &Stage, server: &mut Server, mut fill: impl AsyncFnMut(bool)) {
    let asked = stage.started("before", "ask", json!({})).await;
    let approval = stage.asked(&asked).await;
    let called = stage.started("call", "call", json!({})).await;
    eventually("the call", async || stage.recorder.keys().len() == 1).await;
    fill(true).await;
    stage.refuses("delivery", "during", &approval).await;
    // What the call gave cannot be recorded now, and is not forgotten.
    stage.recorder.answer();
    eventually("the result is to be recorded", async || server.log().contains("a result could not be recorded yet"))
        .await;
    stage.refuses("delivery", "during", &approval).await;
    assert!(!server.has_ended(), "{}", server.log());
    fill(false).await;
    stage.takes("delivery", "during", &approval).await;
    for execution in [&asked, &called] {
        stage.until(execution, |it| it["status"] == "completed").await;
    }
    assert_eq!(stage.recorder.keys().len(), 1, "the call was not repeated");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let executions = stage.sound().await;
    assert_eq!(executions.len(), 3, "nothing is there twice");
    all_there(&executions, &[asked, called], ExecutionStatus::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_what_is_new_and_loses_nothing() {
    let stage = Stage::set_up(None).await;
    let disk = Disk::of(stage.data());
    let mut server = stage.serve(disk.settings()).await;
    full_and_not_any_more(&stage, &mut server, async |full| disk.fill(full)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_without_room_refuses_what_is_new_and_loses_nothing() {
    let Some(small) = Small::mount(48) else {
        println!(
            "not run: a small file system needs root; the test before shows the same with a disk that only says so"
        );
        return;
    };
    let stage = Stage::set_up_in(&small.path().join("data")).await;
    let mut server = stage.serve(Vec::new()).await;
    let fill = async |full| {
        if full {
            small.fill();
        } else {
            std::fs::remove_file(small.path().join("ballast")).unwrap();
        }
    };
    full_and_not_any_more(&stage, &mut server, fill).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn on_postgresql_a_full_disk_refuses_what_is_new_and_loses_nothing() {
    let database = Database::of_tests().await;
    let url = database.url.clone();
    let stage = Stage::set_up(Some(database)).await;
    let mut server = stage.serve(Vec::new()).await;
    let tables = ["executions", "deliveries", "events", "server_keys", "words"];
    // What PostgreSQL says when a table cannot grow.
    let no_room = "create function no_room() returns trigger language plpgsql as \
         $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$";
    on_database(&url, &[no_room.to_owned()]).await;
    let fill = async |full| {
        let statements: Vec<String> = tables
            .iter()
            .map(|table| match full {
                true => format!(
                    "create trigger no_room before insert or update on {table} for each row execute function no_room()"
                ),
                false => format!("drop trigger no_room on {table}"),
            })
            .collect();
        on_database(&url, &statements).await;
    };
    full_and_not_any_more(&stage, &mut server, fill).await;
}

async fn on_database(url: &str, statements: &[String]) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// A server that is to stop by itself, and what it had acknowledged by then.
struct Stopping {
    stage: Stage,
    disk: Disk,
    server: Server,
    acknowledged: Vec<String>,
}

impl Stopping {
    async fn set_up() -> Self {
        let stage = Stage::set_up(None).await;
        let disk = Disk::of(stage.data());
        let server = stage.serve(disk.settings()).await;
        let mut acknowledged = Vec::new();
        for number in 0..5 {
            let id = stage.started(&format!("before-{number}"), "ask", json!({})).await;
            stage.asked(&id).await;
            acknowledged.push(id);
        }
        Self { stage, disk, server, acknowledged }
    }

    /// Starts one execution after the other until the server has stopped.
    async fn start_until_it_stops(&mut self, process: &str, text: &str) {
        let mut number = 0;
        let (stage, server, acknowledged) = (&self.stage, &mut self.server, &mut self.acknowledged);
        eventually("the server stops", async || {
            number += 1;
            if let Some(answer) = stage.start(&format!("until-{number}"), process, json!({"text": text})).await
                && answer.status == 202
                && process == "ask"
            {
                acknowledged.push(answer.body["id"].as_str().unwrap().to_owned());
            }
            server.has_ended()
        })
        .await;
    }

    /// It said why, synced nothing after the sync that failed, and goes on with all that was acknowledged when it is
    /// started again.
    async fn stopped_and_goes_on(mut self) {
        assert_eq!(self.server.stop(), Some(2), "{}", self.server.log());
        let log = self.server.log();
        assert!(log.contains("the disk did not keep what was written to the database"), "{log}");
        let syncs = self.disk.syncs();
        let failed = syncs.iter().position(|(end, _)| end == "failed").unwrap();
        assert_eq!(syncs[failed + 1..], [], "nothing is synced after the sync that failed");
        let mut server = self.stage.serve(self.disk.settings()).await;
        for id in &self.acknowledged {
            let approval = self.stage.asked(id).await;
            assert_eq!(self.stage.approve(&approval).await.unwrap().status, 200);
            self.stage.until(id, |execution| execution["status"] == "completed").await;
        }
        assert_eq!(server.stop(), Some(0), "{}", server.log());
        all_there(&self.stage.sound().await, &self.acknowledged, ExecutionStatus::Completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_log_is_not_kept_stops_and_goes_on_when_it_is_started_again() {
    let mut stopping = Stopping::set_up().await;
    stopping.disk.fail_to_sync("flowctl.db-wal");
    let refused = stopping.stage.deliver("delivery").await;
    assert!(refused.is_none_or(|answer| answer.status == 503), "a webhook is not acknowledged");
    stopping.start_until_it_stops("ask", "short").await;
    stopping.stopped_and_goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_file_is_not_kept_stops_and_goes_on_when_it_is_started_again() {
    let mut stopping = Stopping::set_up().await;
    // The file itself is synced when the log has grown long and is brought there.
    stopping.disk.fail_to_sync("/flowctl.db");
    stopping.start_until_it_stops("ask", &"long ".repeat(40_000)).await;
    stopping.stopped_and_goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_large_outputs_are_not_kept_stops_and_goes_on_when_it_is_started_again() {
    let mut stopping = Stopping::set_up().await;
    // A folder of the outputs: the name of the file is on the disk only with it.
    stopping.disk.fail_to_sync("/outputs");
    stopping.start_until_it_stops("keep", &"large ".repeat(2_000)).await;
    stopping.stopped_and_goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_else_writes_makes_callers_wait_and_loses_nothing() {
    let stage = Stage::set_up(None).await;
    let mut server = stage.serve(Vec::new()).await;
    let asked = stage.started("before", "ask", json!({})).await;
    let approval = stage.asked(&asked).await;
    let called = stage.started("call", "call", json!({})).await;
    eventually("the call", async || stage.recorder.keys().len() == 1).await;
    let url = format!("sqlite://{}", stage.data().join("flowctl.db").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let lock = async |connection: &mut SqliteConnection, statement: &'static str| {
        sqlx::query(statement).execute(connection).await.unwrap();
    };
    lock(&mut other, "begin immediate").await;
    // Whoever asks waits for a while, and is told to come back after it.
    stage.refuses("delivery", "during", &approval).await;
    assert_eq!(stage.readiness().await, 503);
    stage.recorder.answer();
    eventually("the result is to be recorded", async || server.log().contains("a result could not be recorded yet"))
        .await;
    lock(&mut other, "rollback").await;
    other.close().await.unwrap();
    stage.takes("delivery", "during", &approval).await;
    for execution in [&asked, &called] {
        stage.until(execution, |it| it["status"] == "completed").await;
    }
    assert_eq!(stage.recorder.keys().len(), 1, "the call was not repeated");
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    let executions = stage.sound().await;
    assert_eq!(executions.len(), 3, "nothing is there twice");
    all_there(&executions, &[asked, called], ExecutionStatus::Completed);
}
