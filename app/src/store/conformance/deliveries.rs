//! The inbox.

use jiff::Timestamp;

use super::given::{at, delivery};
use crate::store::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Receipt, Store};

async fn claim(store: &impl Store, owner: &str, now: Timestamp, until: Timestamp) -> Vec<String> {
    let claimed = store.claim_deliveries(owner, 10, now, until).await.unwrap();
    claimed.into_iter().map(|ClaimedDelivery { delivery, .. }| delivery.id.0).collect()
}

fn id(id: &str) -> DeliveryId {
    DeliveryId(id.to_owned())
}

pub(crate) async fn a_delivery_is_stored_once(store: &impl Store) {
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Stored);
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Duplicate);
    assert_eq!(claim(store, "a", at(0), at(30)).await, ["one"]);
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Duplicate);
    assert!(store.finish_delivery(&id("one"), 1, "a", DeliveryEnd::Done).await.unwrap());
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Duplicate);
    assert_eq!(claim(store, "a", at(99), at(130)).await, [""; 0]);
}

pub(crate) async fn a_failed_delivery_is_taken_up_when_it_is_redelivered(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    claim(store, "a", at(0), at(30)).await;
    let failed = DeliveryEnd::Failed("the definition could not be read".to_owned());
    assert!(store.finish_delivery(&id("one"), 1, "a", failed).await.unwrap());
    assert_eq!(claim(store, "a", at(99), at(130)).await, [""; 0]);
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Stored);
    assert_eq!(claim(store, "a", at(99), at(130)).await, ["one"]);
}

pub(crate) async fn a_redelivered_delivery_has_all_its_attempts_again(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    for attempt in 1..=3 {
        let claimed = store.claim_deliveries("a", 1, at(0), at(30)).await.unwrap();
        assert_eq!(claimed[0].attempts, attempt);
        let again = DeliveryEnd::RetryAt(at(0), "GitHub does not answer".to_owned());
        let end = if attempt < 3 { again } else { DeliveryEnd::Failed("GitHub does not answer".to_owned()) };
        assert!(store.finish_delivery(&id("one"), attempt, "a", end).await.unwrap());
    }
    assert_eq!(store.receive(delivery("one", "acme/shop")).await.unwrap(), Receipt::Stored);
    let claimed = store.claim_deliveries("a", 1, at(0), at(30)).await.unwrap();
    assert_eq!(claimed, [ClaimedDelivery { delivery: delivery("one", "acme/shop"), attempts: 1, unended: 1 }]);
}

pub(crate) async fn deliveries_of_one_key_are_handled_one_after_the_other(store: &impl Store) {
    for (id, key) in [("one", "acme/shop#1"), ("two", "acme/shop#1"), ("three", "acme/shop#2")] {
        store.receive(delivery(id, key)).await.unwrap();
    }
    assert_eq!(claim(store, "a", at(0), at(30)).await, ["one", "three"]);
    assert_eq!(claim(store, "b", at(0), at(30)).await, [""; 0]);
    store.finish_delivery(&id("three"), 1, "a", DeliveryEnd::Ignored("nothing to do".to_owned())).await.unwrap();
    assert_eq!(claim(store, "b", at(0), at(30)).await, [""; 0]);
    store.finish_delivery(&id("one"), 1, "a", DeliveryEnd::Done).await.unwrap();
    assert_eq!(claim(store, "b", at(0), at(30)).await, ["two"]);
}

pub(crate) async fn a_delivery_that_failed_and_comes_again_goes_before_younger_ones(store: &impl Store) {
    for name in ["one", "two", "three"] {
        store.receive(delivery(name, "acme/shop#1")).await.unwrap();
    }
    let failed = DeliveryEnd::Failed("not JSON".to_owned());
    for name in ["one", "two"] {
        assert_eq!(claim(store, "a", at(0), at(30)).await, [name]);
        assert!(store.finish_delivery(&id(name), 1, "a", failed.clone()).await.unwrap());
    }
    for name in ["two", "one"] {
        assert_eq!(store.receive(delivery(name, "acme/shop#1")).await.unwrap(), Receipt::Stored);
    }
    for name in ["one", "two", "three"] {
        assert_eq!(claim(store, "a", at(0), at(30)).await, [name]);
        assert!(store.finish_delivery(&id(name), 1, "a", DeliveryEnd::Done).await.unwrap());
    }
    assert_eq!(claim(store, "a", at(99), at(130)).await, [""; 0]);
}

/// Those that come while others of their key end: none is left behind, whatever passes whom.
pub(crate) async fn none_is_left_behind_that_comes_while_the_one_before_it_ends(store: &impl Store) {
    for round in 0..30 {
        let (before, behind) = (format!("before-{round}"), format!("behind-{round}"));
        store.receive(delivery(&before, "acme/shop#1")).await.unwrap();
        assert_eq!(claim(store, "a", at(0), at(30)).await, [before.as_str()]);
        let before = id(&before);
        let comes = store.receive(delivery(&behind, "acme/shop#1"));
        let ends = store.finish_delivery(&before, 1, "a", DeliveryEnd::Done);
        let (received, ended) = tokio::join!(comes, ends);
        assert_eq!((received.unwrap(), ended.unwrap()), (Receipt::Stored, true));
        assert_eq!(claim(store, "a", at(0), at(30)).await, [behind.as_str()]);
        assert!(store.finish_delivery(&id(&behind), 1, "a", DeliveryEnd::Done).await.unwrap());
    }
}

pub(crate) async fn deliveries_come_back_as_they_came(store: &impl Store) {
    let mut bare = delivery("bare", "installation:1");
    (bare.action, bare.installation_id, bare.tenant, bare.repository) = (None, None, None, None);
    bare.body = bytes::Bytes::from_static(b"\x00\xff not JSON");
    let whole = delivery("whole", "acme/shop");
    for delivery in [&bare, &whole] {
        store.receive(delivery.clone()).await.unwrap();
    }
    let claimed = store.claim_deliveries("a", 1, at(0), at(30)).await.unwrap();
    assert_eq!(claimed, [ClaimedDelivery { delivery: bare, attempts: 1, unended: 1 }]);
    let claimed = store.claim_deliveries("a", 1, at(0), at(30)).await.unwrap();
    assert_eq!(claimed, [ClaimedDelivery { delivery: whole, attempts: 1, unended: 1 }]);
}

pub(crate) async fn a_delivery_put_off_holds_back_those_behind_it(store: &impl Store) {
    for name in ["one", "two"] {
        store.receive(delivery(name, "acme/shop#1")).await.unwrap();
    }
    claim(store, "a", at(0), at(30)).await;
    let later = DeliveryEnd::RetryAt(at(60), "GitHub does not answer".to_owned());
    assert!(store.finish_delivery(&id("one"), 1, "a", later).await.unwrap());
    assert_eq!(claim(store, "a", at(59), at(90)).await, [""; 0]);
    let claimed = store.claim_deliveries("a", 10, at(60), at(90)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].delivery.id.clone(), claimed[0].attempts), (id("one"), 2));
}

pub(crate) async fn a_delivery_whose_owner_died_is_taken_over(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    assert_eq!(claim(store, "dies", at(0), at(30)).await, ["one"]);
    assert_eq!(claim(store, "lives", at(29), at(60)).await, [""; 0]);
    let taken_over = store.claim_deliveries("lives", 1, at(30), at(60)).await.unwrap();
    assert_eq!((taken_over[0].attempts, taken_over[0].unended), (2, 2), "no end of the first was recorded");
    let later = DeliveryEnd::RetryAt(at(31), "GitHub does not answer".to_owned());
    assert!(store.finish_delivery(&id("one"), 2, "lives", later).await.unwrap());
    let again = store.claim_deliveries("lives", 1, at(31), at(60)).await.unwrap();
    assert_eq!((again[0].attempts, again[0].unended), (3, 1), "the server lives");
    let failed = DeliveryEnd::Failed("it cannot be handled".to_owned());
    assert!(store.finish_delivery(&id("one"), 3, "lives", failed).await.unwrap());
    let backlog = store.backlog().await.unwrap();
    assert_eq!((backlog.deliveries, backlog.failed_deliveries), (0, 1));
}

pub(crate) async fn a_delivery_whose_lease_is_renewed_stays_with_its_owner(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    claim(store, "slow", at(0), at(30)).await;
    assert!(store.renew_delivery(&id("one"), 1, "slow", at(60)).await.unwrap());
    assert_eq!(claim(store, "quick", at(59), at(90)).await, [""; 0]);
    for (attempts, owner) in [(2, "slow"), (1, "quick")] {
        assert!(!store.renew_delivery(&id("one"), attempts, owner, at(99)).await.unwrap(), "{attempts} {owner}");
    }
    assert_eq!(claim(store, "quick", at(60), at(90)).await, ["one"]);
    assert!(!store.renew_delivery(&id("one"), 1, "slow", at(99)).await.unwrap());
    assert!(store.finish_delivery(&id("one"), 2, "quick", DeliveryEnd::Done).await.unwrap());
    assert!(!store.renew_delivery(&id("one"), 2, "quick", at(99)).await.unwrap());
}

pub(crate) async fn a_stale_owner_cannot_finish_a_delivery(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    claim(store, "slow", at(0), at(30)).await;
    claim(store, "quick", at(31), at(60)).await;
    assert!(!store.finish_delivery(&id("one"), 1, "slow", DeliveryEnd::Done).await.unwrap());
    assert_eq!(store.backlog().await.unwrap().deliveries, 1);
    assert!(store.finish_delivery(&id("one"), 2, "quick", DeliveryEnd::Done).await.unwrap());
    assert!(!store.finish_delivery(&id("one"), 2, "quick", DeliveryEnd::Done).await.unwrap());
}

pub(crate) async fn a_finished_delivery_is_never_claimed_again(store: &impl Store) {
    let ends = [
        ("one", DeliveryEnd::Done),
        ("two", DeliveryEnd::Ignored("ping".to_owned())),
        ("three", DeliveryEnd::Failed("not JSON".to_owned())),
    ];
    for (name, end) in ends {
        store.receive(delivery(name, name)).await.unwrap();
        assert_eq!(claim(store, "a", at(0), at(30)).await, [name]);
        assert!(store.finish_delivery(&id(name), 1, "a", end).await.unwrap());
    }
    assert_eq!(claim(store, "b", at(1000), at(1030)).await, [""; 0]);
}

pub(crate) async fn an_earlier_claim_of_the_same_owner_cannot_finish_a_delivery(store: &impl Store) {
    store.receive(delivery("one", "acme/shop")).await.unwrap();
    claim(store, "a", at(0), at(30)).await;
    claim(store, "a", at(31), at(60)).await;
    assert!(!store.finish_delivery(&id("one"), 1, "a", DeliveryEnd::Done).await.unwrap());
    assert_eq!(store.backlog().await.unwrap().deliveries, 1);
    assert!(store.finish_delivery(&id("one"), 2, "a", DeliveryEnd::Done).await.unwrap());
}

pub(crate) async fn old_deliveries_are_forgotten_once_they_are_done_with(store: &impl Store) {
    for (name, received) in [("old", 0), ("stuck", 1), ("failed", 2), ("new", 50)] {
        let delivery = NewDelivery { received_at: at(received), ..delivery(name, &format!("acme/{name}")) };
        store.receive(delivery).await.unwrap();
    }
    let claimed = store.claim_deliveries("me", 9, at(51), at(99)).await.unwrap();
    for claimed in claimed.iter().filter(|claimed| claimed.delivery.id.0 != "stuck") {
        let end =
            if claimed.delivery.id.0 == "failed" { DeliveryEnd::Failed("no".to_owned()) } else { DeliveryEnd::Done };
        assert!(store.finish_delivery(&claimed.delivery.id, claimed.attempts, "me", end).await.unwrap());
    }
    assert_eq!(store.forget_deliveries(at(50), 1).await.unwrap(), 1, "it looks at the oldest one only");
    assert_eq!(store.forget_deliveries(at(50), 9).await.unwrap(), 1, "what nobody has dealt with stays");
    assert_eq!(store.receive(delivery("new", "acme/new")).await.unwrap(), Receipt::Duplicate);
    assert_eq!(store.receive(delivery("old", "acme/old")).await.unwrap(), Receipt::Stored);
}
