//! A tool that the agent does not have.

use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::agent::Agent;
use crate::definition::repository::{Definition, File, FileKind, stem};
use crate::definition::step::StepKind;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW415",
    name: "tool-not-of-agent",
    severity: Severity::Error,
    summary: "A tool that the agent does not have",
    reason: r"
`tools` of a step chooses among those of its agent. One that the agent does not have is refused, however well it exists.
",
    wrong: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: look
    type: agent_task
    agent: finder
    message: Find it.
    tools: [search]

# .flow/agents/finder.yaml
name: finder
model: mock
budget: {max_turns: 5}

# .flow/tools/search.yaml
name: search
type: mcp
url: https://search.example/mcp
operations: [find]
",
    right: r"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: look
    type: agent_task
    agent: finder
    message: Find it.
    tools: [search]

# .flow/agents/finder.yaml
name: finder
model: mock
tools: [search]
budget: {max_turns: 5}

# .flow/tools/search.yaml
name: search
type: mcp
url: https://search.example/mcp
operations: [find]
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let agents = agents(scope);
    if agents.is_empty() {
        return;
    }
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::AgentTask(task) = &step.kind else { continue };
            let Some((file, agent)) = agents.get(task.agent.as_str()) else { continue };
            // Which tools it has is only known once all of them are there.
            if agent.tools.iter().any(|known| !scope.names.has(FileKind::Tool, known)) {
                continue;
            }
            for tool in task.tools.iter().flatten().filter(|tool| scope.names.has(FileKind::Tool, tool)) {
                if agent.tools.iter().any(|known| known.value == tool.value) {
                    continue;
                }
                let message = format!("agent `{}` does not have the tool `{}`", task.agent.value, tool.value);
                let finding = findings.add(process.file, tool.span, message);
                let known: Vec<&str> = agent.tools.iter().map(|tool| tool.as_str()).collect();
                match known.is_empty() {
                    true => finding.help("it has none; add it to the agent's `tools`"),
                    false => finding.help(format!("it has {}; add it there, or remove it here", listed(&known))),
                };
                finding.also(file, agent.name.span, "the agent");
            }
        }
    }
}

/// The agents that could be read without a fault, by name.
pub(super) fn agents<'r>(scope: &Scope<'r>) -> BTreeMap<&'r str, (&'r File, &'r Agent)> {
    let sound = scope.files(FileKind::Agent).filter(|file| file.faults.is_empty() && file.structure.is_empty());
    sound
        .filter_map(|file| match &file.definition {
            Some(Definition::Agent(agent)) => Some((stem(file.source.path()), (file, &**agent))),
            _ => None,
        })
        .collect()
}
