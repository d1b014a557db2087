//! `ai_generate`: a model answers in the shape of a JSON Schema.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent_task::Budget;
use crate::definition::Text;
use crate::source::Spanned;

/// The fields of `ai_generate`. One of `prompt` and `template` is needed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AiGenerate {
    /// An alias of `flow.yaml`, `provider/model`, or `mock`.
    pub model: Text,
    /// What the model is asked.
    #[serde(default)]
    pub prompt: Option<Text>,
    /// A prompt of `.flow/prompts/`, by its name.
    #[serde(default)]
    pub template: Option<Spanned<String>>,
    /// The variables of the template.
    #[serde(default)]
    pub variables: IndexMap<Spanned<String>, Spanned<Value>>,
    /// What the model is told about its role.
    #[serde(default)]
    pub system: Option<Text>,
    /// The shape of the answer: a JSON Schema, or a path below `.flow/schemas/`.
    #[schemars(schema_with = "crate::definition::schema::schema_or_path")]
    pub output_schema: Spanned<Value>,
    /// How free the model is, 0 to 2.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_output_tokens: Option<u32>,
    /// How often the model is shown what was wrong with its answer (2).
    #[serde(default = "two")]
    #[schemars(range(max = 10))]
    pub max_repairs: u32,
    /// What it may spend.
    #[serde(default)]
    pub budget: Option<Budget>,
}

fn two() -> u32 {
    2
}
