//! Models: one trait for those who answer, and a register of them by name. Nothing here knows what a step asks; what
//! becomes of an answer is the asker's.

mod asking;
pub mod interpret;
mod mock;
mod question;
mod setup;
mod tenants;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::TenantId;

pub use asking::{AskFailure, Asking};
pub use flowctl_core::value::{Price, Prices, PricesError};
pub use mock::MockProvider;
pub use question::{Answer, Message, Question, ToolOffer, USUAL_ANSWER};
pub use setup::{AiSettings, ProviderSettings, SetupError};
pub use tenants::TenantModels;
pub(crate) use tenants::spending_limits;
pub(crate) use wire::shortened;

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
    /// What the call used up all the same.
    pub used: Used,
    /// The field that it was refused for, where it can be asked without.
    pub refused: Option<RequestField>,
}

/// A field of a request that a model may not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestField {
    /// How free the model is.
    Temperature,
    /// The schema of the answer.
    Schema,
}

/// The fields that a question is asked without, because its model does not take them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How free the model is.
    pub temperature: bool,
    /// The schema of the answer: the model is told it in words.
    pub schema: bool,
}

impl LeftOut {
    /// The same without one more field; nothing where the question did not have it, or is asked without it already.
    #[must_use]
    pub fn and(self, field: RequestField, question: &Question) -> Option<Self> {
        match field {
            RequestField::Temperature if question.temperature.is_some() && !self.temperature => {
                Some(Self { temperature: true, ..self })
            }
            RequestField::Schema if question.schema.is_some() && !self.schema => Some(Self { schema: true, ..self }),
            _ => None,
        }
    }

    /// The question without a temperature, where it is left out.
    fn of(self, question: &Question) -> Question {
        Question { temperature: question.temperature.filter(|_| !self.temperature), ..question.clone() }
    }
}

impl RequestField {
    /// Its name in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Schema => "output_schema",
        }
    }
}

/// What a call that failed used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Used {
    /// Nothing: the provider did not begin to answer.
    #[default]
    Nothing,
    /// So many tokens, as the provider told.
    Told {
        /// Tokens read.
        input_tokens: u64,
        /// Tokens written.
        output_tokens: u64,
    },
    /// The answer had begun, and nobody said what it used.
    Unknown,
}

impl ProviderError {
    /// A failure of this class.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_after_ms: None, used: Used::Nothing, refused: None }
    }

    /// The same, of a call whose answer had begun. `told`: tokens read and written, where the provider told them.
    #[must_use]
    fn after_use_of(self, told: Option<(u64, u64)>) -> Self {
        let used =
            told.map_or(Used::Unknown, |(input_tokens, output_tokens)| Used::Told { input_tokens, output_tokens });
        Self { used, ..self }
    }
}

/// Somebody whose models answer. A call may be dropped in the middle of it, when its time is over.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Has a model answer.
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError>;

    /// The same without fields that the model does not take. Who says so of none need not know of it.
    async fn answer_without(&self, question: &Question, left_out: LeftOut) -> Result<Answer, ProviderError> {
        self.answer(&left_out.of(question)).await
    }
}

/// The providers by name. `mock` is always among them.
#[derive(Clone)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn Provider>>,
    default: Option<String>,
    only_mock: bool,
    prices: Arc<Prices>,
    /// Tenants that have providers of their own.
    tenants: BTreeMap<String, Arc<Providers>>,
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
        let mock: Arc<dyn Provider> = Arc::new(MockProvider::default());
        let prices = Arc::new(Prices::default());
        let by_name = BTreeMap::from([(MOCK.to_owned(), mock)]);
        Self { by_name, default: None, only_mock: false, prices, tenants: BTreeMap::new() }
    }
}

impl Providers {
    /// Only the mock, which answers for every model: for tests and runs without a network.
    #[must_use]
    pub fn only_mock() -> Self {
        Self { only_mock: true, ..Self::default() }
    }

    /// The same with a mock whose values are made from a seed, where there is one.
    #[must_use]
    pub fn with_seed(self, seed: Option<u64>) -> Self {
        self.with(MOCK, Arc::new(MockProvider { seed }))
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, provider: Arc<dyn Provider>) -> Self {
        self.by_name.insert(name.to_owned(), provider);
        self
    }

    /// The same with providers that a tenant has of its own.
    #[must_use]
    fn with_tenant(mut self, tenant: &str, own: Self) -> Self {
        self.tenants.insert(tenant.to_owned(), Arc::new(own));
        self
    }

    /// The providers of a tenant: its own, and where it has none, those of every tenant.
    pub fn of(&self, tenant: &TenantId) -> &Self {
        // Logins of GitHub know no case.
        let own = self.tenants.iter().find(|(name, _)| name.eq_ignore_ascii_case(tenant.as_str()));
        own.map_or(self, |(_, own)| &**own)
    }

    /// The same with these prices.
    #[must_use]
    pub fn with_prices(mut self, prices: Prices) -> Self {
        self.prices = Arc::new(prices);
        self
    }

    /// What models cost.
    pub fn prices(&self) -> &Arc<Prices> {
        &self.prices
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
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
