//! Installations of the App: which account is which tenant, which repositories it may see, and whether GitHub still answers for
//! it.

use flowctl_core::execution::workflow::awaited_by;
use flowctl_core::execution::{Execution, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::payload::{InstallationEvent, InstallationRepositoriesEvent, InstalledRepository};
use super::repository::called_as;
use super::{Handled, INSTALLATION_LAG, Inner, Trouble, payload};
use crate::github::client::{GitHubError, Holds, InstallationClient, InstallationId, Urgency};
use crate::github::outbox::{Effect, Sender, priority, try_again};
use crate::github::reconcile::{ReconcileError, Reconciler, begin};
use crate::github::whose::belongs_to;
use crate::store::{ExecutionFilter, Installation, NewDelivery, NewEffect, Store, StoreError};

/// For how long after its end an execution is shown once more when the App comes back.
const SHOWN_AFTER_END: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Executions that are read at once.
const PAGE: u32 = 200;

/// Handles a delivery.
pub(super) async fn handle(inner: &Inner, event: InstallationEvent) -> Result<Handled, Trouble> {
    let InstallationEvent { action, installation } = event;
    let Some(account) = installation.account else {
        return Ok(Handled::Ignored("an enterprise has no repositories of its own".to_owned()));
    };
    let tenant = TenantId(account.login);
    let Standing { suspended, deleted } = standing(inner, &action, installation.id, installation.suspended_at).await?;
    inner.installations.learn(&tenant, installation.id);
    let known = Installation { id: installation.id, account: tenant.clone(), suspended, deleted };
    inner.store.upsert_installation(known).await?;
    begin(inner.store.as_ref(), &tenant, inner.clock.now()).await?;
    match (deleted, suspended) {
        (true, _) => {
            tracing::warn!(tenant = tenant.as_str(), "the App was removed; its executions are no longer shown")
        }
        (_, true) => tracing::warn!(tenant = tenant.as_str(), "the App was suspended; GitHub is told once that ends"),
        _ => {
            inner.outbox.resume(installation.id).await;
            let sender = inner.installations.sender(&tenant);
            show_again(inner.store.as_ref(), &sender, None, inner.clock.now()).await?;
            if action == "new_permissions_accepted" {
                try_again(inner.store.as_ref(), &sender, inner.clock.now()).await?;
            }
        }
    }
    Ok(Handled::Done)
}

/// Whether GitHub answers for an installation.
struct Standing {
    suspended: bool,
    deleted: bool,
}

/// How an installation stands now: events come late and in any order, so whether it is suspended is asked of GitHub. One
/// that was removed never comes back; the account's next one has another id.
async fn standing(inner: &Inner, action: &str, id: u64, suspended_at: Option<Timestamp>) -> Result<Standing, Trouble> {
    let removed = Standing { suspended: false, deleted: true };
    let is_known_as_removed = |known: &Installation| known.id == id && known.deleted;
    if action == "deleted" || inner.store.installations().await?.iter().any(is_known_as_removed) {
        return Ok(removed);
    }
    let suspended = match action {
        "suspend" | "unsuspend" => match inner.github.app().installation(InstallationId(id)).await {
            Ok(now) => now.suspended_at.is_some(),
            Err(GitHubError::NotFound { .. }) => return Ok(removed),
            Err(error) => return Err(error.into()),
        },
        _ => suspended_at.is_some(),
    };
    Ok(Standing { suspended, deleted: false })
}

/// Handles a delivery that tells which repositories the App may see from now on, and which no more. Whether it sees one is
/// asked of GitHub with everything that is told there, so that an event which comes late changes nothing.
pub(super) async fn repositories(inner: &Inner, delivery: &NewDelivery) -> Result<Handled, Trouble> {
    let event: InstallationRepositoriesEvent = payload(delivery)?;
    let Some(account) = event.installation.account else {
        return Ok(Handled::Ignored("an enterprise has no repositories of its own".to_owned()));
    };
    let (tenant, id) = (TenantId(account.login), event.installation.id);
    learn(inner, &tenant, id).await?;
    if inner.store.installation(&tenant).await?.is_none_or(|known| known.id != id || known.deleted) {
        return Ok(Handled::Ignored("the App is not installed there any more".to_owned()));
    }
    for InstalledRepository { full_name, .. } in &event.repositories_removed {
        tracing::warn!(
            tenant = tenant.as_str(), repository = %full_name,
            "the App may not see the repository any more; its executions are no longer shown"
        );
    }
    let client = inner.github.installation(InstallationId(id));
    let client = client.with_urgency(Urgency::Reconciliation).holding(Holds::Place);
    for added in &event.repositories_added {
        is_back(inner, (&tenant, &client), added, delivery).await?;
    }
    Ok(Handled::Done)
}

/// A repository that the App had seen before, and sees again: it is looked through for what was said meanwhile, and shown
/// anew. Of one that is new nothing is known that could be.
async fn is_back(
    inner: &Inner,
    (tenant, client): (&TenantId, &InstallationClient),
    InstalledRepository { id, full_name }: &InstalledRepository,
    delivery: &NewDelivery,
) -> Result<(), Trouble> {
    let names = inner.store.names_of_repository(*id).await?;
    if !names.iter().any(|called| called.tenant == *tenant) {
        return Ok(());
    }
    called_as(inner, (tenant, client), (*id, full_name), delivery).await?;
    let Inner { store, github, clock, .. } = inner;
    let reconciler = Reconciler::new(store.clone(), github.clone(), clock.clone());
    match reconciler.look_through(tenant, client, full_name).await {
        Ok(_) => {}
        Err(ReconcileError::GitHub(error @ (GitHubError::NotFound { .. } | GitHubError::Forbidden { .. }))) => {
            if clock.now().duration_since(delivery.received_at) < INSTALLATION_LAG {
                return Err(Trouble::soon(error));
            }
            tracing::debug!(repository = %full_name, "it was taken out again since, or has another name");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(show_again(store.as_ref(), &inner.installations.sender(tenant), Some(*id), clock.now()).await?)
}

/// Has everything told anew that GitHub was not told while the App was away, or did not see the one repository with this id:
/// what was to be told then has failed for good. What is up to date costs no request.
async fn show_again(store: &dyn Store, sender: &Sender, of_one: Option<u64>, now: Timestamp) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let filter = ExecutionFilter::default();
        let page = store.list(Some(&sender.tenant), &filter, PAGE, cursor.as_deref()).await?;
        let mut effects = Vec::new();
        for execution in &page.items {
            let is_meant = match of_one {
                Some(id) => belongs_to(store, execution, id).await?,
                None => true,
            };
            if is_meant {
                effects.extend(told_again(execution, sender, now));
            }
        }
        store.add_effects(effects).await?;
        let Some(next) = page.next else { return Ok(()) };
        cursor = Some(next);
    }
}

/// An execution as it stands, and the workflows that it waits for: they are dispatched or watched on, as each stands.
fn told_again(execution: &Execution, sender: &Sender, now: Timestamp) -> Vec<NewEffect> {
    let shown = is_looked_at(execution, now).then(|| {
        let effect = Effect::SyncExecution { execution: execution.id, renew: None };
        effect.queued(sender, priority::TIMELINE, now)
    });
    let awaiting = execution.steps.iter().filter(|(_, state)| awaited_by(state, state.attempt).is_some());
    let awaited = awaiting.map(|(step, state)| {
        let (step, attempt) = (step.clone(), state.attempt);
        let effect = Effect::DispatchWorkflow { execution: execution.id, step, attempt };
        effect.queued(sender, priority::END, now)
    });
    shown.into_iter().chain(awaited).collect()
}

/// Whether people may still look at an execution on GitHub: it is open, or ended lately.
fn is_looked_at(execution: &Execution, now: Timestamp) -> bool {
    let ended = execution.completed_at.filter(|_| execution.status.is_final());
    execution.subject.is_some() && ended.is_none_or(|ended| now.duration_since(ended) <= SHOWN_AFTER_END)
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
    begin(inner.store.as_ref(), tenant, inner.clock.now()).await?;
    inner.installations.learn(tenant, installation);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::execution::{Event, EventKind, Signal};

    use super::*;
    use crate::github::wording::sample::Sample;
    use crate::store::{EffectEnd, HeardStore as _, RepositoryCalled, SqliteStore, Transition};

    fn created(execution: &Execution) -> Transition {
        let kind = EventKind::ExecutionCreated { execution: Box::new(execution.clone()) };
        let event = Event { at: execution.created_at, step: None, attempt: None, actor: None, kind };
        Transition::of(execution.clone(), 0, vec![event])
    }

    #[tokio::test]
    async fn what_failed_while_the_app_was_removed_is_shown_once_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let Sample { execution, now, .. } = Sample::at_leads("Release 1.4", "Carts survive.");
        store.commit(created(&execution)).await.unwrap();
        let tenant = execution.tenant.clone();
        let effect = Effect::SyncExecution { execution: execution.id, renew: None };
        let before = Sender { tenant: tenant.clone(), installation_id: 1 };
        store.add_effects(vec![effect.queued(&before, priority::PROMPT, now)]).await.unwrap();
        let until = now + SignedDuration::from_mins(3);
        let claimed = store.claim_effects("one", 9, now, until).await.unwrap().remove(0);
        let lost = EffectEnd::Failed("the App is not installed".to_owned());
        assert!(store.finish_effect(&claimed, "one", lost).await.unwrap());
        assert_eq!(store.claim_effects("one", 9, now, until).await.unwrap(), []);

        let after = Sender { tenant, installation_id: 2 };
        let name = execution.repository.clone();
        let called = RepositoryCalled { id: 6, tenant: after.tenant.clone(), name, at: Timestamp::UNIX_EPOCH };
        store.call_repository(called).await.unwrap();
        show_again(&store, &after, Some(7), now).await.unwrap();
        assert_eq!(store.claim_effects("one", 9, now, until).await.unwrap(), [], "it is of another repository");
        show_again(&store, &after, Some(6), now).await.unwrap();
        let claimed = store.claim_effects("one", 9, now, until).await.unwrap();
        let told: Vec<_> = claimed.iter().map(|effect| (effect.key.clone(), effect.installation_id)).collect();
        assert_eq!(told, [(effect.key(), 2)]);
        store.close().await;
    }

    #[test]
    fn a_workflow_that_a_step_waited_for_was_forgotten_when_the_app_was_back() {
        let ship =
            "name: release\nversion: 1\nsteps:\n- {id: ship, type: workflow, workflow: release.yml, timeout: 1h}\n";
        let mut sample = Sample::start(ship, "Release 1.4");
        sample.signal(Signal::WorkflowAwaited { step: "ship".to_owned(), attempt: 1 });
        let Sample { execution, now, .. } = sample;
        let sender = Sender { tenant: execution.tenant.clone(), installation_id: 2 };
        let told = told_again(&execution, &sender, now);
        let keys: Vec<&str> = told.iter().map(|effect| effect.key.as_str()).collect();
        let id = execution.id;
        assert_eq!(keys, [format!("execution:{id}"), format!("workflow:{id}/ship/1")]);
    }

    #[test]
    fn what_ended_long_ago_is_not_shown_again() {
        let Sample { mut execution, now, .. } = Sample::at_leads("Release 1.4", "Carts survive.");
        assert!(is_looked_at(&execution, now + SignedDuration::from_hours(1_000)));
        execution.status = flowctl_core::execution::ExecutionStatus::Cancelled;
        execution.completed_at = Some(now);
        assert!(is_looked_at(&execution, now + SHOWN_AFTER_END));
        assert!(!is_looked_at(&execution, now + SHOWN_AFTER_END + SignedDuration::from_secs(1)));
    }
}
