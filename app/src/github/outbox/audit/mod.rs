//! Commits a repository's entries of the audit log to a reference in it, where `.flow/flow.yaml` says so. Entries are added in
//! files of their own, and the reference only moves forward. Where others move it, the log says so and goes on from there.
//!
//! A commit is noted before the reference is moved to it: who comes after a crash knows it again, and writes nothing twice.

mod batch;
mod copy;
mod message;
mod references;
mod refusal;
mod settle;
mod written;

pub use references::{AuditReferences, commit_soon};
pub use refusal::{RefusedReference, count_refused_references, refused_references, try_again};

use copy::Copy;
use references::committing;

use super::effect::Sender;
use super::failure::Failure;
use super::write::Writing;
use crate::github::client::{GitHubError, RepositoryName};

/// Commits what is new.
pub(super) async fn commit(writing: &Writing<'_>, repository: &RepositoryName) -> Result<(), Failure> {
    let Some(mut copy) = Copy::open(writing, repository).await? else { return Ok(()) };
    if copy.rests() {
        return copy.try_later().await;
    }
    let mut batch = copy.batch().await?;
    if batch.entries.is_empty() {
        copy.pass_over(batch.last).await?;
        return go_on(writing, repository, batch.more).await;
    }
    let stood = copy.stood.clone();
    let stands = copy.stands().await?;
    copy.settle(stands).await?;
    if copy.stood != stood {
        batch = copy.batch().await?;
    }
    if batch.entries.is_empty() {
        return go_on(writing, repository, batch.more).await;
    }
    let more = batch.more;
    match copy.write(batch).await {
        Err(
            failure @ Failure::GitHub(
                GitHubError::Forbidden { .. } | GitHubError::Validation { .. } | GitHubError::Conflict { .. },
            ),
        ) => {
            copy.refuse(failure.to_string(), None).await?;
            return Err(failure);
        }
        written => written?,
    }
    go_on(writing, repository, more).await
}

/// Has the rest of the log looked at after what else is to be told.
async fn go_on(writing: &Writing<'_>, repository: &RepositoryName, more: bool) -> Result<(), Failure> {
    if more {
        let sender = Sender { tenant: writing.effect.tenant.clone(), installation_id: writing.effect.installation_id };
        let again = committing(&repository.to_string(), &sender, writing.outbox.clock.now());
        writing.outbox.store.add_effects(again.into_iter().collect()).await?;
    }
    Ok(())
}
