//! Time: waits, retries, deadlines, and executions that cannot go on now.

use super::starts::unavailable;
use super::*;

#[tokio::test]
async fn a_wait_is_over_when_its_time_has_come_and_not_before() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    for (login, word) in [("alice", "1"), ("bob", "2")] {
        world.signal(id, world.approval(login, word)).await.unwrap();
    }
    world.passes(3599);
    assert_eq!(world.engine.wake_due().await.unwrap(), 0);
    world.passes(1);
    assert_eq!(world.engine.wake_due().await.unwrap(), 1);
    let execution = world.execution(id).await;
    assert_eq!(execution.status.as_str(), "completed");
    assert_eq!(execution.outputs, Some(json!({"notes": "as drafted"})));
    assert_eq!(world.store.next_wake().await.unwrap(), None);
    world.check().await;
}

#[tokio::test]
async fn two_engines_wake_an_execution_once() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    for (login, word) in [("alice", "1"), ("bob", "2")] {
        world.signal(id, world.approval(login, word)).await.unwrap();
    }
    world.passes(3600);
    let other = world.another("another");
    let (one, two) = tokio::join!(world.engine.wake_due(), other.wake_due());
    assert!(one.unwrap() + two.unwrap() >= 1);
    let story = world.story(id).await;
    assert_eq!(story.iter().filter(|name| *name == "completed").count(), 1, "{story:?}");
    world.check().await;
}

#[tokio::test]
async fn an_execution_that_cannot_go_on_is_put_off_and_goes_on_later() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    for (login, word) in [("alice", "1"), ("bob", "2")] {
        world.signal(id, world.approval(login, word)).await.unwrap();
    }
    let before = world.execution(id).await;
    world.passes(3600);
    world.definitions.fail_with(Some(unavailable()));
    assert_eq!(world.engine.wake_due().await.unwrap(), 0);
    // It does not hold up others meanwhile.
    assert_eq!(world.store.due(world.clock.now(), 10).await.unwrap(), []);
    assert_eq!(world.execution(id).await, before);
    world.definitions.fail_with(None);
    world.passes(30);
    assert_eq!(world.engine.wake_due().await.unwrap(), 1);
    assert_eq!(world.execution(id).await.status.as_str(), "completed");
    world.check().await;
}

#[tokio::test]
async fn an_execution_that_was_only_accepted_is_started() {
    let world = World::of(RELEASE).await;
    let plan = plan(RELEASE);
    let request = world.request();
    let new = flowctl_core::execution::NewExecution {
        id: world.ids.execution(world.clock.now()),
        tenant: request.tenant,
        repository: request.repository,
        repository_id: None,
        revision: request.revision,
        trigger: request.trigger,
        subject: None,
        inputs: Map::new(),
        url: None,
    };
    let (execution, created) = flowctl_core::execution::create(&plan, new, world.clock.now()).unwrap();
    let id = execution.id;
    let transition = Transition::of(execution, 0, vec![created]);
    world.store.commit(transition).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.check().await;
}
