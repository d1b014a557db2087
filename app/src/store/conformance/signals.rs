//! Signals, events, groups, occurrences and time tables.

use flowctl_core::definition::StepType;
use flowctl_core::definition::process::OnConflict;
use flowctl_core::definition::step::OnFailure;
use flowctl_core::execution::{EventKind, Group, Signal, StepState, Waiting};
use serde_json::json;

use super::given::{Story, acme, at, globex};
use crate::store::{
    ApiEvent, NewOccurrence, NewSignal, OccurrenceEnd, Receipt, ScheduleKey, Store, StoreError, Transition,
};

fn cancel(reason: &str) -> Signal {
    Signal::Cancel { actor: None, reason: reason.to_owned() }
}

fn event(id: &str, name: &str, seconds: i64) -> ApiEvent {
    ApiEvent { id: id.to_owned(), name: name.to_owned(), payload: json!({"n": 0.1, "id": id}), at: at(seconds) }
}

/// An execution whose step `ship` waits for the event `name`, as a state and not yet stored.
fn waiting_for(number: u128, name: &str) -> Story {
    let mut story = Story::new(acme(), number);
    story.execution.steps.insert("paid".to_owned(), StepState::pending(StepType::Wait, None, OnFailure::Fail));
    let mut story = story.of_process("order");
    let waiting = Waiting::Event { name: name.to_owned(), since: at(0), due_at: None };
    story.happened(1, Some("paid"), EventKind::StepWaiting { waiting });
    story
}

pub(crate) async fn a_signal_is_stored_with_what_caused_it_and_taken_with_what_follows(store: &impl Store) {
    let (mut one, mut two) = (Story::new(acme(), 1), Story::new(acme(), 2));
    store.commit(one.transition()).await.unwrap();
    store.commit(two.transition()).await.unwrap();
    let mut from = one.drafting();
    let signals = vec![
        NewSignal { execution: two.execution.id, signal: cancel("first") },
        NewSignal { execution: two.execution.id, signal: cancel("second") },
    ];
    store.commit(Transition { signals, ..from.transition() }).await.unwrap();
    let pending = store.signals(at(9), 9).await.unwrap();
    assert_eq!(pending.len(), 1, "of each execution the oldest");
    assert_eq!((pending[0].execution, &pending[0].signal), (two.execution.id, &cancel("first")));
    let mut two = two.drafting();
    let taken = Some(pending[0].id);
    let mut again = two.clone();
    store.commit(Transition { taken, ..two.transition() }).await.unwrap();
    let twice = store.commit(Transition { taken, ..again.transition() }).await;
    assert!(matches!(twice, Err(StoreError::Conflict)));
    let mut later = two.clone().completed();
    let late = store.commit(Transition { taken, ..later.transition() }).await;
    assert!(matches!(late, Err(StoreError::SignalTaken)), "{late:?}");
    let pending = store.signals(at(9), 9).await.unwrap();
    assert_eq!(pending[0].signal, cancel("second"));
    store.postpone_signal(pending[0].id, at(60)).await.unwrap();
    assert_eq!(store.signals(at(59), 9).await.unwrap(), []);
    assert_eq!(store.next_signal().await.unwrap(), Some(at(60)));
    store.drop_signal(pending[0].id).await.unwrap();
    assert_eq!(store.next_signal().await.unwrap(), None);
}

pub(crate) async fn a_signal_of_a_refused_transition_is_not_stored(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    let signals = vec![NewSignal { execution: story.execution.id, signal: cancel("x") }];
    store.commit(story.clone().drafting().transition()).await.unwrap();
    let refused = store.commit(Transition { signals, ..story.drafting().transition() }).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(store.signals(at(9), 9).await.unwrap(), []);
}

pub(crate) async fn a_child_is_stored_with_its_parents_transition_or_not_at_all(store: &impl Store) {
    let mut parent = Story::new(acme(), 1);
    store.commit(parent.transition()).await.unwrap();
    let mut other = parent.clone().drafting();
    let mut moved = parent.clone().drafting();
    store.commit(other.transition()).await.unwrap();
    let child = Story::new(acme(), 2);
    let refused = store.commit(Transition { starts: vec![child.clone().transition()], ..moved.transition() }).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(store.load(&acme(), child.execution.id).await.unwrap(), None);
    let mut next = other.drafted(at(99));
    store.commit(Transition { starts: vec![child.clone().transition()], ..next.transition() }).await.unwrap();
    assert_eq!(store.load(&acme(), child.execution.id).await.unwrap().unwrap().execution, child.execution);
}

pub(crate) async fn an_event_is_told_to_those_that_wait_for_it(store: &impl Store) {
    let (mut one, mut other) = (waiting_for(1, "payment"), waiting_for(2, "refund"));
    store.commit(one.transition()).await.unwrap();
    store.commit(other.transition()).await.unwrap();
    assert_eq!(store.publish(&acme(), event("a", "payment", 5), Vec::new()).await.unwrap(), Receipt::Stored);
    assert_eq!(store.publish(&acme(), event("a", "payment", 6), Vec::new()).await.unwrap(), Receipt::Duplicate);
    assert_eq!(store.api_event(&acme(), "a").await.unwrap(), Some(event("a", "payment", 5)), "the first one");
    assert_eq!(store.api_event(&globex(), "a").await.unwrap(), None);
    assert_eq!(store.publish(&globex(), event("a", "payment", 6), Vec::new()).await.unwrap(), Receipt::Stored);
    let pending = store.signals(at(9), 9).await.unwrap();
    assert_eq!(pending.len(), 1);
    let told = Signal::EventReceived {
        name: "payment".to_owned(),
        id: "a".to_owned(),
        at: at(5),
        payload: json!({"n": 0.1, "id": "a"}),
    };
    assert_eq!((pending[0].execution, &pending[0].signal), (one.execution.id, &told));
    assert_eq!(store.forget_events(at(100)).await.unwrap(), 1, "the one that nobody is to be told of");
    one.happened(7, Some("paid"), EventKind::StepCompleted { output: json!({}), usage: None });
    store.commit(Transition { taken: Some(pending[0].id), ..one.transition() }).await.unwrap();
    store.publish(&acme(), event("b", "payment", 8), Vec::new()).await.unwrap();
    assert_eq!(store.signals(at(9), 9).await.unwrap(), [], "it does not wait any more");
}

pub(crate) async fn who_begins_to_wait_is_told_of_events_since_its_start(store: &impl Store) {
    store.publish(&acme(), event("early", "payment", -1), Vec::new()).await.unwrap();
    store.publish(&acme(), event("b", "payment", 4), Vec::new()).await.unwrap();
    store.publish(&acme(), event("a", "payment", 3), Vec::new()).await.unwrap();
    store.publish(&acme(), event("c", "refund", 3), Vec::new()).await.unwrap();
    store.commit(waiting_for(1, "payment").transition()).await.unwrap();
    let mut seen = Vec::new();
    while let Some(pending) = store.signals(at(9), 9).await.unwrap().pop() {
        let Signal::EventReceived { id, .. } = &pending.signal else { panic!("an event") };
        seen.push(id.clone());
        store.drop_signal(pending.id).await.unwrap();
    }
    assert_eq!(seen, ["a", "b"], "in the order in which they came");
}

fn of_group(number: u128, on_conflict: OnConflict) -> Story {
    let mut story = Story::new(acme(), number);
    story.execution.group = Some(Group { key: "deploy".to_owned(), on_conflict });
    story.of_process("deploy")
}

pub(crate) async fn one_of_a_group_goes_and_the_next_is_due_when_it_ends(store: &impl Store) {
    let (mut one, mut two) = (of_group(1, OnConflict::Queue), of_group(2, OnConflict::Queue));
    store.commit(one.transition()).await.unwrap();
    store.commit(two.transition()).await.unwrap();
    let due = |due: Vec<(_, uuid::Uuid)>| due.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    assert_eq!(due(store.due(at(9), 9).await.unwrap()), [one.execution.id]);
    let mut one = one.drafting();
    store.commit(Transition { enters_group: true, ..one.transition() }).await.unwrap();
    let early = two.clone().drafting().transition();
    let held_up = store.commit(Transition { enters_group: true, ..early }).await.unwrap();
    assert_eq!(held_up.busy, Some(one.execution.id));
    assert_eq!(store.load(&acme(), two.execution.id).await.unwrap().unwrap().version, 1, "nothing was stored");
    assert!(due(store.due(at(9), 9).await.unwrap()).is_empty());
    store.commit(one.completed().transition()).await.unwrap();
    assert_eq!(due(store.due(at(9), 9).await.unwrap()), [two.execution.id]);
    let mut three = of_group(3, OnConflict::Queue);
    store.commit(three.transition()).await.unwrap();
    let overtaking = three.clone().drafting().transition();
    let held_up = store.commit(Transition { enters_group: true, ..overtaking }).await.unwrap();
    assert_eq!(held_up.busy, Some(two.execution.id), "nobody overtakes who has waited longer");
    let gone = store.commit(Transition { enters_group: true, ..two.drafting().transition() }).await.unwrap();
    assert_eq!(gone.busy, None);
}

pub(crate) async fn a_group_that_skips_stores_no_second_one(store: &impl Store) {
    let mut one = of_group(1, OnConflict::Skip);
    store.commit(Transition { start_key: Some("k".to_owned()), ..one.transition() }).await.unwrap();
    let mut two = of_group(2, OnConflict::Skip);
    let skipped = store.commit(two.transition()).await.unwrap();
    assert_eq!((skipped.busy, skipped.existing), (Some(one.execution.id), None));
    assert_eq!(store.load(&acme(), two.execution.id).await.unwrap(), None);
    let mut again = of_group(3, OnConflict::Skip);
    let known = store.commit(Transition { start_key: Some("k".to_owned()), ..again.transition() }).await.unwrap();
    assert_eq!((known.busy, known.existing), (None, Some(one.execution.id)));
}

pub(crate) async fn a_newcomer_tells_the_others_of_its_group(store: &impl Store) {
    let mut one = of_group(1, OnConflict::Cancel);
    store.commit(one.transition()).await.unwrap();
    let mut elsewhere = Story::new(acme(), 3);
    store.commit(elsewhere.transition()).await.unwrap();
    let to_group = Some(cancel("a newer one"));
    store.commit(Transition { to_group, ..of_group(2, OnConflict::Cancel).transition() }).await.unwrap();
    let pending = store.signals(at(9), 9).await.unwrap();
    assert_eq!(pending.iter().map(|pending| pending.execution).collect::<Vec<_>>(), [one.execution.id]);
}

fn occurrence(name: &str, seconds: i64) -> NewOccurrence {
    NewOccurrence { tenant: acme(), body: json!({"name": name}), not_before: at(seconds) }
}

pub(crate) async fn an_occurrence_is_dealt_with_under_a_lease(store: &impl Store) {
    let occurrences = vec![occurrence("b", 2), occurrence("a", 1), occurrence("late", 50)];
    store.commit(Transition { occurrences, ..Story::new(acme(), 1).transition() }).await.unwrap();
    assert_eq!(store.next_occurrence().await.unwrap(), Some(at(1)));
    let claimed = store.claim_occurrences("one", 9, at(9), at(30)).await.unwrap();
    assert_eq!(claimed.iter().map(|it| it.body["name"].as_str().unwrap()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(store.next_occurrence().await.unwrap(), Some(at(30)), "who claimed them may have died");
    assert_eq!(store.claim_occurrences("two", 9, at(29), at(60)).await.unwrap(), []);
    assert!(store.finish_occurrence(&claimed[0], OccurrenceEnd::Done).await.unwrap());
    let taken_over = store.claim_occurrences("two", 9, at(31), at(60)).await.unwrap();
    assert_eq!((taken_over.len(), taken_over[0].attempts), (1, 2));
    assert!(!store.finish_occurrence(&claimed[1], OccurrenceEnd::Done).await.unwrap(), "the claim is somebody else's");
    assert!(store.finish_occurrence(&taken_over[0], OccurrenceEnd::RetryAt(at(40))).await.unwrap());
    assert_eq!(store.next_occurrence().await.unwrap(), Some(at(40)));
    assert_eq!(store.claim_occurrences("one", 9, at(39), at(60)).await.unwrap(), []);
}

pub(crate) async fn a_time_table_never_goes_back(store: &impl Store) {
    let key = |timetable: &str| ScheduleKey {
        tenant: acme(),
        repository: "acme/shop".to_owned(),
        process: "nightly".to_owned(),
        timetable: timetable.to_owned(),
    };
    assert_eq!(store.schedule_handled_until(&key("a")).await.unwrap(), None);
    assert_eq!(store.schedule_handled(&key("a"), at(5)).await.unwrap(), at(5));
    assert_eq!(store.schedule_handled(&key("a"), at(3)).await.unwrap(), at(5));
    assert_eq!(store.schedule_handled_until(&key("a")).await.unwrap(), Some(at(5)));
    assert_eq!(store.schedule_handled_until(&key("b")).await.unwrap(), None);
}

pub(crate) async fn a_time_table_that_is_no_more_is_forgotten(store: &impl Store) {
    let key = |repository: &str, timetable: &str| ScheduleKey {
        tenant: acme(),
        repository: repository.to_owned(),
        process: "nightly".to_owned(),
        timetable: timetable.to_owned(),
    };
    let (kept, gone, elsewhere) = (key("acme/shop", "a"), key("acme/shop", "b"), key("acme/site", "b"));
    for known in [&kept, &gone, &elsewhere] {
        store.schedule_handled(known, at(5)).await.unwrap();
    }
    assert_eq!(store.forget_schedules(&acme(), "acme/shop", std::slice::from_ref(&kept)).await.unwrap(), 1);
    assert_eq!(store.schedule_handled_until(&gone).await.unwrap(), None);
    for known in [&kept, &elsewhere] {
        assert_eq!(store.schedule_handled_until(known).await.unwrap(), Some(at(5)));
    }
    assert_eq!(store.forget_schedules(&acme(), "acme/shop", &[]).await.unwrap(), 1);
}

pub(crate) async fn repositories_are_known_by_what_was_heard_of_them(store: &impl Store) {
    assert_eq!(store.tenants().await.unwrap(), []);
    store.commit(Story::new(acme(), 1).transition()).await.unwrap();
    store.commit(Story::new(globex(), 2).transition()).await.unwrap();
    store.receive(super::given::delivery("d1", "acme/shop")).await.unwrap();
    assert_eq!(store.tenants().await.unwrap(), [acme(), globex()]);
    assert_eq!(store.repositories(&acme()).await.unwrap(), ["acme/shop"]);
}

pub(crate) async fn of_many_that_enter_a_group_at_once_one_goes(store: &impl Store) {
    let mut queued: Vec<Story> = (1..=10).map(|number| of_group(number, OnConflict::Queue)).collect();
    let created = queued.iter_mut().map(|story| store.commit(story.transition()));
    assert!(futures_util::future::join_all(created).await.iter().all(Result::is_ok));
    let entering = queued.iter().map(|story| {
        let transition = story.clone().drafting().transition();
        store.commit(Transition { enters_group: true, ..transition })
    });
    let outcomes = futures_util::future::join_all(entering).await;
    let gone = outcomes.iter().filter(|outcome| outcome.as_ref().unwrap().busy.is_none()).count();
    assert_eq!(gone, 1);
}

pub(crate) async fn no_event_is_missed_by_who_begins_to_wait_at_the_same_time(store: &impl Store) {
    for round in 0..20 {
        let name = format!("payment {round}");
        let story = waiting_for(100 + round, &name).transition();
        let told = event(&format!("e{round}"), &name, 5);
        let tenant = acme();
        let (begun, published) = tokio::join!(store.commit(story), store.publish(&tenant, told, Vec::new()));
        begun.unwrap();
        assert_eq!(published.unwrap(), Receipt::Stored);
    }
    assert_eq!(store.signals(at(99), 99).await.unwrap().len(), 20);
}
