//! A tool that the agent does not have.

use super::super::finding::Severity;
use super::super::reference::listed;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_agent_task;
use crate::definition::repository::FileKind;

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
    each_agent_task(scope, &mut |process, _, task, (file, agent)| {
        // Which tools it has is only known once all of them are there.
        if agent.tools.iter().any(|known| !scope.names.has(FileKind::Tool, known)) {
            return;
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
    });
}
