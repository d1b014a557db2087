//! `set`: computed values.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;

/// The fields of `set`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The values by name.
    #[schemars(extend("minProperties" = 1))]
    pub values: IndexMap<Spanned<String>, Spanned<Value>>,
}
