//! Repositories as such: under which name, whose, and whether they are there at all. GitHub's id stays, names do not.
//! Executions of a repository that is gone are cancelled: nobody could read or answer them any more.

use flowctl_core::execution::{Execution, Refusal, Signal, TenantId};

use super::payload::{OfRepository, RepositoryEvent};
use super::scope::Scope;
use super::{Handled, Inner, Trouble};
use crate::engine::{Along, SignalFailure};
use crate::github::client::RepositoryName;
use crate::github::repository_id;
use crate::store::{NewDelivery, RepositoryCalled};

/// Handles a delivery.
pub(super) async fn handle(scope: &Scope<'_>, event: RepositoryEvent) -> Result<Handled, Trouble> {
    let Some(id) = scope.repository_id else {
        return Ok(Handled::Ignored("the payload does not say which repository".to_owned()));
    };
    match event.action.as_str() {
        "deleted" => {
            let reason = format!("the repository {} was deleted", scope.repository);
            cancel(scope.inner, &scope.tenant, id, &scope.name(), &reason).await?;
        }
        "transferred" => {
            let from = event.changes.owner.map(|change| change.from);
            let former = from.and_then(|from| from.organization.or(from.user)).map(|account| TenantId(account.login));
            let Some(former) = former.filter(|former| *former != scope.tenant) else { return Ok(Handled::Done) };
            // Teams and people of the account before do not speak for the new one.
            let reason = format!("the repository was transferred to {}", scope.repository);
            let name = format!("{}/{}", former.as_str(), scope.repository.name());
            cancel(scope.inner, &former, id, &name, &reason).await?;
        }
        "renamed" => tracing::info!(repository = %scope.repository, id, "a repository has another name"),
        other => return Ok(Handled::Ignored(format!("nothing follows from a repository that is {other}"))),
    }
    Ok(Handled::Done)
}

/// Remembers how the repository of a delivery is called; its id, where the payload says it. Where the name belonged to
/// another one until now, that one is gone, unless it has got another name: what was open there is cancelled.
pub(super) async fn called(
    inner: &Inner,
    tenant: &TenantId,
    name: &RepositoryName,
    delivery: &NewDelivery,
) -> Result<Option<u64>, Trouble> {
    let payload = serde_json::from_slice::<OfRepository>(&delivery.body).ok();
    let Some(id) = payload.and_then(|payload| payload.repository).and_then(|repository| repository.id) else {
        return Ok(None);
    };
    let text = name.to_string();
    let before = inner.store.repository_called(tenant, &text).await?;
    if before == Some(id) && delivery.event != "repository" {
        return Ok(Some(id));
    }
    // An event that comes late does not give an old name back.
    let known = inner.store.names_of_repository(id).await?;
    if let Some(before) = before.filter(|before| *before != id) {
        let is_late = known.first().is_some_and(|newest| newest.name != text && newest.at >= delivery.received_at);
        let names = inner.store.names_of_repository(before).await?;
        let has_moved = names.first().is_some_and(|newest| newest.name != text);
        if !is_late && !has_moved {
            let reason = format!("the repository {text} was deleted; another one has its name now");
            cancel(inner, tenant, before, &text, &reason).await?;
        }
    }
    let at = delivery.received_at;
    inner.store.call_repository(RepositoryCalled { id, tenant: tenant.clone(), name: text, at }).await?;
    Ok(Some(id))
}

/// Cancels what is open of a repository, under whichever name it started.
async fn cancel(inner: &Inner, tenant: &TenantId, id: u64, name: &str, reason: &str) -> Result<(), Trouble> {
    let mut names = vec![name.to_owned()];
    let called = inner.store.names_of_repository(id).await?.into_iter();
    names.extend(called.filter(|called| called.tenant == *tenant).map(|called| called.name));
    names.sort_unstable();
    names.dedup();
    for name in names {
        let open = inner.store.executions_of(tenant, &name, None, true).await?;
        let is_its = |execution: &&Execution| repository_id(execution).is_none_or(|its| its == id);
        for execution in open.iter().filter(is_its) {
            let signal = Signal::Cancel { actor: None, reason: reason.to_owned() };
            match inner.engine.signal(tenant, execution.id, signal, Along::default()).await {
                Ok(_) | Err(SignalFailure::Refused(Refusal::Ended { .. })) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
    }
    Ok(())
}
