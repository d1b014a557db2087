//! The texts of a tool's definition: templates over `arguments` and `secrets` alone, put together right before a call. What
//! was a secret in them is known by the redaction, and by nobody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{EquippedTool, StepError, TenantId};
use flowctl_core::expression::{Context, Key, Template, evaluate_json};
use http::{HeaderMap, HeaderName, HeaderValue};
use indexmap::IndexMap;
use secrecy::SecretString;
use serde_json::Value;

use super::refused;
use crate::steps::Secrets;
use crate::steps::secrets::{self, Redaction};

/// Puts texts together for one tenant.
#[derive(Clone)]
pub(super) struct Texts {
    tenant: TenantId,
    secrets: Arc<dyn Secrets>,
}

impl Texts {
    pub(super) fn new(tenant: &TenantId, secrets: Arc<dyn Secrets>) -> Self {
        Self { tenant: tenant.clone(), secrets }
    }

    /// The text of a field, with its secrets.
    pub(super) fn render(&self, field: &str, text: &str, context: &Context) -> Result<String, StepError> {
        let wrong = |error: &dyn std::fmt::Display| {
            StepError::new(ErrorClass::Expression, format!("`{field}` of the tool: {error}"))
        };
        let rendered = evaluate_json(&Value::String(text.to_owned()), context).map_err(|error| wrong(&error))?;
        let mut value = rendered.value;
        secrets::fill(&mut value, &rendered.secret_texts, |name| self.secrets.get(&self.tenant, name))?;
        match value {
            Value::String(text) => Ok(text),
            Value::Null => Err(wrong(&"is empty")),
            other => Ok(other.to_string()),
        }
    }

    /// Headers of a call.
    pub(super) fn headers(
        &self,
        headers: &IndexMap<String, String>,
        context: &Context,
    ) -> Result<HeaderMap, StepError> {
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            let field = format!("headers.{name}");
            let header: HeaderName =
                name.parse().map_err(|_| refused(format!("`headers` of the tool: `{name}` is no name of a header")))?;
            let text = self.render(&field, text, context)?;
            let mut value = HeaderValue::from_str(text.trim())
                .map_err(|_| refused(format!("`{field}` of the tool has characters that no header can carry")))?;
            value.set_sensitive(true);
            map.insert(header, value);
        }
        Ok(map)
    }

    /// What must not come back from this tool: every secret that it names.
    ///
    /// # Errors
    /// Where a text cannot be read, or a secret is not set.
    pub(super) fn redaction(&self, definition: &EquippedTool) -> Result<Redaction, StepError> {
        let mut names = BTreeSet::new();
        let texts = [&definition.url, &definition.document].into_iter().flatten();
        for text in texts.chain(definition.headers.values()).chain(definition.env.values()) {
            let template = Template::parse(text).map_err(|error| {
                StepError::new(ErrorClass::Expression, format!("the tool `{}`: {error}", definition.name))
            })?;
            let secrets = template.references().iter().filter(|reference| reference.root() == "secrets");
            names.extend(secrets.filter_map(|reference| match &reference.path.get(1)?.key {
                Key::Name(name) => Some(name.clone()),
                _ => None,
            }));
        }
        let values: Result<Vec<SecretString>, StepError> = names
            .into_iter()
            .map(|name| self.secrets.get(&self.tenant, &name).ok_or_else(|| secrets::not_set(&name)))
            .collect();
        Ok(Redaction::of(&values?))
    }
}
