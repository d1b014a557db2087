//! `process`: another process of the repository runs as an execution of its own.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::Slug;

/// The fields of `process`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubProcess {
    /// The process's name.
    pub process: Spanned<Slug>,
    /// Its inputs.
    #[serde(default)]
    pub inputs: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Whether the step waits for its end (true).
    #[serde(default = "yes")]
    pub wait: bool,
}

fn yes() -> bool {
    true
}
