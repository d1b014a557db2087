//! Where branches of repositories on this machine stood.

use super::given::acme;
use crate::store::{BranchKey, SeenHead, Store};

pub(crate) async fn a_branch_moves_once_from_where_it_stood(store: &impl Store) {
    let key = BranchKey { tenant: acme(), repository: "shop".to_owned(), branch: "main".to_owned() };
    let other = BranchKey { branch: "next".to_owned(), ..key.clone() };
    assert_eq!(store.seen_head(&key).await.unwrap(), None);
    assert!(store.see_head(&key, None, "a").await.unwrap());
    assert!(!store.see_head(&key, None, "b").await.unwrap(), "somebody was faster");
    let first = SeenHead { commit: "a".to_owned(), moves: 0 };
    assert_eq!(store.seen_head(&key).await.unwrap(), Some(first.clone()));
    assert!(store.see_head(&key, Some(&first), "b").await.unwrap());
    assert!(!store.see_head(&key, Some(&first), "c").await.unwrap(), "it does not stand there any more");
    let second = SeenHead { commit: "b".to_owned(), moves: 1 };
    assert_eq!(store.seen_head(&key).await.unwrap(), Some(second.clone()));
    // Back to where it was is a move too.
    assert!(store.see_head(&key, Some(&second), "a").await.unwrap());
    assert_eq!(store.seen_head(&key).await.unwrap(), Some(SeenHead { commit: "a".to_owned(), moves: 2 }));
    assert_eq!(store.seen_head(&other).await.unwrap(), None);
}
