//! One transaction per transition.

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{EventKind, Execution, StepError};
use serde_json::json;

use super::given::{Story, acme, at, draft, effect, globex};
use crate::store::{DeliveryId, ExecutionFilter, NewEffect, Store, StoreError, Transition};

pub(crate) async fn a_transition_is_stored_as_a_whole(store: &impl Store) {
    let mut story = Story::new(acme(), 1).drafting();
    let mut transition = story.transition();
    transition.work = vec![draft()];
    transition.effects = vec![effect(7, "timeline", 10)];
    transition.word = Some("comment:1:0".to_owned());
    let committed = store.commit(transition).await.unwrap();
    assert_eq!((committed.version, committed.seqs, committed.existing), (1, 1..4, None));
    let stored = store.load(&acme(), story.execution.id).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.execution), (1, story.execution));
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.work, backlog.effects), (1, 1));
    assert!(store.knows_word(&acme(), "comment:1:0").await.unwrap());
}

pub(crate) async fn a_moved_version_is_a_conflict_and_stores_nothing(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    let mut late = story.clone().drafting();
    store.commit(story.clone().drafting().transition()).await.unwrap();
    let mut transition = late.transition();
    transition.work = vec![draft()];
    transition.effects = vec![effect(7, "timeline", 10)];
    transition.word = Some("comment:1:0".to_owned());
    assert!(matches!(store.commit(transition).await, Err(StoreError::Conflict)));
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.work, backlog.effects), (0, 0));
    assert!(!store.knows_word(&acme(), "comment:1:0").await.unwrap());
    assert_eq!(store.events(&acme(), story.execution.id, 0, 100).await.unwrap().len(), 3);
}

pub(crate) async fn an_id_is_created_once(store: &impl Store) {
    store.commit(Story::new(acme(), 1).transition()).await.unwrap();
    let again = Story::new(acme(), 1).drafting().transition();
    assert!(matches!(store.commit(again).await, Err(StoreError::Conflict)));
    let mut nobody = Story::new(acme(), 2);
    nobody.transition();
    assert!(matches!(store.commit(nobody.drafting().transition()).await, Err(StoreError::Conflict)));
}

pub(crate) async fn a_start_key_starts_once(store: &impl Store) {
    let mut first = Story::new(acme(), 1);
    let mut transition = first.transition();
    transition.start_key = Some("delivery:9".to_owned());
    store.commit(transition).await.unwrap();
    store.commit(first.clone().drafting().transition()).await.unwrap();
    let mut second = Story::new(acme(), 2);
    let mut transition = second.transition();
    transition.start_key = Some("delivery:9".to_owned());
    transition.effects = vec![effect(7, "timeline", 10)];
    let committed = store.commit(transition).await.unwrap();
    assert_eq!((committed.existing, committed.version), (Some(first.execution.id), 2));
    assert!(committed.seqs.is_empty());
    assert_eq!(store.load(&acme(), second.execution.id).await.unwrap(), None);
    assert_eq!(store.backlog().await.unwrap().effects, 0);
    assert_eq!(store.by_start_key(&acme(), "delivery:9").await.unwrap(), Some(first.execution.id));
    assert_eq!(store.by_start_key(&acme(), "delivery:8").await.unwrap(), None);
}

pub(crate) async fn start_keys_of_tenants_are_apart(store: &impl Store) {
    for (tenant, number) in [(acme(), 1), (globex(), 2)] {
        let mut transition = Story::new(tenant, number).transition();
        transition.start_key = Some("key".to_owned());
        assert_eq!(store.commit(transition).await.unwrap().existing, None);
    }
}

pub(crate) async fn a_word_is_recorded_once(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let mut created = story.transition();
    created.word = Some("comment:1:0".to_owned());
    store.commit(created).await.unwrap();
    let mut again = story.clone().drafting();
    let mut transition = again.transition();
    transition.word = Some("comment:1:0".to_owned());
    transition.effects = vec![effect(7, "timeline", 10)];
    assert!(matches!(store.commit(transition).await, Err(StoreError::WordKnown)));
    assert_eq!(store.load(&acme(), story.execution.id).await.unwrap().unwrap().version, 1);
    assert_eq!(store.backlog().await.unwrap().effects, 0);
    let mut other = story.drafting().transition();
    other.word = Some("comment:1:1".to_owned());
    store.commit(other).await.unwrap();
}

pub(crate) async fn concurrent_transitions_of_one_version_let_one_through(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    let rivals = (0..20).map(|_| store.commit(story.clone().drafting().transition()));
    let outcomes = futures_util::future::join_all(rivals).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::Conflict))));
    assert_eq!(store.events(&acme(), story.execution.id, 0, 100).await.unwrap().len(), 3);
}

pub(crate) async fn events_are_numbered_without_gaps(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    let mut story = story.drafting();
    assert_eq!(store.commit(story.transition()).await.unwrap().seqs, 2..4);
    // A transition without events only raises the version.
    assert!(store.commit(story.transition()).await.unwrap().seqs.is_empty());
    let mut story = story.drafted(at(60));
    assert_eq!(store.commit(story.transition()).await.unwrap().seqs, 4..8);
    let events = store.events(&acme(), story.execution.id, 2, 3).await.unwrap();
    let named: Vec<(u64, &str)> = events.iter().map(|stored| (stored.seq, stored.event.kind.name())).collect();
    assert_eq!(named, [(3, "step.started"), (4, "step.completed"), (5, "step.started")]);
}

pub(crate) async fn folding_the_stored_events_gives_the_stored_state(store: &impl Store) {
    let mut story = Story::new(acme(), 1).on_pull_request(12);
    store.commit(story.transition()).await.unwrap();
    let mut story = story.drafting();
    store.commit(story.transition()).await.unwrap();
    let mut story = story.drafted(at(60));
    store.commit(story.transition()).await.unwrap();
    // What goes on is what was read back, as after a restart.
    story.execution = store.load(&acme(), story.execution.id).await.unwrap().unwrap().execution;
    let mut story = story.completed();
    store.commit(story.transition()).await.unwrap();

    let stored = store.load(&acme(), story.execution.id).await.unwrap().unwrap();
    let events = store.events(&acme(), story.execution.id, 0, 100).await.unwrap();
    let folded = Execution::fold(events.iter().map(|stored| &stored.event)).unwrap();
    assert_eq!(folded, stored.execution);
    assert_eq!(stored.execution, story.execution);
}

pub(crate) async fn a_long_story_is_read_as_it_was_told(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    story.execution.inputs.insert("much".to_owned(), json!("m".repeat(20_000)));
    let mut story = story.of_process("long");
    store.commit(story.transition()).await.unwrap();
    let (mut story, before) = (story.drafting(), 40);
    for turn in 0..before {
        let error = StepError::new(ErrorClass::Network, format!("{turn}: {}", "reset ".repeat(1_000)));
        story.happened(turn, Some("draft"), EventKind::StepRetrying { error, at: at(turn + 1), usage: None });
        let started =
            EventKind::StepStarted { input: json!({"turn": turn}), secret_texts: vec![], timeout_ms: None, name: None };
        story.happened(turn, Some("draft"), started);
        store.commit(story.transition()).await.unwrap();
        let stored = store.load(&acme(), story.execution.id).await.unwrap().unwrap();
        assert_eq!(stored.execution, story.execution, "after turn {turn}");
    }
    let events = store.events(&acme(), story.execution.id, 0, 1_000).await.unwrap();
    assert_eq!(Execution::fold(events.iter().map(|stored| &stored.event)).as_ref(), Some(&story.execution));
    let listed = store.list(Some(&acme()), &ExecutionFilter::default(), 10, None).await.unwrap();
    assert_eq!(listed.items, [story.execution]);
}

pub(crate) async fn what_caused_a_transition_is_kept_with_its_events(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let mut transition = story.transition();
    transition.delivery = Some(DeliveryId("guid".to_owned()));
    store.commit(transition).await.unwrap();
    story.happened(1, None, EventKind::ExecutionStarted { due_at: None });
    store.commit(story.transition()).await.unwrap();
    let events = store.events(&acme(), story.execution.id, 0, 10).await.unwrap();
    let causes: Vec<Option<&str>> = events.iter().map(|e| e.delivery.as_ref().map(|d| d.0.as_str())).collect();
    assert_eq!(causes, [Some("guid"), None]);
}

pub(crate) async fn large_values_come_back_as_they_went(store: &impl Store) {
    let long = |letter: &str| json!({"text": letter.repeat(20_000), "n": [0.1, 1.1e-7, u64::MAX], "output": null});
    let mut told = Vec::new();
    // The same values of another tenant are its own.
    for (tenant, number) in [(acme(), 1), (globex(), 2)] {
        let mut story = Story::new(tenant.clone(), number);
        story.execution.trigger.payload = long("p");
        story.execution.inputs.insert("a/b~c".to_owned(), long("i"));
        let mut story = story.of_process("large");
        store.commit(story.transition()).await.unwrap();
        let mut story = story.drafting();
        story.happened(2, Some("draft"), EventKind::StepCompleted { output: long("o"), usage: None });
        store.commit(story.transition()).await.unwrap();
        let stored = store.load(&tenant, story.execution.id).await.unwrap().unwrap();
        assert_eq!(stored.execution, story.execution);
        let events = store.events(&tenant, story.execution.id, 0, 100).await.unwrap();
        assert_eq!(Execution::fold(events.iter().map(|stored| &stored.event)).unwrap(), story.execution);
        told.insert(0, story.execution);
    }
    assert_eq!(store.list(None, &ExecutionFilter::default(), 10, None).await.unwrap().items, told);
}

pub(crate) async fn text_that_a_database_cannot_hold_is_no_obstacle(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    story.execution.inputs.insert("nul".to_owned(), json!("a\0b"));
    let mut story = story.of_process("nul");
    let mut transition = story.transition();
    transition.start_key = Some("key\0".to_owned());
    transition.word = Some("comment:\0".to_owned());
    transition.effects = vec![NewEffect { payload: json!("\0"), ..effect(7, "k\0", 0) }];
    store.commit(transition).await.unwrap();
    assert_eq!(store.load(&acme(), story.execution.id).await.unwrap().unwrap().execution, story.execution);
    assert_eq!(store.by_start_key(&acme(), "key\0").await.unwrap(), Some(story.execution.id));
    assert!(store.knows_word(&acme(), "comment:\0").await.unwrap());
}

pub(crate) async fn many_transitions_at_once_are_each_stored_or_refused(store: &impl Store) {
    let mut stories: Vec<Story> = (1..=30).map(|number| Story::new(acme(), number)).collect();
    let created = stories.iter_mut().map(|story| store.commit(story.transition()));
    assert!(futures_util::future::join_all(created).await.iter().all(Result::is_ok));
    // Of each three one is decided for a version that is gone, one says what was said before, and one is sound.
    let said = Transition { word: Some("said".to_owned()), ..Story::new(acme(), 99).transition() };
    store.commit(said).await.unwrap();
    let moved = stories.iter().enumerate().map(|(place, story)| {
        let mut story = story.clone().drafting();
        let mut transition = story.transition();
        transition.work = vec![draft()];
        match place % 3 {
            0 => transition.expected_version = 7,
            1 => transition.word = Some("said".to_owned()),
            _ => {}
        }
        store.commit(transition)
    });
    let outcomes = futures_util::future::join_all(moved).await;
    for (place, outcome) in outcomes.iter().enumerate() {
        match place % 3 {
            0 => assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}"),
            1 => assert!(matches!(outcome, Err(StoreError::WordKnown)), "{outcome:?}"),
            _ => assert_eq!(outcome.as_ref().unwrap().seqs, 2..4),
        }
    }
    assert_eq!(store.backlog().await.unwrap().work, 10);
    for (place, story) in stories.iter().enumerate() {
        let events = store.events(&acme(), story.execution.id, 0, 100).await.unwrap().len();
        assert_eq!(events, if place % 3 == 2 { 3 } else { 1 });
    }
}
