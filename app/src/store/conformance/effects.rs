//! The outbox.

use jiff::Timestamp;
use serde_json::json;

use super::given::{Story, acme, at, effect, globex};
use crate::store::{CheckRunRow, ClaimedEffect, EffectEnd, GitHubObject, GitHubObjects, NewEffect, Store};

async fn claim(store: &impl Store, owner: &str, now: Timestamp) -> Vec<ClaimedEffect> {
    let until = now.checked_add(jiff::SignedDuration::from_secs(30)).unwrap();
    store.claim_effects(owner, 10, now, until).await.unwrap()
}

fn keys(claimed: &[ClaimedEffect]) -> Vec<&str> {
    claimed.iter().map(|effect| effect.key.as_str()).collect()
}

pub(crate) async fn effects_of_one_key_coalesce(store: &impl Store) {
    let newer = NewEffect { payload: json!({"version": 2}), ..effect(7, "timeline", 10) };
    let other = NewEffect { tenant: globex(), installation_id: 8, ..effect(8, "timeline", 10) };
    store.add_effects(vec![effect(7, "timeline", 10), newer, other]).await.unwrap();
    let claimed = claim(store, "a", at(0)).await;
    assert_eq!(claimed.len(), 2);
    assert_eq!((&claimed[0].payload, claimed[0].generation), (&json!({"version": 2}), 2));
    assert_eq!((&claimed[1].tenant, claimed[1].generation), (&globex(), 1));
}

pub(crate) async fn a_newer_payload_goes_no_later(store: &impl Store) {
    let soon = NewEffect { not_before: at(5), ..effect(7, "timeline", 1) };
    let late = NewEffect { not_before: at(50), ..effect(7, "timeline", 10) };
    store.add_effects(vec![soon]).await.unwrap();
    let other = NewEffect { tenant: globex(), ..effect(8, "other", 5) };
    store.add_effects(vec![late, other]).await.unwrap();
    assert_eq!(store.next_effect().await.unwrap(), Some(at(0)));
    assert_eq!(keys(&claim(store, "a", at(4)).await), ["other"]);
    assert_eq!(store.next_effect().await.unwrap(), Some(at(5)));
    assert_eq!(keys(&claim(store, "a", at(5)).await), ["timeline"]);
    assert_eq!(store.next_effect().await.unwrap(), None);
}

pub(crate) async fn one_effect_of_an_account_is_under_lease_though_it_installed_the_app_anew(store: &impl Store) {
    let other = NewEffect { tenant: globex(), ..effect(8, "three", 0) };
    let effects = vec![effect(7, "one", 0), effect(9, "two", 0), other];
    store.add_effects(effects).await.unwrap();
    let claimed = claim(store, "a", at(0)).await;
    assert_eq!(keys(&claimed), ["one", "three"]);
    assert_eq!(keys(&claim(store, "b", at(0)).await), [""; 0]);
    assert!(store.finish_effect(&claimed[0], "a", EffectEnd::Done).await.unwrap());
    assert_eq!(keys(&claim(store, "b", at(0)).await), ["two"]);
}

pub(crate) async fn prompts_go_before_timelines(store: &impl Store) {
    let old = effect(7, "old timeline", 10);
    let prompt = NewEffect { not_before: at(9), ..effect(7, "prompt", 0) };
    let new = NewEffect { not_before: at(5), ..effect(7, "new timeline", 10) };
    store.add_effects(vec![new, old, prompt]).await.unwrap();
    let mut order = Vec::new();
    while let [claimed] = claim(store, "a", at(10)).await.as_slice() {
        order.push(claimed.key.clone());
        store.finish_effect(claimed, "a", EffectEnd::Done).await.unwrap();
    }
    assert_eq!(order, ["prompt", "old timeline", "new timeline"]);
}

pub(crate) async fn an_effect_is_hastened(store: &impl Store) {
    let later = NewEffect { not_before: at(50), ..effect(7, "look", 10) };
    store.add_effects(vec![later]).await.unwrap();
    assert!(!store.hasten_effect(&acme(), "other", at(1)).await.unwrap());
    assert!(!store.hasten_effect(&globex(), "look", at(1)).await.unwrap());
    assert_eq!(keys(&claim(store, "a", at(1)).await), [""; 0]);
    assert!(store.hasten_effect(&acme(), "look", at(1)).await.unwrap());
    let claimed = claim(store, "a", at(1)).await.remove(0);
    assert!(!store.hasten_effect(&acme(), "look", at(2)).await.unwrap(), "somebody has it");
    let again = EffectEnd::RetryAt(at(60), "not yet".to_owned());
    assert!(store.finish_effect(&claimed, "a", again).await.unwrap());
    assert!(store.hasten_effect(&acme(), "look", at(3)).await.unwrap());
    assert_eq!(keys(&claim(store, "a", at(3)).await), ["look"]);
}

pub(crate) async fn a_newer_payload_keeps_an_effect_pending(store: &impl Store) {
    store.add_effects(vec![effect(7, "timeline", 10)]).await.unwrap();
    let first = claim(store, "a", at(0)).await.remove(0);
    assert!(store.attempt_effect(&first, "a").await.unwrap());
    store.add_effects(vec![NewEffect { payload: json!({"version": 2}), ..effect(7, "timeline", 10) }]).await.unwrap();
    // Still one row, still under lease.
    assert_eq!(claim(store, "b", at(1)).await, []);
    assert!(store.finish_effect(&first, "a", EffectEnd::Done).await.unwrap());
    let second = claim(store, "b", at(1)).await.remove(0);
    assert_eq!((second.id, second.generation, second.attempts), (first.id, 2, 0));
    assert_eq!(second.payload, json!({"version": 2}));
    assert!(store.finish_effect(&second, "b", EffectEnd::Done).await.unwrap());
    assert_eq!(store.backlog().await.unwrap().effects, 0);
    // A failure of the older payload does not condemn the newer one.
    store.add_effects(vec![effect(7, "timeline", 10)]).await.unwrap();
    let old = claim(store, "a", at(2)).await.remove(0);
    store.add_effects(vec![effect(7, "timeline", 10)]).await.unwrap();
    let failed = EffectEnd::Failed("422".to_owned());
    assert!(store.finish_effect(&old, "a", failed).await.unwrap());
    assert_eq!(claim(store, "a", at(2)).await.len(), 1);
}

pub(crate) async fn a_write_that_may_have_happened_is_remembered(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let claimed = claim(store, "dies", at(0)).await.remove(0);
    assert_eq!(claimed.attempts, 0);
    assert!(store.attempt_effect(&claimed, "dies").await.unwrap());
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let taken_over = claim(store, "lives", at(30)).await.remove(0);
    assert_eq!((taken_over.attempts, taken_over.generation), (1, 2));
    assert!(!store.attempt_effect(&claimed, "dies").await.unwrap());
}

pub(crate) async fn a_failed_effect_waits_for_a_newer_payload(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let claimed = claim(store, "a", at(0)).await.remove(0);
    let failed = EffectEnd::Failed("the issue is locked".to_owned());
    assert!(store.finish_effect(&claimed, "a", failed).await.unwrap());
    assert_eq!(claim(store, "a", at(100)).await, []);
    assert_eq!(store.backlog().await.unwrap().effects, 0);
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    assert_eq!(keys(&claim(store, "a", at(100)).await), ["comment"]);
}

pub(crate) async fn what_github_asked_for_is_honoured(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let claimed = claim(store, "a", at(0)).await.remove(0);
    let later = EffectEnd::RetryAt(at(60), "429".to_owned());
    assert!(store.finish_effect(&claimed, "a", later).await.unwrap());
    // A newer payload does not jump the time that GitHub asked for.
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    assert_eq!(claim(store, "a", at(59)).await, []);
    assert_eq!(store.next_effect().await.unwrap(), Some(at(60)));
    assert_eq!(keys(&claim(store, "a", at(60)).await), ["comment"]);
}

pub(crate) async fn an_effect_whose_owner_died_is_taken_over(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    claim(store, "dies", at(0)).await;
    assert_eq!(claim(store, "lives", at(29)).await, []);
    assert_eq!(keys(&claim(store, "lives", at(30)).await), ["comment"]);
}

pub(crate) async fn an_effect_whose_lease_is_renewed_stays_with_its_owner(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let slow = claim(store, "slow", at(0)).await.remove(0);
    assert!(store.renew_effect(&slow, "slow", at(60)).await.unwrap());
    assert!(!store.renew_effect(&slow, "quick", at(99)).await.unwrap());
    assert_eq!(keys(&claim(store, "quick", at(59)).await), [""; 0]);
    let quick = claim(store, "quick", at(60)).await.remove(0);
    assert!(!store.renew_effect(&slow, "slow", at(99)).await.unwrap());
    assert!(store.finish_effect(&quick, "quick", EffectEnd::Done).await.unwrap());
    assert!(!store.renew_effect(&quick, "quick", at(99)).await.unwrap());
}

pub(crate) async fn a_stale_owner_cannot_finish_an_effect(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let stale = claim(store, "slow", at(0)).await.remove(0);
    let held = claim(store, "quick", at(30)).await.remove(0);
    let ends = [EffectEnd::Done, EffectEnd::Failed("no".to_owned()), EffectEnd::RetryAt(at(99), "no".to_owned())];
    for end in ends {
        assert!(!store.finish_effect(&stale, "slow", end).await.unwrap());
    }
    assert_eq!(store.backlog().await.unwrap().effects, 1);
    assert!(store.finish_effect(&held, "quick", EffectEnd::Done).await.unwrap());
}

pub(crate) async fn an_earlier_claim_of_the_same_owner_can_neither_write_nor_finish_an_effect(store: &impl Store) {
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    let earlier = claim(store, "a", at(0)).await.remove(0);
    let later = claim(store, "a", at(30)).await.remove(0);
    assert_eq!((earlier.id, earlier.claims, later.claims), (later.id, 1, 2));
    assert!(!store.attempt_effect(&earlier, "a").await.unwrap());
    let ends = [EffectEnd::Done, EffectEnd::Failed("no".to_owned()), EffectEnd::RetryAt(at(99), "no".to_owned())];
    for end in ends {
        assert!(!store.finish_effect(&earlier, "a", end).await.unwrap());
    }
    assert!(store.attempt_effect(&later, "a").await.unwrap());
    // A newer payload that came meanwhile is the later claim's to leave, too.
    store.add_effects(vec![effect(7, "comment", 0)]).await.unwrap();
    assert!(!store.finish_effect(&earlier, "a", EffectEnd::Done).await.unwrap());
    assert!(store.finish_effect(&later, "a", EffectEnd::Done).await.unwrap());
    assert_eq!(keys(&claim(store, "a", at(31)).await), ["comment"]);
}

pub(crate) async fn what_stands_on_github_is_remembered(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let id = story.execution.id;
    store.commit(story.transition()).await.unwrap();
    assert_eq!(store.github_objects(&acme(), id).await.unwrap(), GitHubObjects::default());
    let run = |seq, status: &str, conclusion: Option<&str>| CheckRunRow {
        id: 900 + u64::from(seq),
        head_sha: "b".repeat(40),
        status: status.to_owned(),
        conclusion: conclusion.map(str::to_owned),
        seq,
        rendered_version: 1,
    };
    let objects = [
        GitHubObject::CheckRun(run(2, "in_progress", None)),
        GitHubObject::Comment { id: 55, rendered_version: 1 },
        GitHubObject::CheckRun(run(1, "in_progress", None)),
        GitHubObject::CheckRun(run(1, "completed", Some("action_required"))),
        GitHubObject::Comment { id: 55, rendered_version: 4 },
    ];
    for object in objects {
        store.save_github_object(&acme(), id, object).await.unwrap();
    }
    let expected = GitHubObjects {
        comment_id: Some(55),
        rendered_version: 4,
        check_runs: vec![run(1, "completed", Some("action_required")), run(2, "in_progress", None)],
    };
    assert_eq!(store.github_objects(&acme(), id).await.unwrap(), expected);
}
