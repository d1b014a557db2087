//! `gateway`: one of several ways is taken. Its targets depend on it by themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::StepId;

/// The fields of `gateway`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The ways, in the order in which they are tried.
    #[schemars(length(min = 1))]
    pub branches: Vec<Spanned<Branch>>,
    /// Whether the first branch that holds is taken, or all that hold (first).
    #[serde(default)]
    pub mode: GatewayMode,
}

/// One way: a condition or `otherwise: true`, and where it leads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// The condition.
    #[serde(default)]
    pub when: Option<Spanned<Value>>,
    /// Taken when no other branch holds.
    #[serde(default)]
    pub otherwise: Option<Spanned<bool>>,
    /// The steps it leads to.
    #[schemars(length(min = 1))]
    pub to: Vec<Spanned<StepId>>,
}

/// How many branches are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayMode {
    /// The first that holds.
    #[default]
    First,
    /// All that hold.
    All,
}
