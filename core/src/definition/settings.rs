//! The repository's settings: `.flow/flow.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process::{Defaults, NotifyRule, SpendingLimit};
use super::step::notify::Channel;
use super::{Role, Text};
use crate::source::Spanned;

/// `.flow/flow.yaml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// Models by alias: `default: anthropic/claude-sonnet-4`.
    #[serde(default)]
    pub models: IndexMap<Spanned<String>, Spanned<String>>,
    /// Channels by name.
    #[serde(default)]
    pub channels: IndexMap<Spanned<String>, ChannelSettings>,
    /// HTTP resources by name.
    #[serde(default)]
    pub integrations: IndexMap<Spanned<String>, Integration>,
    /// Defaults of every process.
    #[serde(default)]
    pub defaults: Defaults,
    /// What the models of all processes may cost in a calendar month, in UTC.
    #[serde(default)]
    pub monthly_budget: Option<SpendingLimit>,
    /// Who is told about what of every process, beside what each one says itself.
    #[serde(default)]
    pub notify: Vec<Spanned<NotifyRule>>,
    /// Who may use which command.
    #[serde(default)]
    pub commands: IndexMap<Spanned<String>, CommandSettings>,
    /// GitHub's ids of accounts by login, where a login that definitions name has changed hands.
    #[serde(default)]
    pub people: IndexMap<Spanned<String>, u64>,
    /// How `validate` weighs.
    #[serde(default)]
    pub validate: ValidateSettings,
    /// Where the audit log goes.
    #[serde(default)]
    pub audit: AuditSettings,
}

/// A channel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// The way.
    #[serde(rename = "type")]
    pub kind: Channel,
    /// Addresses, a Slack channel, or a URL.
    pub to: Text,
    /// The secret that signs webhooks: `{{ secrets.NAME }}`.
    #[serde(default)]
    pub secret: Option<Text>,
}

/// An HTTP resource that `api_call` may name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integration {
    /// The base of its addresses.
    pub url: Text,
    /// Headers of each call.
    #[serde(default)]
    pub headers: IndexMap<Spanned<String>, Text>,
}

impl FlowSettings {
    /// Where somebody is allowed to go on without an approval: the command's word as it is written.
    pub fn override_word(&self) -> Option<&Spanned<String>> {
        self.commands.keys().find(|word| word.trim_start_matches('/') == "override")
    }

    /// Whether a rule is off, by its code or its name as it is written.
    pub fn turns_off(&self, rule: &str) -> bool {
        self.validate.levels.iter().any(|(name, level)| name.value == rule && *level == Level::Off)
    }
}

/// Who may use a command.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// The lowest permission that may use it; it can only tighten.
    pub role: Role,
}

/// Where the audit log goes, beside the server's database.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// The git reference to which the App commits the entries that are about this repository, such as
    /// `refs/flowctl/audit`. It lies below `refs/flowctl/`, where no branch and no tag is.
    #[serde(default, rename = "ref")]
    #[schemars(schema_with = "own_reference")]
    pub reference: Option<Spanned<String>>,
}

fn own_reference(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "pattern": "^refs/flowctl/[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"})
}

/// How `validate` weighs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateSettings {
    /// The level of a rule, by its code.
    #[serde(default)]
    pub levels: IndexMap<Spanned<String>, Level>,
    /// Whether a weakened approval or policy fails the check of a pull request (false).
    #[serde(default)]
    pub fail_on_weakening: bool,
    /// Whether every pull request has the check `flowctl / validate`, also one that touches no definition, so that it may
    /// be a required check (true).
    #[serde(default = "yes")]
    pub every_pull_request: bool,
}

impl Default for ValidateSettings {
    fn default() -> Self {
        Self { levels: IndexMap::new(), fail_on_weakening: false, every_pull_request: true }
    }
}

fn yes() -> bool {
    true
}

/// The level of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Not reported.
    Off,
    /// Style.
    Info,
    /// Probably not meant.
    Warning,
    /// It would fail, hang or be unsafe.
    Error,
}
