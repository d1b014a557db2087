//! Tenants are apart.

use super::given::{Story, acme, at, globex};
use crate::store::{ExecutionFilter, GitHubObject, GitHubObjects, Installation, Store, StoreError};

pub(crate) async fn a_row_of_another_tenant_is_never_returned(store: &impl Store) {
    let mut story = Story::new(acme(), 1).on_pull_request(12);
    let id = story.execution.id;
    let mut transition = story.transition();
    transition.start_key = Some("key".to_owned());
    transition.word = Some("word".to_owned());
    store.commit(transition).await.unwrap();
    store.save_github_object(&acme(), id, GitHubObject::Comment { id: 5, rendered_version: 1 }).await.unwrap();

    let other = globex();
    assert_eq!(store.load(&other, id).await.unwrap(), None);
    assert_eq!(store.by_start_key(&other, "key").await.unwrap(), None);
    assert!(!store.knows_word(&other, "word").await.unwrap());
    assert_eq!(store.events(&other, id, 0, 10).await.unwrap(), []);
    assert_eq!(store.executions_of(&other, "acme/shop", Some(12), false).await.unwrap(), []);
    assert_eq!(store.executions_of(&other, "acme/shop", None, false).await.unwrap(), []);
    assert_eq!(store.github_objects(&other, id).await.unwrap(), GitHubObjects::default());
    assert_eq!(store.list(Some(&other), &ExecutionFilter::default(), 10, None).await.unwrap().items, []);
}

pub(crate) async fn a_transition_cannot_touch_another_tenants_execution(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    store.commit(story.transition()).await.unwrap();
    let mut foreign = story.clone().drafting().transition();
    foreign.tenant = globex();
    std::sync::Arc::make_mut(&mut foreign.execution).tenant = globex();
    assert!(matches!(store.commit(foreign).await, Err(StoreError::Conflict)));
    store.postpone(&globex(), story.execution.id, 1, at(999)).await.unwrap();
    assert_eq!(store.next_wake().await.unwrap(), Some(at(0)));
    let object = GitHubObject::Comment { id: 5, rendered_version: 1 };
    assert!(store.save_github_object(&globex(), story.execution.id, object).await.is_err());
}

pub(crate) async fn installations_are_kept_by_account(store: &impl Store) {
    let installation = |id, account, deleted| Installation { id, account, suspended: false, deleted };
    assert_eq!(store.installation(&acme()).await.unwrap(), None);
    for one in [installation(1, acme(), false), installation(2, globex(), false), installation(1, acme(), true)] {
        store.upsert_installation(one).await.unwrap();
    }
    assert_eq!(store.installation(&acme()).await.unwrap(), Some(installation(1, acme(), true)));
    store.upsert_installation(installation(3, acme(), false)).await.unwrap();
    store.upsert_installation(installation(4, acme(), true)).await.unwrap();
    assert_eq!(store.installation(&acme()).await.unwrap(), Some(installation(3, acme(), false)));
    let all: Vec<u64> = store.installations().await.unwrap().iter().map(|one| one.id).collect();
    assert_eq!(all, [1, 2, 3, 4]);
}
