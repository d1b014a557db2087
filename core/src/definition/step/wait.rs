//! `wait`: until time has passed, a moment has come, or an event arrives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::process::Timeout;
use crate::definition::{Templated, Text};
use crate::source::Spanned;
use crate::value::Duration;

/// The fields of `wait`. Exactly one of the three.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// How long.
    #[serde(rename = "for", default)]
    pub duration: Option<Spanned<Templated<Duration>>>,
    /// Until when: a moment, RFC 3339, or a date, which begins at midnight UTC.
    #[serde(default)]
    pub until: Option<Text>,
    /// For an event.
    #[serde(default)]
    pub event: Option<WaitEvent>,
}

/// The event that a `wait` waits for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitEvent {
    /// The event's name.
    pub name: Text,
    /// A condition over `event.payload`.
    #[serde(rename = "match", default)]
    pub matches: Option<Text>,
    /// How long it waits before the step fails.
    #[serde(default)]
    pub timeout: Option<Timeout>,
}
