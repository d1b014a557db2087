//! People's words.

use flowctl_core::execution::Refusal;

use super::*;

#[tokio::test]
async fn an_execution_waits_for_people_and_goes_on_with_their_words() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:waiting pause:pending");
    world.signal(id, world.approval("alice", "1")).await.unwrap();
    let execution = world.signal(id, world.approval("bob", "2")).await.unwrap();
    assert_eq!(execution, world.execution(id).await);
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:completed pause:waiting");
    world.check().await;
}

#[tokio::test]
async fn words_that_come_at_once_all_count() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let (one, other) =
        tokio::join!(world.signal(id, world.approval("alice", "1")), world.signal(id, world.approval("bob", "2")));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(world.picture(id).await, "waiting | draft:completed sign:completed pause:waiting");
    assert_eq!(world.execution(id).await.steps["sign"].decisions.len(), 2);
    world.check().await;
}

#[tokio::test]
async fn a_word_counts_once_and_its_reply_is_stored_with_it() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let reply = NewEffect {
        tenant: TenantId::local(),
        installation_id: 7,
        key: "reply:1".to_owned(),
        priority: 0,
        payload: json!("noted"),
        not_before: world.clock.now(),
    };
    let along = Along { word: Some("comment:1:0".to_owned()), effects: vec![reply], ..Along::default() };
    let tenant = TenantId::local();
    world.engine.signal(&tenant, id, world.approval("alice", "1"), along.clone()).await.unwrap();
    assert_eq!(world.store.backlog().await.unwrap().effects, 2);
    // The same comment, delivered again as another person's would be refused by the word, not by the state.
    let again = world.engine.signal(&tenant, id, world.approval("bob", "2"), along).await;
    assert!(matches!(again, Err(SignalFailure::Refused(Refusal::Repeated))), "{again:?}");
    assert_eq!(world.execution(id).await.steps["sign"].decisions.len(), 1);
    world.check().await;
}

#[tokio::test]
async fn what_leads_to_nothing_still_tells_what_goes_along() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let before = world.store.load(&TenantId::local(), id).await.unwrap().unwrap();
    let effect = NewEffect {
        tenant: TenantId::local(),
        installation_id: 7,
        key: "recheck".to_owned(),
        priority: 0,
        payload: Value::Null,
        not_before: world.clock.now(),
    };
    let along = Along { effects: vec![effect], ..Along::default() };
    world.engine.signal(&TenantId::local(), id, Signal::Wake, along).await.unwrap();
    assert_eq!(world.store.load(&TenantId::local(), id).await.unwrap().unwrap(), before);
    assert_eq!(world.store.backlog().await.unwrap().effects, 2);
}

#[tokio::test]
async fn a_refused_signal_stores_nothing() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let before = world.store.load(&TenantId::local(), id).await.unwrap().unwrap();
    let along = Along { word: Some("comment:1:0".to_owned()), ..Along::default() };
    let retry = Signal::Retry { actor: None, step: None };
    let refused = world.engine.signal(&TenantId::local(), id, retry, along).await;
    assert!(matches!(refused, Err(SignalFailure::Refused(Refusal::NothingToRetry { .. }))), "{refused:?}");
    assert_eq!(world.store.load(&TenantId::local(), id).await.unwrap().unwrap(), before);
    assert!(!world.store.knows_word(&TenantId::local(), "comment:1:0").await.unwrap());
}

#[tokio::test]
async fn another_tenants_execution_is_not_found() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    let stranger = TenantId("globex".to_owned());
    let signal = world.approval("alice", "1");
    let refused = world.engine.signal(&stranger, id, signal, Along::default()).await;
    assert!(matches!(refused, Err(SignalFailure::NotFound)), "{refused:?}");
    world.check().await;
}

#[tokio::test]
async fn another_definition_at_the_same_commit_is_refused() {
    let world = World::of(RELEASE).await;
    let id = world.started().await;
    world.definitions.rewrite(&RELEASE.replace("for: 1h", "for: 1s"));
    let refused = world.signal(id, world.approval("alice", "1")).await;
    assert!(matches!(refused, Err(SignalFailure::Definition(DefinitionError::Changed { .. }))), "{refused:?}");
    world.check().await;
}
