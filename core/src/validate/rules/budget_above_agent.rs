//! A budget of a step that its agent does not have.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::each_agent_task;
use crate::definition::step::agent_task::Budget;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW704",
    name: "budget-above-agent",
    severity: Severity::Warning,
    summary: "A budget of a step that its agent does not have",
    reason: r"
The smaller of the two counts. A larger budget of the step is never reached, and whoever reads it expects otherwise.
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
    budget: {max_cost: 2 USD}

# .flow/agents/finder.yaml
name: finder
model: mock
budget: {max_cost: 0.50 USD}
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
    budget: {max_cost: 0.20 USD}

# .flow/agents/finder.yaml
name: finder
model: mock
budget: {max_cost: 0.50 USD}
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    each_agent_task(scope, &mut |process, step, task, (file, agent)| {
        let (Some(own), Some(budget)) = (&task.budget, &agent.budget) else { return };
        let Some(key) = larger(own, budget) else { return };
        let node = process.node(step).get("budget").and_then(|budget| budget.get(key));
        let span = node.map_or_else(|| process.key_span(step, "budget"), |value| value.span());
        let root = file.document.root().map(|root| file.document.node(root));
        let other = root.and_then(|root| root.get("budget")?.get(key)).map_or(agent.name.span, |value| value.span());
        let finding = findings.add(process.file, span, format!("the agent may spend less than this `{key}`"));
        finding.help("lower it, or raise that of the agent").also(file, other, "the agent's");
    });
}

/// The first key in which one budget exceeds another.
fn larger(own: &Budget, agent: &Budget) -> Option<&'static str> {
    let cost = match (&own.max_cost, &agent.max_cost) {
        (Some(own), Some(agent)) => own.currency() == agent.currency() && own.amount() > agent.amount(),
        _ => false,
    };
    let over = |own: Option<u64>, agent: Option<u64>| own.zip(agent).is_some_and(|(own, agent)| own > agent);
    if cost {
        return Some("max_cost");
    }
    if over(own.max_tokens, agent.max_tokens) {
        return Some("max_tokens");
    }
    if over(own.max_turns.map(u64::from), agent.max_turns.map(u64::from)) {
        return Some("max_turns");
    }
    over(own.max_tool_calls.map(u64::from), agent.max_tool_calls.map(u64::from)).then_some("max_tool_calls")
}
