//! What was missed for longer than GitHub redelivers is found by looking: comments, reviews and pull requests that
//! nobody told of are put into the inbox as if they had been delivered, and intake deals with them like with any other.
//! Nothing is decided here, and nothing that was dealt with is put there again.
//!
//! What cannot be found: who pressed a button of a check run. GitHub keeps no list of that; the button is there still,
//! and is pressed again.

mod missed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::execution::{Execution, ExecutionStatus, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use missed::{is_reconciled, of_comment, of_head, of_pull_request, of_pusher, of_review};

use missed::{Missed, Place};

use crate::clock::Clock;
use crate::github::client::{GitHub, GitHubError, Holds, InstallationClient, InstallationId, RepositoryName, Urgency};
use crate::github::whose::{all_names, belongs_to, of_execution};
use crate::store::{DeliveryId, ExecutionFilter, Heard, Receipt, RepositoryCalled, Store, StoreError};

/// The pause before the first look: what GitHub redelivers comes by itself meanwhile.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The pause between later looks.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// How far back the first look goes. What is older nobody expects to be answered any more.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far back a look goes beyond the one before: clocks differ, and lists lag behind.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// How long what GitHub tells may be on its way. The next look goes back further than this.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(1);
/// How long it is kept what was dealt with: longer than any look goes back.
const KEPT: SignedDuration = SignedDuration::from_hours(60 * 24);
/// Records that are forgotten at once.
const FORGOTTEN: u32 = 256;
/// Repositories of one account that the first look goes through; the others have open executions, or wait for an event.
const MOST_REPOSITORIES: usize = 200;
/// Executions that are read at once.
const PAGE: u32 = 200;

/// Looks for what was missed. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    store: Arc<dyn Store>,
    github: GitHub,
    clock: Arc<dyn Clock>,
}

/// Why nothing can be said about what was missed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Since when it is recorded for an account what was dealt with: of what is older nobody can say whether it was. The first
/// call says so. GitHub tells seconds, so it is the second before.
///
/// # Errors
/// Where the store does not answer.
pub async fn begin(store: &dyn Store, tenant: &TenantId, now: Timestamp) -> Result<Timestamp, StoreError> {
    let what = "begin".to_owned();
    let begin = Heard { tenant: tenant.clone(), what, delivery: DeliveryId(String::new()), at: now };
    let at = store.hear(begin).await?.at;
    Ok(at.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(at))
}

/// What a look goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    since: Timestamp,
    /// At every repository, or at those with open executions.
    everywhere: bool,
}

/// Which look is next.
struct Looks {
    usual: Look,
    /// Of accounts whose look could not be made.
    put_off: BTreeMap<TenantId, Look>,
}

impl Looks {
    fn new(now: Timestamp) -> Self {
        Self { usual: Look { since: far_back(now), everywhere: true }, put_off: BTreeMap::new() }
    }

    fn of(&self, tenant: &TenantId) -> Look {
        self.put_off.get(tenant).copied().unwrap_or(self.usual)
    }

    fn put_off(&mut self, tenant: &TenantId) {
        self.put_off.insert(tenant.clone(), self.of(tenant));
    }

    fn made(&mut self, tenant: &TenantId) {
        self.put_off.remove(tenant);
    }

    /// After a look at all accounts that began then.
    fn go_on_from(&mut self, began: Timestamp) {
        let since = began.saturating_sub(OVERLAP).unwrap_or(self.usual.since);
        self.usual = Look { since, everywhere: false };
    }
}

fn far_back(now: Timestamp) -> Timestamp {
    now.saturating_sub(FIRST_LOOK).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether GitHub may answer the same later.
fn passes(error: &GitHubError) -> bool {
    error.is_transient() || matches!(error, GitHubError::Unauthorized { .. } | GitHubError::Suspended { .. })
}

/// The pull requests of each repository that have open executions.
type Open = BTreeMap<String, BTreeMap<u64, Vec<Execution>>>;

impl Reconciler {
    /// A reconciler that does nothing by itself until [`Reconciler::run`].
    pub fn new(store: Arc<dyn Store>, github: GitHub, clock: Arc<dyn Clock>) -> Self {
        Self { store, github, clock }
    }

    /// Looks until `shutdown`: soon after the start through everything, then now and again where executions are open.
    pub async fn run(self, shutdown: CancellationToken) {
        for installation in self.store.installations().await.unwrap_or_default() {
            if let Err(error) = begin(self.store.as_ref(), &installation.account, self.clock.now()).await {
                tracing::warn!(%error, "it cannot be recorded since when anything is");
            }
        }
        let mut looks = Looks::new(self.clock.now());
        let mut pause = FIRST_PAUSE;
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let began = self.clock.now();
            let Some(looked) = shutdown.run_until_cancelled(self.look(&mut looks)).await else { return };
            match looked {
                Ok(found) => {
                    if found > 0 {
                        tracing::info!(count = found, "found what no delivery had told of");
                    }
                    looks.go_on_from(began);
                }
                Err(error) => tracing::warn!(%error, "what was missed could not be looked for; it is tried again"),
            }
            pause = PAUSE;
        }
    }

    /// Looks once at each account; how much was found that nobody had told of.
    ///
    /// # Errors
    /// Where the store does not answer. An account whose GitHub does not answer has the same look made next time.
    async fn look(&self, looks: &mut Looks) -> Result<usize, ReconcileError> {
        let before = self.clock.now().saturating_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
        while self.store.forget_heard(before, FORGOTTEN).await? == u64::from(FORGOTTEN) {}
        let mut found = 0;
        let mut seen = BTreeSet::new();
        for installation in self.store.installations().await? {
            let tenant = installation.account;
            if !seen.insert(tenant.clone()) {
                continue;
            }
            // The newest of the account: an older one may have been removed.
            let current = self.store.installation(&tenant).await?;
            let Some(current) = current.filter(|current| !current.deleted) else {
                // Once it is back, what was said meanwhile is found.
                looks.put_off(&tenant);
                continue;
            };
            if current.suspended {
                if !self.is_lifted(&tenant, current.id).await? {
                    looks.put_off(&tenant);
                    continue;
                }
                found += 1;
            }
            let client = self.github.installation(InstallationId(current.id));
            let client = client.with_urgency(Urgency::Reconciliation).holding(Holds::Nothing);
            match self.account(&tenant, &client, looks.of(&tenant)).await {
                Ok(count) => {
                    looks.made(&tenant);
                    found += count;
                }
                Err(ReconcileError::GitHub(error)) => {
                    tracing::warn!(tenant = tenant.as_str(), %error, "what was missed could not be looked for");
                    if passes(&error) {
                        looks.put_off(&tenant);
                    } else {
                        looks.made(&tenant);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Whether a suspension was lifted; then that is put into the inbox. While it is known nobody is told anything, and
    /// nothing else would show that it is over.
    async fn is_lifted(&self, tenant: &TenantId, installation: u64) -> Result<bool, ReconcileError> {
        match self.github.app().installation(InstallationId(installation)).await {
            Ok(now) if now.suspended_at.is_none() => {
                self.store.receive(missed::lifted(tenant, installation, self.clock.now())).await?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) => {
                tracing::warn!(tenant = tenant.as_str(), %error, "whether the App is still suspended cannot be asked");
                Ok(false)
            }
        }
    }

    async fn account(
        &self,
        tenant: &TenantId,
        client: &InstallationClient,
        Look { since, everywhere }: Look,
    ) -> Result<usize, ReconcileError> {
        let now = self.clock.now();
        // A look that was put off again and again goes no further back than it is kept what was dealt with.
        let since = since.max(far_back(now)).max(begin(self.store.as_ref(), tenant, now).await?);
        let open = self.open(tenant).await?;
        let mut names: BTreeSet<String> = open.keys().cloned().collect();
        if everywhere {
            names.extend(self.store.repositories(tenant).await?.into_iter().take(MOST_REPOSITORIES));
        }
        let mut found = 0;
        for name in names {
            let Ok(repository) = name.parse::<RepositoryName>() else { continue };
            let none = BTreeMap::new();
            let open = open.get(&name).unwrap_or(&none);
            match self.repository(tenant, client, &repository, since, open).await {
                Ok(count) => found += count,
                // Deleted, or the App may not see it any more; the account's others are looked at all the same.
                Err(ReconcileError::GitHub(GitHubError::NotFound { .. } | GitHubError::Forbidden { .. })) => {
                    tracing::debug!(%repository, "it cannot be seen any more");
                }
                // What is the matter with one must not keep the others.
                Err(ReconcileError::GitHub(error)) if !passes(&error) && !error.is_installation_lost() => {
                    tracing::warn!(%repository, %error, "what was missed there cannot be looked for");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn open(&self, tenant: &TenantId) -> Result<Open, StoreError> {
        let mut open = Open::new();
        for status in [ExecutionStatus::Pending, ExecutionStatus::Running, ExecutionStatus::Waiting] {
            let filter = ExecutionFilter { status: Some(status), ..ExecutionFilter::default() };
            let mut cursor = None;
            loop {
                let page = self.store.list(Some(tenant), &filter, PAGE, cursor.as_deref()).await?;
                for execution in page.items {
                    let subject = execution.subject.as_ref().filter(|subject| subject.is_pull_request);
                    let Some(number) = subject.and_then(|subject| subject.number) else { continue };
                    // It keeps the name under which it started; another repository may have that one by now.
                    let Ok(name) = of_execution(self.store.as_ref(), &execution).await? else { continue };
                    open.entry(name).or_default().entry(number).or_default().push(execution);
                }
                let Some(next) = page.next else { break };
                cursor = Some(next);
            }
        }
        Ok(open)
    }

    async fn repository(
        &self,
        tenant: &TenantId,
        client: &InstallationClient,
        repository: &RepositoryName,
        since: Timestamp,
        open: &BTreeMap<u64, Vec<Execution>>,
    ) -> Result<usize, ReconcileError> {
        let place = self.place(tenant, client, repository).await?;
        let mut found = self.is_known(&place, repository).await?;
        // What is open under this name is looked at once it is known whose it is: it may be another repository's.
        let unknown = BTreeMap::new();
        let open = if found > 0 { &unknown } else { open };
        for pull_request in client.pull_requests_since(&place.name, since).await? {
            found += self.pull_request(&place, &pull_request, since, open).await?;
        }
        for comment in client.comments_since(&place.name, since).await? {
            found += self.comment(&place, &comment, since).await?;
        }
        let until = self.clock.now().saturating_sub(UNDER_WAY).unwrap_or(Timestamp::UNIX_EPOCH);
        for number in open.keys() {
            found += self.reviews(&place, *number, since, until).await?;
        }
        Ok(found)
    }

    /// Looks at one pull request or issue at once: what `/recheck` asks for. How much was found.
    ///
    /// # Errors
    /// Where GitHub or the store does not answer.
    pub async fn look_at(
        &self,
        tenant: &TenantId,
        client: &InstallationClient,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<usize, ReconcileError> {
        let now = self.clock.now();
        let since = far_back(now).max(begin(self.store.as_ref(), tenant, now).await?);
        let place = self.place(tenant, client, repository).await?;
        let mut found = self.is_known(&place, repository).await?;
        for comment in client.comments_of(&place.name, number, since).await? {
            found += self.comment(&place, &comment, since).await?;
        }
        if self.is_pull_request_of(&place, repository, number).await? {
            found += self.reviews(&place, number, since, Timestamp::MAX).await?;
        }
        Ok(found)
    }

    /// Looks through one repository at once, as far back as the first look goes: for one that the App may see again. How much
    /// was found.
    ///
    /// # Errors
    /// Where GitHub or the store does not answer.
    pub async fn look_through(
        &self,
        tenant: &TenantId,
        client: &InstallationClient,
        repository: &RepositoryName,
    ) -> Result<usize, ReconcileError> {
        let now = self.clock.now();
        let since = far_back(now).max(begin(self.store.as_ref(), tenant, now).await?);
        let open = self.open(tenant).await?.remove(&repository.to_string()).unwrap_or_default();
        self.repository(tenant, client, repository, since, &open).await
    }

    async fn place<'a>(
        &self,
        tenant: &'a TenantId,
        client: &'a InstallationClient,
        repository: &RepositoryName,
    ) -> Result<Place<'a>, ReconcileError> {
        let now: Value = client.repository_now(repository).await?;
        Ok(Place::of(tenant, client, repository, now))
    }

    /// Remembers how the repository is called that answers to a name. Where the name is known as another one's, intake hears of
    /// it first: that one may be gone, and what is open there with it. How much was put into the inbox for that.
    async fn is_known(&self, place: &Place<'_>, asked: &RepositoryName) -> Result<usize, ReconcileError> {
        for name in [&place.name, asked] {
            let known = self.store.repository_called(place.tenant, &name.to_string()).await?;
            if known.is_some_and(|known| known != place.id) {
                return Ok(self.put(place.called(self.clock.now())).await?);
            }
        }
        let (id, name, at) = (place.id, place.name.to_string(), self.clock.now());
        let newest = self.store.names_of_repository(id).await?.into_iter().next();
        if place.name != *asked && newest.is_none_or(|newest| newest.name != name) {
            self.store.call_repository(RepositoryCalled { id, tenant: place.tenant.clone(), name, at }).await?;
        }
        Ok(0)
    }

    /// Has intake hear which repository GitHub answers with under a name, once for each such moment.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub(in crate::github) async fn tell_who_has(
        &self,
        name: &RepositoryName,
        answer: Value,
        (tenant, client): (&TenantId, &InstallationClient),
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.put(Place::of(tenant, client, name, answer).called(at)).await.map(drop)
    }

    /// Whether executions are open on a pull request, under whichever name of its repository they started.
    async fn is_pull_request_of(
        &self,
        place: &Place<'_>,
        repository: &RepositoryName,
        number: u64,
    ) -> Result<bool, StoreError> {
        let store = self.store.as_ref();
        for name in all_names(store, place.tenant, &repository.to_string(), Some(place.id)).await? {
            for execution in store.executions_of(place.tenant, &name, Some(number), true).await? {
                let is_pull_request = execution.subject.as_ref().is_some_and(|subject| subject.is_pull_request);
                if is_pull_request && belongs_to(store, &execution, place.id).await? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn pull_request(
        &self,
        place: &Place<'_>,
        pull_request: &Value,
        since: Timestamp,
        open: &BTreeMap<u64, Vec<Execution>>,
    ) -> Result<usize, ReconcileError> {
        let Some(state) = missed::PullRequestState::of(pull_request) else { return Ok(0) };
        let opened = of_pull_request(place.id, state.number, "opened");
        let is_known = self.knows(place, &opened).await? || open.contains_key(&state.number);
        let shown_elsewhere = |execution: &Execution| {
            execution.subject.as_ref().is_some_and(|subject| subject.head_sha != state.head_sha)
        };
        let mut found = 0;
        if state.created_at >= since && state.is_open() && !is_known {
            found += self.put(place.opened(pull_request, &state, &opened)).await?;
        } else if state.is_open() && is_known {
            let head = of_head(place.id, state.number, &state.head_sha);
            let moved = open.get(&state.number).is_some_and(|executions| executions.iter().any(shown_elsewhere));
            if !self.knows(place, &head).await? && (moved || self.knows(place, &opened).await?) {
                found += self.put(place.moved(pull_request, &state, &head)).await?;
            }
        } else if let Some(closed_at) = state.closed_at.filter(|at| *at >= since)
            && is_known
        {
            let closed = of_pull_request(place.id, state.number, &format!("closed:{}", closed_at.as_second()));
            if !self.knows(place, &closed).await? {
                found += self.put(place.closed(pull_request, &state, &closed)).await?;
            }
        }
        Ok(found)
    }

    async fn comment(&self, place: &Place<'_>, comment: &Value, since: Timestamp) -> Result<usize, ReconcileError> {
        let Some(number) = missed::number_of(comment) else { return Ok(0) };
        let Some(what) = missed::comment_to_hear(comment, since) else { return Ok(0) };
        if self.knows(place, &what).await? {
            return Ok(0);
        }
        let issue = place.client.issue(&place.name, number).await?;
        Ok(self.put(place.commented(comment, number, issue, &what)).await?)
    }

    /// Those with a text are left alone while they are younger than `until`: their authors would be asked to say again
    /// what is being heard.
    async fn reviews(
        &self,
        place: &Place<'_>,
        number: u64,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<usize, ReconcileError> {
        let mut found = 0;
        for review in place.client.reviews_of(&place.name, number).await? {
            let Some((what, action)) = missed::review_to_hear(&review, since) else { continue };
            if missed::is_on_its_way(&review, until) {
                continue;
            }
            if !self.knows(place, &what).await? {
                found += self.put(place.reviewed(&review, number, action, &what)).await?;
            }
        }
        Ok(found)
    }

    async fn knows(&self, place: &Place<'_>, what: &str) -> Result<bool, StoreError> {
        Ok(self.store.heard(place.tenant, what).await?.is_some())
    }

    /// Puts something into the inbox, once.
    async fn put(&self, missed: Missed) -> Result<usize, StoreError> {
        let delivery = missed.delivery(self.clock.now());
        let id = delivery.id.clone();
        let receipt = self.store.receive(delivery).await?;
        if receipt == Receipt::Stored {
            tracing::info!(delivery = id.0, "no delivery had told of it");
        }
        Ok(usize::from(receipt == Receipt::Stored))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

    use super::*;
    use crate::clock::FixedClock;
    use crate::github::client::tests::nowhere;
    use crate::store::{Installation, SqliteStore};

    /// A reconciler whose GitHub cannot be reached.
    fn away(store: Arc<dyn Store>, now: Timestamp) -> Reconciler {
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(now));
        let github = nowhere(Arc::clone(&clock));
        Reconciler::new(store, github, clock)
    }

    #[tokio::test]
    async fn an_account_that_could_not_be_looked_through_after_an_outage_never_was() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await.unwrap());
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (id, name, suspended, deleted) in [
            (42, "acme", false, false),
            (43, "hub-org", true, false),
            (44, "empty-org", false, false),
            (45, "left-org", false, true),
        ] {
            let account = TenantId(name.to_owned());
            store.upsert_installation(Installation { id, account, suspended, deleted }).await.unwrap();
        }
        store.commit(crate::store::conformance::drafting(1)).await.unwrap();
        let mut looks = Looks::new(now);
        let first = looks.usual;
        assert_eq!(away(Arc::clone(&store), now).look(&mut looks).await.unwrap(), 0);
        looks.go_on_from(now);
        let next = |name: &str| looks.of(&TenantId(name.to_owned()));
        assert_eq!((next("acme"), next("hub-org"), next("left-org")), (first, first, first));
        assert_eq!(next("empty-org"), looks.usual);
    }

    #[test]
    fn the_look_of_an_account_that_could_not_be_made_is_made_with_the_next_one() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let (one, other) = (TenantId("octo-org".to_owned()), TenantId("hub-org".to_owned()));
        let mut looks = Looks::new(now);
        let first = looks.of(&one);
        assert_eq!(first, Look { since: now - FIRST_LOOK, everywhere: true });
        for _ in 0..2 {
            looks.put_off(&one);
            looks.made(&other);
            looks.go_on_from(now);
            assert_eq!(looks.of(&one), first);
            assert_eq!(looks.of(&other), Look { since: now - OVERLAP, everywhere: false });
        }
        looks.made(&one);
        assert_eq!(looks.of(&one), looks.of(&other));
    }
}
