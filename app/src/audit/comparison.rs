//! Holds audit logs against the events of executions and the settings as they stand, which lie in the same database: a log
//! whose entries were taken away at the end, or all of them, is whole in itself. Who removes both leaves nothing to compare;
//! only a digest kept elsewhere helps.

use std::collections::BTreeMap;

use flowctl_core::execution::{Execution, TenantId};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::entry::of_event;
use super::log::{each, tenants};
use super::settings::{SERVER_SETTINGS_CHANGED, SETTINGS_CHANGED, known};
use super::{NewEntry, Sealed};
use crate::store::{ExecutionFilter, Store, StoreError};

/// Executions that are read at once.
const PAGE: u32 = 100;
/// Events that are read at once.
const PART: u32 = 1_000;

/// Something that is known to have happened and should stand in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tenant}: `{kind}` of {of} at {at} is known from {from}, and no entry tells of it")]
pub struct Missing {
    /// Whose log.
    pub tenant: String,
    /// The type that the entry would have.
    pub kind: String,
    /// What it is about: `execution 0195…`, a repository, or servers.
    pub of: String,
    /// Where it is known from.
    pub from: &'static str,
    /// When it happened.
    pub at: Timestamp,
}

/// What tells an entry from others: the beginning of a digest, since there may be very many.
type Key = [u8; 16];

/// What executions and settings know that no entry of their tenant's log tells of, in no particular order. Reads every event.
///
/// # Errors
/// Where the database does not answer.
pub async fn missing(store: &dyn Store, tenant: Option<TenantId>) -> Result<Vec<Missing>, StoreError> {
    // The events first: whatever is stored meanwhile has its entry when the log is read.
    let mut expected: BTreeMap<Key, (u32, Missing)> = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = store.list(tenant.as_ref(), &ExecutionFilter::default(), PAGE, cursor.as_deref()).await?;
        for execution in &page.items {
            expect(store, execution, &mut expected).await?;
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
        expected.insert(key, (1, Missing { tenant: known.tenant.0, kind, of, from, at: known.at }));
    }
    for tenant in tenants(store, tenant).await? {
        each(store, &tenant, |entry| {
            let Some(key) = key_of_line(&tenant, entry) else { return true };
            if let Some((left, _)) = expected.get_mut(&key) {
                *left = left.saturating_sub(1);
            }
            true
        })
        .await?;
    }
    Ok(expected.into_values().filter(|(left, _)| *left > 0).map(|(_, missing)| missing).collect())
}

/// What one execution's events say that the log should.
async fn expect(
    store: &dyn Store,
    execution: &Execution,
    expected: &mut BTreeMap<Key, (u32, Missing)>,
) -> Result<(), StoreError> {
    let tenant = &execution.tenant;
    let missing = |kind: &str, at| Missing {
        tenant: tenant.0.clone(),
        kind: kind.to_owned(),
        of: format!("execution {}", execution.id),
        from: "its events",
        at,
    };
    let pinned = || (1, missing("definition.pinned", execution.created_at));
    expected.entry(key_of_definition(tenant, execution)).or_insert_with(pinned);
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
                expected.entry(key_of(tenant, &entry)).or_insert_with(known).0 += 1;
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
    key([tenant.as_str(), &entry.kind, &execution, &at, entry.step.as_deref().unwrap_or_default(), &actor])
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
    Some(key([tenant.as_str(), text("type"), text("execution"), &at, text("step"), &actor]))
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
