//! Concurrency groups: one after the other, the newest, or none.

use flowctl_core::execution::ExecutionStatus;

use super::*;

fn process(on_conflict: &str) -> String {
    format!(
        "
name: deploy
version: 1
inputs:
  to: {{type: string, default: live}}
concurrency: {{group: 'deploy-{{{{ inputs.to }}}}', on_conflict: {on_conflict}}}
steps:
  - {{id: sign, type: human_approval, approvers: {{all: [{{users: [alice]}}]}}}}
"
    )
}

async fn statuses(world: &World) -> String {
    let all = world.all_of("deploy").await;
    all.iter().map(|execution| execution.status.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn one_of_a_group_waits_for_the_one_before_it() {
    let world = World::of(&process("queue")).await;
    let first = world.started().await;
    let second = world.started().await;
    let third = world.started().await;
    let elsewhere = world.started_as("deploy", json!({"to": "test"})).await;
    assert_eq!(statuses(&world).await, "waiting pending pending waiting");
    assert_eq!(world.store.due(world.clock.now(), 10).await.unwrap(), [], "who waits for its turn costs nothing");
    world.signal(first, world.approval("alice", "1")).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed waiting pending waiting");
    world.signal(second, Signal::Cancel { actor: None, reason: String::new() }).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed cancelled waiting waiting");
    world.signal(third, world.approval("alice", "3")).await.unwrap();
    world.signal(elsewhere, world.approval("alice", "4")).await.unwrap();
    assert_eq!(statuses(&world).await, "completed cancelled completed completed");
    world.check().await;
}

#[tokio::test]
async fn nobody_overtakes_who_has_waited_longer() {
    let world = World::of(&process("queue")).await;
    let first = world.started().await;
    world.started().await;
    // The first one ends, and before anybody has woken the second one a third one comes.
    world.signal(first, world.approval("alice", "1")).await.unwrap();
    world.engine.start(world.request()).await.unwrap();
    assert_eq!(statuses(&world).await, "completed pending pending");
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed waiting pending");
    world.check().await;
}

#[tokio::test]
async fn a_sub_process_of_the_group_of_one_above_it_fails_instead_of_waiting_for_ever() {
    for on_conflict in ["queue", "cancel", "skip"] {
        let concurrency = format!("concurrency: {{group: deploy, on_conflict: {on_conflict}}}");
        let above = format!(
            "name: above\nversion: 1\n{concurrency}\nsteps:\n  - {{id: between, type: process, process: between}}\n"
        );
        let world = World::of(&above).await;
        world.definitions.also("name: between\nversion: 1\nsteps:\n  - {id: below, type: process, process: below}\n");
        world.definitions.also(&format!(
            "name: below\nversion: 1\n{concurrency}\nsteps:\n  - {{id: done, type: set, values: {{x: 1}}}}\n"
        ));
        let id = world.started().await;
        let error = world.execution(id).await.error.unwrap().message;
        let expected = format!("is of the concurrency group `deploy`, which execution {id} has until it ends");
        assert!(error.contains(&expected), "{on_conflict}: {error}");
        assert!(world.all_of("below").await.is_empty());
        world.check().await;
    }
}

#[tokio::test]
async fn a_queued_sub_process_waits_for_its_turn_and_is_cancelled_with_the_step_that_waits() {
    let world = World::of(&process("queue")).await;
    world
        .definitions
        .also("name: release\nversion: 1\nsteps:\n  - {id: deploy, type: process, process: deploy, timeout: 1h}\n");
    let first = world.started().await;
    let one = world.started_as("release", json!({})).await;
    let two = world.started_as("release", json!({})).await;
    assert_eq!(statuses(&world).await, "waiting pending pending");
    // The first parent's time is over while its child is still queued.
    world.signal(one, Signal::Cancel { actor: None, reason: String::new() }).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "waiting cancelled pending");
    world.signal(first, world.approval("alice", "1")).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed cancelled waiting");
    world.passes(3600);
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed cancelled cancelled");
    assert_eq!(world.picture(one).await, "cancelled | deploy:cancelled");
    assert_eq!(world.picture(two).await, "failed | deploy:failed");
    world.check().await;
}

#[tokio::test]
async fn one_that_waits_for_its_turn_can_be_cancelled_and_lets_nobody_go_early() {
    let world = World::of(&process("queue")).await;
    let first = world.started().await;
    let second = world.started().await;
    let third = world.started().await;
    world.signal(second, Signal::Cancel { actor: None, reason: String::new() }).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "waiting cancelled pending");
    world.signal(first, world.approval("alice", "1")).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(statuses(&world).await, "completed cancelled waiting");
    assert_eq!(world.execution(third).await.status, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn two_engines_let_one_go() {
    let world = World::of(&process("queue")).await;
    let other = world.another("another");
    let (one, two) = tokio::join!(world.engine.start(world.request()), other.start(world.request()));
    one.unwrap();
    two.unwrap();
    let (one, two) = tokio::join!(world.engine.settle(), other.settle());
    one.unwrap();
    two.unwrap();
    let mut found: Vec<&str> = world.all_of("deploy").await.iter().map(|it| it.status.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["pending", "waiting"]);
}

#[tokio::test]
async fn a_newer_one_cancels_those_before_it_and_goes_once_they_have_ended() {
    let world = World::of(&process("cancel")).await;
    world.started().await;
    world.started().await;
    assert_eq!(statuses(&world).await, "cancelled waiting");
    let newest = world.started().await;
    assert_eq!(statuses(&world).await, "cancelled cancelled waiting");
    world.signal(newest, world.approval("alice", "1")).await.unwrap();
    assert_eq!(statuses(&world).await, "cancelled cancelled completed");
    world.check().await;
}

#[tokio::test]
async fn with_skip_nothing_starts_beside_one_that_has_not_ended() {
    let world = World::of(&process("skip")).await;
    let keyed = StartRequest { start_key: Some("delivery:1".to_owned()), ..world.request() };
    let first = world.engine.start(keyed.clone()).await.unwrap().execution.id;
    let refused = world.engine.start(world.request()).await;
    assert!(matches!(refused, Err(StartFailure::GroupBusy { running }) if running == first), "{refused:?}");
    let again = world.engine.start(keyed).await.unwrap();
    assert_eq!((again.is_new, again.execution.id), (false, first), "the same start again is no other one");
    world.signal(first, world.approval("alice", "1")).await.unwrap();
    world.engine.start(world.request()).await.unwrap();
    assert_eq!(statuses(&world).await, "completed waiting");
}

#[tokio::test]
async fn a_retry_waits_until_the_group_is_free() {
    let world = World::of(&process("queue")).await;
    let first = world.started().await;
    let second = world.started().await;
    world.signal(first, Signal::Cancel { actor: None, reason: String::new() }).await.unwrap();
    world.engine.settle().await.unwrap();
    let retry = || Signal::Retry { actor: None, step: None };
    let refused = world.signal(first, retry()).await;
    assert!(matches!(refused, Err(SignalFailure::GroupBusy { running }) if running == second), "{refused:?}");
    assert_eq!(statuses(&world).await, "cancelled waiting");
    world.signal(second, world.approval("alice", "1")).await.unwrap();
    world.signal(first, retry()).await.unwrap();
    assert_eq!(statuses(&world).await, "waiting completed");
    world.check().await;
}
