//! Models of single tenants: keys and addresses of their own, and what they may cost in a month. They are read from a TOML text
//! that is a secret; what is wrong with it is told without a word of it.

use std::collections::BTreeMap;

use flowctl_core::execution::budget::Limits;
use flowctl_core::value::Money;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::ProviderSettings;

/// What a tenant has of its own.
#[derive(Debug, Clone, Default)]
pub struct TenantModels {
    /// OpenAI.
    pub openai: ProviderSettings,
    /// Anthropic.
    pub anthropic: ProviderSettings,
    /// Google.
    pub google: ProviderSettings,
    /// Somebody else with OpenAI's interface.
    pub compatible: ProviderSettings,
    /// What its models may cost in a month, instead of what is said for each tenant.
    pub monthly_budget: Option<Limits>,
}

/// A tenant's table, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    openai_api_key: Option<String>,
    openai_base_url: Option<String>,
    anthropic_api_key: Option<String>,
    anthropic_base_url: Option<String>,
    google_api_key: Option<String>,
    google_base_url: Option<String>,
    compatible_api_key: Option<String>,
    compatible_base_url: Option<String>,
    monthly_budget: Option<String>,
}

impl TenantModels {
    /// Tenants by name.
    ///
    /// # Errors
    /// Where something is wrong, in words that hold nothing of the text but names.
    pub fn read(text: &str, base_url: fn(&str) -> Option<Url>) -> Result<BTreeMap<String, Self>, String> {
        let written: BTreeMap<String, Written> = toml::from_str(text).map_err(|error| {
            // What the parser says quotes the text.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            format!("line {} is not a table of a tenant or a setting of one", before.lines().count().max(1))
        })?;
        written.into_iter().map(|(tenant, written)| Ok((tenant.clone(), written.checked(&tenant, base_url)?))).collect()
    }

    pub(super) fn of(&self, name: &str) -> &ProviderSettings {
        match name {
            "openai" => &self.openai,
            "anthropic" => &self.anthropic,
            "google" => &self.google,
            _ => &self.compatible,
        }
    }
}

impl Written {
    fn checked(self, tenant: &str, base_url: fn(&str) -> Option<Url>) -> Result<TenantModels, String> {
        let wrong = |name: &str| format!("`{name}` of tenant `{tenant}` is not what it should be");
        let provider = |name: &str, key: Option<String>, base: Option<String>| {
            if key.as_ref().is_some_and(|key| key.trim().is_empty()) {
                return Err(wrong(&format!("{name}_api_key")));
            }
            let base = base.map(|base| base_url(base.trim()).ok_or_else(|| wrong(&format!("{name}_base_url"))));
            Ok(ProviderSettings { api_key: key.map(SecretString::from), base_url: base.transpose()? })
        };
        let budget = self.monthly_budget.map(|text| spending_limits(&text).ok_or_else(|| wrong("monthly_budget")));
        Ok(TenantModels {
            openai: provider("openai", self.openai_api_key, self.openai_base_url)?,
            anthropic: provider("anthropic", self.anthropic_api_key, self.anthropic_base_url)?,
            google: provider("google", self.google_api_key, self.google_base_url)?,
            compatible: provider("compatible", self.compatible_api_key, self.compatible_base_url)?,
            monthly_budget: budget.transpose()?,
        })
    }
}

/// `500 USD`, `20000000 tokens`, or both with a comma between.
pub(crate) fn spending_limits(text: &str) -> Option<Limits> {
    let mut limits = Limits::default();
    for part in text.split(',').map(str::trim) {
        let is_first = match part.strip_suffix("tokens") {
            Some(count) => limits.max_tokens.replace(count.trim().parse().ok().filter(|count| *count > 0)?).is_none(),
            None => {
                let money: Money = part.parse().ok()?;
                !money.amount().is_zero() && limits.max_cost.replace(money).is_none()
            }
        };
        if !is_first {
            return None;
        }
    }
    Some(limits)
}
