//! An agent that changes something and asks nobody reads what other programs wrote.

use std::collections::BTreeSet;

use super::super::finding::Severity;
use super::super::reaching::SERVICES;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::super::telling::{Agents, Chosen, told};
use crate::definition::Step;
use crate::definition::step::{AgentTask, StepKind};
use crate::guarantee::Reviewers;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW515",
    name: "injection-by-tools",
    severity: Severity::Warning,
    summary: "An agent that changes something and asks nobody reads what other programs wrote",
    reason: r"
What a tool finds, a call answers or another agent read was written by others: an issue, a page, a log. An agent cannot tell an
order in it from a text, and does what it says with each tool that asks nobody. Let a person allow each call that writes
(`approval: writes`, which tools have by themselves); or have one agent read and another one write, and let somebody approve in
between what is given on, or give on only numbers, truths and words of a list. A form that shows the text is as good as an
approval here.

Which tools read and which write their definitions say as far as they can: by the method of an HTTP tool and of the operations
of a document in the repository, otherwise by the first word of an operation's name (`get`, `list`, `search` …), or by
`read` behind the name of a thing (`issue_read`).
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tidy
    type: agent_task
    agent: tidier
    message: Close the issues that are settled.

# .flow/agents/tidier.yaml
name: tidier
model: mock
tools: [issues, tracker]
budget: {max_turns: 5}

# .flow/tools/issues.yaml
name: issues
type: mcp
url: https://tracker.example/mcp
operations: [search_issues]

# .flow/tools/tracker.yaml
name: tracker
type: mcp
url: https://tracker.example/mcp
operations: [close_issue]
approval: never
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: tidy
    type: agent_task
    agent: tidier
    message: Close the issues that are settled.

# .flow/agents/tidier.yaml
name: tidier
model: mock
tools: [issues, tracker]
budget: {max_turns: 5}

# .flow/tools/issues.yaml
name: issues
type: mcp
url: https://tracker.example/mcp
operations: [search_issues]

# .flow/tools/tracker.yaml
name: tracker
type: mcp
url: https://tracker.example/mcp
operations: [close_issue]
approval: writes
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let agents = Agents::of(scope);
    if agents.are_harmless() {
        return;
    }
    for (process, outsiders) in scope.told_by_outsiders() {
        if !tasks(process).any(|(_, task)| agents.tools(task).any(|chosen| chosen.known.asks_nobody)) {
            continue;
        }
        // Whom anybody can tell what to do is told so already, and mended in the same way.
        let mut known: BTreeSet<&str> = outsiders.iter().map(|told| told.step.as_str()).collect();
        for (step, task) in tasks(process) {
            if !known.contains(step.id.as_str()) && by_own_tools(process, task, &agents, findings) {
                known.insert(step.id.as_str());
            }
        }
        for told in told(scope, process, &agents, SERVICES, Reviewers::Anybody) {
            if !known.contains(told.step.as_str()) {
                told.tell(process, findings, "another program wrote it");
            }
        }
    }
}

fn tasks<'s>(process: &'s ProcessScope<'_>) -> impl Iterator<Item = (&'s Step, &'s AgentTask)> {
    process.steps().filter_map(|step| match &step.kind {
        StepKind::AgentTask(task) => Some((step, task)),
        _ => None,
    })
}

/// Tells of a task whose own tools bring words of others and change something. Whether it does.
fn by_own_tools(process: &ProcessScope<'_>, task: &AgentTask, agents: &Agents<'_>, findings: &mut Findings) -> bool {
    let chosen: Vec<Chosen<'_, '_>> = agents.tools(task).collect();
    let writing = chosen.iter().find(|chosen| chosen.known.asks_nobody);
    // One that only reads is the plainer example of what brings words.
    let reading =
        chosen.iter().filter(|chosen| chosen.known.brings_words).min_by_key(|chosen| chosen.known.asks_nobody);
    let Some((writing, reading)) = writing.zip(reading) else { return false };
    let (agent, with) = (&task.agent.value, &writing.name.value);
    let message = match reading.name.value == *with {
        true => {
            format!("`{agent}` reads with `{with}` what others wrote, and changes something with it, asking nobody")
        }
        false => format!(
            "`{agent}` reads with `{}` what others wrote, and changes something with `{with}`, asking nobody",
            reading.name.value
        ),
    };
    let span = if task.tools.is_some() { writing.name.span } else { task.agent.span };
    let finding = findings.add(process.file, span, message);
    finding.help(format!("set `approval: writes` on the tool `{with}`, or have another agent read"));
    if reading.name.value != *with {
        finding.also(reading.known.file, reading.known.tool.name.span, "this tool brings what others wrote");
    }
    finding.also(writing.known.file, writing.known.tool.name.span, "this tool changes something and asks nobody");
    true
}
