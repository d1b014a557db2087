//! The work queue.

use flowctl_core::execution::EventKind;
use serde_json::json;

use super::given::{Story, acme, at, draft};
use crate::store::{Claim, ClaimedWork, Held, Store, StoreError, Transition, Work};

/// An execution whose `draft` is to be performed.
async fn drafting(store: &impl Store, number: u128) -> Story {
    let mut story = Story::new(acme(), number).drafting();
    let mut transition = story.transition();
    transition.work = vec![draft()];
    store.commit(transition).await.unwrap();
    story
}

pub(crate) async fn work_is_claimed_once(store: &impl Store) {
    let story = drafting(store, 1).await;
    let claimed = store.claim_work("a", 10, at(1), at(31)).await.unwrap();
    let expected =
        ClaimedWork { tenant: acme(), execution: story.execution.id, step: "draft".to_owned(), attempt: 1, claims: 1 };
    assert_eq!(claimed, [expected]);
    assert_eq!(store.claim_work("b", 10, at(1), at(31)).await.unwrap(), []);
}

pub(crate) async fn work_may_be_stored_as_claimed(store: &impl Store) {
    let mut story = Story::new(acme(), 1).drafting();
    let claim = Some(Claim { owner: "a".to_owned(), until: at(31), count: 1 });
    store.commit(Transition { work: vec![draft()], claim, ..story.transition() }).await.unwrap();
    assert_eq!(store.next_work().await.unwrap(), Some(at(31)));
    assert_eq!(store.claim_work("b", 10, at(30), at(60)).await.unwrap(), []);
    let (tenant, execution) = (acme(), story.execution.id);
    let mine = ClaimedWork { tenant, execution, step: "draft".to_owned(), attempt: 1, claims: 1 };
    assert!(store.renew_work(&mine, "a", at(40)).await.unwrap());
    assert!(!store.renew_work(&mine, "b", at(90)).await.unwrap());
    let taken_over = store.claim_work("b", 10, at(40), at(70)).await.unwrap();
    assert_eq!(taken_over, [ClaimedWork { claims: 2, ..mine.clone() }]);
    assert!(!store.finish_work(&mine, "a").await.unwrap());
    drafting(store, 2).await;
    assert!(store.next_work().await.unwrap() <= Some(at(0)), "one that nobody has");
    store.commit(story.drafted(at(60)).transition()).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().work, 1);
}

pub(crate) async fn of_several_attempts_only_the_first_are_stored_as_claimed(store: &impl Store) {
    let mut story = Story::new(acme(), 1).drafting();
    let claim = Some(Claim { owner: "a".to_owned(), until: at(31), count: 1 });
    let other = Work { step: "other".to_owned(), attempt: 1 };
    store.commit(Transition { work: vec![draft(), other], claim, ..story.transition() }).await.unwrap();
    let claimed = store.claim_work("b", 10, at(1), at(60)).await.unwrap();
    assert_eq!(claimed.iter().map(|work| work.step.as_str()).collect::<Vec<_>>(), ["other"]);
}

pub(crate) async fn work_of_executions_that_have_enough_is_left(store: &impl Store) {
    let first = drafting(store, 1).await.execution.id;
    let second = drafting(store, 2).await.execution.id;
    let claimed = store.claim_work_but("a", 10, at(1), at(31), &[first]).await.unwrap();
    assert_eq!(claimed.iter().map(|work| work.execution).collect::<Vec<_>>(), [second]);
    assert_eq!(store.claim_work_but("a", 10, at(40), at(71), &[first, second]).await.unwrap(), []);
    assert_eq!(store.claim_work("a", 10, at(40), at(71)).await.unwrap().len(), 2);
}

pub(crate) async fn an_expired_lease_is_taken_over(store: &impl Store) {
    drafting(store, 1).await;
    store.claim_work("dies", 10, at(1), at(31)).await.unwrap();
    assert_eq!(store.claim_work("lives", 10, at(30), at(60)).await.unwrap(), []);
    let claimed = store.claim_work("lives", 10, at(31), at(61)).await.unwrap();
    assert_eq!(claimed.iter().map(|work| work.claims).collect::<Vec<_>>(), [2]);
}

pub(crate) async fn a_renewed_lease_is_not_taken_over(store: &impl Store) {
    drafting(store, 1).await;
    let claimed = store.claim_work("a", 10, at(1), at(31)).await.unwrap();
    assert!(store.renew_work(&claimed[0], "a", at(61)).await.unwrap());
    assert_eq!(store.claim_work("b", 10, at(31), at(61)).await.unwrap(), []);
    assert_eq!(store.claim_work("b", 10, at(61), at(91)).await.unwrap().len(), 1);
}

pub(crate) async fn a_stale_claim_can_neither_renew_nor_finish(store: &impl Store) {
    drafting(store, 1).await;
    let stale = store.claim_work("a", 10, at(1), at(31)).await.unwrap().remove(0);
    let fresh = store.claim_work("b", 10, at(31), at(61)).await.unwrap().remove(0);
    assert!(!store.renew_work(&stale, "a", at(99)).await.unwrap());
    assert!(!store.finish_work(&stale, "a").await.unwrap());
    // The same owner that lost the attempt to itself is fenced off too.
    let again = store.claim_work("b", 10, at(61), at(91)).await.unwrap().remove(0);
    assert!(!store.renew_work(&fresh, "b", at(99)).await.unwrap());
    assert!(store.finish_work(&again, "b").await.unwrap());
    assert_eq!(store.backlog().await.unwrap().work, 0);
}

pub(crate) async fn work_of_a_step_that_ended_is_dropped(store: &impl Store) {
    let story = drafting(store, 1).await;
    let other = drafting(store, 2).await;
    let claimed = store.claim_work("a", 10, at(1), at(31)).await.unwrap().remove(0);
    store.commit(story.drafted(at(60)).transition()).await.unwrap();
    assert!(!store.renew_work(&claimed, "a", at(61)).await.unwrap());
    let left = store.claim_work("b", 10, at(100), at(130)).await.unwrap();
    assert_eq!(left.iter().map(|work| work.execution).collect::<Vec<_>>(), [other.execution.id]);
}

pub(crate) async fn work_of_a_running_step_survives_other_transitions(store: &impl Store) {
    let mut story = drafting(store, 1).await;
    story.happened(2, None, EventKind::HeadMoved { head_sha: "c".repeat(40) });
    store.commit(story.transition()).await.unwrap();
    assert_eq!(store.claim_work("a", 10, at(2), at(32)).await.unwrap().len(), 1);
    // The next attempt takes the place of the one before.
    let error = flowctl_core::execution::StepError::new(flowctl_core::definition::ErrorClass::Network, "reset");
    story.happened(3, Some("draft"), EventKind::StepRetrying { error, at: at(4), usage: None });
    store.commit(story.transition()).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().work, 0);
    let started = EventKind::StepStarted { input: json!({}), secret_texts: Vec::new(), timeout_ms: None, name: None };
    story.happened(4, Some("draft"), started);
    let mut transition = story.transition();
    transition.work = vec![crate::store::Work { step: "draft".to_owned(), attempt: 2 }];
    store.commit(transition).await.unwrap();
    let claimed = store.claim_work("a", 10, at(4), at(34)).await.unwrap();
    assert_eq!(claimed.iter().map(|work| (work.attempt, work.claims)).collect::<Vec<_>>(), [(2, 1)]);
}

pub(crate) async fn released_work_counts_as_never_claimed(store: &impl Store) {
    drafting(store, 1).await;
    let claimed = store.claim_work("a", 10, at(1), at(31)).await.unwrap().remove(0);
    assert!(store.release_work(&claimed, "a", at(5)).await.unwrap());
    assert_eq!(store.claim_work("a", 10, at(4), at(34)).await.unwrap(), []);
    assert_eq!(store.claim_work("b", 10, at(5), at(35)).await.unwrap(), [claimed]);
}

pub(crate) async fn concurrent_claims_share_the_work(store: &impl Store) {
    for number in 1..=20 {
        drafting(store, number).await;
    }
    let owners: Vec<String> = (0..10).map(|owner| format!("owner {owner}")).collect();
    let claims = owners.iter().map(|owner| store.claim_work(owner, 3, at(1), at(31)));
    let claimed = futures_util::future::join_all(claims).await;
    let mut ids: Vec<_> = claimed.into_iter().flat_map(|claimed| claimed.unwrap()).map(|work| work.execution).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

/// What `story` led to since, made under a claim of `owner`'s.
fn under(story: &mut Story, work: &ClaimedWork, owner: &str) -> Transition {
    Transition { under: Some(Held { work: work.clone(), owner: owner.to_owned() }), ..story.transition() }
}

pub(crate) async fn a_result_of_a_claim_that_was_taken_over_is_not_stored(store: &impl Store) {
    let story = drafting(store, 1).await;
    let stopped = store.claim_work("stopped", 1, at(1), at(31)).await.unwrap().remove(0);
    let taken_over = store.claim_work("quick", 1, at(31), at(61)).await.unwrap().remove(0);
    let late = store.commit(under(&mut story.clone().drafted(at(60)), &stopped, "stopped")).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    assert_eq!(store.load(&acme(), story.execution.id).await.unwrap().unwrap().version, 1, "nothing was stored");
    let events = store.events(&acme(), story.execution.id, 0, 100).await.unwrap().len();
    store.commit(under(&mut story.clone().drafted(at(60)), &taken_over, "quick")).await.unwrap();
    assert_eq!(store.events(&acme(), story.execution.id, 0, 100).await.unwrap().len(), events + 4);
    let again = store.commit(under(&mut story.drafted(at(60)), &stopped, "stopped")).await;
    assert!(matches!(again, Err(StoreError::Fenced | StoreError::Conflict)), "{again:?}");
}

pub(crate) async fn a_claim_that_nobody_took_over_holds_beyond_its_lease(store: &impl Store) {
    let story = drafting(store, 1).await;
    let work = store.claim_work("slow", 1, at(1), at(31)).await.unwrap().remove(0);
    // Its lease is long over, but nobody came.
    store.commit(under(&mut story.drafted(at(999)), &work, "slow")).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().work, 0);
}

pub(crate) async fn who_has_an_older_claim_of_the_same_owner_is_fenced_off(store: &impl Store) {
    let story = drafting(store, 1).await;
    let first = store.claim_work("a", 1, at(1), at(31)).await.unwrap().remove(0);
    let second = store.claim_work("a", 1, at(31), at(61)).await.unwrap().remove(0);
    let late = store.commit(under(&mut story.clone().drafted(at(60)), &first, "a")).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
    let foreign = store.commit(under(&mut story.clone().drafted(at(60)), &second, "b")).await;
    assert!(matches!(foreign, Err(StoreError::Fenced)), "{foreign:?}");
    store.commit(under(&mut story.drafted(at(60)), &second, "a")).await.unwrap();
}

pub(crate) async fn an_expired_claim_goes_before_what_came_later(store: &impl Store) {
    let first = drafting(store, 1).await;
    store.claim_work("dies", 1, at(1), at(31)).await.unwrap();
    drafting(store, 2).await;
    let claimed = store.claim_work("lives", 1, at(31), at(61)).await.unwrap();
    assert_eq!(claimed.iter().map(|work| work.execution).collect::<Vec<_>>(), [first.execution.id]);
}
