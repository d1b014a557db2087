//! Tools and the agents that use them: calls that a person had to allow, operations, and who may use what.

use super::{Found, Subject, View, key_place, typed};
use crate::definition::agent::Agent;
use crate::definition::repository::Definition;
use crate::definition::step::{AgentTask, StepKind};
use crate::definition::tool::{Tool, ToolApproval};
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::Side;
use crate::source::Spanned;

/// Looks at tools, agents and the steps that use agents.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    tools(view, found);
    agents(view, found);
    steps(view, found);
}

fn tools(view: &View<'_>, found: &mut Found) {
    let pairs = typed(view, |definition| match definition {
        Definition::Tool(tool) => Some(&**tool),
        _ => None,
    });
    for (before, after) in pairs {
        let (Some((file_before, was)), Some((file, is))) = (before, after) else { continue };
        let mut tell = |kind, key: &str, message: String| {
            let (place, was) = (key_place(Side::After, file, key), key_place(Side::Before, file_before, key));
            found.tell(kind, Subject::file(file), message, place, Some(was));
        };
        if strictness(is.approval) < strictness(was.approval) {
            let message = format!("`approval`: `{}` became `{}`", word(was.approval), word(is.approval));
            tell(Kind::ToolApprovalLowered, "approval", message);
        }
        let added = added_operations(was, is);
        if !added.is_empty() {
            tell(Kind::ToolWider, "operations", format!("`operations`: {added}"));
        }
    }
}

fn strictness(approval: ToolApproval) -> u8 {
    match approval {
        ToolApproval::Never => 0,
        ToolApproval::Writes => 1,
        ToolApproval::Always => 2,
    }
}

fn word(approval: ToolApproval) -> &'static str {
    match approval {
        ToolApproval::Never => "never",
        ToolApproval::Writes => "writes",
        ToolApproval::Always => "always",
    }
}

fn added_operations(was: &Tool, is: &Tool) -> String {
    match (&was.operations, &is.operations) {
        (Some(_), None) => "all may be used, where some were listed".to_owned(),
        (Some(was), Some(is)) => listed(is, was),
        (None, _) => String::new(),
    }
}

/// What is in the first list and not in the second.
fn listed(now: &[Spanned<String>], before: &[Spanned<String>]) -> String {
    let added = now.iter().filter(|name| !before.iter().any(|known| known.value == name.value));
    let added: Vec<String> = added.map(|name| format!("`{}`", name.value)).collect();
    if added.is_empty() { String::new() } else { format!("{} may be used now", added.join(", ")) }
}

fn agents(view: &View<'_>, found: &mut Found) {
    let pairs = typed(view, |definition| match definition {
        Definition::Agent(agent) => Some(&**agent),
        _ => None,
    });
    for (before, after) in pairs {
        let (Some((file_before, was)), Some((file, is))) = (before, after) else { continue };
        let added = listed(&is.tools, &was.tools);
        if !added.is_empty() {
            let (place, was) = (key_place(Side::After, file, "tools"), key_place(Side::Before, file_before, "tools"));
            found.tell(Kind::AgentToolsWider, Subject::file(file), format!("`tools`: {added}"), place, Some(was));
        }
    }
}

/// A step with an agent: the tools that it may use, of those the agent has.
fn steps(view: &View<'_>, found: &mut Found) {
    for pair in &view.processes {
        for (before, after) in pair.steps() {
            let (StepKind::AgentTask(was), StepKind::AgentTask(is)) = (&before.kind, &after.kind) else { continue };
            let (had, has) = (usable(view, was, Side::Before), usable(view, is, Side::After));
            let added = listed(&has, &had);
            // What the agent itself got is told there.
            let own = was.agent.value != is.agent.value || names(was.tools.as_ref()) != names(is.tools.as_ref());
            if !added.is_empty() && own {
                let key = if was.agent.value == is.agent.value { "tools" } else { "agent" };
                let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
                let subject = Subject::step(pair.definition(), after);
                found.tell(Kind::AgentToolsWider, subject, format!("`{key}`: {added}"), place, Some(was));
            }
        }
    }
}

fn names(tools: Option<&Vec<Spanned<String>>>) -> Option<Vec<&str>> {
    tools.map(|tools| tools.iter().map(|tool| tool.value.as_str()).collect())
}

fn usable(view: &View<'_>, task: &AgentTask, side: Side) -> Vec<Spanned<String>> {
    if let Some(tools) = &task.tools {
        return tools.clone();
    }
    let commit = if side == Side::Before { &view.before } else { &view.after };
    let agent = commit.repository.files.values().find_map(|file| match &file.definition {
        Some(Definition::Agent(agent)) if agent.name.value == task.agent.value => Some(&**agent),
        _ => None,
    });
    agent.map(|agent: &Agent| agent.tools.clone()).unwrap_or_default()
}
