//! Installations of the App: which account is which tenant, and whether GitHub still answers for it.

use flowctl_core::execution::{Execution, ExecutionStatus, TenantId};

use super::payload::InstallationEvent;
use super::{Handled, Inner, Trouble};
use crate::github::outbox::{Effect, priority};
use crate::store::{ExecutionFilter, Installation};

/// Executions that are looked at in one go.
const PAGE: u32 = 100;

/// Handles a delivery.
pub(super) async fn handle(inner: &Inner, event: InstallationEvent) -> Result<Handled, Trouble> {
    let InstallationEvent { action, installation } = event;
    let Some(account) = installation.account else {
        return Ok(Handled::Ignored("an enterprise has no repositories of its own".to_owned()));
    };
    let tenant = TenantId(account.login);
    let deleted = action == "deleted";
    let suspended = match action.as_str() {
        "suspend" => true,
        "unsuspend" => false,
        _ => installation.suspended_at.is_some(),
    };
    inner.installations.learn(&tenant, installation.id);
    let known = Installation { id: installation.id, account: tenant.clone(), suspended, deleted };
    inner.store.upsert_installation(known).await?;
    match (deleted, suspended) {
        (true, _) => {
            tracing::warn!(tenant = tenant.as_str(), "the App was removed; its executions are no longer shown")
        }
        (_, true) => tracing::warn!(tenant = tenant.as_str(), "the App was suspended; GitHub is told once that ends"),
        _ => {
            inner.outbox.resume(installation.id);
            show_again(inner, &tenant).await?;
        }
    }
    Ok(Handled::Done)
}

/// Has everything that is open shown as it stands now: much of it could not be told for a while.
async fn show_again(inner: &Inner, tenant: &TenantId) -> Result<(), Trouble> {
    let sender = inner.installations.sender(tenant);
    for status in [ExecutionStatus::Pending, ExecutionStatus::Running, ExecutionStatus::Waiting] {
        let filter = ExecutionFilter { status: Some(status), ..ExecutionFilter::default() };
        let mut cursor = None;
        loop {
            let page = inner.store.list(Some(tenant), &filter, PAGE, cursor.as_deref()).await?;
            let now = inner.clock.now();
            let show = |execution: &Execution| {
                let effect = Effect::SyncExecution { execution: execution.id, renew: None };
                effect.queued(&sender, priority::TIMELINE, now)
            };
            inner.store.add_effects(page.items.iter().map(show).collect()).await?;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// Makes sure that the tenant of a delivery is known: its `installation` event may not have come, or not yet.
pub(super) async fn learn(inner: &Inner, tenant: &TenantId, installation: u64) -> Result<(), Trouble> {
    if inner.installations.of(tenant) == installation {
        return Ok(());
    }
    match inner.store.installation(tenant).await? {
        Some(stored) if stored.id == installation && !stored.deleted => {}
        // Events come in any order: one of an installation that was removed since does not bring it back.
        Some(stored) if stored.id >= installation => return Ok(()),
        _ => {
            let account = tenant.clone();
            let known = Installation { id: installation, account, suspended: false, deleted: false };
            inner.store.upsert_installation(known).await?;
        }
    }
    inner.installations.learn(tenant, installation);
    Ok(())
}
