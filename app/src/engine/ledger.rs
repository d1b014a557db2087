//! What models use for questions that no execution asks: reserved and counted in the month of a tenant as the questions of
//! steps are, and measured as they are. What was asked and answered is kept nowhere.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use flowctl_core::execution::budget::{Account, BudgetOf, Month};
use flowctl_core::execution::{CallRequest, Entry, TenantId, Usage};

use super::{Engine, measures};
use crate::steps::{Journal, JournalError, JournalWriter};
use crate::store::{Charge, StoreError};

/// Counts questions for a tenant. Clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    engine: Engine,
    tenant: TenantId,
    /// What is reserved for the question under way, and the month in which it was asked.
    held: Arc<Mutex<Option<(Usage, Month)>>>,
}

impl Engine {
    /// A ledger for questions that are asked for a tenant beside its executions. To be [closed](Ledger::close) once all are
    /// answered.
    #[must_use]
    pub fn ledger(&self, tenant: TenantId) -> Ledger {
        Ledger { engine: self.clone(), tenant, held: Arc::default() }
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
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((reserved, _)) = held {
            self.answered(Some(reserved)).await;
        }
    }

    /// A question is about to be asked.
    async fn asked(&self, reserved: Usage) -> Result<(), JournalError> {
        self.close().await;
        let month = Month::of(self.engine.now());
        let charge = Charge { reserves: Some(reserved.clone()), ..self.charge(month) };
        self.engine.inner.store.spend(&self.tenant, charge).await.map_err(|error| match error {
            StoreError::OverBudget(refusal) => JournalError::OverBudget(refusal.to_string()),
            other => JournalError::Unavailable(other.to_string()),
        })?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((reserved, month));
        Ok(())
    }

    /// The question under way is answered or has failed.
    async fn answered(&self, uses: Option<Usage>) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (frees, month) = held.map_or((None, Month::of(self.engine.now())), |(held, month)| (Some(held), month));
        let charge = Charge { uses, frees, ..self.charge(month) };
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
}

#[async_trait]
impl JournalWriter for Ledger {
    async fn append(&self, _: u32, entry: Entry) -> Result<(), JournalError> {
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

    /// Nobody is asked here.
    async fn ask(&self, _: CallRequest) -> JournalError {
        JournalError::Over
    }
}
