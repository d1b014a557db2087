//! `notify`: somebody is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Text;
use crate::source::Spanned;

/// The fields of `notify`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The way.
    pub channel: Channel,
    /// Addresses for e-mail, a channel for Slack, a URL or a channel of `flow.yaml` for a webhook, nothing for a comment.
    #[serde(default)]
    pub to: Option<Spanned<Value>>,
    /// A headline.
    #[serde(default)]
    pub subject: Option<Text>,
    /// The message, in Markdown.
    pub message: Text,
}

/// A way to tell somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// E-mail.
    Email,
    /// Slack.
    Slack,
    /// A signed HTTP call.
    Webhook,
    /// A comment on the pull request or issue.
    Comment,
}
