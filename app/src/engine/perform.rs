//! Attempts: claimed by lease, performed, recorded. A result whose step has gone on meanwhile is dropped.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use flowctl_core::definition::{ErrorClass, StepType};
use flowctl_core::execution::{Execution, Signal, StepError, StepStatus, TenantId};
use futures_util::FutureExt;
use serde_json::Value;
use tracing::Instrument;

use super::hands::Hand;
use super::signal::SignalFailure;
use super::under_way::Entered;
use super::{Along, Engine, idempotency_key, later};
use crate::crash_point;
use crate::steps::{Attempt, Performed, time_left};
use crate::store::{ClaimedWork, Held, StoreError};

/// Pauses between tries to record a result, in which the store or the definition may come back. After the last one
/// the attempt is left to its lease and performed again.
pub(super) const RECORDING_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];
/// The pause between later tries while the database cannot be reached at all.
pub(super) const OUTAGE_PAUSE: Duration = Duration::from_secs(2);
/// How often an attempt is repeated because its server died in the middle of it. One that takes a server with it every
/// time must not do so for ever.
const MAX_REPETITIONS: u32 = 10;
/// How long an attempt is left alone that cannot be prepared.
const PAUSE_UNPREPARED: Duration = Duration::from_secs(30);

impl Engine {
    /// Claims up to `limit` attempts.
    pub(super) async fn claim_work(&self, limit: usize) -> Result<Vec<ClaimedWork>, StoreError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let (owner, lease_until) = (&self.inner.options.owner, self.after(self.inner.options.lease));
        // `settle` performs whatever there is; hands are for everybody.
        let sated = match self.inner.hands.is_working() {
            true => self.inner.under_way.with_at_least(self.inner.hands.share()),
            false => Vec::new(),
        };
        self.inner.store.claim_work_but(owner, limit, self.now(), lease_until, &sated).await
    }

    /// Has a claimed attempt performed by a hand, beside all else; the start of a sub-process needs none.
    pub(super) fn perform_with(&self, hand: Option<Hand>, entered: Entered) {
        let (engine, span) = (self.clone(), span_of(&entered.work()));
        let performing = async move {
            let given_up = engine.inner.hands.given_up.clone();
            tokio::select! {
                ended = AssertUnwindSafe(engine.perform(hand, entered)).catch_unwind() => if ended.is_err() {
                    tracing::error!("an attempt ended badly; its lease will end");
                },
                () = given_up.cancelled() => {}
            }
        };
        self.inner.hands.tasks.spawn(performing.instrument(span));
    }

    /// Performs a claimed attempt and records its result. The hand goes on to the next step where one follows.
    pub(super) async fn perform(&self, mut hand: Option<Hand>, entered: Entered) {
        crash_point("work.claimed");
        let work = entered.work();
        match self.prepare(&work).await {
            Ok(Some((StepType::Process, _))) => self.perform_sub_process(&work).await,
            Ok(Some((StepType::Workflow, _))) if self.has_actions(&work) => self.hand_over(&work).await,
            Ok(Some((step_type, attempt))) => {
                let performed = self.perform_under_lease(&entered, step_type, attempt).await;
                crash_point("work.performed");
                match performed {
                    Some(performed) => self.record(&entered, performed, &mut hand).await,
                    None => tracing::info!(?work, "an attempt was given up: its step went on without it"),
                }
            }
            Ok(None) => self.drop_work(&work).await,
            Err(error) => self.give_back(&work, &error).await,
        }
    }

    /// The child is started here and not by a performer: it exists with the step that waits for it, or not at all.
    async fn perform_sub_process(&self, work: &ClaimedWork) {
        match self.start_child(work).await {
            Ok(()) => {}
            Err(SignalFailure::Refused(_) | SignalFailure::NotFound) => self.drop_work(work).await,
            Err(SignalFailure::Store(StoreError::Fenced)) => {
                tracing::info!(?work, "somebody else has taken the attempt over");
            }
            Err(error) => self.give_back(work, &error).await,
        }
    }

    /// Whether GitHub runs workflows for this tenant.
    fn has_actions(&self, work: &ClaimedWork) -> bool {
        work.tenant != TenantId::local() && self.inner.effects.dispatches_workflows()
    }

    /// What GitHub is to do stands in the outbox from here on, stored with the step that waits for it.
    async fn hand_over(&self, work: &ClaimedWork) {
        let awaited = Signal::WorkflowAwaited { step: work.step.clone(), attempt: work.attempt };
        let waits = self.transit(&work.tenant, work.execution, self.under(work), &mut None, |_| awaited.clone()).await;
        match waits {
            Ok(_) => {}
            Err(SignalFailure::Refused(_) | SignalFailure::NotFound) => self.drop_work(work).await,
            Err(SignalFailure::Store(StoreError::Fenced)) => {
                tracing::info!(?work, "somebody else has taken the attempt over");
            }
            Err(error) => self.give_back(work, &error).await,
        }
    }

    async fn give_back(&self, work: &ClaimedWork, error: &SignalFailure) {
        tracing::warn!(?work, %error, "an attempt cannot be performed now");
        let until = self.after(PAUSE_UNPREPARED);
        if let Err(error) = self.inner.store.release_work(work, &self.inner.options.owner, until).await {
            tracing::error!(?work, %error, "an attempt could not be given back; its lease will end");
        }
    }

    /// What is to be performed; nothing where the step no longer runs this attempt. A repetition after a crash is
    /// recorded first.
    pub(super) async fn prepare(&self, work: &ClaimedWork) -> Result<Option<(StepType, Attempt)>, SignalFailure> {
        let execution = if work.claims > 1 {
            let repeated = |_: &Execution| Signal::StepRepeated { step: work.step.clone(), attempt: work.attempt };
            match self.transit(&work.tenant, work.execution, self.under(work), &mut None, repeated).await {
                Ok(moved) => moved.execution,
                Err(SignalFailure::Refused(_) | SignalFailure::NotFound | SignalFailure::Store(StoreError::Fenced)) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        } else {
            // The claim says that the step runs this attempt; what it is given never changes.
            match self.inner.recent.get(&work.tenant, work.execution).filter(|known| runs(&known.execution, work)) {
                Some(known) => known.execution,
                None => match self.inner.load(&work.tenant, work.execution).await? {
                    Some(stored) => Arc::new(stored.execution),
                    None => return Ok(None),
                },
            }
        };
        let Some(step) = execution.steps.get(&work.step).filter(|_| runs(&execution, work)) else { return Ok(None) };
        let attempt = Attempt {
            tenant: work.tenant.clone(),
            execution: work.execution,
            step: work.step.clone(),
            attempt: work.attempt,
            input: Value::clone(&step.input),
            secret_texts: step.secret_texts.clone(),
            deadline: step.timeout_ms.map(|timeout| later(self.now(), Duration::from_millis(timeout))),
            idempotency_key: idempotency_key(&execution, &work.step),
            journal: self.journal_of(work, step.journal.as_deref()).await?,
        };
        Ok(Some((step.step_type, attempt)))
    }

    /// Performs an attempt while renewing its lease; nothing where it was interrupted or the lease was lost, because the
    /// step ended otherwise or somebody else took the attempt over.
    pub(super) async fn perform_under_lease(
        &self,
        entered: &Entered,
        step_type: StepType,
        attempt: Attempt,
    ) -> Option<Performed> {
        let work = entered.work();
        let Some(performer) = self.inner.performers.of(step_type) else {
            let message = format!("this server does not perform steps of type `{step_type}`");
            return Some(Performed::from(Err(StepError::new(ErrorClass::Refused, message))));
        };
        if work.claims > MAX_REPETITIONS {
            return Some(Performed::from(Err(deadly())));
        }
        let time_left = attempt.deadline.map_or(Duration::MAX, |deadline| time_left(deadline, self.now()));
        let performing = AssertUnwindSafe(performer.perform(attempt)).catch_unwind();
        let performing = tokio::time::timeout(time_left, performing);
        tokio::pin!(performing);
        let pause = self.inner.options.lease / 3;
        loop {
            tokio::select! {
                performed = &mut performing => return Some(match performed {
                    Ok(Ok(performed)) => performed,
                    Ok(Err(_)) => panicked(&work),
                    Err(_) => timed_out(),
                }),
                () = entered.over.cancelled() => return None,
                () = tokio::time::sleep(pause) => {
                    let work = entered.work();
                    if !self.keeps(&work).await && !entered.is_claimed_anew(work.claims).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Renews the lease; whether the attempt is still ours, as far as is known.
    async fn keeps(&self, work: &ClaimedWork) -> bool {
        let until = self.after(self.inner.options.lease);
        match self.inner.store.renew_work(work, &self.inner.options.owner, until).await {
            Ok(ours) => ours,
            Err(error) => {
                // Going on is safe: whoever comes second is refused.
                tracing::warn!(?work, %error, "a lease could not be renewed");
                true
            }
        }
    }

    async fn record(&self, entered: &Entered, performed: Performed, hand: &mut Option<Hand>) {
        let Performed { result, usage } = performed;
        let work = entered.work();
        let ended = Signal::StepEnded { step: work.step.clone(), attempt: work.attempt, result, usage };
        let mut pauses = RECORDING_PAUSES.into_iter();
        loop {
            let work = &entered.work();
            let recorded = self.transit(&work.tenant, work.execution, self.under(work), hand, |_| ended.clone()).await;
            match recorded {
                Ok(_) => return,
                Err(SignalFailure::Refused(refusal)) => {
                    tracing::info!(?work, %refusal, "a result came too late");
                    return self.drop_work(work).await;
                }
                Err(SignalFailure::NotFound) => return self.drop_work(work).await,
                // Its lease had ended, and this server has claimed it again: the result is as good under that claim.
                Err(SignalFailure::Store(StoreError::Fenced)) if entered.is_claimed_anew(work.claims).await => {}
                Err(SignalFailure::Store(StoreError::Fenced)) => {
                    tracing::info!(?work, "a result came too late: somebody else has taken the attempt over");
                    return;
                }
                // Nobody else can have recorded anything either, or everybody does: a result is worth more than a hand.
                Err(SignalFailure::Store(error)) if error.is_outage() || matches!(error, StoreError::Conflict) => {
                    tracing::warn!(?work, %error, "a result could not be recorded yet");
                    tokio::time::sleep(pauses.next().unwrap_or(OUTAGE_PAUSE)).await;
                }
                Err(error) => {
                    let Some(pause) = pauses.next() else {
                        tracing::error!(?work, %error, "a result could not be recorded; its step will be repeated");
                        return;
                    };
                    tracing::warn!(?work, %error, "a result could not be recorded yet");
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Whatever is stored because of an attempt is stored under its claim.
    pub(super) fn under(&self, work: &ClaimedWork) -> Along {
        let held = Held { work: work.clone(), owner: self.inner.options.owner.clone() };
        Along { under: Some(held), ..Along::default() }
    }

    async fn drop_work(&self, work: &ClaimedWork) {
        if let Err(error) = self.inner.store.finish_work(work, &self.inner.options.owner).await {
            tracing::warn!(?work, %error, "an attempt could not be dropped; its lease will end");
        }
    }
}

/// What every line of the log names that is written while an attempt is performed, whatever is logged.
fn span_of(work: &ClaimedWork) -> tracing::Span {
    let ClaimedWork { tenant, execution, step, attempt, .. } = work;
    tracing::error_span!("attempt", tenant = tenant.as_str(), %execution, step, attempt)
}

fn runs(execution: &Execution, work: &ClaimedWork) -> bool {
    let step = execution.steps.get(&work.step);
    step.is_some_and(|step| step.status == StepStatus::Running && step.attempt == work.attempt)
}

fn timed_out() -> Performed {
    Performed::from(Err(StepError::new(ErrorClass::Timeout, "the attempt took longer than the step's `timeout`")))
}

fn deadly() -> StepError {
    let message =
        format!("the server stopped in the middle of this step {MAX_REPETITIONS} times; it is not tried again");
    StepError::new(ErrorClass::Refused, message)
}

/// A performer that panics would do so again and again: its step fails instead.
fn panicked(work: &ClaimedWork) -> Performed {
    tracing::error!(?work, "a performer panicked");
    let message = format!(
        "flowctl failed while it performed this step; its log says more about execution {}, step `{}`",
        work.execution, work.step
    );
    Performed::from(Err(StepError::new(ErrorClass::Refused, message)))
}
