//! The outbox: tells GitHub what must be told. Every write can be repeated: it is paced, marked before it is begun and
//! looked for before it is made again, so that a crash or a lost answer leaves neither a gap nor a second one.
//! What is to be told stands in the store; how it is worded is `wording`'s.

mod address;
mod artifact;
mod asked;
mod audit;
mod deployment;
mod desired;
mod effect;
mod execution;
mod failure;
mod not_started;
mod plan;
mod reply;
mod tries;
mod validate;
mod workflow;
mod write;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use address::Address;
pub(in crate::github) use asked::Asked;
pub use audit::{
    AuditReferences, RefusedReference, commit_soon, count_refused_references, refused_references, try_again,
};
pub use deployment::DeploymentOf;
pub use desired::{button, check_name};
pub use effect::{Effect, Renewal, RenewedBecause, Sender, priority};
pub(in crate::github) use execution::is_ours;
pub use not_started::NotStarted;
pub use plan::{GitHubPlanner, Installations};
pub use validate::{Level, Remark, VALIDATE, Validated};

use effect::Goes;
use failure::{Consequence, Failure, PARKED};
use tries::Tries;
use workflow::Awaiting;
use write::Writing;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::github::client::{GitHub, InstallationId, RepositoryName};
use crate::github::lease::{self, Entered, UnderWay};
use crate::github::sharing;
use crate::store::{ClaimedEffect, EffectEnd, Store};

/// How many installations are written to at once.
const CLAIMS: u32 = 16;
/// The longest time between two looks into the store.
const POLL: Duration = Duration::from_secs(1);

/// Tells GitHub. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    store: Arc<dyn Store>,
    github: GitHub,
    clock: Arc<dyn Clock>,
    engine: Option<Engine>,
    owner: Arc<str>,
    lease: Duration,
    under_way: UnderWay<ClaimedEffect>,
    tries: Arc<Tries>,
}

impl Outbox {
    /// An outbox of this process, which `owner` names; a claimed effect is its own for `lease`, which it renews while it
    /// writes.
    pub fn new(store: Arc<dyn Store>, github: GitHub, clock: Arc<dyn Clock>, (owner, lease): (&str, Duration)) -> Self {
        let (under_way, tries) = (UnderWay::default(), Arc::default());
        Self { store, github, clock, engine: None, owner: owner.into(), lease, under_way, tries }
    }

    /// The same, which tells executions what became of the workflows that it dispatches for them. Without an engine it
    /// dispatches none.
    #[must_use]
    pub fn for_executions_of(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// An installation is back: nothing waits for it any more. Where GitHub has asked to be left alone it is
    /// left alone all the same.
    pub async fn resume(&self, installation: u64) {
        if let Err(error) = sharing::learn(&*self.store, self.github.pace(), installation).await {
            tracing::debug!(installation, %error, "what others were told cannot be learnt");
        }
        self.github.pace().resume(installation);
        self.share_pace(installation).await;
    }

    async fn share_pace(&self, installation: u64) {
        sharing::share(&*self.store, self.github.pace(), installation).await;
    }

    /// Tells what there is to tell until `shutdown`; then finishes what is under way.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut hint = self.store.subscribe();
        let mut under_way = JoinSet::new();
        while !shutdown.is_cancelled() {
            hint.mark_unchanged();
            for effect in self.claim(under_way.len()).await {
                // One that is still told here goes on under this claim.
                if let Some(entered) = self.under_way.enter(&effect.id.to_string(), effect) {
                    let outbox = self.clone();
                    under_way.spawn(async move { outbox.tell(entered).await });
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(ended) = under_way.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "an effect brought its writing down; it is taken up again");
                },
                changed = hint.changed() => if changed.is_err() { tokio::time::sleep(POLL).await },
                () = tokio::time::sleep(POLL) => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self, under_way: usize) -> Vec<ClaimedEffect> {
        let free = CLAIMS.saturating_sub(u32::try_from(under_way).unwrap_or(u32::MAX));
        if free == 0 {
            return Vec::new();
        }
        let now = self.clock.now();
        let until = lease::until(now, self.lease);
        self.store.claim_effects(&self.owner, free, now, until).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox cannot be read");
            Vec::new()
        })
    }

    /// Tells an effect as often as this server claims it.
    async fn tell(&self, entered: Entered<ClaimedEffect>) {
        let mut entered = Some(entered);
        while let Some(mut again) = entered {
            self.tell_once(&mut again).await;
            entered = again.leave();
        }
    }

    /// Tells one effect and records how that ended.
    async fn tell_once(&self, entered: &mut Entered<ClaimedEffect>) {
        let effect = entered.claim();
        let renew = |claimed: ClaimedEffect| async move {
            self.store.renew_effect(&claimed, &self.owner, lease::until(self.clock.now(), self.lease)).await
        };
        let Some(told) = entered.under(self.lease, renew, self.attempt(&effect)).await else {
            return tracing::info!(key = effect.key, "the lease of an effect has passed to somebody else");
        };
        let Told { outcome, attempts, installation } = told;
        let end = match outcome {
            Ok(()) => EffectEnd::Done,
            Err(failure) => {
                let tries = attempts.max(self.tries.before(effect.id, &failure));
                self.consequence(&effect.key, installation, &failure, tries)
            }
        };
        if !matches!(end, EffectEnd::RetryAt(..)) {
            self.tries.end(effect.id);
        }
        if let EffectEnd::Failed(reason) = &end {
            tracing::warn!(key = effect.key, tenant = effect.tenant.as_str(), attempts, reason, "GitHub is not told");
        }
        // Before the lease ends with the effect: whoever has it next counts on from here.
        self.share_pace(installation).await;
        self.record(effect, entered, end).await;
    }

    /// Records how an effect ended, under whichever claim this server has of it. What was told is the older payload where
    /// the later claim has a newer one.
    async fn record(&self, mut effect: ClaimedEffect, entered: &mut Entered<ClaimedEffect>, end: EffectEnd) {
        loop {
            effect.claims = entered.claim().claims;
            match self.store.finish_effect(&effect, &self.owner, end.clone()).await {
                Ok(true) => return,
                Ok(false) if entered.is_claimed_anew().await => {}
                Ok(false) => {
                    return tracing::info!(key = effect.key, "the lease of an effect has passed to somebody else");
                }
                Err(error) => {
                    return tracing::error!(key = effect.key, %error, "how an effect ended cannot be recorded");
                }
            }
        }
    }

    async fn attempt(&self, effect: &ClaimedEffect) -> Told {
        match self.writing(effect).await {
            Ok(writing) => {
                let outcome = told(&writing).await;
                Told { outcome, attempts: writing.attempts(), installation: writing.client.id().0 }
            }
            Err(failure) => {
                Told { outcome: Err(failure), attempts: effect.attempts, installation: effect.installation_id }
            }
        }
    }

    /// The installation is looked up anew: an account that removed the App and installed it again has another one.
    async fn writing<'a>(&'a self, effect: &'a ClaimedEffect) -> Result<Writing<'a>, Failure> {
        let installation = self.store.installation(&effect.tenant).await?;
        let Some(installation) = installation.filter(|installation| !installation.deleted) else {
            return Err(Failure::Nothing(format!("the App is not installed for {}", effect.tenant.as_str())));
        };
        let id = installation.id;
        if installation.suspended {
            return Err(Failure::Rests { reason: "the installation is suspended".to_owned(), wait: PARKED });
        }
        sharing::learn(&*self.store, self.github.pace(), id).await?;
        let urgency = priority::urgency(effect.priority);
        if let Some(rests) = self.github.pace().rests(id, urgency) {
            return Err(rests.into());
        }
        Ok(Writing::new(self, effect, self.github.installation(InstallationId(id)).with_urgency(urgency)))
    }

    fn consequence(&self, key: &str, installation: u64, failure: &Failure, attempts: u32) -> EffectEnd {
        let Consequence { end, park_until } = failure.consequence(attempts, self.clock.now());
        tracing::info!(key, attempts, %failure, "GitHub was not told");
        if let Some(until) = park_until {
            self.github.pace().park(installation, until);
        }
        end
    }
}

/// How telling one effect went.
struct Told {
    outcome: Result<(), Failure>,
    /// How often a write was begun.
    attempts: u32,
    /// Who was asked: not always the installation that the effect was queued for.
    installation: u64,
}

async fn told(writing: &Writing<'_>) -> Result<(), Failure> {
    let effect = serde_json::from_value::<Effect>(writing.effect.payload.clone())
        .map_err(|error| Failure::Nothing(format!("an effect that cannot be read: {error}")))?;
    // The one place where it is said how a repository is called: what was queued under a name may be of another one that
    // had it before.
    let now = match effect.goes_to() {
        Goes::ToRepositoryOf(execution) => address::of(writing, execution).await?,
        Goes::To(address) => address.now(writing).await?,
        Goes::WithItsLog(repository) => return audit::commit(writing, repository).await,
    };
    match now {
        Ok(destination) => told_to(writing, &destination.confirmed(writing).await?, effect).await,
        Err(reason) => {
            if let Effect::DispatchWorkflow { execution, step, attempt }
            | Effect::WatchWorkflow { execution, step, attempt, .. } = effect
            {
                workflow::unreachable(writing, &Awaiting { execution, step, attempt }, &reason).await?;
            }
            Err(Failure::Nothing(reason))
        }
    }
}

/// Tells a repository what is to be told to it, under the name that it has now.
async fn told_to(writing: &Writing<'_>, repository: &RepositoryName, effect: Effect) -> Result<(), Failure> {
    match effect {
        Effect::SyncExecution { execution, renew } => execution::sync(writing, repository, execution, renew).await,
        Effect::DispatchWorkflow { execution, step, attempt } => {
            workflow::dispatch(writing, repository, &Awaiting { execution, step, attempt }).await
        }
        Effect::WatchWorkflow { run, execution, step, attempt, .. } => {
            workflow::watch(writing, repository, run, &Awaiting { execution, step, attempt }).await
        }
        Effect::CancelWorkflow { run, .. } => workflow::cancel(writing, repository, run).await,
        Effect::ReviewDeployment { run, review, execution, .. } => {
            deployment::review(writing, repository, run, &review, execution).await
        }
        Effect::Validated(validated) => validate::write(writing, repository, &validated).await,
        Effect::NotStarted(not_started) => not_started::write(writing, repository, &not_started).await,
        Effect::CommitAudit { repository } => audit::commit(writing, &repository).await,
        Effect::React { comment, reaction, .. } => reply::react(writing, repository, comment, reaction).await,
        Effect::Reply { issue, to, since, body, .. } => {
            let reply = reply::Reply { repository, issue, to: &to, since, body: &body };
            reply::reply(writing, reply).await
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::execution::TenantId;
    use http::Method;
    use jiff::Timestamp;

    use super::*;
    use crate::clock::FixedClock;
    use crate::github::client::pace::{Ask, Kind};
    use crate::github::client::tests::nowhere;
    use crate::github::client::{GitHubError, RequestLine, Urgency};
    use crate::store::{Installation, SqliteStore};

    /// Servers on one database, where installation 43 is octo-org's.
    struct Database {
        store: Arc<dyn Store>,
        _folder: tempfile::TempDir,
    }

    impl Database {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
            let store = Arc::new(SqliteStore::open(&url).await.unwrap());
            let installed = Installation { id: 43, account: tenant(), suspended: false, deleted: false };
            store.upsert_installation(installed).await.unwrap();
            Self { store, _folder: folder }
        }

        fn server(&self, name: &str) -> Outbox {
            let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH));
            let github = nowhere(Arc::clone(&clock));
            Outbox::new(Arc::clone(&self.store), github, clock, (name, Duration::from_secs(30)))
        }
    }

    fn tenant() -> TenantId {
        TenantId("octo-org".to_owned())
    }

    /// Queued for the installation before; what it says cannot be read, so nobody is asked.
    fn effect() -> ClaimedEffect {
        ClaimedEffect {
            id: 1,
            tenant: tenant(),
            installation_id: 42,
            key: "execution:1".to_owned(),
            payload: serde_json::Value::Null,
            priority: priority::PROMPT,
            attempts: 0,
            generation: 1,
            claims: 1,
        }
    }

    fn lost() -> Failure {
        let request = RequestLine { method: Method::POST, path: "/repos/o/r/check-runs".to_owned() };
        Failure::GitHub(GitHubError::Uninstalled { request })
    }

    async fn rests(server: &Outbox) -> bool {
        matches!(server.attempt(&effect()).await.outcome, Err(Failure::Rests { .. }))
    }

    #[tokio::test]
    async fn nothing_is_told_where_the_installation_that_was_asked_is_out_of_reach_until_it_is_back() {
        let database = Database::new().await;
        let (one, other) = (database.server("one"), database.server("other"));
        let told = one.attempt(&effect()).await;
        one.consequence("execution:1", told.installation, &lost(), 1);
        assert!(rests(&one).await);
        one.share_pace(43).await;
        assert!(rests(&other).await, "a server that was not told so itself");
        other.resume(43).await;
        assert!(!rests(&one).await, "the installation is back");
    }

    #[tokio::test]
    async fn every_server_leaves_an_installation_alone_that_one_was_asked_to_and_counts_what_others_told() {
        let database = Database::new().await;
        let (one, other) = (database.server("one"), database.server("other"));
        let creates = Ask::new(Kind::Creates, Urgency::People);
        // One server uses up what may be made in a minute; another one that goes on waits, as it would itself.
        for _ in 0..80 {
            drop(one.github.pace().enter(43, creates).await.unwrap());
        }
        one.share_pace(43).await;
        sharing::learn(&*database.store, other.github.pace(), 43).await.unwrap();
        assert!(other.github.pace().ready(43, creates).await.is_err());
        let noted = database.store.standings("pace:").await.unwrap();
        let names: Vec<&str> = noted.iter().map(|named| named.name.as_str()).collect();
        assert_eq!(names, ["pace:43"], "no request has a row of its own");
        one.github.pace().pause(43, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(1));
        one.share_pace(43).await;
        assert!(rests(&other).await, "a server that was not told so itself");
        other.resume(43).await;
        assert!(rests(&one).await, "whatever else has become better");
    }
}
