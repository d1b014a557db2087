//! Budgets in several currencies.

use std::collections::BTreeMap;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::agents;
use super::budget_without_price::Pricing;
use crate::definition::Process;
use crate::definition::agent::Agent;
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::source::{Span, Spanned};
use crate::value::Money;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW706",
    name: "mixed-currencies",
    severity: Severity::Warning,
    summary: "Budgets in several currencies",
    reason: r"
Amounts of different currencies are never converted: a sum cannot be made of them, and a limit in one of them does not hold
for the others.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.80 EUR}
  - id: polish
    type: ai_generate
    depends_on: draft
    model: mock
    prompt: Say it better.
    output_schema: {type: object}
    budget: {max_cost: 0.40 USD}

# .flow/policies/thrift.yaml
name: thrift
applies_to: ["*"]
quotas: {cost_per_execution: 1 USD}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.50 USD}
  - id: polish
    type: ai_generate
    depends_on: draft
    model: mock
    prompt: Say it better.
    output_schema: {type: object}
    budget: {max_cost: 0.40 USD}

# .flow/policies/thrift.yaml
name: thrift
applies_to: ["*"]
quotas: {cost_per_execution: 1 USD}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let (agents, pricing) = (agents(scope), Pricing::of(scope));
    for file in scope.all_files() {
        let amounts = match &file.definition {
            Some(Definition::Process(process)) => amounts(&pricing, &agents, process),
            _ => continue,
        };
        let Some(first) = amounts.first() else { continue };
        tell(file, first, &amounts, findings);
    }
}

/// The amounts of a process. One that does not fit the price of its model is told of there.
fn amounts<'p>(
    pricing: &Pricing<'_>,
    agents: &BTreeMap<&str, (&File, &Agent)>,
    process: &'p Process,
) -> Vec<&'p Spanned<Money>> {
    let of_steps = process.all_steps().filter_map(|step| {
        let money = step.kind.budget()?.max_cost.as_ref()?;
        let model = match &step.kind {
            StepKind::AiGenerate(generate) => Some(generate.model.as_str()),
            StepKind::AgentTask(task) => agents.get(task.agent.as_str()).map(|(_, agent)| agent.model.as_str()),
            _ => None,
        };
        model.is_none_or(|model| pricing.fits(model, money)).then_some(money)
    });
    of_steps.chain(process.header.guarantees.iter().filter_map(|one| one.at_most.as_ref())).collect()
}

fn tell(file: &File, first: &Spanned<Money>, amounts: &[&Spanned<Money>], findings: &mut Findings) {
    let other = amounts.iter().find(|amount| amount.currency() != first.currency());
    if let Some(other) = other {
        let place: Span = other.span;
        let message = format!("{} here, and {} elsewhere", other.currency(), first.currency());
        let finding = findings.add(file, place, message);
        finding.help("write all amounts in one currency").also(file, first.span, "the first amount");
    }
}
