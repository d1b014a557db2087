//! What GitHub does not take: it is kept for people to see, and tried again once somebody may have granted it.

use flowctl_core::execution::TenantId;
use jiff::{SignedDuration, Timestamp};

use super::copy::Copy;
use super::references::AuditReferences;
use super::written::{Refused, Written};
use crate::audit::{COPIES, NewEntry, SETTINGS};
use crate::github::known_settings::with_reference;
use crate::github::outbox::effect::{Effect, Sender, priority};
use crate::github::outbox::failure::Failure;
use crate::github::outbox::write::Writing;
use crate::store::{NamedStanding, Store, StoreError};

/// What GitHub refuses is tried again after this: somebody has to grant something first.
pub(super) const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);

impl Copy<'_> {
    /// Keeps why GitHub does not take it, with what the log says of that, and has it tried again by itself.
    pub(super) async fn refuse(&mut self, reason: String, entry: Option<NewEntry>) -> Result<(), Failure> {
        self.written.refused = Some(Refused { at: self.writing.outbox.clock.now(), reason });
        self.save(entry).await?;
        self.try_later().await
    }

    /// Has what is refused tried again once it has rested, whatever else brings that about before.
    pub(super) async fn try_later(&self) -> Result<(), Failure> {
        let Some(refused) = &self.written.refused else { return Ok(()) };
        let Writing { outbox, effect, .. } = self.writing;
        let at = refused.at.saturating_add(REFUSED_FOR).unwrap_or(Timestamp::MAX);
        let sender = Sender { tenant: effect.tenant.clone(), installation_id: effect.installation_id };
        let again = Effect::CommitAudit { repository: self.repository.clone() };
        outbox.store.add_effects(vec![again.queued(&sender, priority::TIMELINE, at)]).await?;
        Ok(())
    }
}

/// A repository to whose reference GitHub takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedReference {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which.
    pub reference: String,
    /// What GitHub said.
    pub reason: String,
}

/// The references that GitHub refused to write when it was tried last, out of what the store has noted; those that the
/// settings of their repositories still name.
pub fn refused_references(noted: &[NamedStanding]) -> Vec<RefusedReference> {
    let wanted = with_reference(noted);
    let is_wanted = |tenant: &TenantId, reference: &str, key: &str| {
        wanted.iter().any(|it| {
            // Settings that were noted before ids were may be those of any id.
            let any_id = || it.id.is_none() && it.noted_of.is_none() && key.parse::<u64>().is_ok();
            let is_its = it.noted_of.is_some_and(|id| id.to_string() == key)
                || any_id()
                || (it.id.is_none() && it.names.iter().any(|name| name == key));
            it.tenant == *tenant && it.reference == reference && is_its
        })
    };
    let refused = |named: &NamedStanding| {
        let rest = named.name.strip_prefix(COPIES)?;
        let written: Written = serde_json::from_value(named.standing.state.clone()).ok()?;
        let (reference, key) = rest.split_once(':')?;
        let reason = written.refused?.reason;
        let is_wanted = is_wanted(&named.tenant, reference, key);
        is_wanted.then(|| RefusedReference { tenant: named.tenant.clone(), reference: reference.to_owned(), reason })
    };
    noted.iter().filter_map(refused).collect()
}

/// How many references GitHub refused to write when it was tried last.
///
/// # Errors
/// Where the database does not answer.
pub async fn count_refused_references(store: &dyn Store) -> Result<usize, StoreError> {
    let mut noted = store.standings(COPIES).await?;
    noted.extend(store.standings(SETTINGS).await?);
    Ok(refused_references(&noted).len())
}

/// Has everything of an account tried again that GitHub had refused: it was granted something.
///
/// # Errors
/// Where the database does not answer.
pub async fn try_again(store: &dyn Store, sender: &Sender, now: Timestamp) -> Result<(), StoreError> {
    for named in store.standings(COPIES).await?.into_iter().filter(|named| named.tenant == sender.tenant) {
        let Ok(mut written) = serde_json::from_value::<Written>(named.standing.state.clone()) else { continue };
        if written.refused.take().is_some() {
            let state = serde_json::to_value(&written).unwrap_or_default();
            // Who notes something else at this moment has just tried.
            store.note_standing(&named.tenant, &named.name, Some(&named.standing), state, None).await?;
        }
    }
    let references = AuditReferences::default();
    let of_account = references.load(store).await?.into_iter().filter(|(tenant, _)| *tenant == sender.tenant);
    let effects = of_account.filter_map(|(_, repository)| {
        let effect = Effect::CommitAudit { repository: repository.parse().ok()? };
        Some(effect.queued(sender, priority::TIMELINE, now))
    });
    store.add_effects(effects.collect()).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::Standing;

    #[test]
    fn a_reference_that_the_settings_name_no_more_was_told_to_be_refused_for_ever() {
        let named = |name: &str, state: Value| NamedStanding {
            tenant: TenantId("o".to_owned()),
            name: name.to_owned(),
            standing: Standing { state, changes: 0 },
        };
        let refused = Refused { at: Timestamp::UNIX_EPOCH, reason: "no".to_owned() };
        let refused = serde_json::to_value(Written { refused: Some(refused), ..Written::default() });
        let refused = named("audit-ref:refs/flowctl/audit:7", refused.unwrap_or_default());
        let settings = |more: Value| {
            let mut state = json!({"commit": "c", "at": Timestamp::UNIX_EPOCH, "files": {}});
            if let (Some(state), Value::Object(more)) = (state.as_object_mut(), more) {
                state.extend(more);
            }
            state
        };
        let count = |more: Value| {
            let settings = named("settings:o/shop", settings(more));
            refused_references(&[refused.clone(), settings]).len()
        };
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit", "repository_id": 7})), 1);
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit"})), 1, "noted by an earlier version");
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/audit", "repository_id": 8})), 0);
        assert_eq!(count(json!({"audit_ref": "refs/flowctl/other", "repository_id": 7})), 0);
        assert_eq!(count(json!({"repository_id": 7})), 0);
        let goes_on = named("settings:id:7", settings(json!({"repository_id": 7, "names": ["o/shop"]})));
        let earlier =
            named("settings:o/shop", settings(json!({"audit_ref": "refs/flowctl/audit", "repository_id": 7})));
        assert_eq!(refused_references(&[refused, goes_on, earlier]), [], "under its id it names none");
    }
}
