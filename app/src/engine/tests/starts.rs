//! How executions start.

use super::*;

#[tokio::test]
async fn an_execution_starts_with_its_first_steps_and_its_effects_in_one_transaction() {
    let world = World::of(RELEASE).await;
    let started = world.engine.start(world.request()).await.unwrap();
    assert!(started.is_new);
    let id = started.execution.id;
    assert_eq!(world.picture(id).await, "running | draft:running sign:pending pause:pending");
    assert_eq!(world.story(id).await, ["created", "started", "draft started"]);
    let stored = world.store.load(&TenantId::local(), id).await.unwrap().unwrap();
    assert_eq!((stored.version, &stored.execution), (1, &started.execution));
    let later = world.clock.now().checked_add(SignedDuration::from_secs(30)).unwrap();
    let effects = world.store.claim_effects("outbox", 10, world.clock.now(), later).await.unwrap();
    let events = json!(["execution.created", "execution.started", "step.started"]);
    assert_eq!(effects[0].payload, json!({"is_new": true, "events": events}));
    world.check().await;
}

#[tokio::test]
async fn a_start_key_starts_one_execution_however_often_and_at_once_it_comes() {
    let world = World::of(RELEASE).await;
    let request = StartRequest { start_key: Some("delivery:1".to_owned()), ..world.request() };
    let starts = futures_util::future::join_all((0..10).map(|_| world.engine.start(request.clone()))).await;
    let starts: Vec<Started> = starts.into_iter().map(Result::unwrap).collect();
    assert_eq!(starts.iter().filter(|started| started.is_new).count(), 1);
    assert!(starts.iter().all(|started| started.execution.id == starts[0].execution.id));
    world.engine.settle().await.unwrap();
    assert_eq!(world.performer.seen().len(), 1);
    // The key is known also when the definition cannot be had any more.
    world.definitions.fail_with(Some(unavailable()));
    let again = world.engine.start(request).await.unwrap();
    assert!(!again.is_new);
    assert_eq!(again.execution, world.execution(starts[0].execution.id).await);
    world.check().await;
}

#[tokio::test]
async fn without_a_key_each_start_is_a_new_execution() {
    let world = World::of(RELEASE).await;
    assert_ne!(world.started().await, world.started().await);
    world.check().await;
}

#[tokio::test]
async fn wrong_inputs_start_nothing() {
    let world = World::of(RELEASE).await;
    let inputs: Map<String, Value> = serde_json::from_value(json!({"audience": "everybody"})).unwrap();
    let failure = world.engine.start(StartRequest { inputs, ..world.request() }).await.unwrap_err();
    assert!(matches!(failure, StartFailure::Inputs(_)));
    assert_eq!(failure.to_string(), "the inputs do not fit: `audience` must be one of public, internal");
    assert!(world.store.list(None, &ExecutionFilter::default(), 10, None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_unknown_process_starts_nothing() {
    let world = World::of(RELEASE).await;
    let request = StartRequest { process: "relaese".to_owned(), ..world.request() };
    let failure = world.engine.start(request).await.unwrap_err();
    let expected = format!("there is no process `relaese` in shop at commit {REVISION}");
    assert_eq!(failure.to_string(), expected);
}

#[tokio::test]
async fn a_word_starts_once() {
    let world = World::of(RELEASE).await;
    let along = Along { word: Some("comment:5:0".to_owned()), ..Along::default() };
    assert!(world.engine.start_along(world.request(), along.clone()).await.unwrap().is_new);
    let again = world.engine.start_along(world.request(), along).await;
    assert!(matches!(again, Err(StartFailure::Repeated)));
    world.check().await;
}

#[tokio::test]
async fn an_execution_knows_its_page() {
    let options = EngineOptions { public_url: Some("https://flow.example".to_owned()), ..EngineOptions::new("one") };
    let world = World::with_options(RELEASE, options).await;
    let id = world.started().await;
    assert_eq!(world.execution(id).await.url, Some(format!("https://flow.example/api/v1/executions/{id}")));
    let url = Some("https://elsewhere.example/1".to_owned());
    let started = world.engine.start(StartRequest { url: url.clone(), ..world.request() }).await.unwrap();
    assert_eq!(started.execution.url, url);
    world.check().await;
}

pub(super) fn unavailable() -> DefinitionError {
    DefinitionError::Unavailable { repository: "shop".to_owned(), reason: "the mirror is locked".to_owned() }
}
