//! Agents and tools as far as guarantees need them: who is meant, and whether people are asked about calls.
//! Says what may be, and guesses nothing from names.

use crate::definition::agent::Agent;
use crate::definition::repository::{Definition, Repository, stem};
use crate::definition::step::AgentTask;
use crate::definition::step::api_call::Method;
use crate::definition::tool::{Tool, ToolApproval, ToolType};

/// When a task's agent asks people about a call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asks {
    /// Never.
    Nobody,
    /// Where a call that may change something was interrupted: whether it is made again.
    AfterTimeout,
    /// Before a call of this tool is made.
    Before(String),
}

/// The agent of this name.
pub(super) fn agent<'r>(repository: &'r Repository, name: &str) -> Option<&'r Agent> {
    repository.files.iter().find_map(|(path, file)| match &file.definition {
        Some(Definition::Agent(agent)) if stem(path) == name => Some(&**agent),
        _ => None,
    })
}

/// When people are asked. A tool that is not there is a fault of its own.
pub(super) fn asks(repository: &Repository, task: &AgentTask) -> Asks {
    let of_agent = agent(repository, task.agent.as_str()).map(|agent| agent.tools.as_slice()).unwrap_or_default();
    let names = task.tools.as_deref().unwrap_or(of_agent);
    let mut asks = Asks::Nobody;
    for name in names {
        let Some(tool) = tool(repository, name.as_str()) else { continue };
        match tool.approval {
            ToolApproval::Always => return Asks::Before(name.value.clone()),
            ToolApproval::Writes if may_write(tool) => return Asks::Before(name.value.clone()),
            ToolApproval::Never if may_write(tool) => asks = Asks::AfterTimeout,
            ToolApproval::Never | ToolApproval::Writes => {}
        }
    }
    asks
}

fn tool<'r>(repository: &'r Repository, name: &str) -> Option<&'r Tool> {
    repository.files.iter().find_map(|(path, file)| match &file.definition {
        Some(Definition::Tool(tool)) if stem(path) == name => Some(&**tool),
        _ => None,
    })
}

/// Whether a call may change something. Only of an HTTP call the definition alone says it.
fn may_write(tool: &Tool) -> bool {
    !(tool.kind.value == ToolType::Http && matches!(tool.method, None | Some(Method::Get | Method::Head)))
}
