//! What installations were asked and told lately, shared by the servers of one database: learnt and noted around each
//! effect by whoever has the installation's lease, and every other second by all who ask. Notes of several servers are
//! put together; no request has a row of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::execution::TenantId;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::GitHub;
use super::client::pace::Pace;
use crate::store::{Standing, Store, StoreError};

/// What names of notes begin with.
const NOTES: &str = "pace:";
/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a note is put together with one that came first; later news take it along.
const MOST_TRIES: usize = 5;

fn name(installation: u64) -> String {
    format!("{NOTES}{installation}")
}

/// Learns what other servers have asked and told an installation.
pub(super) async fn learn(
    store: &dyn Store,
    pace: &Pace,
    tenant: &TenantId,
    installation: u64,
) -> Result<(), StoreError> {
    if let Some(standing) = store.standing(tenant, &name(installation)).await? {
        take_over(pace, installation, standing);
    }
    Ok(())
}

fn take_over(pace: &Pace, installation: u64, Standing { state, changes }: Standing) {
    // What another version has noted and cannot be read here is not known here.
    let lately = serde_json::from_value(state).unwrap_or_default();
    pace.learn(installation, changes, &lately);
}

/// Notes what this server has asked and told an installation, where there is something new.
pub(super) async fn share(store: &dyn Store, pace: &Pace, tenant: &TenantId, installation: u64) {
    for _ in 0..MOST_TRIES {
        let Some(news) = pace.news(installation) else { return };
        let stood = news.noted.map(|changes| Standing { state: Value::Null, changes });
        let changes = news.noted.map_or(0, |changes| changes + 1);
        let noted = store.note_standing(tenant, &name(installation), stood.as_ref(), json!(news.lately), None).await;
        let learnt = match noted {
            Ok(true) => return pace.shared(installation, changes, &news),
            // Another server was first: what it noted and what is new here are noted together.
            Ok(false) => learn(store, pace, tenant, installation).await,
            Err(error) => Err(error),
        };
        if let Err(error) = learnt {
            return tracing::debug!(installation, %error, "what was asked and told cannot be noted");
        }
    }
}

/// Shares until `shutdown`: what was noted before this server's start first.
pub async fn run(store: Arc<dyn Store>, github: GitHub, shutdown: CancellationToken) {
    let (store, pace) = (&*store, github.pace());
    if let Err(error) = learn_all(store, pace).await {
        tracing::debug!(%error, "what was asked and told before cannot be learnt");
    }
    while shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        if let Err(error) = share_all(store, pace).await {
            tracing::debug!(%error, "what was asked and told cannot be noted");
        }
    }
}

async fn learn_all(store: &dyn Store, pace: &Pace) -> Result<(), StoreError> {
    for named in store.standings(NOTES).await? {
        if let Some(installation) = named.name.strip_prefix(NOTES).and_then(|id| id.parse().ok()) {
            take_over(pace, installation, named.standing);
        }
    }
    Ok(())
}

async fn share_all(store: &dyn Store, pace: &Pace) -> Result<(), StoreError> {
    let with_news = pace.with_news();
    if with_news.is_empty() {
        return Ok(());
    }
    let known = store.installations().await?.into_iter();
    let tenants: BTreeMap<u64, TenantId> = known.map(|installation| (installation.id, installation.account)).collect();
    for installation in with_news {
        if let Some(tenant) = tenants.get(&installation) {
            share(store, pace, tenant, installation).await;
        }
    }
    Ok(())
}
