//! Asking a model on the record: what the call may use up is reserved before it is made, and what came of it is durable before
//! anybody acts on it. Every step that asks models does it here. What is asked and what becomes of the answer is theirs.

use std::sync::{Arc, Mutex, PoisonError};

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Entry, StepError, Usage};
use tokio::time::Instant;

use super::{Answer, LeftOut, Prices, ProviderError, Providers, Question, ResolvedModel, Used};
use crate::steps::{Journal, JournalError};

/// The shortest answer, in tokens, that a question is worth being asked for where a budget is nearly used up.
const SHORTEST_ANSWER: u64 = 256;

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
    left_out: Mutex<LeftOut>,
}

impl Asking {
    /// Asks `model` within `limits`, on the record of `journal`.
    pub fn new(providers: &Providers, model: ResolvedModel, journal: Journal, limits: Limits) -> Self {
        Self { model, prices: Arc::clone(providers.prices()), journal, limits, left_out: Mutex::default() }
    }

    /// What models cost.
    pub fn prices(&self) -> &Arc<Prices> {
        &self.prices
    }

    /// How many tokens a question to the model and its answer may have together, where that is known.
    pub fn context_window(&self) -> Option<u64> {
        self.prices.context_window(&self.model.name)
    }

    /// The model with its provider, as people know it.
    pub fn model_name(&self) -> &str {
        &self.model.name
    }

    /// The model as its provider knows it.
    pub fn model(&self) -> &str {
        &self.model.model
    }

    /// Asks. A question that was under way when a server died is asked again by whoever goes on; the record then has
    /// two questions and one answer. Where the model does not take a field of the question it is asked once more without,
    /// which the record says.
    ///
    /// # Errors
    /// Where the budget does not allow it, the model does not answer, or nothing can be recorded.
    pub async fn ask(&self, question: &Question) -> Result<Answer, AskFailure> {
        loop {
            let left_out = *self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
            let (question, reserved) = self.reserve(question).await?;
            let began = Instant::now();
            let answered = self.model.provider.answer_without(&question, left_out).await;
            let latency_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let error = match answered {
                Ok(answer) => return self.answered(answer, latency_ms).await,
                Err(error) => error,
            };
            let without = error.refused.and_then(|field| Some((field, left_out.and(field, &question)?)));
            let usage = self.used(error.used, reserved);
            let mut told = self.told(error);
            let Some((field, left_out)) = without else { return self.failed(told, usage, latency_ms).await };
            told.message = format!("{}; it is asked once more without `{}`", told.message, field.as_str());
            self.journal.append(Entry::ModelFailed { error: told, usage, latency_ms }).await?;
            *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
        }
    }

    /// Reserves what the question may use up, and with it bounds its answer: where the budget does not allow the longest
    /// one, a shorter one that it does.
    async fn reserve(&self, question: &Question) -> Result<(Question, Usage), AskFailure> {
        let asked = question.about_tokens();
        let left = self.limits.max_tokens.map_or(u64::MAX, |max| max.saturating_sub(asked));
        let shortest = question.longest_answer().min(SHORTEST_ANSWER);
        // Tokens are guessed, rather too many of them: a question that may not fit is shown to the model all the same.
        let room = self.context_window().map_or(u64::MAX, |window| window.saturating_sub(asked));
        let mut longest = question.longest_answer().min(left).min(room).max(shortest);
        loop {
            let question = Question { max_output_tokens: Some(longest), ..question.clone() };
            let reserved = self.reserved(&question);
            let (model, budget) = (self.model.name.clone(), self.limits.clone());
            match self.journal.append(Entry::ModelAsked { model, reserved: reserved.clone(), budget }).await {
                Ok(()) => return Ok((question, reserved)),
                // What is left is known to whoever keeps the budgets, of which there are several: half of it may fit.
                Err(JournalError::OverBudget(_)) if longest > shortest => longest = (longest / 2).max(shortest),
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn answered(&self, answer: Answer, latency_ms: u64) -> Result<Answer, AskFailure> {
        let usage = self.usage_of(&answer);
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

    /// What an answer used.
    pub fn usage_of(&self, answer: &Answer) -> Usage {
        answer.usage(&self.model.name, self.cost(answer))
    }

    fn cost(&self, answer: &Answer) -> Option<flowctl_core::value::Money> {
        let computed = || self.prices.cost(&self.model.name, answer.input_tokens, answer.output_tokens);
        answer.cost.clone().or_else(computed)
    }

    /// The most that a call can use: what it says, which is a guess, and the longest answer.
    fn reserved(&self, question: &Question) -> Usage {
        let (input_tokens, output_tokens) = (question.about_tokens(), question.longest_answer());
        let cost = self.prices.cost(&self.model.name, input_tokens, output_tokens).map(|cost| cost.to_string());
        Usage {
            model: self.model.name.clone(),
            input_tokens,
            output_tokens,
            cost,
            estimated: true,
            calls: 1,
            ..Usage::default()
        }
    }

    fn told(&self, error: ProviderError) -> StepError {
        let message = format!("`{}`: {}", self.model.name, error.message);
        StepError { retry_after_ms: error.retry_after_ms, ..StepError::new(error.class, message) }
    }
}
