//! What is recorded of settings: names and digests, never a value. Where settings are looked at and how they are kept is
//! others' business.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::execution::TenantId;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::NewEntry;
use crate::store::{NamedStanding, Standing, Store, StoreError};

/// The settings of a repository are others than before.
pub const SETTINGS_CHANGED: &str = "settings.changed";
/// A server started with other settings than the last one did.
pub const SERVER_SETTINGS_CHANGED: &str = "server.settings_changed";

/// How the names begin under which the store keeps how repositories' settings stand.
pub const SETTINGS: &str = "settings:";
const OF_SERVERS: &str = "server:";
/// The name of the key under which digests of settings are made.
const KEY: &str = "settings";

/// Under which name the store keeps how a repository's settings stand of which only the name is known.
#[must_use]
pub fn settings_of(repository: &str) -> String {
    format!("{SETTINGS}{repository}")
}

/// The same of a repository whose id is known, by GitHub's: a name has no colon.
#[must_use]
pub fn settings_of_id(id: u64) -> String {
    format!("{SETTINGS}id:{id}")
}

/// How the settings of servers stood at the last start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    at: Timestamp,
    /// The digest of each setting that was given, by its name.
    settings: BTreeMap<String, String>,
}

/// Tells the audit log of tenant `local` where a server starts with other settings than the last one of its role did;
/// whether it does. Of several that start with the same ones one tells. The first start of all has nothing to tell.
///
/// # Errors
/// Where the database does not answer.
pub async fn note_server(
    store: &dyn Store,
    role: &str,
    given: &BTreeMap<String, SecretString>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (tenant, name) = (TenantId::local(), format!("{OF_SERVERS}{role}"));
    let candidate = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
    let key = store.server_key(KEY, candidate).await?;
    let settings: BTreeMap<String, String> =
        given.iter().map(|(name, value)| (name.clone(), keyed_digest(&key, name, value))).collect();
    loop {
        let stood = store.standing(&tenant, &name).await?;
        let before = stood.as_ref().and_then(state);
        if before.as_ref().is_some_and(|before| before.settings == settings) {
            return Ok(false);
        }
        let entry = stood.is_some().then(|| NewEntry {
            at: now,
            kind: SERVER_SETTINGS_CHANGED.to_owned(),
            actor: None,
            repository: None,
            process: None,
            execution: None,
            step: None,
            data: json!({"role": role, "settings": differing(before.as_ref().map(|it| &it.settings), &settings)}),
            once: None,
        });
        let tells = entry.is_some();
        let now_stands = serde_json::to_value(State { at: now, settings: settings.clone() }).unwrap_or_default();
        if store.note_standing(&tenant, &name, stood.as_ref(), now_stands, entry).await? {
            return Ok(tells);
        }
    }
}

fn state(standing: &Standing) -> Option<State> {
    serde_json::from_value(standing.state.clone()).ok()
}

fn differing(before: Option<&BTreeMap<String, String>>, after: &BTreeMap<String, String>) -> Vec<Value> {
    let none = BTreeMap::new();
    let before = before.unwrap_or(&none);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing.map(|name| json!({"name": name, "before": before.get(name), "after": after.get(name)})).collect()
}

/// A digest that tells nothing of a value, however short that is, to whoever has not the database's key as well.
fn keyed_digest(key: &[u8], name: &str, value: &SecretString) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value.expose_secret().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// What the store knows to have changed, which an entry must tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) tenant: TenantId,
    pub(super) kind: &'static str,
    /// The repository, or the role of the servers.
    pub(super) of: String,
    pub(super) at: Timestamp,
}

/// Every change of settings that the store knows: of each repository and role the last one.
pub(super) async fn known(store: &dyn Store, wanted: Option<&TenantId>) -> Result<Vec<Known>, StoreError> {
    let mut known = Vec::new();
    for (beginning, kind) in [(SETTINGS, SETTINGS_CHANGED), (OF_SERVERS, SERVER_SETTINGS_CHANGED)] {
        for named in store.standings(beginning).await? {
            let is_wanted = wanted.is_none_or(|wanted| *wanted == named.tenant);
            let at = named.standing.state["at"].as_str().and_then(|at| at.parse().ok());
            let (Some(at), true, Some(of)) = (at, is_wanted, told_of(&named, beginning)) else { continue };
            known.push(Known { tenant: named.tenant, kind, of, at });
        }
    }
    Ok(known)
}

/// What the entry is about that tells of a standing, where there must be one. What is kept under a name was told when it
/// changed; what is kept under an id says itself whether and under which name it was.
fn told_of(named: &NamedStanding, beginning: &str) -> Option<String> {
    let key = named.name.strip_prefix(beginning)?;
    if beginning == SETTINGS && key.starts_with("id:") {
        return named.standing.state["told_as"].as_str().map(str::to_owned);
    }
    (named.standing.changes > 0).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::sync::Arc;

    use super::*;
    use crate::audit::{discrepancies, verify};
    use crate::store::SqliteStore;

    fn given(settings: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
        settings.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect()
    }

    async fn log(store: &dyn Store) -> Vec<Value> {
        let entries = store.audit(&TenantId::local(), 0, 100).await.unwrap();
        entries.iter().map(|entry| serde_json::from_str(&entry.line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_server_that_starts_with_other_settings_tells_their_names_and_no_value() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await.unwrap());
        let at = Timestamp::from_second;
        let first = given(&[("FLOWCTL_API_TOKEN", "hunter2-hunter2"), ("FLOWCTL_LOG", "info")]);
        let note = async |given: &BTreeMap<String, SecretString>, second| {
            note_server(&*store, "all", given, at(second).unwrap()).await.unwrap()
        };
        assert!(!note(&first, 1).await, "nothing is known from before");
        assert!(!note(&first, 2).await);
        assert_eq!(log(&*store).await, [] as [Value; 0]);
        let second =
            given(&[("FLOWCTL_API_TOKEN", "hunter3-hunter3"), ("FLOWCTL_API_ACT_AS", "true"), ("FLOWCTL_LOG", "info")]);
        assert!(note(&second, 3).await);
        assert!(!note(&second, 4).await, "each start of a replica would tell it again");
        assert!(!note_server(&*store, "web", &first, at(5).unwrap()).await.unwrap(), "another role is another matter");
        let told = log(&*store).await;
        let [entry] = told.as_slice() else { panic!("{told:#?}") };
        assert_eq!(entry["type"], SERVER_SETTINGS_CHANGED);
        let changed = entry["data"]["settings"].as_array().unwrap();
        let names: Vec<&str> = changed.iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["FLOWCTL_API_ACT_AS", "FLOWCTL_API_TOKEN"]);
        assert_eq!(changed[0]["before"], Value::Null);
        assert_ne!(changed[1]["before"], changed[1]["after"]);
        let bare = crate::store::digest(b"hunter3-hunter3");
        assert!(!entry.to_string().contains("hunter") && !entry.to_string().contains(&bare), "{entry}");
        assert!(verify(&*store, None).await.unwrap().iter().all(|found| found.outcome.is_ok()));
        assert_eq!(discrepancies(&*store, None).await.unwrap(), []);
    }
}
