//! Which repositories have their log written into them, and when that is done next. What is written is said elsewhere.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use flowctl_core::execution::{Event, Execution, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::audit::{SETTINGS, of_transition};
use crate::github::known_settings::{KnownSettings, WithReference, with_reference};
use crate::github::outbox::effect::{Effect, Sender, priority};
use crate::github::outbox::plan::Installations;
use crate::store::{NewEffect, Store, StoreError};

/// Entries are gathered for so long.
const GATHERED_FOR: SignedDuration = SignedDuration::from_mins(1);

/// The repositories whose log goes to a reference, as far as this server knows. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct AuditReferences {
    known: Arc<RwLock<BTreeSet<(TenantId, String)>>>,
}

impl AuditReferences {
    /// Remembers whether a repository has one.
    pub fn learn(&self, tenant: &TenantId, repository: &str, has_one: bool) {
        let key = (tenant.clone(), repository.to_owned());
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if has_one {
            known.insert(key);
        } else {
            known.remove(&key);
        }
    }

    fn has(&self, tenant: &TenantId, repository: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(tenant.clone(), repository.to_owned()))
    }

    /// Learns what every server of the store has noted; which repositories have one, each by its last name.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn load(&self, store: &dyn Store) -> Result<Vec<(TenantId, String)>, StoreError> {
        let mut found = with_reference(&store.standings(SETTINGS).await?);
        found.retain(|it| it.tenant != TenantId::local());
        let of = |it: &WithReference, name: &String| (it.tenant.clone(), name.clone());
        // What began under an earlier name ends under that.
        let known = found.iter().flat_map(|it| it.names.iter().map(|name| of(it, name))).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(found.iter().filter_map(|it| Some(of(it, it.names.last()?))).collect())
    }

    /// Learns the same at the start of a server, and has written what a crash has left, where the account has the App.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn begin(
        &self,
        store: &dyn Store,
        installations: &Installations,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let known = self.load(store).await?.into_iter();
        let with_app = known.filter(|(tenant, _)| installations.of(tenant) != 0);
        let effects =
            with_app.filter_map(|(tenant, repository)| committing(&repository, &installations.sender(&tenant), now));
        store.add_effects(effects.collect()).await
    }

    /// What is to be written after a transition, and when: at most once a minute, and once more where an execution ends.
    pub(in crate::github::outbox) fn after(
        &self,
        after: &Execution,
        events: &[Event],
        ended: bool,
        now: Timestamp,
    ) -> Option<(Effect, Timestamp)> {
        if !self.has(&after.tenant, &after.repository) {
            return None;
        }
        let at = match ended {
            true => now,
            false if of_transition(after, events).is_empty() => return None,
            false => now.saturating_add(GATHERED_FOR).unwrap_or(Timestamp::MAX),
        };
        Some((Effect::CommitAudit { repository: after.repository.parse().ok()? }, at))
    }
}

/// What has the entries of a repository written soon.
pub(super) fn committing(repository: &str, sender: &Sender, now: Timestamp) -> Option<NewEffect> {
    let at = now.saturating_add(GATHERED_FOR).unwrap_or(Timestamp::MAX);
    let repository = repository.parse().ok()?;
    Some(Effect::CommitAudit { repository }.queued(sender, priority::TIMELINE, at))
}

/// Has the entries of a repository written soon, where its log goes to a reference: for who records one that no execution
/// brings, or has just noted the settings.
///
/// # Errors
/// Where the database does not answer.
pub async fn commit_soon(
    store: &dyn Store,
    tenant: &TenantId,
    repository: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if *tenant == TenantId::local() {
        return Ok(());
    }
    let settings = KnownSettings::of(store, tenant, repository).await?;
    if settings.state.is_none_or(|state| state.audit_ref.is_none()) {
        return Ok(());
    }
    let installation_id = store.installation(tenant).await?.map_or(0, |installation| installation.id);
    let sender = Sender { tenant: tenant.clone(), installation_id };
    store.add_effects(committing(repository, &sender, now).into_iter().collect()).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use serde_json::json;

    use super::*;
    use crate::audit::settings_of;
    use crate::store::{SqliteStore, StandingStore as _};

    #[tokio::test]
    async fn each_start_queued_what_nobody_could_write_for_accounts_that_had_removed_the_app() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let installations = Installations::default();
        for (number, account) in [(0, "gone"), (42, "here")] {
            let tenant = TenantId(account.to_owned());
            installations.learn(&tenant, number);
            let name = settings_of(&format!("{account}/shop"));
            let state =
                json!({"commit": "c", "at": Timestamp::UNIX_EPOCH, "files": {}, "audit_ref": "refs/flowctl/audit"});
            assert!(store.note_standing(&tenant, &name, None, state, None).await.unwrap());
        }
        let now = Timestamp::UNIX_EPOCH;
        let references = AuditReferences::default();
        references.begin(&store, &installations, now).await.unwrap();
        let later = now + SignedDuration::from_hours(1);
        let queued = store.claim_effects("one", 16, later, later).await.unwrap();
        let keys: Vec<&str> = queued.iter().map(|effect| effect.key.as_str()).collect();
        assert_eq!(keys, ["audit:here/shop"]);
        assert!(references.has(&TenantId("gone".to_owned()), "gone/shop"), "the App may come back");
    }
}
