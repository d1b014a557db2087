//! Holds audit logs against the events of executions and the settings as they stand, which lie in the same database: a log
//! whose entries were taken away at the end, or all of them, is whole in itself. Who removes both leaves nothing to compare;
//! only a digest kept elsewhere helps.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::definition::digest::canonical;
use flowctl_core::execution::{Execution, ExecutionId, TenantId};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::entry::{is_of_event, of_event};
use super::log::{each, tenants};
use super::settings::{SERVER_SETTINGS_CHANGED, SETTINGS_CHANGED, known};
use super::{NewEntry, Sealed};
use crate::store::{ExecutionFilter, Store, StoreError};

/// Executions that are read at once.
const PAGE: u32 = 100;
/// Events that are read at once.
const PART: u32 = 1_000;

/// Something that the log and what it tells of do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Discrepancy {
    /// It is known to have happened and should stand in the log, as it was.
    #[error("{tenant}: `{kind}` of {of} at {at} is known from {from}, and no entry tells of it")]
    Missing {
        /// Whose log.
        tenant: String,
        /// The type that the entry would have.
        kind: String,
        /// What it is about: `execution 0195…`, a repository, or servers.
        of: String,
        /// Where it is known from.
        from: &'static str,
        /// When it happened.
        at: Timestamp,
    },
    /// It stands in the log, and the execution, which is still kept, knows nothing of it.
    #[error("{tenant}: entry {seq} tells of `{kind}` of execution {execution}, whose events know nothing of that")]
    Unknown {
        /// Whose log.
        tenant: String,
        /// The number of the entry.
        seq: u64,
        /// Its type.
        kind: String,
        /// The execution.
        execution: ExecutionId,
    },
}

/// What tells an entry from others: the beginning of a digest, since there may be very many.
type Key = [u8; 16];
/// What should stand in logs: how many entries of each key, and what is told where one is missing.
type Wanted = BTreeMap<Key, (u32, Discrepancy)>;

/// Entries of which no event was known when they were read and that are looked at once more.
const MOST_UNKNOWN: usize = 1_000;

/// What executions and settings know that no entry of their tenant's log tells of, and what entries tell of executions that
/// know nothing of it, in no particular order. Reads every event.
///
/// # Errors
/// Where the database does not answer.
pub async fn discrepancies(store: &dyn Store, tenant: Option<TenantId>) -> Result<Vec<Discrepancy>, StoreError> {
    // The events first: whatever is stored meanwhile has its entry when the log is read.
    let (mut wanted, mut kept) = (Wanted::new(), BTreeSet::new());
    let mut cursor = None;
    loop {
        let page = store.list(tenant.as_ref(), &ExecutionFilter::default(), PAGE, cursor.as_deref()).await?;
        kept.extend(page.items.iter().map(|execution| execution.id));
        for execution in &page.items {
            expect(store, execution, &mut wanted).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    for known in known(store, tenant.as_ref()).await? {
        let of = match known.kind {
            SETTINGS_CHANGED => known.of.clone(),
            _ => format!("servers (role {})", known.of),
        };
        let key = key_of_settings(&known.tenant, known.kind, &known.of, known.at);
        let (kind, from) = (known.kind.to_owned(), "how the settings stand");
        wanted.insert(key, (1, Discrepancy::Missing { tenant: known.tenant.0, kind, of, from, at: known.at }));
    }
    let mut unknown = Vec::new();
    for tenant in tenants(store, tenant).await? {
        each(store, &tenant, |entry| {
            let Some(key) = key_of_line(&tenant, entry) else { return true };
            match wanted.get_mut(&key) {
                Some((left, _)) if *left > 0 => *left -= 1,
                _ if unknown.len() < MOST_UNKNOWN => {
                    unknown.extend(Told::by(&tenant, entry, key).filter(|told| kept.contains(&told.execution)));
                }
                _ => {}
            }
            true
        })
        .await?;
    }
    let mut found: Vec<Discrepancy> =
        wanted.into_values().filter(|(left, _)| *left > 0).map(|(_, missing)| missing).collect();
    for told in unknown {
        found.extend(told.unless_known(store).await?);
    }
    Ok(found)
}

/// What an entry tells of an execution.
struct Told {
    tenant: TenantId,
    seq: u64,
    kind: String,
    execution: ExecutionId,
    key: Key,
}

impl Told {
    /// Nothing of an entry that is not made from an execution's events.
    fn by(tenant: &TenantId, entry: &Sealed, key: Key) -> Option<Self> {
        let said: Value = serde_json::from_str(&entry.line).ok()?;
        let kind = said["type"].as_str().filter(|kind| is_of_event(kind))?.to_owned();
        let execution = said["execution"].as_str()?.parse().ok()?;
        Some(Self { tenant: tenant.clone(), seq: entry.seq, kind, execution, key })
    }

    /// Tells of it, unless the execution is gone or knows it by now: it may have gone on meanwhile.
    async fn unless_known(self, store: &dyn Store) -> Result<Option<Discrepancy>, StoreError> {
        let Self { tenant, seq, kind, execution, key } = self;
        let Some(stored) = store.load(&tenant, execution).await? else { return Ok(None) };
        let mut wanted = Wanted::new();
        expect(store, &stored.execution, &mut wanted).await?;
        let unknown = Discrepancy::Unknown { tenant: tenant.0, seq, kind, execution };
        Ok((!wanted.contains_key(&key)).then_some(unknown))
    }
}

/// What one execution's events say that the log should.
async fn expect(store: &dyn Store, execution: &Execution, wanted: &mut Wanted) -> Result<(), StoreError> {
    let tenant = &execution.tenant;
    let missing = |kind: &str, at| Discrepancy::Missing {
        tenant: tenant.0.clone(),
        kind: kind.to_owned(),
        of: format!("execution {}", execution.id),
        from: "its events",
        at,
    };
    let pinned = || (1, missing("definition.pinned", execution.created_at));
    wanted.entry(key_of_definition(tenant, execution)).or_insert_with(pinned);
    let (mut after, mut before) = (0, None);
    loop {
        let part = store.events(tenant, execution.id, after, PART).await?;
        if part.is_empty() {
            return Ok(());
        }
        for stored in part {
            after = stored.seq;
            if let Some(entry) = of_event(execution, before.as_ref(), &stored.event) {
                let known = || (0, missing(&entry.kind, entry.at));
                wanted.entry(key_of(tenant, &entry)).or_insert_with(known).0 += 1;
            }
            before = Some(stored.event);
        }
    }
}

fn key_of_definition(tenant: &TenantId, execution: &Execution) -> Key {
    let Execution { repository, process, digest, .. } = execution;
    key([tenant.as_str(), "definition.pinned", repository, process, digest])
}

fn key_of(tenant: &TenantId, entry: &NewEntry) -> Key {
    let execution = entry.execution.map(|id| id.to_string()).unwrap_or_default();
    let actor = entry.actor.as_ref().map_or(String::new(), |actor| actor.id.to_string());
    let at = entry.at.as_millisecond().to_string();
    let (step, data) = (entry.step.as_deref().unwrap_or_default(), canonical(&entry.data));
    key([tenant.as_str(), &entry.kind, &execution, &at, step, &actor, &data])
}

/// The same of an entry as it is kept; nothing of one that cannot be read, which is no entry of anything.
fn key_of_line(tenant: &TenantId, entry: &Sealed) -> Option<Key> {
    let said: Value = serde_json::from_str(&entry.line).ok()?;
    let text = |name: &str| said[name].as_str().unwrap_or_default();
    if text("type") == "definition.pinned" {
        let digest = said["data"]["digest"].as_str()?;
        return Some(key([tenant.as_str(), text("type"), text("repository"), text("process"), digest]));
    }
    let moment = text("at").parse::<Timestamp>().ok()?;
    match text("type") {
        kind @ SETTINGS_CHANGED => return Some(key_of_settings(tenant, kind, text("repository"), moment)),
        kind @ SERVER_SETTINGS_CHANGED => {
            return Some(key_of_settings(tenant, kind, said["data"]["role"].as_str()?, moment));
        }
        _ => {}
    }
    let at = moment.as_millisecond().to_string();
    let actor = said["actor"]["id"].as_u64().map(|id| id.to_string()).unwrap_or_default();
    let data = canonical(&said["data"]);
    Some(key([tenant.as_str(), text("type"), text("execution"), &at, text("step"), &actor, &data]))
}

fn key_of_settings(tenant: &TenantId, kind: &str, of: &str, at: Timestamp) -> Key {
    key([tenant.as_str(), kind, of, &at.as_millisecond().to_string()])
}

fn key<const N: usize>(parts: [&str; N]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        // No part holds it: none can pass for two.
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut key = Key::default();
    key.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;
    use crate::audit::of_transition;
    use crate::github::whose::tests::{began, heard_of, tenant};

    #[tokio::test]
    async fn an_entry_that_was_changed_or_made_up_passed_for_what_an_execution_knows() {
        let (store, _folder) = heard_of(&[]).await;
        let execution = began(&store, "o/shop", 10, Value::Null, None).await;
        let events: Vec<_> = store.events(&tenant(), execution.id, 0, PART).await.unwrap();
        let events: Vec<_> = events.into_iter().map(|stored| stored.event).collect();
        let differs = async || {
            let found = discrepancies(&store, Some(tenant())).await.unwrap();
            let mut told: Vec<String> = found.iter().map(ToString::to_string).collect();
            told.retain(|told| !told.contains("definition.pinned"));
            told
        };
        let started = of_transition(&execution, &events).remove(0);
        assert_eq!(started.kind, "execution.started");
        assert!(differs().await[0].contains("is known from its events, and no entry tells of it"));
        store.record(&tenant(), started.clone()).await.unwrap();
        assert_eq!(differs().await, [""; 0]);
        let decided = |execution| NewEntry {
            kind: "approval.decided".to_owned(),
            step: Some("leads".to_owned()),
            execution: Some(execution),
            ..started.clone()
        };
        let changed = NewEntry { data: json!({"trigger": "manual"}), ..started.clone() };
        let of_no_event = |kind: &str| NewEntry { kind: kind.to_owned(), ..started.clone() };
        let [refused, taken] = ["command.refused", "approval.login_taken"].map(of_no_event);
        for entry in [changed, decided(execution.id), decided(ExecutionId::nil()), refused, taken] {
            store.record(&tenant(), entry).await.unwrap();
        }
        let told = differs().await;
        let unknown = |seq: u64, kind: &str| {
            format!("o: entry {seq} tells of `{kind}` of execution {}, whose events know nothing of that", execution.id)
        };
        assert_eq!(told, [unknown(2, "execution.started"), unknown(3, "approval.decided")]);
    }
}
