//! The tools of a task, opened, and the names under which the model knows their operations.

use flowctl_core::definition::tool::{ToolApproval, ToolType};
use flowctl_core::execution::{EquippedTool, StepError, TenantId};
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::refused;
use crate::ai::ToolOffer;
use crate::tools::{OpenTool, Operation, Toolbox};

/// Longest name of a function: what all providers take.
const MAX_NAME: usize = 64;
/// Operations that a model is offered at most. Models lose their way among more, and every turn pays for them.
const MAX_OFFERED: usize = 128;
/// Longest description that is passed on, in characters.
const MAX_DESCRIPTION: usize = 1_024;

/// The tools of a task.
pub(super) struct Equipment {
    tools: IndexMap<String, (OpenTool, ToolApproval)>,
    /// By the name under which the model knows it.
    offered: IndexMap<String, Offered>,
}

/// An operation that the model may want to be called.
pub(super) struct Offered {
    /// The tool.
    pub(super) tool: String,
    /// What it does.
    pub(super) operation: Operation,
    /// Whether people are asked before it is called.
    pub(super) asks: bool,
}

impl Equipment {
    pub(super) async fn open(
        toolbox: &Toolbox,
        tenant: &TenantId,
        definitions: Option<&Value>,
    ) -> Result<Self, StepError> {
        let definitions: Map<String, Value> = definitions.and_then(Value::as_object).cloned().unwrap_or_default();
        let (mut tools, mut offered) = (IndexMap::new(), IndexMap::new());
        for (name, definition) in definitions {
            let definition: EquippedTool = serde_json::from_value(definition)
                .map_err(|error| refused(format!("the tool `{name}` cannot be used: {error}")))?;
            let tool = toolbox.open(tenant, &definition)?;
            for operation in tool.operations().await? {
                let asks = match definition.approval {
                    ToolApproval::Never => false,
                    ToolApproval::Writes => operation.writes,
                    ToolApproval::Always => true,
                };
                let function = function(&name, &operation.name, definition.kind, &offered);
                offered.insert(function, Offered { tool: name.clone(), operation, asks });
            }
            tools.insert(name, (tool, definition.approval));
        }
        if offered.len() > MAX_OFFERED {
            let message = format!(
                "the agent's tools have {} operations, and a model is offered {MAX_OFFERED} at most; name those that are needed in \
                 the tools' `operations`",
                offered.len()
            );
            return Err(refused(message));
        }
        Ok(Self { tools, offered })
    }

    /// What the model is offered.
    pub(super) fn offers(&self) -> Vec<ToolOffer> {
        let offer = |(name, offered): (&String, &Offered)| ToolOffer {
            name: name.clone(),
            description: offered
                .operation
                .description
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(MAX_DESCRIPTION)
                .collect(),
            parameters: offered.operation.input_schema.clone(),
        };
        self.offered.iter().map(offer).collect()
    }

    /// The operation that the model means.
    pub(super) fn named(&self, name: &str) -> Option<&Offered> {
        self.offered.get(name)
    }

    /// The tool of that name.
    pub(super) fn tool(&self, name: &str) -> Option<&OpenTool> {
        self.tools.get(name).map(|(tool, _)| tool)
    }
}

/// A name for a function: letters, digits, `_` and `-`, at most 64, and not taken.
fn function(tool: &str, operation: &str, kind: ToolType, taken: &IndexMap<String, Offered>) -> String {
    let whole = if kind == ToolType::Http { tool.to_owned() } else { format!("{tool}__{operation}") };
    let plain: String =
        whole.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect();
    let cut: String = plain.chars().take(MAX_NAME).collect();
    if !taken.contains_key(&cut) {
        return cut;
    }
    let short: String = cut.chars().take(MAX_NAME - 5).collect();
    (2..).map(|number| format!("{short}_{number}")).find(|name| !taken.contains_key(name)).unwrap_or(cut)
}
