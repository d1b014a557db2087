//! Text that anybody may write tells an agent with tools what to do.

use super::super::finding::Severity;
use super::super::reaching::{Arrival, OUTSIDERS, arrivals, carries_words};
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::{agents, tools};
use crate::dataflow::Field;
use crate::definition::repository::File;
use crate::definition::step::human_approval::{OnReject, OnTimeout};
use crate::definition::step::{AgentTask, HumanApproval, OnFailure, StepKind};
use crate::definition::tool::{Tool, ToolApproval};
use crate::definition::{Step, StepType};
use crate::guarantee::{Counterexample, Question, Reviewed, reviewed};
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
            let (arrival, seen) = match seen_before(scope, process, arrival) {
                Seen::Always => continue,
                Seen::Not(arrival, seen) => (arrival, seen),
            };
            let mut message =
                format!("`{}` tells an agent what to do, and anybody may have written it", arrival.reads());
            let mut help = "set `approval: writes` on the tool, or let somebody approve the text first";
            let mut places = Vec::new();
            match seen {
                NotSeen::Never => {}
                NotSeen::On(way) => {
                    message.push_str(&format!("; nobody need have approved it: {}", way.in_words()));
                    help = "set `approval: writes` on the tool, or close the way around the approval";
                    places = way.places;
                }
                NotSeen::Unknown(why) => {
                    message.push_str(&format!("; whether somebody approved it is not known: {why}"));
                }
            }
            let finding = findings.add(process.file, arrival.span(), message);
            finding.help(help);
            finding.also(file, span, "this tool changes something and asks nobody");
            arrival.tell_way(process, finding);
            for place in places.iter().take(MAX_PLACES) {
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

/// Whether somebody approved before, and was shown this text.
enum Seen<'s, 'r> {
    /// In every run, by somebody else than the author.
    Always,
    /// Not what arrives so.
    Not(Arrival<'s>, NotSeen<'r>),
}

/// In what way nobody did.
enum NotSeen<'r> {
    /// No approval shows it.
    Never,
    /// Not in this run.
    On(Counterexample<'r>),
    /// Nobody can say, for this reason.
    Unknown(String),
}

fn seen_before<'s, 'r>(scope: &Scope<'r>, process: &ProcessScope<'r>, arrival: Arrival<'s>) -> Seen<'s, 'r> {
    let Arrival { flow, step, field, .. } = arrival;
    let Some(to) = flow.step(step.id.as_str()) else { return Seen::Not(arrival, NotSeen::Never) };
    let steps: Vec<&Step> = process.process.all_steps().collect();
    let carries = |field, reading| carries_words(scope, process, flow, field, reading);
    // What cannot be searched is taken as it looks: an approval before the step that only people can give.
    let looks_closed = |number: usize| match steps.get(number).map(|step| (step, &step.kind)) {
        Some((before, StepKind::HumanApproval(approval))) => {
            is_plain(before, approval) && is_before(process, before, step)
        }
        _ => false,
    };
    let question = Question { to, field, origins: OUTSIDERS, carries: &carries, looks_closed: &looks_closed };
    match reviewed(scope, flow, process, &question) {
        Reviewed::Always => Seen::Always,
        Reviewed::Unknown { why } => Seen::Not(arrival, NotSeen::Unknown(why)),
        Reviewed::Not { path, run, by_author } => {
            let arrival = Arrival { path, ..arrival };
            let Some(mut run) = run else { return Seen::Not(arrival, NotSeen::Never) };
            // Whoever wrote the text says nothing new by approving it.
            for number in by_author {
                run.notes.push(format!("`{}` lets the author approve (`allow_author`)", steps[number].id.as_str()));
            }
            Seen::Not(arrival, NotSeen::On(run))
        }
    }
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
