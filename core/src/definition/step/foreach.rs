//! `foreach`: steps run once per item of a list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OnFailure, Step};
use crate::definition::Text;
use crate::source::Spanned;

/// The fields of `foreach`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Foreach {
    /// The list.
    pub items: Spanned<Value>,
    /// The item's name in expressions (item).
    #[serde(rename = "as", default)]
    #[schemars(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub item_name: Option<Spanned<String>>,
    /// How many items at a time (4).
    #[serde(default = "four")]
    #[schemars(range(min = 1, max = 100))]
    pub max_parallel: u32,
    /// The body; decoded one by one, as the steps of a process are.
    #[serde(skip)]
    #[schemars(skip)]
    pub steps: Vec<Step>,
    /// What an item gives: an expression over the body's steps.
    #[serde(default)]
    pub result: Option<Text>,
    /// What an item's failure does (fail).
    #[serde(default)]
    pub on_item_failure: OnFailure,
}

fn four() -> u32 {
    4
}
