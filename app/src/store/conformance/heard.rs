//! What was heard of, and how repositories were called.

use super::given::{acme, at, globex};
use crate::store::{DeliveryId, Heard, PausedProcess, RepositoryCalled, Store};

fn heard(what: &str, delivery: &str, second: i64) -> Heard {
    Heard { tenant: acme(), what: what.to_owned(), delivery: DeliveryId(delivery.to_owned()), at: at(second) }
}

pub(crate) async fn what_was_dealt_with_is_known_by_who_told_first(store: &impl Store) {
    assert_eq!(store.heard(&acme(), "comment:7").await.unwrap(), None);
    let first = heard("comment:7", "one", 1);
    assert_eq!(store.hear(first.clone()).await.unwrap(), first);
    assert_eq!(store.hear(heard("comment:7", "two", 2)).await.unwrap(), first);
    assert_eq!(store.heard(&acme(), "comment:7").await.unwrap(), Some(first));
    assert_eq!(store.heard(&globex(), "comment:7").await.unwrap(), None);
    store.hear(heard("comment:8", "three", 3)).await.unwrap();
    assert_eq!(store.forget_heard(at(3), 10).await.unwrap(), 1);
    assert_eq!(store.heard(&acme(), "comment:7").await.unwrap(), None);
    assert!(store.heard(&acme(), "comment:8").await.unwrap().is_some());
}

pub(crate) async fn what_is_paused_stays_so_under_another_name(store: &impl Store) {
    let called =
        |id, name: &str, second| RepositoryCalled { id, tenant: acme(), name: name.to_owned(), at: at(second) };
    let paused = |repository: &str, process: &str| PausedProcess {
        tenant: acme(),
        repository: repository.to_owned(),
        process: process.to_owned(),
        since: at(5),
    };
    store.call_repository(called(1, "acme/shop", 1)).await.unwrap();
    for process in ["release", "deploy"] {
        store.pause(paused("acme/shop", process)).await.unwrap();
    }
    store.pause(paused("acme/store", "deploy")).await.unwrap();
    store.call_repository(called(1, "acme/store", 6)).await.unwrap();
    let under_the_new = [paused("acme/store", "deploy"), paused("acme/store", "release")];
    assert_eq!(store.paused().await.unwrap(), under_the_new);
    // What comes late tells an old name; and the old name is another's by now, with pauses of its own.
    store.call_repository(called(1, "acme/shop", 2)).await.unwrap();
    store.call_repository(called(2, "acme/shop", 7)).await.unwrap();
    assert_eq!(store.paused().await.unwrap(), under_the_new);
    store.pause(paused("acme/shop", "greet")).await.unwrap();
    store.call_repository(called(1, "acme/mart", 8)).await.unwrap();
    assert_eq!(
        store.paused().await.unwrap(),
        [paused("acme/mart", "deploy"), paused("acme/mart", "release"), paused("acme/shop", "greet")]
    );
}

pub(crate) async fn a_repository_is_known_by_every_name_it_had(store: &impl Store) {
    let called =
        |id, name: &str, second| RepositoryCalled { id, tenant: acme(), name: name.to_owned(), at: at(second) };
    for one in
        [called(1, "acme/shop", 1), called(1, "acme/store", 2), called(1, "acme/shop", 1), called(2, "acme/shop", 3)]
    {
        store.call_repository(one).await.unwrap();
    }
    assert_eq!(store.names_of_repository(1).await.unwrap(), [called(1, "acme/store", 2), called(1, "acme/shop", 1)]);
    assert_eq!(store.repository_called(&acme(), "acme/shop").await.unwrap(), Some(2));
    let all = store.repositories_called(&acme(), "acme/shop").await.unwrap();
    assert_eq!(all, [called(2, "acme/shop", 3), called(1, "acme/shop", 1)]);
    assert_eq!(store.repositories_called(&globex(), "acme/shop").await.unwrap(), []);
    assert_eq!(store.repository_called(&acme(), "acme/store").await.unwrap(), Some(1));
    assert_eq!(store.repository_called(&globex(), "acme/shop").await.unwrap(), None);
    assert_eq!(store.names_of_repository(3).await.unwrap(), []);
}
