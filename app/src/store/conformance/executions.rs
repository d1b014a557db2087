//! Executions by time, by pull request, and as lists.

use flowctl_core::execution::{EventKind, ExecutionStatus};
use jiff::SignedDuration;
use serde_json::json;

use super::given::{Story, acme, at, delivery, draft, effect, globex};
use crate::store::{Backlog, EffectEnd, ExecutionFilter, GitHubObject, GitHubObjects, ProcessKey, Store, StoreError};

pub(crate) async fn a_pending_execution_is_due_at_once(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(0)));
    assert_eq!(store.due(at(0), 10).await.unwrap(), [(acme(), story.execution.id)]);
    store.commit(story.drafting().transition()).await.unwrap();
    assert_eq!(store.due(at(0), 10).await.unwrap(), []);
}

pub(crate) async fn an_execution_is_due_when_its_time_has_come(store: &impl Store) {
    // Finer than what a database keeps: it must not be called due before it is.
    let until = at(60).checked_add(SignedDuration::from_nanos(1)).unwrap();
    let mut late = Story::new(acme(), 1).drafting().drafted(at(90));
    let mut early = Story::new(globex(), 2).drafting().drafted(until);
    for story in [&mut late, &mut early] {
        store.commit(story.transition()).await.unwrap();
    }
    assert_eq!(store.due(at(60), 10).await.unwrap(), []);
    assert_eq!(store.due(at(61), 10).await.unwrap(), [(globex(), early.execution.id)]);
    let both = [(globex(), early.execution.id), (acme(), late.execution.id)];
    assert_eq!(store.due(at(90), 10).await.unwrap(), both);
    assert_eq!(store.due(at(90), 1).await.unwrap(), both[..1]);
    let next = store.next_wake().await.unwrap().unwrap();
    assert!(next >= until && next < at(61), "{next}");
}

pub(crate) async fn an_ended_execution_is_never_due(store: &impl Store) {
    store.commit(Story::new(acme(), 1).drafting().drafted(at(60)).completed().transition()).await.unwrap();
    assert_eq!(store.due(at(1000), 10).await.unwrap(), []);
    assert_eq!(store.next_wake().await.unwrap(), None);
}

pub(crate) async fn a_postponed_execution_is_due_later(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let id = story.execution.id;
    store.commit(story.transition()).await.unwrap();
    store.postpone(&acme(), id, 1, at(30)).await.unwrap();
    assert_eq!(store.due(at(29), 10).await.unwrap(), []);
    assert_eq!(store.due(at(30), 10).await.unwrap(), [(acme(), id)]);
    // What was decided meanwhile is not undone.
    store.commit(story.drafting().drafted(at(40)).transition()).await.unwrap();
    store.postpone(&acme(), id, 1, at(500)).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(40)));
}

pub(crate) async fn executions_are_found_by_pull_request(store: &impl Store) {
    let mut stories = [
        Story::new(acme(), 1).on_pull_request(12),
        Story::new(acme(), 2).on_pull_request(12).drafting().drafted(at(60)).completed(),
        Story::new(acme(), 3).on_pull_request(13),
        Story::new(acme(), 4),
    ];
    for story in &mut stories {
        store.commit(story.transition()).await.unwrap();
    }
    let found = async |number, open_only| -> Vec<u128> {
        let found = store.executions_of(&acme(), "acme/shop", number, open_only).await.unwrap();
        found.iter().map(|execution| execution.id.as_u128() & 0xff).collect()
    };
    assert_eq!(found(Some(12), false).await, [1, 2]);
    assert_eq!(found(Some(12), true).await, [1]);
    assert_eq!(found(None, true).await, [1, 3, 4]);
    assert_eq!(found(Some(14), false).await, [0; 0]);
    assert_eq!(store.executions_of(&acme(), "acme/other", None, false).await.unwrap(), []);
}

pub(crate) async fn a_list_comes_page_by_page(store: &impl Store) {
    for number in 1..=5 {
        store.commit(Story::new(acme(), number).transition()).await.unwrap();
    }
    let all = ExecutionFilter::default();
    let mut seen: Vec<u128> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.list(Some(&acme()), &all, 2, cursor.as_deref()).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|execution| execution.id.as_u128() & 0xff));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    assert_eq!(store.list(Some(&acme()), &all, 5, None).await.unwrap().next, None);
}

pub(crate) async fn a_list_is_filtered(store: &impl Store) {
    let mut stories = [
        Story::new(acme(), 1).of_process("release"),
        Story::new(acme(), 2).of_process("on_call").drafting().drafted(at(60)),
        Story::new(globex(), 3).of_process("release"),
    ];
    for story in &mut stories {
        store.commit(story.transition()).await.unwrap();
    }
    let found = async |tenant: Option<_>, filter: ExecutionFilter| -> Vec<u128> {
        let page = store.list(tenant.as_ref(), &filter, 10, None).await.unwrap();
        page.items.iter().map(|execution| execution.id.as_u128() & 0xff).collect()
    };
    let filter = ExecutionFilter::default;
    let text = |text: &str| ExecutionFilter { text: Some(text.to_owned()), ..filter() };
    assert_eq!(found(None, filter()).await, [3, 2, 1]);
    assert_eq!(found(Some(acme()), filter()).await, [2, 1]);
    let release = ExecutionFilter { process: Some("release".to_owned()), ..filter() };
    assert_eq!(found(None, release.clone()).await, [3, 1]);
    assert_eq!(found(Some(globex()), release).await, [3]);
    let waiting = ExecutionFilter { status: Some(ExecutionStatus::Waiting), ..filter() };
    assert_eq!(found(None, waiting).await, [2]);
    assert_eq!(found(None, ExecutionFilter { since: Some(at(1)), ..filter() }).await, [0; 0]);
    assert_eq!(found(None, ExecutionFilter { since: Some(at(0)), until: Some(at(1)), ..filter() }).await, [3, 2, 1]);
    assert_eq!(found(None, ExecutionFilter { until: Some(at(0)), ..filter() }).await, [0; 0]);
    assert_eq!(found(None, ExecutionFilter { repository: Some("acme/none".to_owned()), ..filter() }).await, [0; 0]);
    assert_eq!(found(None, text("N_CALL")).await, [2]);
    assert_eq!(found(None, text("n%call")).await, [0; 0]);
    assert_eq!(found(None, text("acme/shop")).await, [3, 2, 1]);
}

pub(crate) async fn a_wrong_cursor_is_refused(store: &impl Store) {
    let listed = store.list(None, &ExecutionFilter::default(), 10, Some("tomorrow")).await;
    assert!(matches!(listed, Err(StoreError::WrongCursor)));
}

pub(crate) async fn what_ended_long_ago_is_forgotten_with_everything_of_it(store: &impl Store) {
    let commit = async |number: u128, ended: bool| {
        let mut story = Story::new(acme(), number).on_pull_request(7);
        let mut transition = story.transition();
        transition.start_key = Some(format!("key {number}"));
        transition.word = Some(format!("word {number}"));
        store.commit(transition).await.unwrap();
        let mut story = story.drafting();
        store.commit(story.transition()).await.unwrap();
        if ended {
            let completed = EventKind::ExecutionCompleted { outputs: json!({}) };
            story.happened(10 * i64::try_from(number).unwrap(), None, completed);
            store.commit(story.transition()).await.unwrap();
        }
        story.execution.id
    };
    let (first, second, third, open) =
        (commit(1, true).await, commit(2, true).await, commit(3, true).await, commit(4, false).await);
    let comment = GitHubObject::Comment { id: 5, rendered_version: 1 };
    store.save_github_object(&acme(), first, comment).await.unwrap();
    assert_eq!(store.forget_executions(at(30), 1).await.unwrap(), 1, "as many as were asked for");
    assert_eq!(store.load(&acme(), first).await.unwrap(), None, "the one that ended first");
    assert_eq!(store.events(&acme(), first, 0, 9).await.unwrap(), []);
    assert_eq!(store.by_start_key(&acme(), "key 1").await.unwrap(), None);
    assert!(!store.knows_word(&acme(), "word 1").await.unwrap());
    assert_eq!(store.github_objects(&acme(), first).await.unwrap(), GitHubObjects::default());
    assert_eq!(store.forget_executions(at(30), 9).await.unwrap(), 1);
    assert_eq!(store.load(&acme(), second).await.unwrap(), None);
    assert!(store.load(&acme(), third).await.unwrap().is_some(), "it ended at that moment, not before");
    assert!(store.load(&acme(), open).await.unwrap().is_some(), "it has not ended");
    assert_eq!(store.forget_executions(at(999), 9).await.unwrap(), 1);
}

pub(crate) async fn what_ended_of_one_process_is_forgotten_by_itself(store: &impl Store) {
    let ended = async |number: u128, process: &str, seconds: i64| {
        let mut story = Story::new(acme(), number).of_process(process).drafting();
        story.happened(seconds, None, EventKind::ExecutionCompleted { outputs: json!({}) });
        store.commit(story.transition()).await.unwrap();
        story.execution.id
    };
    let old = ended(1, "old", 10).await;
    let late = ended(2, "old", 20).await;
    let other = ended(3, "other", 10).await;
    let mut open = Story::new(acme(), 4).of_process("open");
    store.commit(open.transition()).await.unwrap();
    let key =
        |process: &str| ProcessKey { tenant: acme(), repository: "acme/shop".to_owned(), process: process.to_owned() };
    let mut known = store.processes_ended(at(15)).await.unwrap();
    known.sort();
    assert_eq!(known, [key("old"), key("other")]);
    assert_eq!(store.forget_executions_of(&key("open"), at(99), 9).await.unwrap(), 0);
    let elsewhere = ProcessKey { tenant: globex(), ..key("old") };
    assert_eq!(store.forget_executions_of(&elsewhere, at(99), 9).await.unwrap(), 0);
    assert_eq!(store.forget_executions_of(&key("old"), at(15), 9).await.unwrap(), 1);
    assert_eq!(store.load(&acme(), old).await.unwrap(), None);
    for kept in [late, other, open.execution.id] {
        assert!(store.load(&acme(), kept).await.unwrap().is_some());
    }
}

pub(crate) async fn a_process_is_known_to_be_archived_since_it_was_first_seen(store: &impl Store) {
    let key = ProcessKey { tenant: acme(), repository: "acme/shop".to_owned(), process: "old".to_owned() };
    assert_eq!(store.note_archived(&key, at(1)).await.unwrap(), at(1));
    assert_eq!(store.note_archived(&key, at(9)).await.unwrap(), at(1));
    store.note_live(&key).await.unwrap();
    assert_eq!(store.note_archived(&key, at(9)).await.unwrap(), at(9), "it came back meanwhile");
}

pub(crate) async fn subscribers_learn_of_a_commit(store: &impl Store) {
    let mut changed = store.subscribe();
    changed.mark_unchanged();
    store.commit(Story::new(acme(), 1).transition()).await.unwrap();
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    assert!(changed.has_changed().unwrap());
}

pub(crate) async fn the_backlog_counts_what_is_to_be_done(store: &impl Store) {
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    let mut transition = Story::new(acme(), 1).drafting().transition();
    transition.work = vec![draft()];
    store.commit(transition).await.unwrap();
    store.add_effects(vec![effect(7, "a", 0), effect(7, "b", 0)]).await.unwrap();
    let (received, may_be_told) = (delivery("one", "acme/shop").received_at, effect(7, "a", 0).not_before);
    let all = Backlog {
        deliveries: 1,
        deliveries_since: Some(received),
        work: 1,
        effects: 2,
        effects_since: Some(may_be_told),
        running: 1,
        ..Backlog::default()
    };
    assert_eq!(store.backlog().await.unwrap(), all);
    let claimed = store.claim_effects("me", 1, at(1), at(9)).await.unwrap().pop().unwrap();
    store.finish_effect(&claimed, "me", EffectEnd::Failed("gone".to_owned())).await.unwrap();
    let left = Backlog { effects: 1, failed_effects: 1, ..all };
    assert_eq!(store.backlog().await.unwrap(), left);
}

pub(crate) async fn a_closed_store_refuses(store: &impl Store) {
    store.ping().await.unwrap();
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Closed)));
    assert!(matches!(store.commit(Story::new(acme(), 1).transition()).await, Err(StoreError::Closed)));
    assert!(matches!(store.next_wake().await, Err(StoreError::Closed)));
}
