//! A budget of nothing.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::process::SpendingLimit;
use crate::definition::repository::{Definition, File};
use crate::definition::step::agent_task::Budget;
use crate::source::Spanned;
use crate::value::Money;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW707",
    name: "budget-of-zero",
    severity: Severity::Error,
    summary: "A budget of nothing",
    reason: r"
With no money at all nothing can be asked: the step fails before it begins.
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
budget: {max_cost: 0 USD}
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
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                let defaults = &process.header.defaults;
                of_limit(file, defaults.execution_budget.as_ref(), findings);
                of_limit(file, defaults.monthly_budget.as_ref(), findings);
                process.all_steps().for_each(|step| of_budget(file, step.kind.budget(), findings));
            }
            Some(Definition::Agent(agent)) => {
                of_budget(file, agent.budget.as_ref(), findings);
                of_limit(file, agent.monthly_budget.as_ref(), findings);
            }
            Some(Definition::Settings(settings)) => {
                of_limit(file, settings.monthly_budget.as_ref(), findings);
                of_limit(file, settings.defaults.execution_budget.as_ref(), findings);
                of_limit(file, settings.defaults.monthly_budget.as_ref(), findings);
            }
            Some(Definition::Policy(policy)) => tell(file, policy.quotas.cost_per_execution.as_ref(), findings),
            _ => {}
        }
    }
}

fn of_budget(file: &File, budget: Option<&Budget>, findings: &mut Findings) {
    tell(file, budget.and_then(|budget| budget.max_cost.as_ref()), findings);
}

fn of_limit(file: &File, limit: Option<&SpendingLimit>, findings: &mut Findings) {
    tell(file, limit.and_then(|limit| limit.max_cost.as_ref()), findings);
}

fn tell(file: &File, amount: Option<&Spanned<Money>>, findings: &mut Findings) {
    if let Some(amount) = amount.filter(|amount| amount.amount().is_zero()) {
        findings.add(file, amount.span, "nothing can be done for nothing").help("write what it may cost: `0.50 USD`");
    }
}
