//! The providers of a server, from its settings. Those without a key and without an address of their own are not set up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flowctl_core::execution::budget::Limits;
use secrecy::SecretString;
use url::Url;

use super::tenants::TenantModels;
use super::wire::Endpoint;
use super::wire::anthropic::Anthropic;
use super::wire::google::Google;
use super::wire::openai::OpenAi;
use super::{ModelError, Prices, PricesError, Provider, Providers};
use crate::clock::Clock;

/// How one provider is reached.
#[derive(Debug, Clone, Default)]
pub struct ProviderSettings {
    /// The key, if it wants one.
    pub api_key: Option<SecretString>,
    /// Where it is, if not at its usual address.
    pub base_url: Option<Url>,
}

/// The settings of models.
#[derive(Debug, Clone, Default)]
pub struct AiSettings {
    /// The provider of models that name none.
    pub provider: Option<String>,
    /// OpenAI.
    pub openai: ProviderSettings,
    /// Anthropic.
    pub anthropic: ProviderSettings,
    /// Google.
    pub google: ProviderSettings,
    /// Somebody else with OpenAI's interface: a model on a machine of one's own, a gateway.
    pub compatible: ProviderSettings,
    /// What the mock's values are made from; nothing: from what it is asked.
    pub mock_seed: Option<u64>,
    /// A file that replaces the table of prices.
    pub prices: Option<PathBuf>,
    /// What each tenant's models may cost in a month.
    pub monthly_budget: Limits,
    /// Tenants that have something of their own.
    pub tenants: BTreeMap<String, TenantModels>,
}

/// Why providers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The default provider is not known.
    #[error("FLOWCTL_AI_PROVIDER: {0}")]
    Default(#[from] ModelError),
    /// TLS cannot be set up on this machine.
    #[error("calls of models cannot be made: {0}")]
    Client(#[from] reqwest::Error),
    /// The table of prices cannot be read.
    #[error("FLOWCTL_AI_PRICES: {path}: {reason}", path = .path.display())]
    Prices {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A provider: its name, its usual address, and what speaks its interface.
struct Known {
    name: &'static str,
    base: Option<&'static str>,
    speak: fn(Endpoint) -> Arc<dyn Provider>,
}

impl Known {
    /// The provider, where it is set up.
    fn provider(
        &self,
        given: &ProviderSettings,
        setting: String,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Arc<dyn Provider>>, SetupError> {
        let usual = self.base.filter(|_| given.api_key.is_some()).and_then(|base| Url::parse(base).ok());
        let Some(base) = given.base_url.clone().or(usual) else { return Ok(None) };
        let endpoint = Endpoint::new(base, given.api_key.clone(), setting, Arc::clone(clock))?;
        Ok(Some((self.speak)(endpoint)))
    }
}

const KNOWN: [Known; 4] = [
    Known { name: "openai", base: Some("https://api.openai.com/v1"), speak: |it| Arc::new(OpenAi::new(it, true)) },
    Known { name: "anthropic", base: Some("https://api.anthropic.com"), speak: |it| Arc::new(Anthropic::new(it)) },
    Known {
        name: "google",
        base: Some("https://generativelanguage.googleapis.com"),
        speak: |it| Arc::new(Google::new(it)),
    },
    Known { name: "compatible", base: None, speak: |it| Arc::new(OpenAi::new(it, false)) },
];

impl Providers {
    /// The providers that are set up, the mock among them.
    ///
    /// # Errors
    /// Where the default provider is none of them, the table of prices cannot be read, or TLS cannot be set up.
    pub fn from_settings(settings: &AiSettings, clock: &Arc<dyn Clock>) -> Result<Self, SetupError> {
        let mut providers = Self::default().with_seed(settings.mock_seed);
        for known in KNOWN {
            let setting = format!("FLOWCTL_AI_{}_API_KEY", known.name.to_uppercase());
            if let Some(provider) = known.provider(settings.of(known.name), setting, clock)? {
                providers = providers.with(known.name, provider);
            }
        }
        if let Some(path) = &settings.prices {
            let failed = |reason: String| SetupError::Prices { path: path.clone(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let prices = Prices::read(&text).map_err(|error: PricesError| failed(error.to_string()))?;
            providers = providers.with_prices(prices);
        }
        if let Some(name) = &settings.provider {
            providers = providers.with_default(name)?;
        }
        for (tenant, models) in &settings.tenants {
            let own = providers.clone().overlaid(tenant, settings, models, clock)?;
            providers = providers.with_tenant(tenant, own);
        }
        Ok(providers)
    }

    /// The same with what a tenant has of its own. Where it names an address, no key goes there but its own.
    fn overlaid(
        mut self,
        tenant: &str,
        settings: &AiSettings,
        models: &TenantModels,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        self.tenants.clear();
        for known in KNOWN {
            let (shared, own) = (settings.of(known.name), models.of(known.name));
            if own.api_key.is_none() && own.base_url.is_none() {
                continue;
            }
            let base_url = own.base_url.clone().or_else(|| shared.base_url.clone());
            let given = ProviderSettings { api_key: own.api_key.clone(), base_url };
            let setting = format!("FLOWCTL_AI_TENANTS (`{}_api_key` of {tenant})", known.name);
            if let Some(provider) = known.provider(&given, setting, clock)? {
                self = self.with(known.name, provider);
            }
        }
        Ok(self)
    }
}

impl AiSettings {
    fn of(&self, name: &str) -> &ProviderSettings {
        match name {
            "openai" => &self.openai,
            "anthropic" => &self.anthropic,
            "google" => &self.google,
            _ => &self.compatible,
        }
    }
}
