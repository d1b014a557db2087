//! Asking a model on the record: what the call may use up is reserved before it is made, and what came of it is durable before
//! anybody acts on it. Every step that asks models does it here. What is asked and what becomes of the answer is theirs.

use std::sync::Arc;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Entry, StepError, Usage};
use tokio::time::Instant;

use super::{Answer, Prices, ProviderError, Providers, Question, ResolvedModel};
use crate::steps::{Journal, JournalError};

/// Tokens of an answer that are reserved where nothing says how long it may become.
const USUAL_ANSWER: u64 = 4_096;

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
        self.journal.append(Entry::ModelAsked { model, reserved, budget }).await?;
        let began = Instant::now();
        let answered = self.model.provider.answer(question).await;
        let latency_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answered {
            Ok(answer) => {
                let usage = answer.usage(&self.model.name, self.cost(&answer));
                let Answer { text, calls, stop, .. } = answer.clone();
                self.journal.append(Entry::ModelAnswered { text, calls, stop, usage, latency_ms }).await?;
                Ok(answer)
            }
            Err(error) => {
                let error = self.failed(error);
                self.journal.append(Entry::ModelFailed { error: error.clone(), usage: None, latency_ms }).await?;
                Err(AskFailure::Provider(error))
            }
        }
    }

    fn cost(&self, answer: &Answer) -> Option<flowctl_core::value::Money> {
        let computed = || self.prices.cost(&self.model.name, answer.input_tokens, answer.output_tokens);
        answer.cost.clone().or_else(computed)
    }

    /// The most that a call is expected to use: what it says, and the longest answer.
    fn reserved(&self, question: &Question) -> Usage {
        let (input_tokens, output_tokens) =
            (question.about_tokens(), question.max_output_tokens.unwrap_or(USUAL_ANSWER));
        let cost = self.prices.cost(&self.model.name, input_tokens, output_tokens).map(|cost| cost.to_string());
        Usage { model: self.model.name.clone(), input_tokens, output_tokens, cost, estimated: true, calls: 1 }
    }

    fn failed(&self, error: ProviderError) -> StepError {
        let message = format!("`{}`: {}", self.model.name, error.message);
        StepError { retry_after_ms: error.retry_after_ms, ..StepError::new(error.class, message) }
    }
}
