//! An agent that may spend without end.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_agent_task;
use crate::definition::step::agent_task::Budget;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW702",
    name: "unlimited-agent",
    severity: Severity::Warning,
    summary: "An agent that may spend without end",
    reason: r"
An agent works until it thinks that it is done. Without a `budget`, of the step or of the agent, a misunderstanding runs until
somebody sees the bill.
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

# .flow/agents/finder.yaml
name: finder
model: mock
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

# .flow/agents/finder.yaml
name: finder
model: mock
budget: {max_cost: 0.50 USD}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_agent_task(scope, &mut |process, step, task, (file, agent)| {
        if !limits(task.budget.as_ref()) && !limits(agent.budget.as_ref()) {
            let message = format!("nothing limits what `{}` may spend", step.id.as_str());
            let finding = findings.add(process.file, task.agent.span, message);
            finding.help("add `budget: {max_cost: 0.50 USD}` here or to the agent");
            finding.also(file, agent.name.span, "the agent");
        }
    });
}

fn limits(budget: Option<&Budget>) -> bool {
    budget.is_some_and(|budget| {
        budget.max_cost.is_some()
            || budget.max_tokens.is_some()
            || budget.max_turns.is_some()
            || budget.max_tool_calls.is_some()
    })
}
