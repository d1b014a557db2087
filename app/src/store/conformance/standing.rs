//! How things stand that the audit log tells of.

use serde_json::{Value, json};

use super::given::{acme, at, globex};
use crate::audit::NewEntry;
use crate::store::{NamedStanding, Standing, Store};

const NAME: &str = "settings:acme/shop";

fn entry(commit: &str) -> NewEntry {
    NewEntry {
        at: at(1),
        kind: "settings.changed".to_owned(),
        actor: None,
        repository: Some("acme/shop".to_owned()),
        process: None,
        execution: None,
        step: None,
        data: json!({"commit": commit}),
        once: None,
    }
}

async fn commits(store: &impl Store) -> Vec<String> {
    let entries = store.audit(&acme(), 0, 100).await.unwrap();
    let commit =
        |line: &str| serde_json::from_str::<Value>(line).unwrap()["data"]["commit"].as_str().map(str::to_owned);
    entries.iter().filter_map(|entry| commit(&entry.line)).collect()
}

pub(crate) async fn a_change_is_noted_with_its_entry_or_not_at_all(store: &impl Store) {
    assert_eq!(store.standing(&acme(), NAME).await.unwrap(), None);
    assert!(store.note_standing(&acme(), NAME, None, json!({"commit": "a"}), None).await.unwrap());
    assert!(!store.note_standing(&acme(), NAME, None, json!({"commit": "b"}), Some(entry("b"))).await.unwrap());
    let first = Standing { state: json!({"commit": "a"}), changes: 0 };
    assert_eq!(store.standing(&acme(), NAME).await.unwrap(), Some(first.clone()));
    let tenant = acme();
    let note = |commit: &'static str| {
        store.note_standing(&tenant, NAME, Some(&first), json!({"commit": commit}), Some(entry(commit)))
    };
    assert!(note("b").await.unwrap());
    assert!(!note("c").await.unwrap(), "it does not stand there any more");
    assert_eq!(commits(store).await, ["b"]);
    let second = Standing { state: json!({"commit": "b"}), changes: 1 };
    assert_eq!(store.standing(&acme(), NAME).await.unwrap(), Some(second.clone()));
    assert_eq!(store.standing(&globex(), NAME).await.unwrap(), None);
    let other = ("audit-ref:acme/shop", json!(null));
    assert!(store.note_standing(&acme(), other.0, None, other.1, None).await.unwrap());
    let named = NamedStanding { tenant: acme(), name: NAME.to_owned(), standing: second };
    assert_eq!(store.standings("settings:").await.unwrap(), [named]);
}

pub(crate) async fn what_begins_so_is_found_in_order_and_nothing_else(store: &impl Store) {
    let others =
        ["settings", "settings;", "Settings:a", "settingsx:a", "settings", "login:settings:a", "audit-ref:settings:"];
    let wanted = ["settings:", "settings:B", "settings:a", "settings:a-b", "settings:ab", "settings:\u{e9}\u{10fffe}"];
    for name in others.iter().chain(wanted.iter().rev()) {
        for tenant in [globex(), acme()] {
            let _ = store.note_standing(&tenant, name, None, json!(name), None).await.unwrap();
        }
    }
    let found = store.standings("settings:").await.unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|named| (named.tenant.as_str(), named.name.as_str())).collect();
    let of = |tenant: &'static str| wanted.map(|name| (tenant, name));
    assert_eq!(found, [of("acme"), of("globex")].concat());
}

pub(crate) async fn of_many_who_see_a_change_at_once_one_notes_it(store: &impl Store) {
    assert!(store.note_standing(&acme(), NAME, None, json!({"commit": "a"}), None).await.unwrap());
    let stood = store.standing(&acme(), NAME).await.unwrap();
    let state = || json!({"commit": "b"});
    let tenant = acme();
    let notes = (0..8).map(|_| store.note_standing(&tenant, NAME, stood.as_ref(), state(), Some(entry("b"))));
    let noted = futures_util::future::join_all(notes).await;
    assert_eq!(noted.into_iter().filter(|noted| *noted.as_ref().unwrap()).count(), 1);
    assert_eq!(commits(store).await, ["b"]);
}
