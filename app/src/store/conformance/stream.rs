//! What the event stream is still to be told of, and leases on what one server does at a time.

use super::given::{Story, acme, at};
use crate::store::{Store, Transition};

fn streamed(story: &mut Story) -> Transition {
    Transition { streamed: true, ..story.transition() }
}

pub(crate) async fn what_is_streamed_is_untold_until_somebody_tells_it(store: &impl Store) {
    let (mut one, mut other) = (Story::new(acme(), 1), Story::new(acme(), 2));
    store.commit(streamed(&mut one)).await.unwrap();
    store.commit(streamed(&mut other)).await.unwrap();
    let mut one = one.drafting();
    store.commit(streamed(&mut one)).await.unwrap();
    let mut other = other.drafting();
    store.commit(other.transition()).await.unwrap();
    assert_eq!(store.backlog().await.unwrap().stream, 3, "the last one is not streamed");

    let untold = store.untold_events(10).await.unwrap();
    let (first, second) = (one.execution.id, other.execution.id);
    let told: Vec<_> =
        untold.iter().map(|it| (it.execution, it.events.iter().map(|event| event.seq).collect::<Vec<_>>())).collect();
    assert_eq!(told, [(first, vec![1]), (second, vec![1]), (first, vec![2, 3])]);
    let last = &untold[2];
    assert_eq!((&last.tenant, &*last.repository, &*last.process), (&acme(), "acme/shop", "release"));
    assert_eq!(last.events, store.events(&acme(), first, 1, 10).await.unwrap());
    assert_eq!(store.untold_events(1).await.unwrap(), untold[..1]);

    store.told_events(&[untold[0].position, last.position]).await.unwrap();
    let left = store.untold_events(10).await.unwrap();
    assert_eq!(left, untold[1..2]);
    assert_eq!(store.backlog().await.unwrap().stream, 1);
}

pub(crate) async fn a_refused_transition_is_told_to_no_stream(store: &impl Store) {
    let mut story = Story::new(acme(), 1);
    let first = streamed(&mut story);
    store.commit(first.clone()).await.unwrap();
    assert!(store.commit(first).await.is_err());
    assert_eq!(store.backlog().await.unwrap().stream, 1);
}

pub(crate) async fn a_lease_is_one_owners_until_it_ends(store: &impl Store) {
    assert!(store.take_lease("stream", "a", at(0), at(10)).await.unwrap());
    assert!(!store.take_lease("stream", "b", at(5), at(15)).await.unwrap());
    assert!(store.take_lease("other", "b", at(5), at(15)).await.unwrap());
    assert!(store.take_lease("stream", "a", at(5), at(15)).await.unwrap(), "its owner goes on");
    assert!(!store.take_lease("stream", "b", at(14), at(24)).await.unwrap());
    assert!(store.take_lease("stream", "b", at(15), at(25)).await.unwrap());
    assert!(!store.take_lease("stream", "a", at(16), at(26)).await.unwrap());
    store.end_lease("stream", "a").await.unwrap();
    assert!(!store.take_lease("stream", "a", at(16), at(26)).await.unwrap(), "it was another's");
    store.end_lease("stream", "b").await.unwrap();
    assert!(store.take_lease("stream", "a", at(16), at(26)).await.unwrap());
}
