//! Tools and the agents that use them: calls that a person had to allow, operations, and who may use what.

use super::{Commit, Found, Subject, View, approval, key_place, typed};
use crate::approval::{Requirement, whoever_may_write};
use crate::definition::Approvers;
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
        let (had, has) = (Who::of_agent(was), Who::of_agent(is));
        if let Some((key, kind)) = had.changed(has).zip(loosened(view, &[had], &[has])) {
            let (place, was) = (key_place(Side::After, file, key), key_place(Side::Before, file_before, key));
            found.tell(kind, Subject::file(file), format!("`{key}`: {LESS}"), place, Some(was));
        }
    }
}

/// What is said where fewer or other people allow the calls of an agent.
const LESS: &str = "calls of tools are allowed by fewer or other people";

/// Who may allow the calls of an agent, as a file or a step says it.
#[derive(Clone, Copy, PartialEq)]
struct Who<'w> {
    approvers: Option<&'w Approvers>,
    policy: Option<&'w str>,
}

impl<'w> Who<'w> {
    fn of_agent(agent: &'w Agent) -> Self {
        let policy = agent.policy.as_ref().map(|policy| policy.as_str());
        Self { approvers: agent.approvers.as_ref().map(|one| &one.value), policy }
    }

    fn of_task(task: &'w AgentTask) -> Self {
        let policy = task.policy.as_ref().map(|policy| policy.as_str());
        Self { approvers: task.approvers.as_ref().map(|one| &one.value), policy }
    }

    /// The key that says something else than before.
    fn changed(self, is: Who<'_>) -> Option<&'static str> {
        if self.approvers != is.approvers {
            return Some("approvers");
        }
        (self.policy != is.policy).then_some("policy")
    }
}

/// Whether who has to allow calls asks less than who had to. Where nobody is named, whoever may write is asked; a team or a
/// person need not be allowed to write.
fn loosened(view: &View<'_>, before: &[Who<'_>], after: &[Who<'_>]) -> Option<Kind> {
    match (required(&view.before, before), required(&view.after, after)) {
        (Some(asked), Some(asks)) => asks.loosened_since(&asked).map(approval::kind),
        (None, Some(_)) => Some(Kind::FewerApprovers),
        (_, None) => None,
    }
}

/// What several of them ask together; nothing where nobody may allow a call, because a policy that is to say who names
/// nobody.
fn required(commit: &Commit<'_>, who: &[Who<'_>]) -> Option<Requirement> {
    let own = who.iter().filter_map(|who| who.approvers).map(Requirement::as_written);
    let policies = who.iter().filter_map(|who| who.policy).map(|policy| commit.asked_by(policy));
    let all: Vec<Requirement> = own.chain(policies).collect();
    if all.is_empty() {
        return Some(whoever_may_write());
    }
    Some(approval::flat(all)).filter(|required| !required.asks_nothing())
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
            let who = |task, side| {
                let agent = agent(view, task, side).map(Who::of_agent);
                std::iter::once(Who::of_task(task)).chain(agent).collect::<Vec<_>>()
            };
            // What the agent itself says now is told there.
            let changed = match was.agent.value == is.agent.value {
                true => Who::of_task(was).changed(Who::of_task(is)),
                false => Some("agent"),
            };
            let loosened = loosened(view, &who(was, Side::Before), &who(is, Side::After));
            if let Some((key, kind)) = changed.zip(loosened) {
                let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
                found.tell(kind, Subject::step(pair.definition(), after), format!("`{key}`: {LESS}"), place, Some(was));
            } else if let Some(how) = is.approvers.as_ref().and_then(|people| pair.other_people(people)) {
                let (place, was) = (pair.after.place(after, "approvers"), pair.before.place(before, "approvers"));
                let subject = Subject::step(pair.definition(), after);
                found.tell(Kind::OtherApprovers, subject, format!("`approvers`: {how}"), place, Some(was));
            } else if let Some(message) =
                pair.others_by_policy(&view.after, is.policy.iter().map(|policy| policy.value.as_str()))
            {
                let (place, was) = (pair.after.place(after, "policy"), pair.before.place(before, "policy"));
                let subject = Subject::step(pair.definition(), after);
                found.tell(Kind::OtherApprovers, subject, message, place, Some(was));
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
    agent(view, task, side).map(|agent| agent.tools.clone()).unwrap_or_default()
}

/// The agent of a task.
fn agent<'v>(view: &'v View<'_>, task: &AgentTask, side: Side) -> Option<&'v Agent> {
    let commit = if side == Side::Before { &view.before } else { &view.after };
    commit.repository.files.values().find_map(|file| match &file.definition {
        Some(Definition::Agent(agent)) if agent.name.value == task.agent.value => Some(&**agent),
        _ => None,
    })
}
