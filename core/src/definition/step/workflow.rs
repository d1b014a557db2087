//! `workflow`: a GitHub Actions workflow is dispatched and awaited.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Text;
use crate::source::Spanned;

/// The fields of `workflow`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// The file's name below `.github/workflows/`.
    pub workflow: Spanned<String>,
    /// The branch or tag it runs on (the default branch).
    #[serde(rename = "ref", default)]
    pub reference: Option<Text>,
    /// The workflow's inputs.
    #[serde(default)]
    pub inputs: IndexMap<Spanned<String>, Spanned<Value>>,
}
