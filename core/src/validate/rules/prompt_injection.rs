//! Text that anybody may write tells an agent with tools what to do.

use super::super::finding::Severity;
use super::super::reaching::{Arrival, OUTSIDERS, arrivals};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::tool_not_of_agent::agents;
use super::unknown_operation::tools;
use crate::dataflow::Field;
use crate::definition::repository::File;
use crate::definition::step::{AgentTask, StepKind};
use crate::definition::tool::{Tool, ToolApproval};
use crate::definition::{Step, StepType};
use crate::source::Span;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW512",
    name: "prompt-injection",
    severity: Severity::Error,
    summary: "Text that anybody may write tells an agent with tools what to do",
    reason: r"
An agent cannot tell an order from a text. Whoever opens a pull request can write one into its title, and the agent has a tool
that changes something and asks nobody. Let a person allow each call that writes (`approval: writes`, which tools have by
themselves), let somebody approve the text first, or take the tool away.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: look
    type: agent_task
    agent: finder
    message: "Deal with: {{ trigger.pull_request.title }}"

# .flow/agents/finder.yaml
name: finder
model: mock
tools: [tracker]
budget: {max_turns: 5}

# .flow/tools/tracker.yaml
name: tracker
type: mcp
url: https://tracker.example/mcp
operations: [close_issue]
approval: never
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
triggers:
  - pull_request: {actions: [opened]}
steps:
  - id: look
    type: agent_task
    agent: finder
    message: "Deal with: {{ trigger.pull_request.title }}"

# .flow/agents/finder.yaml
name: finder
model: mock
tools: [tracker]
budget: {max_turns: 5}

# .flow/tools/tracker.yaml
name: tracker
type: mcp
url: https://tracker.example/mcp
operations: [close_issue]
approval: writes
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let is_agent = |step: &Step| step.step_type() == StepType::AgentTask;
    let tools: BTreeMap<&str, (&File, &Tool)> =
        tools(scope).into_iter().filter(|(_, (_, tool))| asks_nobody(tool)).collect();
    if tools.is_empty() {
        return;
    }
    let agents = agents(scope);
    let field = |field: &Field| field.key == "message";
    for process in &scope.processes {
        for arrival in arrivals(scope, process, &is_agent, &field, OUTSIDERS) {
            let StepKind::AgentTask(task) = &arrival.step.kind else { continue };
            let own = agents.get(task.agent.as_str()).map(|(_, agent)| agent.tools.as_slice()).unwrap_or_default();
            let Some((file, span)) = dangerous(task, own, &tools) else { continue };
            if is_shown_before(scope, process, &arrival) {
                continue;
            }
            let message = format!("`{}` tells an agent what to do, and anybody may have written it", arrival.reads());
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help("set `approval: writes` on the tool, or let somebody approve the text first");
            finding.also(file, span, "this tool changes something and asks nobody");
            arrival.tell_way(process, finding);
        }
    }
}

/// Whether a tool may change something without a person allowing it. Operations that only read are named so.
fn asks_nobody(tool: &Tool) -> bool {
    const READS: [&str; 12] =
        ["get", "list", "read", "search", "find", "fetch", "query", "describe", "show", "lookup", "count", "view"];
    let reads = |name: &str| {
        let first = name.split(['_', '-', '.', '/']).next().unwrap_or_default();
        READS.iter().any(|word| first.eq_ignore_ascii_case(word))
    };
    let only_reads = tool.operations.as_ref().is_some_and(|all| all.iter().all(|operation| reads(operation)));
    tool.approval == ToolApproval::Never && !only_reads
}

/// The first such tool that the agent may use for this task, and where that is said.
fn dangerous<'r>(
    task: &AgentTask,
    own: &[crate::source::Spanned<String>],
    tools: &BTreeMap<&str, (&'r File, &Tool)>,
) -> Option<(&'r File, Span)> {
    let chosen = task.tools.as_deref().unwrap_or(own);
    let (file, tool) = chosen.iter().find_map(|name| tools.get(name.as_str()))?;
    Some((file, tool.name.span))
}

/// Whether somebody approved before, and was shown the same text.
fn is_shown_before(scope: &Scope<'_>, process: &ProcessScope<'_>, arrival: &Arrival<'_>) -> bool {
    let graph = &process.graph;
    let id = arrival.step.id.as_str();
    // A step in the body of a `foreach` has run after what the `foreach` waits for.
    let owner = process.process.steps.iter().position(|step| step.with_body().any(|inner| inner.id.as_str() == id));
    let Some(owner) = owner else { return false };
    graph.ancestors(owner).into_iter().map(|index| graph.step(index)).any(|before| {
        let Some(number) = arrival.flow.step(before.id.as_str()) else { return false };
        let shows = |field: &Field| matches!(field.key.as_str(), "title" | "description");
        before.step_type() == StepType::HumanApproval
            && arrival
                .flow
                .fields_of(number)
                .any(|(index, field)| shows(field) && !scope.flow(process).origins(index).and(OUTSIDERS).is_empty())
    })
}
