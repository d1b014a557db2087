//! Events given to the API, the end of other executions, and definitions that are gone.

use flowctl_core::execution::ExecutionStatus;

use super::*;
use crate::engine::PublishedEvent;
use crate::store::Receipt;

const PAID: &str = "
name: order
version: 1
inputs:
  order: {type: integer, default: 7}
steps:
  - {id: pack, type: wait, for: 1h}
  - {id: paid, type: wait, depends_on: pack, event: {name: payment, match: '{{ event.payload.order == inputs.order }}'}}
outputs:
  by: '{{ steps.paid.output.payload.by }}'
";

impl World {
    async fn publishes(&self, name: &str, id: &str, payload: Value) -> Receipt {
        let event = PublishedEvent { name: name.to_owned(), payload, id: Some(id.to_owned()) };
        let receipt = self.engine.publish(&TenantId::local(), event).await.unwrap().1;
        self.engine.settle().await.unwrap();
        receipt
    }
}

#[tokio::test]
async fn an_event_reaches_those_that_wait_for_it_once_per_id() {
    let world = World::of(PAID).await;
    let seven = world.started().await;
    let eight = world.started_as("order", json!({"order": 8})).await;
    world.passes(3600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(seven).await, "waiting | pack:completed paid:waiting");
    assert_eq!(world.publishes("payment", "a", json!({"order": 7, "by": "ann"})).await, Receipt::Stored);
    assert_eq!(world.execution(seven).await.outputs, Some(json!({"by": "ann"})));
    assert_eq!(world.picture(eight).await, "waiting | pack:completed paid:waiting");
    assert_eq!(world.publishes("payment", "a", json!({"order": 8})).await, Receipt::Duplicate);
    assert_eq!(world.picture(eight).await, "waiting | pack:completed paid:waiting");
    world.publishes("payment", "b", json!({"order": 8, "by": "bob"})).await;
    assert_eq!(world.execution(eight).await.outputs, Some(json!({"by": "bob"})));
    assert_eq!(world.store.next_signal().await.unwrap(), None);
    world.check().await;
}

#[tokio::test]
async fn an_event_that_came_since_the_start_counts_and_an_earlier_one_does_not() {
    let world = World::of(PAID).await;
    world.publishes("payment", "early", json!({"order": 7, "by": "early"})).await;
    world.passes(1);
    let id = world.started().await;
    world.publishes("payment", "a", json!({"order": 7, "by": "ann"})).await;
    assert_eq!(world.picture(id).await, "waiting | pack:waiting paid:pending");
    world.passes(3600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.execution(id).await.outputs, Some(json!({"by": "ann"})));
    assert_eq!(world.store.next_signal().await.unwrap(), None);
}

#[tokio::test]
async fn an_event_counts_for_who_waits_already_although_the_clock_was_set_back() {
    let world = World::of(&PAID.replace("depends_on: pack, ", "")).await;
    world.passes(60);
    let id = world.started().await;
    world.passes(-30);
    world.publishes("payment", "a", json!({"order": 7, "by": "ann"})).await;
    assert_eq!(world.picture(id).await, "waiting | pack:waiting paid:completed");
}

#[tokio::test]
async fn what_a_dead_server_had_claimed_starts_its_process_all_the_same() {
    let world = World::of(FOLLOWER).await;
    let event = PublishedEvent { name: "shipped".to_owned(), payload: json!({}), id: Some("a".to_owned()) };
    world.engine.publish(&TenantId::local(), event).await.unwrap();
    let lease = world.clock.now().checked_add(SignedDuration::from_secs(30)).unwrap();
    let claimed = world.store.claim_occurrences("who died", 9, world.clock.now(), lease).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let options = EngineOptions { poll: Duration::from_millis(5), ..EngineOptions::new("another") };
        let engine = world.another_with(options);
        let shutdown = shutdown.clone();
        async move { engine.run(shutdown).await }
    });
    world.passes(31);
    eventually("the process starts", async || !world.all_of("follow").await.is_empty()).await;
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn old_events_are_forgotten_but_for_those_still_to_be_told() {
    let world = World::of(PAID).await;
    let id = world.started().await;
    world.passes(3600);
    world.engine.settle().await.unwrap();
    let event = |id: &str| PublishedEvent {
        name: "payment".to_owned(),
        payload: json!({"order": 7, "by": id}),
        id: Some(id.to_owned()),
    };
    world.engine.publish(&TenantId::local(), event("a")).await.unwrap();
    world.passes(60);
    let now = world.clock.now();
    assert_eq!(world.store.forget_events(now).await.unwrap(), 0);
    world.engine.settle().await.unwrap();
    assert_eq!(world.execution(id).await.status, ExecutionStatus::Completed);
    assert_eq!(world.store.forget_events(now).await.unwrap(), 1);
    assert_eq!(world.publishes("payment", "a", json!({})).await, Receipt::Stored, "what is forgotten is new again");
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let world = World::of(PAID).await;
    for (name, payload, message) in [
        (String::new(), json!({}), "`name` must have 1 to 200 characters"),
        ("x".repeat(201), json!({}), "`name` must have 1 to 200 characters"),
        ("x".to_owned(), json!("y".repeat(300_000)), "the payload has 300002 bytes; at most 262144 are taken"),
    ] {
        let event = PublishedEvent { name, payload, id: None };
        let refused = world.engine.publish(&TenantId::local(), event).await.unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
}

const FOLLOWER: &str = "
name: follow
version: 1
triggers:
  - event: shipped
  - process: {name: order}
  - process: {name: order, on: failed}
steps:
  - {id: note, type: set, values: {what: '{{ trigger.payload }}', type: '{{ trigger.type }}'}}
";

#[tokio::test]
async fn an_event_starts_processes_once() {
    let world = World::of(FOLLOWER).await;
    world.publishes("shipped", "a", json!({"tag": 7})).await;
    world.publishes("shipped", "a", json!({"tag": 8})).await;
    world.publishes("other", "b", json!({})).await;
    let started = world.all_of("follow").await;
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].steps["note"].output, Some(json!({"what": {"tag": 7}, "type": "event"})));
    world.check().await;
}

#[tokio::test]
async fn the_end_of_an_execution_starts_those_that_follow_it_also_where_it_must_be_tried_again() {
    let world = World::of(PAID).await;
    world.definitions.also(FOLLOWER);
    let id = world.started().await;
    world.passes(3600);
    world.engine.settle().await.unwrap();
    let gone = DefinitionError::Unavailable { repository: "shop".to_owned(), reason: "no network".to_owned() };
    let event = PublishedEvent { name: "payment".to_owned(), payload: json!({"order": 7, "by": "ann"}), id: None };
    world.engine.publish(&TenantId::local(), event).await.unwrap();
    world.engine.take_signals().await.unwrap();
    world.definitions.fail_with(Some(gone));
    world.engine.settle().await.unwrap();
    assert_eq!(world.all_of("follow").await.len(), 0);
    world.definitions.fail_with(None);
    world.passes(30);
    world.engine.settle().await.unwrap();
    let started = world.all_of("follow").await;
    assert_eq!(started.len(), 1);
    let payload = &started[0].trigger.payload;
    assert_eq!(
        (&payload["process"], &payload["execution"], &payload["outputs"]),
        (&json!("order"), &json!(id), &json!({"by": "ann"}))
    );
    world.check().await;
}

#[tokio::test]
async fn an_execution_whose_definition_is_gone_can_be_cancelled() {
    let world = World::of(PAID).await;
    let id = world.started().await;
    let cancel = || Signal::Cancel { actor: None, reason: "not needed".to_owned() };
    let passing = DefinitionError::Unavailable { repository: "shop".to_owned(), reason: "no network".to_owned() };
    world.definitions.fail_with(Some(passing));
    assert!(world.signal(id, cancel()).await.is_err(), "what it has to undo is waited for");
    let gone = DefinitionError::NotFound {
        process: "order".to_owned(),
        repository: "shop".to_owned(),
        revision: REVISION.to_owned(),
    };
    world.definitions.fail_with(Some(gone));
    world.signal(id, cancel()).await.unwrap();
    assert_eq!(world.picture(id).await, "cancelled | pack:cancelled paid:cancelled");
    world.check().await;
}

#[tokio::test]
async fn an_event_starts_its_process_also_when_definitions_cannot_be_read_for_a_day() {
    let world = World::of("name: idle\nversion: 1\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n").await;
    world
        .definitions
        .also("name: late\nversion: 1\ntriggers: [{event: go}]\nsteps:\n  - {id: a, type: set, values: {v: 1}}\n");
    world.definitions.fail_with(Some(super::starts::unavailable()));
    let event = PublishedEvent { name: "go".to_owned(), payload: Value::Null, id: None };
    world.engine.publish(&TenantId::local(), event).await.unwrap();
    for _ in 0..24 * 12 {
        world.engine.settle().await.unwrap();
        world.passes(300);
    }
    world.definitions.fail_with(None);
    world.engine.settle().await.unwrap();
    assert_eq!(world.all_of("late").await.len(), 1);
    world.check().await;
}
