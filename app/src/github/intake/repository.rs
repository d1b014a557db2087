//! Repositories as such: under which name, whose, and whether they are there at all. GitHub's id stays, names do not.
//! Executions of a repository that is gone are cancelled: nobody could read or answer them any more.

use flowctl_core::execution::{Refusal, Signal, TenantId};
use jiff::SignedDuration;

use super::payload::{OfRepository, RepositoryEvent};
use super::scope::Scope;
use super::{Handled, Inner, Trouble};
use crate::engine::{Along, SignalFailure};
use crate::github::client::{GitHubError, InstallationClient, RepositoryName};
use crate::github::whose::{Whose, all_names, belongs_to, called_now};
use crate::store::{NewDelivery, RepositoryCalled};

/// How long after a delivery GitHub's API may still answer with the repository that had a name before.
const RENAMING_LAG: SignedDuration = SignedDuration::from_secs(5);

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
///
/// Since when a repository has its name counts, so that what is known is not noted anew. What comes late, or is sent again, may
/// tell an old name: where it says something else than is known, GitHub is asked.
pub(super) async fn called(
    inner: &Inner,
    (tenant, client): (&TenantId, &InstallationClient),
    name: &RepositoryName,
    delivery: &NewDelivery,
) -> Result<Option<u64>, Trouble> {
    let payload = serde_json::from_slice::<OfRepository>(&delivery.body).ok();
    let Some(id) = payload.and_then(|payload| payload.repository).and_then(|repository| repository.id) else {
        return Ok(None);
    };
    called_as(inner, (tenant, client), (id, name), delivery).await?;
    Ok(Some(id))
}

/// The same for a repository whose id a delivery says in its own way.
pub(super) async fn called_as(
    inner: &Inner,
    (tenant, client): (&TenantId, &InstallationClient),
    (id, name): (u64, &RepositoryName),
    delivery: &NewDelivery,
) -> Result<(), Trouble> {
    let text = name.to_string();
    let before = inner.store.repository_called(tenant, &text).await?;
    let known = inner.store.names_of_repository(id).await?;
    let has_it = known.first().is_some_and(|newest| newest.name == text && newest.tenant == *tenant);
    if before == Some(id) && (has_it || delivery.event != "repository") {
        return Ok(());
    }
    let is_first = before.is_none() && known.is_empty();
    // What GitHub answers is true from the question on, however long the delivery lay.
    let at = if is_first { delivery.received_at } else { inner.clock.now() };
    if !is_first && !is_called_so(client, name, id).await? {
        return Ok(());
    }
    if let Some(before) = before.filter(|before| *before != id) {
        let names = inner.store.names_of_repository(before).await?;
        let has_moved = names.first().is_some_and(|newest| newest.name != text);
        if !has_moved {
            gone(inner, (tenant, client), (before, &text)).await?;
        }
    }
    inner.store.call_repository(RepositoryCalled { id, tenant: tenant.clone(), name: text, at }).await?;
    Ok(())
}

/// A repository has its name no more, and nothing has told why: it was renamed, which GitHub is asked, or deleted.
async fn gone(
    inner: &Inner,
    (tenant, client): (&TenantId, &InstallationClient),
    (id, name): (u64, &str),
) -> Result<(), Trouble> {
    let at = inner.clock.now();
    let there = client.repositories().await?;
    if let Some(renamed) = there.into_iter().find(|repository| repository.id == id) {
        let called = RepositoryCalled { id, tenant: tenant.clone(), name: renamed.name.to_string(), at };
        return Ok(inner.store.call_repository(called).await?);
    }
    let reason = format!("the repository {name} was deleted; another one has its name now");
    cancel(inner, tenant, id, name, &reason).await
}

/// Whether a repository has this name now. Under an old name GitHub answers with the one that had it.
async fn is_called_so(client: &InstallationClient, name: &RepositoryName, id: u64) -> Result<bool, Trouble> {
    // Asked anew: what is kept of an answer may be of the one that had the name a moment ago.
    match client.repository_now(name).await {
        Ok(now) => Ok(now["id"] == id && now["full_name"] == name.to_string()),
        Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. } | GitHubError::Forbidden { .. }) => Ok(false),
        // Who is not there any more says nothing.
        Err(error) if error.is_installation_lost() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The name under which something is asked about the repository of a delivery: the one that it has now, or why it has none
/// any more. What tells that it is gone is about the name that it had.
pub(super) async fn name_now(
    inner: &Inner,
    tenant: &TenantId,
    name: RepositoryName,
    (id, delivery): (Option<u64>, &NewDelivery),
) -> Result<Result<RepositoryName, String>, Trouble> {
    let whose = id.map_or(Whose::Unheard, Whose::Known);
    let reason = match called_now(&*inner.store, tenant, &name.to_string(), whose).await? {
        Ok(now) => return now.parse().map(Ok).map_err(|error| Trouble::Lasting(format!("{error}"))),
        Err(reason) => reason,
    };
    // A name that is new, and that GitHub does not know yet, is nobody else's.
    let has_it = inner.store.repository_called(tenant, &name.to_string()).await?;
    if delivery.event == "repository" || has_it.is_none() {
        return Ok(Ok(name));
    }
    match inner.clock.now().duration_since(delivery.received_at) {
        age if age < RENAMING_LAG => Err(Trouble::soon(reason)),
        _ => Ok(Err(reason)),
    }
}

/// Cancels what is open of a repository, under whichever name it started.
async fn cancel(inner: &Inner, tenant: &TenantId, id: u64, name: &str, reason: &str) -> Result<(), Trouble> {
    for name in all_names(&*inner.store, tenant, name, Some(id)).await? {
        let open = inner.store.executions_of(tenant, &name, None, true).await?;
        for execution in open {
            if !belongs_to(&*inner.store, &execution, id).await? {
                continue;
            }
            let signal = Signal::Cancel { actor: None, reason: reason.to_owned() };
            match inner.engine.signal(tenant, execution.id, signal, Along::default()).await {
                Ok(_) | Err(SignalFailure::Refused(Refusal::Ended { .. })) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
    }
    Ok(())
}
