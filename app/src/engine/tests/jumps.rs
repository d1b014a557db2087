//! A clock that jumps by hours, forwards and back, while timers, leases, time tables, deadlines and resume tokens are
//! pending: what `docs/reliability.md` says of it.

use flowctl_core::execution::Waiting;

use super::*;
use crate::engine::schedule::Known;
use crate::identity::resume::{Claims, ResumeTokens, TokenError};

const HOUR: i64 = 3600;

/// Asks two people for four hours, and reminds them after one.
const ASK: &str = "
name: ask
version: 1
steps:
  - id: sign
    type: human_approval
    approvers: {all: [{users: [alice]}, {users: [bob]}]}
    timeout: 4h
    reminders: [1h]
";

/// Waits an hour, then calls.
const PAUSE: &str = "
name: pause
version: 1
steps:
  - {id: pause, type: wait, for: 1h}
  - {id: draft, type: api_call, depends_on: pause, url: https://notes.example/, retry: {max_attempts: 2, initial: 10s, jitter: false}}
";

const HOURLY: &str = "
name: hourly
version: 1
triggers:
  - schedule: {cron: '0 * * * *'}
steps:
  - {id: note, type: set, values: {at: '{{ trigger.payload.at }}'}}
";

fn count(story: &[String], name: &str) -> usize {
    story.iter().filter(|event| *event == name).count()
}

#[tokio::test]
async fn what_is_due_after_a_jump_forwards_happens_then_and_once() {
    let world = World::of(PAUSE).await;
    let id = world.started().await;
    world.passes(5 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | pause:completed draft:completed");
    // The clock is set right again: nothing happens a second time.
    world.passes(-5 * HOUR);
    world.engine.settle().await.unwrap();
    world.passes(HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!((world.performer.seen().len(), world.store.next_wake().await.unwrap()), (1, None));
    world.check().await;
}

#[tokio::test]
async fn what_is_pending_at_a_jump_back_waits_longer_by_as_much() {
    let world = World::of(PAUSE).await;
    let id = world.started().await;
    world.passes(-5 * HOUR);
    // As long as it would have waited; and as much more as the clock went back, but for a second.
    for passed in [HOUR, 5 * HOUR - 1] {
        world.passes(passed);
        world.engine.settle().await.unwrap();
        assert_eq!(world.picture(id).await, "waiting | pause:waiting draft:pending");
    }
    world.passes(1);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | pause:completed draft:completed");
    world.check().await;
}

#[tokio::test]
async fn the_pause_before_a_retry_is_a_timer_like_any_other() {
    let world = World::of(&PAUSE.replace("for: 1h", "for: 1s")).await;
    world.performer.fails(ErrorClass::Network);
    let id = world.started().await;
    world.passes(1);
    world.engine.settle().await.unwrap();
    world.passes(-HOUR);
    world.passes(10);
    world.engine.settle().await.unwrap();
    assert_eq!(
        (world.performer.seen().len(), world.picture(id).await.as_str()),
        (1, "running | pause:completed draft:waiting")
    );
    world.passes(HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(
        (world.performer.seen().len(), world.picture(id).await.as_str()),
        (2, "completed | pause:completed draft:completed")
    );
    world.check().await;
}

#[tokio::test]
async fn a_lease_ends_early_after_a_jump_forwards_and_the_attempt_is_recorded_once() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (begun, end) = world.performer.waits();
    let first = world.another("first");
    let work = first.claim_work(1).await.unwrap().remove(0);
    let performing = tokio::spawn(async move { super::attempts::perform(&first, work).await });
    begun.await.unwrap();
    world.passes(5 * HOUR);
    world.engine.settle().await.unwrap();
    let recorded = world.execution(id).await;
    end.send(json!({"notes": "of who was first"})).unwrap();
    performing.await.unwrap();
    let seen = world.performer.seen();
    assert_eq!((seen.len(), &seen[0].idempotency_key), (2, &seen[1].idempotency_key), "performed twice with one key");
    let story = world.story(id).await;
    assert_eq!((count(&story, "draft repeated"), count(&story, "draft completed")), (1, 1), "{story:?}");
    assert_eq!(world.execution(id).await, recorded);
    world.check().await;
}

#[tokio::test]
async fn the_time_of_an_attempt_under_way_is_not_cut_by_a_jump() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let (begun, end) = world.performer.waits();
    let (engine, work) = (world.engine.clone(), world.engine.claim_work(1).await.unwrap().remove(0));
    let performing = tokio::spawn(async move { super::attempts::perform(&engine, work).await });
    begun.await.unwrap();
    // Its `timeout` is ten minutes.
    world.passes(5 * HOUR);
    end.send(json!({"notes": "in time"})).unwrap();
    performing.await.unwrap();
    assert_eq!(world.execution(id).await.steps["draft"].output, Some(json!({"notes": "in time"})));
    world.check().await;
}

#[tokio::test]
async fn a_dead_servers_lease_lasts_longer_after_a_jump_back() {
    let world = World::of(RELEASE).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    assert_eq!(world.another("dies").claim_work(1).await.unwrap().len(), 1);
    world.passes(-5 * HOUR);
    world.passes(30);
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 0);
    world.passes(5 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.check().await;
}

async fn fired(world: &World, known: &mut Known) -> Vec<String> {
    world.engine.fire_due(known).await.unwrap();
    world.engine.settle().await.unwrap();
    let started = world.all_of("hourly").await;
    started
        .iter()
        .map(|it| it.steps["note"].output.as_ref().unwrap()["at"].as_str().unwrap()[11..16].to_owned())
        .collect()
}

#[tokio::test]
async fn a_time_table_fires_once_for_a_jump_forwards_and_rests_until_that_time_comes_again() {
    let (world, mut known) = (World::of(HOURLY).await, Known::new());
    // It is nine o'clock.
    assert_eq!(fired(&world, &mut known).await, [""; 0]);
    world.passes(5 * HOUR);
    assert_eq!(fired(&world, &mut known).await, ["14:00"], "the slots between are one missed run");
    world.passes(-5 * HOUR);
    for _ in 0..5 {
        world.passes(HOUR);
        assert_eq!(fired(&world, &mut known).await, ["14:00"], "its slots were dealt with");
    }
    world.passes(HOUR);
    assert_eq!(fired(&world, &mut known).await, ["14:00", "15:00"]);
    world.check().await;
}

#[tokio::test]
async fn a_deadline_for_people_passes_with_a_jump_forwards() {
    let world = World::of(ASK).await;
    let id = world.started().await;
    world.signal(id, world.approval("alice", "1")).await.unwrap();
    world.passes(5 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "failed | sign:failed");
    // That the clock was wrong does not bring it back.
    world.passes(-5 * HOUR);
    let late = world.signal(id, world.approval("bob", "2")).await;
    assert!(matches!(late, Err(SignalFailure::Refused(_))), "{late:?}");
    let story = world.story(id).await;
    assert_eq!((count(&story, "sign decided"), count(&story, "sign failed")), (1, 1), "{story:?}");
    world.check().await;
}

#[tokio::test]
async fn a_deadline_for_people_comes_later_after_a_jump_back_and_words_count_meanwhile() {
    let world = World::of(ASK).await;
    let (id, ends) = (world.started().await, world.started().await);
    world.signal(id, world.approval("alice", "1")).await.unwrap();
    world.passes(-5 * HOUR);
    // The deadline as it would have been, and the reminder.
    world.passes(4 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(count(&world.story(id).await, "sign reminded"), 0);
    world.signal(id, world.approval("bob", "2")).await.unwrap();
    assert_eq!(world.picture(id).await, "completed | sign:completed");
    let decisions = world.execution(id).await.steps["sign"].decisions.clone();
    assert!(decisions[1].at < decisions[0].at, "each word has the time that the clock showed: {decisions:#?}");
    let shown = crate::api::execution(&world.execution(id).await, world.clock.now());
    assert_eq!(shown["duration_ms"], Value::Null, "nobody knows how long it took that ended before it began");
    world.passes(2 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(count(&world.story(ends).await, "sign reminded"), 1);
    world.passes(3 * HOUR);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(ends).await, "failed | sign:failed");
    world.check().await;
}

#[tokio::test]
async fn a_resume_token_ends_by_the_clock_and_serves_once_whatever_that_shows() {
    let world = World::of(ASK).await;
    let id = world.started().await;
    let tokens = ResumeTokens::new([7; 32]);
    let execution = world.execution(id).await;
    let claims = Claims::of(&execution, "sign", &execution.steps["sign"], world.clock.now()).unwrap();
    let token = tokens.issue(&claims);
    world.passes(5 * HOUR);
    assert!(matches!(tokens.read(&token, world.clock.now()), Err(TokenError::Ended { .. })));
    // Back again, and further: it lasts as long as its step.
    world.passes(-10 * HOUR);
    assert_eq!(tokens.read(&token, world.clock.now()), Ok(claims.clone()));
    let Some(Waiting::Approval(request)) = &execution.steps["sign"].waiting else { panic!("it asks") };
    assert_eq!(request.due_at.map(|due| due.as_second()), Some(claims.expires_at));
    let say = async |login: &str, word: &str| {
        let along = Along { word: Some(claims.word()), ..Along::default() };
        world.engine.signal(&TenantId::local(), id, world.approval(login, word), along).await
    };
    say("alice", "1").await.unwrap();
    for jump in [9 * HOUR, -20 * HOUR] {
        world.passes(jump);
        let again = say("bob", "2").await;
        let repeated = matches!(again, Err(SignalFailure::Refused(flowctl_core::execution::Refusal::Repeated)));
        assert!(repeated, "{again:?}");
    }
    world.check().await;
}
