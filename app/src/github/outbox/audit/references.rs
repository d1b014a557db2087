//! Which repositories have their log written into them, and when that is done next. What is written is said elsewhere.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use flowctl_core::execution::{Event, Execution, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::written::REFERENCE_KEY;
use crate::audit::{of_transition, settings_of};
use crate::github::outbox::effect::{Effect, Sender, priority};
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

    /// Learns what every server of the store has noted; which repositories have one.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn load(&self, store: &dyn Store) -> Result<Vec<(TenantId, String)>, StoreError> {
        let beginning = settings_of("");
        let noted = store.standings(&beginning).await?.into_iter();
        let with_one = noted.filter(|named| named.standing.state[REFERENCE_KEY].is_string());
        let found: Vec<(TenantId, String)> = with_one
            .filter_map(|named| Some((named.tenant, named.name.strip_prefix(&beginning)?.to_owned())))
            .filter(|(tenant, _)| *tenant != TenantId::local())
            .collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = found.iter().cloned().collect();
        Ok(found)
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

/// Has the entries of a repository written soon.
pub fn committing(repository: &str, sender: &Sender, now: Timestamp) -> Option<NewEffect> {
    let at = now.saturating_add(GATHERED_FOR).unwrap_or(Timestamp::MAX);
    let repository = repository.parse().ok()?;
    Some(Effect::CommitAudit { repository }.queued(sender, priority::TIMELINE, at))
}
