//! Asking a model on the record: what the call may use up is reserved before it is made, and what came of it is durable before
//! anybody acts on it. Every step that asks models does it here. What is asked and what becomes of the answer is theirs.

use std::sync::Arc;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Entry, StepError, Usage};
use tokio::time::Instant;

use super::{Answer, Prices, ProviderError, Providers, Question, ResolvedModel, Used};
use crate::steps::{Journal, JournalError};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskFailure {
    /// Nothing can be recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The model did not answer. Recorded.
    #[error(transparent)]
    Provider(StepError),
}

impl From<AskFailure> for StepError {
    fn from(failure: AskFailure) -> Self {
        match failure {
            AskFailure::Provider(error) => error,
            AskFailure::Journal(error) => error.into(),
        }
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        let class = match error {
            JournalError::Unavailable(_) => ErrorClass::ServerError,
            JournalError::Over | JournalError::Refused(_) | JournalError::OverBudget(_) => ErrorClass::Refused,
        };
        Self::new(class, error.to_string())
    }
}

/// Asks one model on behalf of one attempt.
pub struct Asking {
    model: ResolvedModel,
    prices: Arc<Prices>,
    journal: Journal,
    limits: Limits,
}

impl Asking {
    /// Asks `model` within `limits`, on the record of `journal`.
    pub fn new(providers: &Providers, model: ResolvedModel, journal: Journal, limits: Limits) -> Self {
        Self { model, prices: Arc::clone(providers.prices()), journal, limits }
    }

    /// The model with its provider, as people know it.
    pub fn model_name(&self) -> &str {
        &self.model.name
    }

    /// Asks, once. A question that was under way when a server died is asked again by whoever goes on; the record then has
    /// two questions and one answer.
    ///
    /// # Errors
    /// Where the budget does not allow it, the model does not answer, or nothing can be recorded.
    pub async fn ask(&self, question: &Question) -> Result<Answer, AskFailure> {
        let reserved = self.reserved(question);
        let (model, budget) = (self.model.name.clone(), self.limits.clone());
        self.journal.append(Entry::ModelAsked { model, reserved: reserved.clone(), budget }).await?;
        let began = Instant::now();
        let answered = self.model.provider.answer(question).await;
        let latency_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answered {
            Ok(answer) => {
                let usage = answer.usage(&self.model.name, self.cost(&answer));
                let Answer { text, calls, stop, .. } = answer.clone();
                let entry = Entry::ModelAnswered { text, calls, stop, usage: usage.clone(), latency_ms };
                match self.journal.append(entry).await {
                    Ok(()) => Ok(answer),
                    // What cannot be kept has been paid for all the same.
                    Err(JournalError::Refused(why)) => {
                        let message = format!("`{}`: its answer cannot be recorded: {why}", self.model.name);
                        self.failed(StepError::new(ErrorClass::Refused, message), Some(usage), latency_ms).await
                    }
                    Err(error) => Err(error.into()),
                }
            }
            Err(error) => {
                let usage = self.used(error.used, reserved);
                self.failed(self.told(error), usage, latency_ms).await
            }
        }
    }

    async fn failed(&self, error: StepError, usage: Option<Usage>, latency_ms: u64) -> Result<Answer, AskFailure> {
        self.journal.append(Entry::ModelFailed { error: error.clone(), usage, latency_ms }).await?;
        Err(AskFailure::Provider(error))
    }

    /// What a call that failed used: where nobody knows, what was reserved for it.
    fn used(&self, used: Used, reserved: Usage) -> Option<Usage> {
        match used {
            Used::Nothing => None,
            Used::Unknown => Some(reserved),
            Used::Told { input_tokens, output_tokens } => {
                let cost = self.prices.cost(&self.model.name, input_tokens, output_tokens);
                let cost = cost.map(|cost| cost.to_string());
                Some(Usage { input_tokens, output_tokens, cost, estimated: false, ..reserved })
            }
        }
    }

    fn cost(&self, answer: &Answer) -> Option<flowctl_core::value::Money> {
        let computed = || self.prices.cost(&self.model.name, answer.input_tokens, answer.output_tokens);
        answer.cost.clone().or_else(computed)
    }

    /// The most that a call can use: what it says, which is a guess, and the longest answer.
    fn reserved(&self, question: &Question) -> Usage {
        let (input_tokens, output_tokens) = (question.about_tokens(), question.longest_answer());
        let cost = self.prices.cost(&self.model.name, input_tokens, output_tokens).map(|cost| cost.to_string());
        Usage { model: self.model.name.clone(), input_tokens, output_tokens, cost, estimated: true, calls: 1 }
    }

    fn told(&self, error: ProviderError) -> StepError {
        let message = format!("`{}`: {}", self.model.name, error.message);
        StepError { retry_after_ms: error.retry_after_ms, ..StepError::new(error.class, message) }
    }
}
