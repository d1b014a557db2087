//! Several servers on one PostgreSQL: one dies, one is stopped and goes on, the database goes away and comes back. Every
//! execution ends, and every step has one result. Needs the server of `FLOWCTL_TEST_POSTGRES_URL`; without one these
//! tests count as ignored (`tests/run` brings a server).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cluster;
mod stage;

use cluster::Cluster;
use stage::{Stage, eventually, readiness, signal};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn the_work_of_a_replica_that_was_killed_is_taken_over() {
    let stage = Stage::set_up().await;
    // What the first replica calls is not answered.
    stage.recorder.hold(0..8);
    let mut doomed = stage.replica("doomed", &[]).await;
    let mut started = stage.start(8).await;
    stage.recorder.has(8).await;
    let others = [stage.replica("second", &["--role", "worker"]).await, stage.replica("third", &[]).await];
    started.extend(stage.start(20).await);
    doomed.kill();
    stage.all_end_well(&started).await;
    for id in &started[..8] {
        let events = stage.events(*id).await;
        let repeated = events.iter().filter(|stored| stored.event.kind.name() == "step.repeated").count();
        assert_eq!(repeated, 1, "{events:#?}\n{}", others[0].log());
    }
    let calls = stage.recorder.by_key();
    assert_eq!(calls.len(), 28 * 3, "every step was called, each with a key of its own");
    assert!(calls.values().all(|count| *count <= 2), "what was interrupted was called twice, with the same key");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_replica_that_was_stopped_beyond_its_lease_is_fenced_off() {
    let stage = Stage::set_up().await;
    stage.recorder.hold(0..2);
    let mut stopped = stage.replica("stopped", &[]).await;
    let started = stage.start(1).await;
    stage.recorder.has(1).await;
    signal(&stopped, "STOP");
    let quick = stage.replica("quick", &[]).await;
    // Its lease ends, and the other one performs the same step.
    let calls = stage.recorder.has(2).await;
    assert_eq!(calls[0], calls[1], "the same step with the same key");
    // The first call is answered, the second not yet: the stopped one has a result, which nobody wants any more.
    stage.recorder.hold(1..2);
    signal(&stopped, "CONT");
    eventually("the stopped one sees that it is too late", async || {
        let log = stopped.log();
        log.contains("somebody else has taken the attempt over") || log.contains("an attempt was given up")
    })
    .await;
    let execution = stage.execution(started[0]).await;
    assert_eq!(execution.steps["one"].status.as_str(), "running", "{execution:#?}");
    stage.recorder.hold(0..0);
    stage.all_end_well(&started).await;
    let output = stage.execution(started[0]).await.steps["one"].output.clone().unwrap();
    assert_eq!(output["body"]["call"], 1, "the result is that of who had the lease\n{}", quick.log());
    // It is as good as any other again.
    drop(quick);
    let more = stage.start(3).await;
    stage.all_end_well(&more).await;
    assert_eq!(stopped.stop(), Some(0), "{}", stopped.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_database_that_goes_away_is_missed_and_waited_for() {
    let stage = Stage::set_up().await;
    let mut server = stage.replica("only", &[]).await;
    assert_eq!(readiness(&server).await.0, 200);
    stage.recorder.hold(0..4);
    let started = stage.start(4).await;
    stage.recorder.has(4).await;
    stage.let_in(false).await;
    eventually("it says that the database is away", async || {
        let (status, text) = readiness(&server).await;
        status == 503 && text.contains("database: does not answer")
    })
    .await;
    // The results come while nobody can record them.
    stage.recorder.hold(0..0);
    eventually("it tries to record", async || server.log().contains("could not be recorded")).await;
    stage.let_in(true).await;
    eventually("it is ready again", async || readiness(&server).await.0 == 200).await;
    stage.all_end_well(&started).await;
    assert_eq!(server.stop(), Some(0), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn connections_that_break_in_the_middle_of_transactions_lose_and_double_nothing() {
    let stage = Stage::set_up().await;
    let replicas = [stage.replica("one", &[]).await, stage.replica("two", &[]).await];
    // The stage's own connections break too, so everything is started before.
    let started = stage.start(60).await;
    for count in [10, 60, 110, 150] {
        stage.recorder.has(count).await;
        stage.break_connections().await;
    }
    stage.all_end_well(&started).await;
    assert_eq!(stage.recorder.by_key().len(), 60 * 3, "{}", replicas[0].log());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_web_replica_moves_nothing_and_a_worker_takes_no_webhooks() {
    let stage = Stage::set_up().await;
    let mut web = stage.replica("web", &["--role", "web"]).await;
    let started = stage.start(2).await;
    assert_eq!(readiness(&web).await.0, 200);
    assert_eq!(stage.recorder.by_key().len(), 0);
    let mut worker = stage.replica("worker", &["--role", "worker"]).await;
    stage.all_end_well(&started).await;
    let answer =
        reqwest::Client::new().post(format!("http://{}/webhooks/github", worker.address)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!((web.stop(), worker.stop()), (Some(0), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a PostgreSQL server: FLOWCTL_TEST_POSTGRES_URL, or ./tests/run"]
async fn a_server_that_is_restarted_under_load_loses_and_doubles_nothing() {
    let cluster = Cluster::start();
    let stage = Stage::set_up_on(&cluster.url()).await;
    let replicas = [stage.replica("one", &[]).await, stage.replica("two", &[]).await];
    let started = stage.start(40).await;
    // In order; as if it was killed, so that it has to recover; and in order again.
    for (calls, mode) in [(10, "fast"), (50, "immediate"), (90, "fast")] {
        stage.recorder.has(calls).await;
        cluster.restart(mode);
    }
    stage.all_end_well(&started).await;
    for replica in &replicas {
        eventually("it is ready again", async || readiness(replica).await.0 == 200).await;
    }
    assert_eq!(stage.recorder.by_key().len(), 40 * 3);
}
