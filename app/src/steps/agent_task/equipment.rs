//! The tools of a task, opened, and the names under which the model knows their operations. Those that do not answer are left
//! out; what the model is told of that is the conversation's.

use flowctl_core::definition::ErrorClass;
use flowctl_core::definition::tool::{ToolApproval, ToolType};
use flowctl_core::execution::{EquippedTool, LeftOutTool, StepError, TenantId};
use futures_util::future::join_all;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::conversation::Open;
use super::refused;
use crate::ai::ToolOffer;
use crate::tools::{OPENING, OpenTool, Operation, Toolbox};

/// Longest name of a function: what all providers take.
const MAX_NAME: usize = 64;
/// Operations that a model is offered at most. Models lose their way among more, and every turn pays for them.
const MAX_OFFERED: usize = 128;
/// Longest description that is passed on, in characters.
const MAX_DESCRIPTION: usize = 1_024;

/// Bytes that are kept of what a tool that does not answer said.
const REASON: usize = 1024;

/// The tools of a task.
pub(super) struct Equipment {
    tools: IndexMap<String, (OpenTool, ToolApproval)>,
    left_out: Vec<LeftOutTool>,
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
    /// Opens the tools side by side.
    ///
    /// # Errors
    /// Where a definition cannot be used or a tool refuses to be asked; and where none of them answers, which may pass.
    pub(super) async fn open(
        toolbox: &Toolbox,
        tenant: &TenantId,
        definitions: Option<&Value>,
    ) -> Result<Self, StepError> {
        let definitions: Map<String, Value> = definitions.and_then(Value::as_object).cloned().unwrap_or_default();
        let opening = definitions.into_iter().map(move |(name, definition)| async move {
            let opened = open_one(toolbox, tenant, &name, definition).await;
            (name, opened)
        });
        let (mut tools, mut offered, mut left_out) = (IndexMap::new(), IndexMap::new(), Vec::new());
        for (name, opened) in join_all(opening).await {
            let (definition, tool, operations) = match opened {
                Ok(opened) => opened,
                Err(error) if does_not_answer(&error) => {
                    left_out.push(LeftOutTool { tool: name, error: shortened(error) });
                    continue;
                }
                Err(error) => return Err(error),
            };
            for operation in operations {
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
        if let (true, Some(first)) = (tools.is_empty(), left_out.first()) {
            return Err(first.error.clone());
        }
        if offered.len() > MAX_OFFERED {
            let message = format!(
                "the agent's tools have {} operations, and a model is offered {MAX_OFFERED} at most; name those that are needed in \
                 the tools' `operations`",
                offered.len()
            );
            return Err(refused(message));
        }
        Ok(Self { tools, offered, left_out })
    }

    /// The tools that do not answer.
    pub(super) fn left_out(&self) -> &[LeftOutTool] {
        &self.left_out
    }

    /// The tool that does not answer and that this call needs. Of a call that was begun, or that people were shown, the journal
    /// says which; of others the name of the function is all that there is.
    pub(super) fn left_out_of(&self, open: &Open) -> Option<&LeftOutTool> {
        let function = open.call.name.as_str();
        let mut left_out = self.left_out.iter();
        match &open.tool {
            Some(tool) => left_out.find(|left_out| left_out.tool == *tool),
            None if self.offered.contains_key(function) => None,
            None => left_out.filter(|it| may_be_of(&it.tool, function)).max_by_key(|it| it.tool.len()),
        }
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

    /// The operation that the model means. Where it was begun or shown, it is that tool's: another one may have its name now.
    pub(super) fn meant_by(&self, open: &Open) -> Option<&Offered> {
        let is_the_same = |offered: &&Offered| open.tool.as_ref().is_none_or(|tool| *tool == offered.tool);
        self.offered.get(&open.call.name).filter(is_the_same)
    }

    /// The tool of that name.
    pub(super) fn tool(&self, name: &str) -> Option<&OpenTool> {
        self.tools.get(name).map(|(tool, _)| tool)
    }
}

/// Opens a tool and asks it what it can do.
async fn open_one(
    toolbox: &Toolbox,
    tenant: &TenantId,
    name: &str,
    definition: Value,
) -> Result<(EquippedTool, OpenTool, Vec<Operation>), StepError> {
    let definition: EquippedTool = serde_json::from_value(definition)
        .map_err(|error| refused(format!("the tool `{name}` cannot be used: {error}")))?;
    let tool = toolbox.open(tenant, &definition)?;
    let operations = tokio::time::timeout(OPENING, tool.operations()).await.unwrap_or_else(|_| {
        let message = format!("the tool `{name}` did not say within {} s what it can do", OPENING.as_secs());
        Err(StepError::new(ErrorClass::Timeout, message))
    })?;
    Ok((definition, tool, operations))
}

/// Whether nobody knows what a tool would have said: it may answer another time.
fn does_not_answer(error: &StepError) -> bool {
    use ErrorClass::{Network, RateLimited, ServerError, Timeout};
    matches!(error.class, Timeout | Network | RateLimited | ServerError)
}

/// A reason that is small enough to be kept with the state.
fn shortened(mut error: StepError) -> StepError {
    error.message.truncate(error.message.floor_char_boundary(REASON));
    error
}

/// What functions may be called: letters, digits, `_` and `-`.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

/// Whether a function may be one of this tool's, as [`function`] names them.
fn may_be_of(tool: &str, function: &str) -> bool {
    let cut = |name: String| name.chars().take(MAX_NAME).collect::<String>();
    let tool = plain(tool);
    function.starts_with(&cut(format!("{tool}__"))) || function == cut(tool)
}

/// A name for a function: letters, digits, `_` and `-`, at most 64, and not taken.
fn function(tool: &str, operation: &str, kind: ToolType, taken: &IndexMap<String, Offered>) -> String {
    let whole = if kind == ToolType::Http { tool.to_owned() } else { format!("{tool}__{operation}") };
    let cut: String = plain(&whole).chars().take(MAX_NAME).collect();
    if !taken.contains_key(&cut) {
        return cut;
    }
    let short: String = cut.chars().take(MAX_NAME - 5).collect();
    (2..).map(|number| format!("{short}_{number}")).find(|name| !taken.contains_key(name)).unwrap_or(cut)
}
