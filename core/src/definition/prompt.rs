//! A prompt: `.flow/prompts/NAME.md`, a template with its variables as front matter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fields;

/// The front matter of a prompt.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptHeader {
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What the template sees as `variables.NAME`.
    #[serde(default)]
    pub variables: Fields,
}

/// A prompt: its front matter and its template.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The front matter.
    pub header: PromptHeader,
    /// The template: all below the front matter.
    pub template: String,
    /// Where the template begins in the file, in bytes.
    pub template_start: u32,
    /// Whether front matter begins that never ends: then nobody can say what is declared.
    pub is_open: bool,
}
