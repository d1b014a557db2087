//! Intake: what GitHub sent becomes signals to executions, and starts. Deliveries of one pull request are handled one
//! after the other, each as often as it takes: whatever is done here can be done again and leads to the same.
//! Payloads say what happened; what somebody may do, and what a pull request is like now, GitHub is asked.

mod check_run;
mod command;
mod comment;
mod happening;
mod installation;
mod payload;
mod pull_request;
mod push;
mod repository;
mod review;
mod scope;
mod shown;
mod source;
mod start;
mod targets;
mod trigger;
mod trouble;
mod validation;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use source::{Change, Published, Source, SourceError};

use scope::Scope;
use trouble::Trouble;

use crate::clock::Clock;
use crate::crash::crash_point;
use crate::engine::Engine;
use crate::github::client::{GitHub, GitHubError, Holds, InstallationId, RepositoryName};
use crate::github::lease::{self, Entered, UnderWay};
use crate::github::outbox::{Installations, Outbox};
use crate::github::reconcile::Reconciler;
use crate::store::{ClaimedDelivery, DeliveryEnd, DeliveryId, NewDelivery, Store};

/// How many deliveries are handled at once.
const CLAIMS: u32 = 16;
/// The longest time between two looks into the inbox.
const POLL: Duration = Duration::from_secs(1);
/// For how long trouble that passes is waited for. Half a day before GitHub's three days end, within which somebody may
/// have it send the delivery again.
const LONGEST_TROUBLE: SignedDuration = SignedDuration::from_hours(60);
/// How often the handling of a delivery may begin and no end of it be recorded: servers went down with it.
const MOST_UNENDED: u32 = 10;
/// The longest pause between two attempts.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// Just after an event GitHub's API may not know yet what it tells of.
const API_LAG: SignedDuration = SignedDuration::from_secs(60);

/// How long a new installation may be unknown to the rest of GitHub.
const INSTALLATION_LAG: SignedDuration = SignedDuration::from_secs(5);

/// What intake works with.
pub struct IntakeParts {
    /// Where deliveries wait.
    pub store: Arc<dyn Store>,
    /// What moves executions.
    pub engine: Engine,
    /// GitHub.
    pub github: GitHub,
    /// Repositories' definitions.
    pub source: Arc<dyn Source>,
    /// What tells GitHub.
    pub outbox: Outbox,
    /// Which installation writes for which tenant.
    pub installations: Installations,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This process's name.
    pub owner: String,
    /// How long a delivery is one server's own without renewal.
    pub lease: Duration,
}

/// Takes deliveries out of the inbox. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    inner: Arc<Inner>,
    under_way: UnderWay<ClaimedDelivery>,
}

type Inner = IntakeParts;

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Handled {
    /// All that follows from it is stored.
    Done,
    /// Nothing follows from it.
    Ignored(String),
}

impl Intake {
    /// Looks for what no delivery told of.
    pub fn reconciler(&self) -> Reconciler {
        let IntakeParts { store, github, clock, .. } = &*self.inner;
        Reconciler::new(Arc::clone(store), github.clone(), Arc::clone(clock))
    }

    /// An intake that does nothing by itself until [`Intake::run`].
    #[must_use]
    pub fn new(parts: IntakeParts) -> Self {
        Self { inner: Arc::new(parts), under_way: UnderWay::default() }
    }

    /// Handles deliveries until `shutdown`; then finishes those under way.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut hint = self.inner.store.subscribe();
        let mut under_way = JoinSet::new();
        while !shutdown.is_cancelled() {
            hint.mark_unchanged();
            for delivery in self.claim(under_way.len()).await {
                // One that is still handled here goes on under this claim.
                if let Some(entered) = self.under_way.enter(&delivery.delivery.id.0.clone(), delivery) {
                    let intake = self.clone();
                    under_way.spawn(async move { intake.take(entered).await });
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(ended) = under_way.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a delivery brought its handling down; it is taken up again");
                },
                changed = hint.changed() => if changed.is_err() { tokio::time::sleep(POLL).await },
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self, under_way: usize) -> Vec<ClaimedDelivery> {
        let free = CLAIMS.saturating_sub(u32::try_from(under_way).unwrap_or(u32::MAX));
        if free == 0 {
            return Vec::new();
        }
        let now = self.inner.clock.now();
        let until = lease::until(now, self.inner.lease);
        self.inner.store.claim_deliveries(&self.inner.owner, free, now, until).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the inbox cannot be read");
            Vec::new()
        })
    }

    /// Handles a delivery as often as this server claims it.
    async fn take(&self, entered: Entered<ClaimedDelivery>) {
        let mut entered = Some(entered);
        while let Some(mut again) = entered {
            self.take_once(&mut again).await;
            entered = again.leave();
        }
    }

    /// Handles one delivery and records how that ended.
    async fn take_once(&self, entered: &mut Entered<ClaimedDelivery>) {
        crash_point("delivery.claimed");
        let ClaimedDelivery { delivery, unended, .. } = entered.claim();
        let (id, event) = (delivery.id.clone(), delivery.event.clone());
        let received_at = delivery.received_at;
        let handled = match unended {
            // Whatever brings the server down each time must not do so for ever.
            0..=MOST_UNENDED => match self.under_lease(&id, entered, handle(&self.inner, delivery).boxed()).await {
                Some(handled) => handled,
                None => return tracing::info!(delivery = id.0, "the lease of a delivery has passed to somebody else"),
            },
            _ => Err(Trouble::Lasting(format!("its handling was begun {MOST_UNENDED} times and never ended"))),
        };
        let attempts = entered.claim().attempts;
        let end = match handled {
            Ok(Handled::Done) => DeliveryEnd::Done,
            Ok(Handled::Ignored(reason)) => DeliveryEnd::Ignored(reason),
            Err(trouble) => end_after(trouble, attempts, received_at, self.inner.clock.now()),
        };
        match &end {
            DeliveryEnd::Done => tracing::debug!(delivery = id.0, event, "handled"),
            DeliveryEnd::Ignored(reason) => tracing::debug!(delivery = id.0, event, reason, "ignored"),
            DeliveryEnd::RetryAt(_, reason) => {
                tracing::warn!(delivery = id.0, event, attempts, reason, "tried again later")
            }
            DeliveryEnd::Failed(reason) => tracing::error!(
                delivery = id.0,
                event,
                attempts,
                reason,
                "a delivery cannot be handled; redeliver it once that is mended"
            ),
        }
        self.record(&id, entered, attempts, end).await;
    }

    /// Records how a delivery ended, under whichever claim this server has of it.
    async fn record(
        &self,
        id: &DeliveryId,
        entered: &mut Entered<ClaimedDelivery>,
        mut attempts: u32,
        end: DeliveryEnd,
    ) {
        let IntakeParts { store, owner, .. } = &*self.inner;
        loop {
            match store.finish_delivery(id, attempts, owner, end.clone()).await {
                Ok(true) => return,
                Ok(false) if entered.is_claimed_anew().await => attempts = entered.claim().attempts,
                Ok(false) => {
                    return tracing::info!(delivery = id.0, "the lease of a delivery has passed to somebody else");
                }
                Err(error) => {
                    return tracing::error!(delivery = id.0, %error, "how a delivery ended cannot be recorded");
                }
            }
        }
    }

    /// Does something for a claimed delivery while its lease is renewed; nothing where that was lost.
    async fn under_lease<T>(
        &self,
        id: &DeliveryId,
        entered: &mut Entered<ClaimedDelivery>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let IntakeParts { store, owner, clock, lease, .. } = &*self.inner;
        let until = || lease::until(clock.now(), *lease);
        let renew = |claimed: ClaimedDelivery| store.renew_delivery(id, claimed.attempts, owner, until());
        entered.under(*lease, renew, work).await
    }
}

/// What follows from trouble: another attempt, or the end of them.
fn end_after(trouble: Trouble, attempts: u32, received_at: Timestamp, now: Timestamp) -> DeliveryEnd {
    let again = |wait: SignedDuration, reason: String| {
        DeliveryEnd::RetryAt(now.saturating_add(wait).unwrap_or(Timestamp::MAX), reason)
    };
    let backoff = SignedDuration::from_secs(1_i64 << attempts.saturating_sub(1).min(9)).min(LONGEST_PAUSE);
    match trouble {
        Trouble::Passing { reason, wait } if now.duration_since(received_at) < LONGEST_TROUBLE => {
            again(wait.unwrap_or(backoff), reason)
        }
        Trouble::Passing { reason, .. } => DeliveryEnd::Failed(reason),
        Trouble::Lasting(reason) if now.duration_since(received_at) < API_LAG && attempts <= 3 => {
            again(backoff, reason)
        }
        Trouble::Lasting(reason) => DeliveryEnd::Failed(reason),
    }
}

/// Handles one delivery.
async fn handle(inner: &Inner, delivery: NewDelivery) -> Result<Handled, Trouble> {
    match delivery.event.as_str() {
        "installation" => return installation::handle(inner, payload(&delivery)?).await,
        "installation_repositories" => return installation::repositories(inner, &delivery).await,
        _ => {}
    }
    let scope = match scope(inner, &delivery).await? {
        Ok(scope) => scope,
        Err(nothing) => return Ok(nothing),
    };
    if delivery.event == "repository" {
        return repository::handle(&scope, payload(&delivery)?).await;
    }
    if let Some(gone) = uninstalled(&scope).await? {
        return Ok(gone);
    }
    match delivery.event.as_str() {
        "pull_request" => pull_request::handle(&scope, payload(&delivery)?).await,
        "push" => push::handle(&scope, payload(&delivery)?).await,
        "issue_comment" => comment::handle(&scope, payload(&delivery)?).await,
        "pull_request_review" => review::handle(&scope, payload(&delivery)?).await,
        "check_run" => check_run::handle(&scope, payload(&delivery)?).await,
        "repository_dispatch" => happening::repository_dispatch(&scope, payload(&delivery)?).await,
        "merge_group" => happening::merge_group(&scope, payload(&delivery)?).await,
        "deployment_protection_rule" => happening::deployment(&scope, payload(&delivery)?).await,
        "workflow_run" => happening::workflow_run(&scope, payload(&delivery)?).await,
        "check_suite" => check_run::suite(&scope, payload(&delivery)?).await,
        other => Ok(Handled::Ignored(format!("`{other}` is an event that nothing follows from"))),
    }
}

/// Events whose handling asks GitHub.
const ASKING: [&str; 10] = [
    "pull_request",
    "push",
    "issue_comment",
    "pull_request_review",
    "check_run",
    "check_suite",
    "repository_dispatch",
    "merge_group",
    "deployment_protection_rule",
    "workflow_run",
];

/// What follows where GitHub gives no token: nothing, once it can no longer be GitHub's own delay after an installation.
async fn uninstalled(scope: &Scope<'_>) -> Result<Option<Handled>, Trouble> {
    match scope.client.token().await {
        Err(error @ GitHubError::Uninstalled { .. }) => {
            let age = scope.now().duration_since(scope.received_at);
            if age < INSTALLATION_LAG {
                return Err(Trouble::soon(error));
            }
            Ok(Some(Handled::Ignored("the App is not installed there any more".to_owned())))
        }
        // What it says of everything else is said again by whoever asks.
        _ => Ok(None),
    }
}

/// Reads what is needed of a payload.
fn payload<T: DeserializeOwned>(delivery: &NewDelivery) -> Result<T, Trouble> {
    serde_json::from_slice(&delivery.body)
        .map_err(|error| Trouble::Lasting(format!("the payload of `{}` cannot be read: {error}", delivery.event)))
}

/// Whose delivery it is, or why nothing follows from it.
async fn scope<'a>(inner: &'a Inner, delivery: &'a NewDelivery) -> Result<Result<Scope<'a>, Handled>, Trouble> {
    let nothing = |reason: String| Ok(Err(Handled::Ignored(reason)));
    let NewDelivery { installation_id, tenant, repository, event, .. } = delivery;
    let (Some(tenant), Some(installation)) = (tenant, installation_id.map(InstallationId)) else {
        return nothing(format!("`{event}` is about no installation"));
    };
    installation::learn(inner, tenant, installation.0).await?;
    let Some(repository) = repository else { return nothing(format!("`{event}` is about no repository")) };
    if event != "repository" && !ASKING.contains(&event.as_str()) {
        return nothing(format!("`{event}` is an event that nothing follows from"));
    }
    let repository: RepositoryName = repository.parse().map_err(|error| Trouble::Lasting(format!("{error}")))?;
    // Deliveries of other installations wait for this one's place.
    let client = inner.github.installation(installation).holding(Holds::Place);
    let id = repository::called(inner, (tenant, &client), &repository, delivery).await?;
    match repository::name_now(inner, tenant, repository, (id, delivery)).await? {
        Ok(now) => Ok(Ok(Scope::new(inner, (tenant.clone(), now, id), client, delivery))),
        Err(gone) => nothing(gone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_passes_is_waited_for_and_other_trouble_is_not() {
        let start = Timestamp::UNIX_EPOCH;
        let minutes_later = start + SignedDuration::from_mins(10);
        let passing = |wait| Trouble::Passing { reason: "502".to_owned(), wait };
        let lasting = || Trouble::Lasting("404".to_owned());
        let ends = [
            end_after(passing(None), 1, start, minutes_later),
            end_after(passing(None), 20, start, minutes_later),
            end_after(passing(Some(SignedDuration::from_secs(7))), 1, start, minutes_later),
            end_after(passing(None), 900, start, start + LONGEST_TROUBLE - SignedDuration::from_secs(1)),
            end_after(passing(None), 900, start, start + LONGEST_TROUBLE),
            end_after(lasting(), 1, start, start + SignedDuration::from_secs(2)),
            end_after(lasting(), 4, start, start + SignedDuration::from_secs(2)),
            end_after(lasting(), 1, start, minutes_later),
        ];
        let told: Vec<String> = ends
            .into_iter()
            .map(|end| match end {
                DeliveryEnd::RetryAt(at, reason) => format!("{reason}: again at {}", at.as_second()),
                DeliveryEnd::Failed(reason) => format!("{reason}: failed"),
                DeliveryEnd::Done | DeliveryEnd::Ignored(_) => "done".to_owned(),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        502: again at 601
        502: again at 900
        502: again at 607
        502: again at 216299
        502: failed
        404: again at 3
        404: failed
        404: failed
        ");
    }
}
