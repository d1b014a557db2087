//! The loops: they find by themselves what is to be done, and stop when they are told to.

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::*;

/// An engine that looks for something to do only when the store hints at it: a poll would hide a missing hint.
fn hinted() -> EngineOptions {
    EngineOptions { poll: Duration::from_secs(3600), ..EngineOptions::new("the engine") }
}

#[tokio::test]
async fn a_running_engine_carries_executions_to_their_end() {
    let process = RELEASE.replace("for: 1h", "for: 0ms");
    let world = World::with_options(&process, hinted()).await;
    let shutdown = CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.engine.start(world.request()).await.unwrap().execution.id);
    }
    for id in &ids {
        eventually("it asks people", async || world.execution(*id).await.steps["sign"].waiting.is_some()).await;
        for (login, word) in [("alice", "1"), ("bob", "2")] {
            world.signal(*id, world.approval(login, word)).await.unwrap();
        }
    }
    for id in &ids {
        eventually("it ends", async || world.execution(*id).await.status.is_final()).await;
    }
    shutdown.cancel();
    running.await.unwrap();
    assert_eq!(world.performer.seen().len(), 20);
    world.check().await;
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_under_way_and_claims_nothing_more() {
    let world = World::with_options(RELEASE, EngineOptions { workers: 1, ..hinted() }).await;
    let (begun, end) = world.performer.waits();
    let shutdown = CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    let first = world.engine.start(world.request()).await.unwrap().execution.id;
    begun.await.unwrap();
    let second = world.engine.start(world.request()).await.unwrap().execution.id;
    shutdown.cancel();
    end.send(json!({"notes": "just in time"})).unwrap();
    running.await.unwrap();
    assert_eq!(world.execution(first).await.steps["draft"].output, Some(json!({"notes": "just in time"})));
    assert_eq!(world.picture(second).await, "running | draft:running sign:pending pause:pending");
    assert_eq!(world.performer.seen().len(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_shutdown_leaves_what_takes_too_long_to_its_lease() {
    let world = World::with_options(RELEASE, EngineOptions { drain: Duration::ZERO, ..hinted() }).await;
    let (begun, end) = world.performer.waits();
    let shutdown = CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    begun.await.unwrap();
    shutdown.cancel();
    running.await.unwrap();
    assert!(end.is_closed());
    world.passes(30);
    world.another("the next start").settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.check().await;
}

#[tokio::test]
async fn engines_share_the_work() {
    let world = World::of(RELEASE).await;
    let shutdown = CancellationToken::new();
    let engines: Vec<_> = ["one", "two", "three"]
        .into_iter()
        .map(|owner| {
            let (engine, stop) = (world.another(owner), shutdown.clone());
            tokio::spawn(async move { engine.run(stop).await })
        })
        .collect();
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(world.engine.start(world.request()).await.unwrap().execution.id);
    }
    for id in &ids {
        eventually("it asks people", async || world.execution(*id).await.steps["sign"].waiting.is_some()).await;
    }
    shutdown.cancel();
    for engine in engines {
        engine.await.unwrap();
    }
    assert_eq!(world.performer.seen().len(), 30);
    world.check().await;
}

#[tokio::test]
async fn who_goes_away_while_a_start_is_stored_leaves_nothing_that_nobody_performs() {
    let world = World::with_options(RELEASE, hinted()).await;
    let shutdown = CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    let stored = async || world.all_of("release").await.len();
    for number in 1..=20 {
        let mut start = Box::pin(world.engine.start(world.request()));
        // Asked for, and given up as soon as it is stored, before the answer is taken.
        while stored().await < number && start.as_mut().now_or_never().is_none() {
            tokio::task::yield_now().await;
        }
        drop(start);
    }
    for execution in world.all_of("release").await {
        // The clock stands still: no lease ends, so nobody else takes it up.
        eventually("it asks people", async || world.execution(execution.id).await.steps["sign"].waiting.is_some())
            .await;
    }
    shutdown.cancel();
    running.await.unwrap();
    world.check().await;
}
