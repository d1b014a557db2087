//! Drives executions: turns signals into transitions, wakes what is due, has attempts performed. What follows from a
//! signal is decided in `core`; what is durable is the store's. Nothing lives only here: an engine that dies is
//! replaced by any other that opens the same store.
//!
//! What holds, whenever the process is killed:
//! - A state that is remembered from the transition before counts only for a transition that the store takes at its
//!   version; see `recent`.
//! - A transition is committed before anything is told or performed because of it.
//! - An attempt is performed at least once and recorded once: its result counts only while its step runs it.
//! - Two engines may decide for one execution at the same time; the version lets one through, the other decides again.

mod children;
mod conflict;
mod definitions;
mod effects;
mod groups;
mod hands;
mod inbox;
mod journal;
mod ledger;
mod measures;
mod notices;
mod occurrence;
pub mod outputs;
mod pause;
mod perform;
mod published;
mod pushes;
mod recent;
mod retention;
mod run;
mod schedule;
mod signal;
mod spending;
mod start;
mod under_way;
mod wake;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::definition::StepType;
use flowctl_core::execution::{Event, EventKind, Execution, ExecutionId, ExecutionStatus, Plan, StepStatus, TenantId};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use self::conflict::Turns;
use self::hands::{Hand, Hands};
use self::measures::Measures;
use self::recent::{Recent, Standing};
use self::under_way::{Entered, UnderWay};
use crate::audit;
use crate::clock::Clock;
use crate::crash_point;
use crate::identity::resume::ResumeTokens;
use crate::ids::Ids;
use crate::steps::Performers;
use crate::store::{
    Claim, ClaimedWork, Committed, DeliveryId, Held, NewEffect, Store, StoreError, Stored, Transition, Work,
};
use crate::telemetry::Traces;

pub use definitions::{BranchHead, DefinitionError, Definitions, Published};
pub use effects::EffectPlanner;
pub use ledger::Ledger;
pub use published::{Event as PublishedEvent, MAX_NAME as MAX_EVENT_NAME, PublishFailure};
pub use signal::SignalFailure;
pub use spending::TenantBudgets;
pub use start::{StartFailure, StartRequest, Started};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Attempts performed at the same time, where nothing is said.
const WORKERS: usize = 256;
/// Executions that are moved at the same time by what is due or told: these compute, and wait for nothing but the store.
const MOVED_AT_ONCE: usize = 16;

/// How an engine runs.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Who it is, in leases: different for every process and every start of one.
    pub owner: String,
    /// How long a claimed attempt is its own without renewal; it renews three times in that time.
    pub lease: Duration,
    /// Attempts performed at the same time. Most of them wait for an answer.
    pub workers: usize,
    /// How long it waits at most before it looks for something to do.
    pub poll: Duration,
    /// How long attempts under way may go on after a shutdown was asked for.
    pub drain: Duration,
    /// The base of links, without a slash at its end.
    pub public_url: Option<String>,
    /// Makes resume tokens for those who are told in private that they are asked; nothing: nobody is given one.
    pub resume: Option<ResumeTokens>,
    /// How long executions are kept that have ended; nothing: for ever.
    pub keep_executions: Option<Duration>,
    /// How long executions are kept that have ended, of a process that is archived or gone; nothing: as long as others.
    pub keep_archived: Option<Duration>,
    /// How long events are kept that were given to the API, and deliveries that were handled; nothing: for ever. An execution that begins to wait looks
    /// back to its start, and few wait longer.
    pub keep_events: Option<Duration>,
    /// Whether the event stream is told of what is stored.
    pub stream: bool,
    /// What tenants may spend on models in a month.
    pub tenant_budgets: TenantBudgets,
    /// Where it tells what it stored, for traces.
    pub traces: Option<Traces>,
    /// Whether processes start by themselves: by time tables, by events, by the end of others.
    pub triggers: bool,
}

impl EngineOptions {
    /// The usual options for this owner: leases of 30 s, 256 workers, a poll a second, 20 s for what is under way,
    /// executions kept for a year, those of archived processes and events for 30 days.
    #[must_use]
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            lease: Duration::from_secs(30),
            workers: WORKERS,
            poll: Duration::from_secs(1),
            drain: Duration::from_secs(20),
            public_url: None,
            resume: None,
            keep_executions: Some(DAY * 365),
            keep_archived: Some(DAY * 30),
            keep_events: Some(DAY * 30),
            stream: false,
            tenant_budgets: TenantBudgets::default(),
            traces: None,
            triggers: true,
        }
    }
}

/// What is stored in the same transaction as a transition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Along {
    /// What the world must be told beyond what the planner says: replies, reactions.
    pub effects: Vec<NewEffect>,
    /// The word that caused it, which counts once per tenant.
    pub word: Option<String>,
    /// The delivery that caused it.
    pub delivery: Option<DeliveryId>,
    /// The signal of another execution, or of an event, that caused it, which is taken once.
    pub taken: Option<i64>,
    /// The attempt whose result it is, as it was claimed: nothing is stored once somebody else has it.
    pub under: Option<Held>,
    /// The digests of large outputs that its events refer to.
    pub outputs: Vec<String>,
}

/// The engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    definitions: Arc<dyn Definitions>,
    performers: Arc<Performers>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    effects: Arc<dyn EffectPlanner>,
    options: EngineOptions,
    hands: Hands,
    recent: Recent,
    paused: pause::Paused,
    dealing: occurrence::Dealing,
    under_way: UnderWay,
    turns: Turns,
    pinned: audit::Definitions,
}

impl Engine {
    /// An engine over these parts. It does nothing by itself until [`Engine::run`].
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        definitions: Arc<dyn Definitions>,
        performers: Arc<Performers>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        effects: Arc<dyn EffectPlanner>,
        options: EngineOptions,
    ) -> Self {
        let (hands, recent, paused) = (Hands::new(options.workers), Recent::default(), pause::Paused::default());
        let (dealing, under_way) = (occurrence::Dealing::default(), UnderWay::default());
        let inner = Inner {
            store,
            definitions,
            performers,
            clock,
            ids,
            effects,
            options,
            hands,
            recent,
            paused,
            dealing,
            under_way,
            turns: Turns::default(),
            pinned: audit::Definitions::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The store that it works on.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The time by which it works.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn after(&self, pause: Duration) -> Timestamp {
        later(self.now(), pause)
    }

    /// What is stored for a transition: with what follows from it for the world and for other executions. `before` is
    /// nothing for a new execution. Without a plan nobody is told by the process's own rules.
    fn transition(
        &self,
        plan: Option<&Plan>,
        before: Option<&Standing>,
        after: impl Into<Arc<Execution>>,
        events: Vec<Event>,
        along: Along,
        now: Timestamp,
    ) -> Transition {
        let (earlier, after) = (before.map(|standing| &*standing.execution), after.into());
        let mut effects = self.inner.effects.plan(earlier, &after, &events, now);
        effects.extend(along.effects);
        let notices = plan.map(|plan| self.notices(plan, &after, &events, now)).unwrap_or_default();
        effects.extend(notices.effects);
        let mut occurrences = occurrence::of_transition(earlier, &after, now, |it| self.may_follow(it));
        occurrences.extend(notices.occurrences);
        let mut audit = audit::of_transition(&after, &events);
        if before.is_none() {
            audit.extend(self.inner.pinned.pinned(&after));
        }
        let charges = spending::charges(plan, earlier, &after, &events, &self.inner.options.tenant_budgets);
        Transition {
            audit,
            charges,
            work: new_work(&after, &events),
            effects,
            delivery: along.delivery,
            word: along.word,
            taken: along.taken,
            under: along.under,
            outputs: along.outputs,
            signals: children::signals(plan, earlier, &after),
            to_group: groups::to_others(earlier, &after),
            enters_group: groups::enters(earlier, &after),
            occurrences,
            streamed: self.inner.options.stream,
            ..Transition::of(after, before.map_or(0, |standing| standing.version), events)
        }
    }

    fn may_follow(&self, execution: &Execution) -> bool {
        let Execution { tenant, repository, process, .. } = execution;
        self.inner.options.triggers && self.inner.definitions.may_follow(tenant, repository, process)
    }

    /// Stores a transition, and has performed what it starts where hands are free; `own` is one that is about to be.
    async fn store_transition(
        &self,
        mut transition: Transition,
        own: &mut Option<Hand>,
    ) -> Result<(Arc<Execution>, Committed), StoreError> {
        let after = Arc::clone(&transition.execution);
        let hands = self.hands_for(&after, &mut transition.work, own);
        let begun = self.begun(&after, &transition.work, hands);
        if !begun.is_empty() {
            let (owner, until) = (self.inner.options.owner.clone(), self.after(self.inner.options.lease));
            transition.claim = Some(Claim { owner, until, count: begun.len() });
        }
        if begun.len() < transition.work.len() {
            self.inner.hands.set_queue(true);
        }
        let measures = Measures::of(&transition);
        let told = Told::of(&transition);
        let traced = self.inner.options.traces.as_ref().map(|traces| (traces, transition.events.clone()));
        crash_point("transition.before_commit");
        let committed = self.inner.store.commit(transition).await?;
        crash_point("transition.after_commit");
        log(&after, &committed, &told);
        if committed.existing.is_none() && committed.busy.is_none() {
            measures.count();
            if let Some((traces, events)) = traced {
                traces.stored(&after, &events);
            }
            if committed.version == 1 {
                self.inner.pinned.remember(&after);
            }
            self.inner.effects.committed(&after);
            self.inner.under_way.end_those_over(&after);
            self.inner.recent.keep(Standing { execution: Arc::clone(&after), version: committed.version });
            begun.into_iter().for_each(|(hand, entered)| self.perform_with(hand, entered));
        }
        Ok((after, committed))
    }

    /// The attempts that are performed at once. They count as under way before they are stored: whoever looks into the
    /// queue right after that must know how many an execution has.
    fn begun(&self, after: &Execution, work: &[Work], hands: Vec<Option<Hand>>) -> Vec<(Option<Hand>, Entered)> {
        let begun = work.iter().zip(hands).map(|(work, hand)| {
            let (tenant, execution, Work { step, attempt }) = (after.tenant.clone(), after.id, work.clone());
            let work = ClaimedWork { tenant, execution, step, attempt, claims: 1 };
            let entered = self.inner.under_way.enter(&work);
            (hand, entered)
        });
        begun.collect()
    }

    /// Who performs the first attempts of this work at once, which is put in that order. The start of a sub-process is a
    /// transition and needs no hand: a call that hangs holds it up no more than any other transition.
    fn hands_for(&self, after: &Execution, work: &mut [Work], own: &mut Option<Hand>) -> Vec<Option<Hand>> {
        if work.is_empty() || !self.inner.hands.is_working() {
            return Vec::new();
        }
        let starts_child =
            |work: &Work| after.steps.get(&work.step).is_some_and(|step| step.step_type == StepType::Process);
        work.sort_by_key(|work| !starts_child(work));
        let children = work.iter().take_while(|work| starts_child(work)).count();
        let others = self.inner.under_way.count(after.id).saturating_sub(usize::from(own.is_some()));
        let room = self.inner.hands.share().saturating_sub(others);
        let hands = self.inner.hands.take((work.len() - children).min(room), own);
        std::iter::repeat_with(|| None).take(children).chain(hands.into_iter().map(Some)).collect()
    }
}

/// What happened to steps, as far as somebody reads it: step, attempt, name of the event.
struct Told(Vec<(String, Option<u32>, &'static str)>);

impl Told {
    fn of(transition: &Transition) -> Self {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return Self(Vec::new());
        }
        let of_step = |event: &Event| Some((event.step.clone()?, event.attempt, event.kind.name()));
        Self(transition.events.iter().filter_map(of_step).collect())
    }
}

fn log(execution: &Execution, committed: &Committed, told: &Told) {
    if committed.existing.is_some() || committed.busy.is_some() {
        return;
    }
    let Execution { id, process, repository, .. } = execution;
    let (tenant, transition) = (execution.tenant.as_str(), committed.version);
    for (step, attempt, event) in &told.0 {
        tracing::debug!(tenant, repository, execution = %id, %process, transition, step, attempt, event, "step");
    }
    match execution.status {
        ExecutionStatus::Failed => {
            let step = execution.error.as_ref().and_then(|error| error.step.as_deref());
            let error = execution.error.as_ref().map(tracing::field::display);
            tracing::info!(tenant, repository, execution = %id, %process, transition, step, error, "execution failed");
        }
        status if status.is_final() || transition == 1 => {
            tracing::info!(tenant, repository, execution = %id, %process, transition, status = status.as_str(), "execution");
        }
        status => {
            tracing::debug!(tenant, repository, execution = %id, %process, transition, status = status.as_str(), "execution");
        }
    }
}

/// Attempts that begin with these events: somebody must perform them.
fn new_work(after: &Execution, events: &[Event]) -> Vec<Work> {
    let begins = |kind: &EventKind| matches!(kind, EventKind::StepStarted { .. } | EventKind::StepResumed { .. });
    let begun = events.iter().filter(|event| begins(&event.kind));
    begun
        .filter_map(|event| {
            let (step, attempt) = (event.step.as_ref()?, event.attempt?);
            let runs = after.steps.get(step).filter(|it| it.status == StepStatus::Running && it.attempt == attempt);
            runs.map(|_| Work { step: step.clone(), attempt })
        })
        .collect()
}

/// The key that goes with calls of a step: the same for all its attempts and repetitions until somebody retries by
/// hand. 64 hexadecimal digits.
pub fn idempotency_key(execution: &Execution, step: &str) -> String {
    hex::encode(Sha256::digest(format!("{}/{step}/{}", execution.id, execution.retries)))
}

/// Does this to its end, whatever becomes of who asked for it: a caller that goes away must not leave a transition stored
/// whose attempts nobody performs until their leases end.
async fn to_its_end<T: Send + 'static>(asked: impl Future<Output = T> + Send + 'static) -> Result<T, StoreError> {
    match tokio::spawn(asked.in_current_span()).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The server ends.
            Err(_) => Err(StoreError::Closed),
        },
    }
}

/// The moment `pause` after `now`, or the end of time.
fn later(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

impl Inner {
    /// The plan that an execution follows.
    async fn plan_of(&self, execution: &Execution) -> Result<Arc<Plan>, DefinitionError> {
        let Execution { tenant, repository, revision, process, digest, .. } = execution;
        let plan = self.definitions.plan(tenant, repository, revision, process).await?;
        if plan.digest != *digest {
            return Err(DefinitionError::Changed {
                process: process.clone(),
                revision: revision.clone(),
                started: digest.clone(),
                found: plan.digest.clone(),
            });
        }
        Ok(plan)
    }

    async fn load(&self, tenant: &TenantId, id: ExecutionId) -> Result<Option<Stored>, StoreError> {
        self.store.load(tenant, id).await
    }
}
