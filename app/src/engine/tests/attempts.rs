//! Attempts: at least once performed, once recorded.

use tokio_util::sync::CancellationToken;

use super::*;

#[tokio::test]
async fn an_attempt_gets_what_its_step_says() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let seen = world.performer.seen();
    assert_eq!(seen.len(), 1);
    let attempt = &seen[0];
    assert_eq!((attempt.execution, attempt.step.as_str(), attempt.attempt), (id, "draft", 1));
    assert_eq!(attempt.input["url"], "https://notes.example/public");
    let deadline = world.clock.now().checked_add(SignedDuration::from_mins(10)).unwrap();
    assert_eq!(attempt.deadline, Some(deadline));
    assert_eq!(attempt.idempotency_key.len(), 64);
    assert_eq!(world.execution(id).await.steps["draft"].output, Some(json!({"notes": "as drafted"})));
    world.check().await;
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_after_its_pause() {
    let world = World::of(RELEASE).await;
    world.performer.fails(ErrorClass::Network);
    let id = world.started().await;
    assert_eq!(world.picture(id).await, "running | draft:waiting sign:pending pause:pending");
    world.passes(9);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 1);
    world.passes(1);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.check().await;
}

#[tokio::test]
async fn the_idempotency_key_changes_with_a_retry_by_hand_only() {
    let world = World::of(RELEASE).await;
    world.performer.fails(ErrorClass::Network);
    world.performer.fails(ErrorClass::Network);
    let id = world.started().await;
    world.passes(10);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "failed | draft:failed sign:skipped pause:skipped");
    world.signal(id, Signal::Retry { actor: None, step: None }).await.unwrap();
    world.engine.settle().await.unwrap();
    let keys: Vec<String> = world.performer.seen().into_iter().map(|attempt| attempt.idempotency_key).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2]);
    let other = world.started().await;
    assert_ne!(idempotency_key(&world.execution(other).await, "draft"), keys[0]);
    assert_ne!(idempotency_key(&world.execution(other).await, "sign"), keys[0]);
    world.check().await;
}

#[tokio::test]
async fn an_attempt_whose_server_died_is_repeated_and_uses_up_no_try() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    // A server claims the attempt and dies; nobody else gets it until its lease has ended.
    assert_eq!(world.another("dies").claim_work(10).await.unwrap().len(), 1);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 0);
    world.passes(30);
    world.engine.settle().await.unwrap();
    let story = world.story(id).await;
    assert_eq!(story[2..5], ["draft started", "draft repeated", "draft completed"], "{story:?}");
    let step = &world.execution(id).await.steps["draft"];
    assert_eq!((step.attempt, step.tries), (1, 1));
    assert_eq!(world.performer.seen()[0].idempotency_key, idempotency_key(&world.execution(id).await, "draft"));
    world.check().await;
}

#[tokio::test]
async fn a_result_that_two_servers_bring_is_recorded_once() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (begun, end) = world.performer.waits();
    let slow = world.another("slow");
    let work = slow.claim_work(1).await.unwrap().remove(0);
    let performing = tokio::spawn(async move { perform(&slow, work).await });
    begun.await.unwrap();
    world.passes(30);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 2);
    let recorded = world.execution(id).await;
    end.send(json!({"notes": "too late"})).unwrap();
    performing.await.unwrap();
    assert_eq!(world.execution(id).await, recorded);
    assert_eq!(recorded.steps["draft"].output, Some(json!({"notes": "as drafted"})));
    world.check().await;
}

#[tokio::test]
async fn a_server_began_an_attempt_that_it_still_performed() {
    let world = World::of(RELEASE).await;
    let (begun, end) = world.performer.waits();
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    world.engine.wake_due().await.unwrap();
    let claimed = world.engine.claim_work(1).await.unwrap().pop().unwrap();
    let engine = world.engine.clone();
    let performing = tokio::spawn(async move { perform(&engine, claimed).await });
    begun.await.unwrap();
    // Its lease ends, as on a machine that is too busy to renew it, and the same server looks for work.
    world.passes(31);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 1, "it is performed already");
    // Nobody else has it either: it is under a new lease.
    world.another("another").settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 1);
    end.send(json!({"notes": "late"})).unwrap();
    performing.await.unwrap();
    let execution = world.execution(id).await;
    assert_eq!(execution.steps["draft"].output, Some(json!({"notes": "late"})), "its result counts");
    let events = world.store.events(&TenantId::local(), id, 0, 100).await.unwrap();
    assert!(events.iter().all(|it| it.event.kind.name() != "step.repeated"), "nothing was repeated");
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_another_server_took_over_is_not_taken_back() {
    let world = World::of(RELEASE).await;
    let (begun, end) = world.performer.waits();
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    world.engine.wake_due().await.unwrap();
    let claimed = world.engine.claim_work(1).await.unwrap().pop().unwrap();
    let engine = world.engine.clone();
    let performing = tokio::spawn(async move { perform(&engine, claimed).await });
    begun.await.unwrap();
    world.passes(31);
    world.another("another").settle().await.unwrap();
    assert_eq!(world.execution(id).await.steps["draft"].output, Some(json!({"notes": "as drafted"})));
    end.send(json!({"notes": "late"})).unwrap();
    performing.await.unwrap();
    assert_eq!(world.execution(id).await.steps["draft"].output, Some(json!({"notes": "as drafted"})));
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended() {
    let world =
        World::of(&RELEASE.replace("timeout: 10m", "timeout: 20ms").replace("max_attempts: 2", "max_attempts: 1"))
            .await;
    let (_begun, end) = world.performer.waits();
    let id = world.started().await;
    assert!(end.is_closed(), "the performer was stopped");
    let step = world.execution(id).await.steps["draft"].clone();
    let error = step.error.unwrap();
    assert_eq!(
        (error.class, error.message.as_str()),
        (ErrorClass::Timeout, "the attempt took longer than the step's `timeout`")
    );
    world.check().await;
}

#[tokio::test]
async fn waiting_in_the_queue_uses_up_no_time_of_an_attempt() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    world.passes(24 * 3600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    let deadline = world.clock.now().checked_add(SignedDuration::from_mins(10)).unwrap();
    assert_eq!(world.performer.seen()[0].deadline, Some(deadline));
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_takes_every_server_with_it_ends_at_last() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    for server in 0..10 {
        assert_eq!(world.another(&format!("server {server}")).claim_work(1).await.unwrap().len(), 1);
        world.passes(30);
    }
    world.engine.settle().await.unwrap();
    let error = world.execution(id).await.error.unwrap();
    assert_eq!(error.message, "the server stopped in the middle of this step 10 times; it is not tried again");
    assert_eq!(world.performer.seen().len(), 0);
    world.check().await;
}

#[tokio::test]
async fn a_cancelled_step_stops_its_performer() {
    let options = EngineOptions { lease: Duration::from_millis(30), ..EngineOptions::new("one") };
    let world = World::with_options(RELEASE, options).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (begun, end) = world.performer.waits();
    let (engine, work) = (world.engine.clone(), world.engine.claim_work(1).await.unwrap().remove(0));
    let performing = tokio::spawn(async move { perform(&engine, work).await });
    begun.await.unwrap();
    world.signal(id, Signal::Cancel { actor: None, reason: "a mistake".to_owned() }).await.unwrap();
    // The performer is dropped, and with it its end of the channel; nobody told it to end.
    eventually("the performer is dropped", async || end.is_closed()).await;
    performing.await.unwrap();
    assert_eq!(world.picture(id).await, "cancelled | draft:cancelled sign:cancelled pause:cancelled");
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_was_cancelled_after_it_was_claimed_is_not_performed() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let work = world.engine.claim_work(1).await.unwrap().remove(0);
    world.signal(id, Signal::Cancel { actor: None, reason: "a mistake".to_owned() }).await.unwrap();
    perform(&world.engine, work).await;
    assert_eq!(world.performer.seen().len(), 0);
    world.check().await;
}

#[tokio::test]
async fn a_performer_that_panics_fails_its_step() {
    let world = World::of(RELEASE).await;
    world.performer.then(Script::Panics);
    let id = world.started().await;
    let error = world.execution(id).await.steps["draft"].error.clone().unwrap();
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(
        error.message,
        format!("flowctl failed while it performed this step; its log says more about execution {id}, step `draft`")
    );
    world.check().await;
}

#[tokio::test]
async fn a_step_type_that_nobody_performs_fails_clearly() {
    let process = "
name: ask
version: 1
steps:
  - id: answer
    type: ai_generate
    model: mock
    prompt: Why?
    output_schema: {type: string}
";
    let world = World::of(process).await;
    let id = world.started().await;
    let error = world.execution(id).await.error.unwrap();
    assert_eq!(error.message, "this server does not perform steps of type `ai_generate`");
    world.check().await;
}

#[tokio::test]
async fn a_repetition_that_cannot_be_prepared_is_given_back() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    world.another("dies").claim_work(1).await.unwrap();
    world.passes(30);
    world.definitions.fail_with(Some(super::starts::unavailable()));
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 0);
    world.definitions.fail_with(None);
    world.passes(30);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.check().await;
}

pub(super) async fn perform(engine: &Engine, work: ClaimedWork) {
    let entered = engine.inner.under_way.enter(&work);
    engine.perform(None, entered).await;
}

fn cancel() -> Signal {
    Signal::Cancel { actor: None, reason: "nobody wants it".to_owned() }
}

#[tokio::test]
async fn a_call_that_is_cancelled_ends_at_once() {
    let world = World::of(RELEASE).await;
    let (begun, mut end) = world.performer.waits();
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (engine, work) = (world.engine.clone(), world.engine.claim_work(1).await.unwrap().remove(0));
    let performing = tokio::spawn(async move { perform(&engine, work).await });
    begun.await.unwrap();
    world.signal(id, cancel()).await.unwrap();
    end.closed().await;
    performing.await.unwrap();
    assert_eq!(world.picture(id).await, "cancelled | draft:cancelled sign:cancelled pause:cancelled");
    world.check().await;
}

#[tokio::test]
async fn a_call_ends_that_is_cancelled_by_another_server() {
    let world = World::of(RELEASE).await;
    let (begun, mut end) = world.performer.waits();
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (engine, work) = (world.engine.clone(), world.engine.claim_work(1).await.unwrap().remove(0));
    let performing = tokio::spawn(async move { perform(&engine, work).await });
    begun.await.unwrap();
    let mut seen = BTreeMap::new();
    world.engine.interrupt(Duration::ZERO, &mut seen).await.unwrap();
    assert!(!end.is_closed(), "nothing has happened yet");
    world.another("another").signal(&TenantId::local(), id, cancel(), Along::default()).await.unwrap();
    world.engine.interrupt(Duration::ZERO, &mut seen).await.unwrap();
    end.closed().await;
    performing.await.unwrap();
    world.check().await;
}

/// So many calls beside each other.
fn wide(steps: usize) -> String {
    let calls: String =
        (0..steps).map(|it| format!("  - {{id: s{it}, type: api_call, url: 'https://a.example/'}}\n")).collect();
    format!("name: wide\nversion: 1\nsteps:\n{calls}")
}

#[tokio::test]
async fn no_execution_has_all_hands_and_a_sub_process_needs_none() {
    let options = EngineOptions { workers: 8, poll: Duration::from_secs(3600), ..EngineOptions::new("the engine") };
    let world = World::with_options(&wide(20), options).await;
    world.definitions.also("name: one\nversion: 1\nsteps:\n  - {id: a, type: api_call, url: 'https://a.example/'}\n");
    world.definitions.also("name: quick\nversion: 1\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n");
    world.definitions.also("name: caller\nversion: 1\nsteps:\n  - {id: a, type: process, process: quick}\n");
    let shutdown = CancellationToken::new();
    let (engine, stop) = (world.engine.clone(), shutdown.clone());
    let running = tokio::spawn(async move { engine.run(stop).await });
    let slow: Vec<_> = (0..8).map(|_| world.performer.waits()).collect();
    eventually("it works", async || world.engine.inner.hands.is_working()).await;
    let wide = world.engine.start(world.request()).await.unwrap().execution.id;
    let under_way = || world.engine.inner.under_way.count(wide);
    eventually("it has its share", async || under_way() == 6).await;
    let ended = async |process: &str| {
        let request = StartRequest { process: process.to_owned(), ..world.request() };
        let id = world.engine.start(request).await.unwrap().execution.id;
        eventually("it ends", async || world.execution(id).await.status.is_final()).await;
    };
    let mut ends: Vec<_> = slow.into_iter().map(|(_, end)| end).collect();
    // The other two hands are there for others: both are taken, and one is let go.
    let two = ["one", "one"].map(|process| StartRequest { process: process.to_owned(), ..world.request() });
    for request in two {
        world.engine.start(request).await.unwrap();
    }
    eventually("all hands are taken", async || world.performer.seen().len() == 8).await;
    assert_eq!(under_way(), 6);
    ended("caller").await;
    ends.pop().unwrap().send(Value::Null).unwrap();
    ended("one").await;
    drop(ends);
    eventually("all of it ends", async || world.execution(wide).await.status.is_final()).await;
    shutdown.cancel();
    running.await.unwrap();
    world.check().await;
}

#[tokio::test]
async fn of_many_results_that_come_at_once_to_many_servers_none_is_given_up() {
    let world = World::of(&wide(64)).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let mut servers = Vec::new();
    for number in 0..64 {
        let engine = world.another(&format!("server {number}"));
        let work = engine.claim_work(1).await.unwrap().remove(0);
        servers.push((engine, work));
    }
    futures_util::future::join_all(servers.into_iter().map(async |(engine, work)| perform(&engine, work).await)).await;
    assert!(world.execution(id).await.status.is_final());
    assert_eq!(world.performer.seen().len(), 64);
    world.check().await;
}
