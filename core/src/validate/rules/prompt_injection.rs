//! Text that anybody may write tells an agent with tools what to do.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::telling::Agents;

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

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    if Agents::of(scope).are_harmless() {
        return;
    }
    for (process, told) in scope.told_by_outsiders() {
        told.iter().for_each(|told| told.tell(process, findings, "anybody may have written it"));
    }
}
