//! Processes as they stand on the default branch.

use flowctl_core::definition::Process;
use flowctl_core::definition::field::{Fields, defaults, schema_of_fields};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::people::name;

/// A process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Process)]
pub struct ProcessView {
    /// `owner/repo:name`.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// Its repository.
    pub repository: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// What it is for.
    pub description: Option<String>,
    /// `draft`, `published`, `archived`.
    pub status: String,
    /// The commit that it was read at: the head of the default branch.
    pub revision: String,
    /// What starts it: the keys of its triggers.
    pub triggers: Vec<String>,
    /// Whether it may be started by hand, through the API too.
    pub starts_by_hand: bool,
    /// The JSON Schema of its inputs, with their defaults.
    #[schema(value_type = Object)]
    pub inputs: Value,
    /// Since when it starts nothing, where somebody paused it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub paused_since: Option<Timestamp>,
    /// Why it cannot run, where it cannot: its first fault with its place.
    pub fault: Option<String>,
    /// Its steps in the order of the file.
    pub steps: Vec<StepOutline>,
}

/// A step of a process.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StepOutline {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub step_type: String,
    /// Its name, as written.
    pub name: Option<String>,
    /// The steps that it depends on, as written.
    pub depends_on: Vec<String>,
}

impl ProcessView {
    /// A process of a repository.
    pub fn of(
        tenant: &str,
        repository: &str,
        revision: &str,
        process: &Process,
        paused_since: Option<Timestamp>,
        fault: Option<String>,
    ) -> Self {
        let header = &process.header;
        let triggers = match &header.triggers {
            Some(triggers) => triggers.iter().map(|trigger| trigger.value.key().to_owned()).collect(),
            None => vec!["manual".to_owned()],
        };
        let steps = process.steps.iter().map(|step| StepOutline {
            id: step.id.as_str().to_owned(),
            step_type: step.step_type().as_str().to_owned(),
            name: step.name.as_ref().map(|name| name.value.clone()),
            depends_on: step.depends_on.iter().map(|id| id.value.as_str().to_owned()).collect(),
        });
        Self {
            id: format!("{repository}:{}", header.name.as_str()),
            tenant: tenant.to_owned(),
            repository: repository.to_owned(),
            name: header.name.as_str().to_owned(),
            version: header.version.get(),
            description: header.description.as_ref().map(|text| text.value.clone()),
            status: name(&header.status),
            revision: revision.to_owned(),
            triggers,
            starts_by_hand: process.starts_by_hand(),
            inputs: schema_of_inputs(&header.inputs),
            paused_since,
            fault,
            steps: steps.collect(),
        }
    }
}

/// The schema of inputs for whoever fills them in: with what stands where nothing is given.
fn schema_of_inputs(inputs: &Fields) -> Value {
    let mut schema = schema_of_fields(inputs);
    for (name, default) in defaults(inputs) {
        if let Some(field) = schema["properties"].get_mut(&name) {
            field["default"] = default;
        }
    }
    schema
}
