//! What models use for questions that no execution asks: reserved and counted in the month of a tenant as the questions of
//! steps are, and measured as they are. What was asked and answered is kept nowhere; what is reserved for questions under way is
//! noted, so that one which was lost with its server is counted as one of a step is: with all that was reserved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowctl_core::execution::budget::{Account, BudgetOf, Month};
use flowctl_core::execution::{CallRequest, Entry, TenantId, Usage};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::conflict::{MAX_CONFLICTS, rest_after};
use super::{Engine, measures, to_its_end};
use crate::steps::{Journal, JournalError, JournalWriter};
use crate::store::{Charge, NamedStanding, StoreError};

/// The standing of a tenant that holds its questions under way.
const QUESTIONS: &str = "questions";
/// After how long a question whose end nobody has told is taken for lost: longer than any takes.
const LOST: SignedDuration = SignedDuration::from_mins(15);

/// What is reserved for a question, and since when.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reserved {
    usage: Usage,
    at: Timestamp,
}

/// The questions of a tenant that are under way.
type UnderWay = BTreeMap<Uuid, Reserved>;

/// A question under way.
#[derive(Debug, Clone)]
struct Held {
    id: Uuid,
    reserved: Reserved,
    /// Whether it is among those that servers share.
    is_noted: bool,
}

/// Counts questions for a tenant. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    engine: Engine,
    tenant: TenantId,
    held: Arc<Mutex<Option<Held>>>,
    /// One thing is counted after the other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Engine {
    /// A ledger for questions that are asked for a tenant beside its executions. To be [closed](Ledger::close) once all are
    /// answered.
    #[must_use]
    pub fn ledger(&self, tenant: TenantId) -> Ledger {
        Ledger { engine: self.clone(), tenant, held: Arc::default(), turn: Arc::default() }
    }

    /// Counts questions that were lost with their servers, with all that was reserved for them.
    pub(super) async fn count_lost_questions(&self) -> Result<(), StoreError> {
        let before = self.now().checked_sub(LOST).unwrap_or(Timestamp::MIN);
        for NamedStanding { tenant, standing, .. } in self.inner.store.standings(QUESTIONS).await? {
            let open: UnderWay = serde_json::from_value(standing.state).unwrap_or_default();
            for id in open.iter().filter(|(_, reserved)| reserved.at <= before).map(|(id, _)| *id) {
                self.count_lost_question(&tenant, id).await?;
            }
        }
        Ok(())
    }

    /// Counts one of them. Whoever takes it out counts it: a question is counted once.
    async fn count_lost_question(&self, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
        if let Some(Reserved { usage, at }) = self.change_questions(tenant, |open| open.remove(&id)).await? {
            let (uses, frees) = (Some(usage.clone()), Some(usage));
            let charge = Charge { uses, frees, ..self.ledger(tenant.clone()).charge(Month::of(at)) };
            self.inner.store.spend(tenant, charge).await?;
        }
        Ok(())
    }

    /// Changes which questions of a tenant are under way.
    async fn change_questions<T>(
        &self,
        tenant: &TenantId,
        change: impl Fn(&mut UnderWay) -> T,
    ) -> Result<T, StoreError> {
        for conflicts in 1..=MAX_CONFLICTS {
            let stood = self.inner.store.standing(tenant, QUESTIONS).await?;
            let state = stood.as_ref().map(|standing| standing.state.clone()).unwrap_or_default();
            // Those of another version that cannot be read here stay reserved.
            let mut open: UnderWay = serde_json::from_value(state).unwrap_or_default();
            let changed = change(&mut open);
            if self.inner.store.note_standing(tenant, QUESTIONS, stood.as_ref(), json!(open), None).await? {
                return Ok(changed);
            }
            rest_after(conflicts).await;
        }
        Err(StoreError::Conflict)
    }
}

impl Ledger {
    /// The journal of whoever asks: what it records of models is counted, and nothing is kept.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::new(Vec::new(), 0, Arc::new(self.clone()))
    }

    /// Ends it. A question whose answer nobody waits for any more may be charged all the same: it counts with what was
    /// reserved for it.
    pub async fn close(&self) {
        let _turn = self.turn.lock().await;
        self.give_up().await;
    }

    /// Counts a question under way that nobody waits for any more.
    async fn give_up(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Held { reserved, .. }) = held {
            self.answered(Some(reserved.usage)).await;
        }
    }

    /// A question is about to be asked.
    async fn asked(&self, usage: Usage) -> Result<(), JournalError> {
        self.give_up().await;
        let now = self.engine.now();
        let charge = Charge { reserves: Some(usage.clone()), ..self.charge(Month::of(now)) };
        self.engine.inner.store.spend(&self.tenant, charge).await.map_err(|error| match error {
            StoreError::OverBudget(refusal) => JournalError::OverBudget(refusal.to_string()),
            other => JournalError::Unavailable(other.to_string()),
        })?;
        let (id, reserved) = (self.engine.inner.ids.execution(now), Reserved { usage, at: now });
        // Reserved first: what is noted and was never reserved would be freed.
        let noted = self.engine.change_questions(&self.tenant, |open| open.insert(id, reserved.clone())).await;
        let is_noted = noted.inspect_err(|error| tracing::warn!(%error, "a question cannot be noted")).is_ok();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Held { id, reserved, is_noted });
        Ok(())
    }

    /// The question under way is answered or has failed.
    async fn answered(&self, uses: Option<Usage>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let charge = match held {
            None => Charge { uses, ..self.charge(Month::of(self.engine.now())) },
            Some(Held { id, reserved: Reserved { usage, at }, is_noted }) => {
                let ended = self.engine.change_questions(&self.tenant, |open| open.remove(&id).is_some());
                match ended.await {
                    Err(error) => {
                        // It stays noted, and is counted with all that was reserved once it is taken for lost.
                        return tracing::error!(tenant = self.tenant.as_str(), %error, "what a model used is counted later");
                    }
                    // It was taken for lost, and is counted.
                    Ok(false) if is_noted => return,
                    Ok(_) => Charge { uses, frees: Some(usage), ..self.charge(Month::of(at)) },
                }
            }
        };
        if let Err(error) = self.engine.inner.store.spend(&self.tenant, charge).await {
            // It stays reserved: the budget has it all the same.
            tracing::error!(tenant = self.tenant.as_str(), %error, "what a model used could not be counted");
        }
    }

    fn charge(&self, month: Month) -> Charge {
        Charge {
            account: Account::new(BudgetOf::Tenant, self.tenant.as_str()),
            month,
            limits: self.engine.inner.options.tenant_budgets.of(&self.tenant),
            uses: None,
            reserves: None,
            frees: None,
        }
    }

    async fn record(&self, entry: Entry) -> Result<(), JournalError> {
        match entry {
            Entry::ModelAsked { reserved, .. } => self.asked(reserved).await?,
            Entry::ModelAnswered { usage, .. } => {
                measures::model_ended("answered", Some(&usage));
                self.answered(Some(usage)).await;
            }
            Entry::ModelFailed { usage, .. } => {
                measures::model_ended("failed", usage.as_ref());
                self.answered(usage).await;
            }
            _ => {}
        }
        Ok(())
    }
}

#[async_trait]
impl JournalWriter for Ledger {
    /// Whoever asks may be gone in the middle of it: what was begun is counted to its end, and closing comes after it.
    async fn append(&self, _: u32, entry: Entry) -> Result<(), JournalError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let ledger = self.clone();
        let recorded = to_its_end(async move {
            let recorded = ledger.record(entry).await;
            drop(turn);
            recorded
        });
        recorded.await.unwrap_or_else(|error| Err(JournalError::Unavailable(error.to_string())))
    }

    /// Nobody is asked here.
    async fn ask(&self, _: CallRequest) -> JournalError {
        JournalError::Over
    }
}
