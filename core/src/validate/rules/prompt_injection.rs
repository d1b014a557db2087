//! Text that anybody may write tells an agent with tools what to do.

use super::super::finding::Severity;
use super::super::reaching::{Arrival, OUTSIDERS, arrivals};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::tool_not_of_agent::agents;
use super::unknown_operation::tools;
use crate::dataflow::Field;
use crate::definition::repository::File;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::step::{AgentTask, HumanApproval, OnFailure, StepKind};
use crate::definition::tool::{Tool, ToolApproval};
use crate::definition::{Step, StepType};
use crate::guarantee::{Counterexample, Gate, gate};
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
themselves), let somebody approve the text first, or take the tool away. An approval counts where nothing leads around it: it
shows the text, somebody else than the author gives it, and the agent runs only where it was given.
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

/// Most places of a way around an approval that are shown beside a finding.
const MAX_PLACES: usize = 8;

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
            let around = match seen_before(scope, process, &arrival) {
                Seen::Always => continue,
                Seen::Never => None,
                Seen::NotOn(way) => Some(way),
            };
            let mut message =
                format!("`{}` tells an agent what to do, and anybody may have written it", arrival.reads());
            if let Some(way) = &around {
                message.push_str(&format!("; nobody need have approved it: {}", way.in_words()));
            }
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help(match &around {
                None => "set `approval: writes` on the tool, or let somebody approve the text first",
                Some(_) => "set `approval: writes` on the tool, or close the way around the approval",
            });
            finding.also(file, span, "this tool changes something and asks nobody");
            arrival.tell_way(process, finding);
            for place in around.iter().flat_map(|way| &way.places).take(MAX_PLACES) {
                finding.also(place.file, place.span, place.message.clone());
            }
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

/// Whether somebody approved before, and was shown such text.
enum Seen<'r> {
    /// In every run, by somebody else than the author.
    Always,
    /// No approval shows any.
    Never,
    /// Not in this run.
    NotOn(Counterexample<'r>),
}

fn seen_before<'r>(scope: &Scope<'r>, process: &ProcessScope<'r>, arrival: &Arrival<'_>) -> Seen<'r> {
    let flow = arrival.flow;
    let shows = |field: &Field| matches!(field.key.as_str(), "title" | "description");
    let shown = |number: usize| {
        let mut fields = flow.fields_of(number).filter(|(_, field)| shows(field));
        fields.any(|(index, _)| !flow.origins(index).and(OUTSIDERS).is_empty())
    };
    let steps: Vec<&Step> = process.process.all_steps().collect();
    let mut approvals: Vec<(usize, &HumanApproval)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let StepKind::HumanApproval(approval) = &step.kind
            && shown(number)
        {
            approvals.push((number, approval));
        }
    }
    let Some(own) = flow.step(arrival.step.id.as_str()).filter(|_| !approvals.is_empty()) else { return Seen::Never };
    // Whoever wrote the text says nothing new by approving it.
    let by_others: Vec<usize> =
        approvals.iter().filter(|(_, approval)| !approval.allow_author).map(|(number, _)| *number).collect();
    let read = arrival.path.hops.iter().filter_map(|hop| flow.step(output_of(&hop.reads)?));
    let read: Vec<usize> = read.filter(|step| *step != own).collect();
    match gate(scope, process, own, &by_others, &read) {
        // What cannot be followed is no way that could be shown.
        Gate::Closed | Gate::NotFollowed => Seen::Always,
        Gate::Around(mut way) => {
            for (number, _) in approvals.iter().filter(|(number, _)| !by_others.contains(number)) {
                way.notes.push(format!("`{}` lets the author approve (`allow_author`)", steps[*number].id.as_str()));
            }
            Seen::NotOn(way)
        }
        // What cannot be searched is taken as it looks: an approval before the step that only people can give.
        Gate::Unknown => {
            let plain = approvals.iter().any(|(number, approval)| {
                by_others.contains(number)
                    && is_plain(steps[*number], approval)
                    && is_before(process, steps[*number], arrival.step)
            });
            if plain { Seen::Always } else { Seen::Never }
        }
    }
}

/// The step whose output a text reads.
fn output_of(reads: &str) -> Option<&str> {
    let (step, rest) = reads.strip_prefix("steps.")?.split_once('.')?;
    rest.starts_with("output").then_some(step)
}

/// Whether an approval completes only where people approved.
fn is_plain(step: &Step, approval: &HumanApproval) -> bool {
    step.on_failure == OnFailure::Fail
        && approval.on_reject == OnReject::Fail
        && !matches!(approval.on_timeout, OnTimeout::Approve | OnTimeout::Continue)
}

/// Whether a step waits for another one, itself or the `foreach` that it is inside of.
fn is_before(process: &ProcessScope<'_>, before: &Step, step: &Step) -> bool {
    let has = |outer: &Step, id: &str| outer.with_body().any(|inner| inner.id.as_str() == id);
    let owner = process.process.steps.iter().position(|outer| has(outer, step.id.as_str()));
    let graph = &process.graph;
    owner.is_some_and(|owner| {
        has(graph.step(owner), before.id.as_str())
            || graph.ancestors(owner).into_iter().any(|index| graph.step(index).id.as_str() == before.id.as_str())
    })
}
