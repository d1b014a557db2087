//! Models: one trait for those who answer, and a register of them by name. Nothing here knows steps or executions; what
//! becomes of an answer is the asker's.

mod mock;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::value::Money;
use serde_json::Value;

pub use mock::MockProvider;

/// Who says something in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who made the rules.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// Something said in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What.
    pub text: String,
}

impl Message {
    /// Something said.
    pub fn new(role: Role, text: &str) -> Self {
        Self { role, text: text.to_owned() }
    }
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The model, by its provider's name for it.
    pub model: String,
    /// The conversation so far; the last message wants an answer.
    pub messages: Vec<Message>,
    /// The JSON Schema that the answer must satisfy.
    pub schema: Value,
    /// How free the model is, 0 to 2.
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    pub max_output_tokens: Option<u64>,
    /// Which attempt of its step asks, from 1.
    pub attempt: u32,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer: JSON, if the model did as it was asked.
    pub text: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What it cost, where that is known.
    pub cost: Option<Money>,
}

/// Why a model did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// For people. Never holds a key.
    pub message: String,
    /// How long the provider asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl ProviderError {
    /// A failure of this class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after_ms: None }
    }
}

/// Somebody whose models answer. A call may be dropped in the middle of it, when its time is over.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Has a model answer.
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError>;
}

/// The providers by name. `mock` is always among them.
#[derive(Clone)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn Provider>>,
    default: Option<String>,
    only_mock: bool,
}

/// A model and who has it.
#[derive(Clone)]
pub struct ResolvedModel {
    /// Who has it.
    pub provider: Arc<dyn Provider>,
    /// The provider's name for it.
    pub model: String,
    /// Both, as people know it: `mock`, `mock/timeout`, `openai/gpt`.
    pub name: String,
}

impl fmt::Debug for ResolvedModel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

/// Why a model cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Its provider is not set up.
    #[error("provider `{provider}` of model `{model}` is not set up on this server; set up are: {known}")]
    UnknownProvider {
        /// The provider.
        provider: String,
        /// The model as written.
        model: String,
        /// Those that are.
        known: String,
    },
    /// It has no provider, and there is no default.
    #[error("model `{model}` is neither an alias of flow.yaml nor `provider/model`")]
    NoProvider {
        /// The model as written.
        model: String,
    },
}

const MOCK: &str = "mock";

impl Default for Providers {
    fn default() -> Self {
        let mock: Arc<dyn Provider> = Arc::new(MockProvider);
        Self { by_name: BTreeMap::from([(MOCK.to_owned(), mock)]), default: None, only_mock: false }
    }
}

impl Providers {
    /// Only the mock, which answers for every model: for tests and runs without a network.
    #[must_use]
    pub fn only_mock() -> Self {
        Self { only_mock: true, ..Self::default() }
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, provider: Arc<dyn Provider>) -> Self {
        self.by_name.insert(name.to_owned(), provider);
        self
    }

    /// The same with a provider for models that name none (`FLOWCTL_AI_PROVIDER`).
    ///
    /// # Errors
    /// Where there is no such provider.
    pub fn with_default(mut self, name: &str) -> Result<Self, ModelError> {
        self.provider(name, name)?;
        self.default = Some(name.to_owned());
        Ok(self)
    }

    /// Who has a model: `mock`, `provider/model`, or a model of the default provider.
    ///
    /// # Errors
    /// Where nobody has.
    pub fn resolve(&self, model: &str) -> Result<ResolvedModel, ModelError> {
        if model == MOCK || (self.only_mock && !model.starts_with("mock/")) {
            let provider = self.provider(MOCK, model)?;
            return Ok(ResolvedModel { provider, model: mock::SUCCESS.to_owned(), name: MOCK.to_owned() });
        }
        let (provider, inner) = match (model.split_once('/'), &self.default) {
            (Some((provider, inner)), _) => (provider, inner),
            (None, Some(default)) if default == MOCK => (MOCK, mock::SUCCESS),
            (None, Some(default)) => (default.as_str(), model),
            (None, None) => return Err(ModelError::NoProvider { model: model.to_owned() }),
        };
        let name = if model.contains('/') { model.to_owned() } else { format!("{provider}/{inner}") };
        Ok(ResolvedModel { provider: self.provider(provider, model)?, model: inner.to_owned(), name })
    }

    fn provider(&self, name: &str, model: &str) -> Result<Arc<dyn Provider>, ModelError> {
        self.by_name.get(name).cloned().ok_or_else(|| ModelError::UnknownProvider {
            provider: name.to_owned(),
            model: model.to_owned(),
            known: self.by_name.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        })
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.by_name.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use super::*;

    #[test]
    fn a_model_is_found_with_its_provider() {
        let providers = Providers::default();
        for (model, inner, name) in [("mock", "success", "mock"), ("mock/timeout", "timeout", "mock/timeout")] {
            let resolved = providers.resolve(model).unwrap();
            assert_eq!((resolved.model.as_str(), resolved.name.as_str()), (inner, name));
        }
        let error = providers.resolve("openai/gpt-5").unwrap_err();
        let expected = "provider `openai` of model `openai/gpt-5` is not set up on this server; set up are: `mock`";
        assert_eq!(error.to_string(), expected);
        let error = providers.resolve("careful").unwrap_err();
        assert_eq!(error.to_string(), "model `careful` is neither an alias of flow.yaml nor `provider/model`");
    }

    #[test]
    fn the_default_provider_answers_for_models_without_one() {
        let providers = Providers::default().with_default("mock").unwrap();
        assert_eq!(providers.resolve("careful").unwrap().name, "mock/success");
        assert!(providers.resolve("openai/gpt-5").is_err());
        assert!(Providers::default().with_default("openai").is_err());
        let local = Providers::default().with("local", Arc::new(MockProvider)).with_default("local").unwrap();
        let resolved = local.resolve("llama").unwrap();
        assert_eq!((resolved.model.as_str(), resolved.name.as_str()), ("llama", "local/llama"));
    }

    #[test]
    fn the_mock_can_answer_for_every_model() {
        let providers = Providers::only_mock();
        for model in ["openai/gpt-5", "careful", "mock"] {
            assert_eq!(providers.resolve(model).unwrap().name, "mock");
        }
        assert_eq!(providers.resolve("mock/timeout").unwrap().model, "timeout");
    }
}
