//! A budget in money that no call of its model can be held against.

use std::sync::LazyLock;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::agents;
use crate::definition::agent::Agent;
use crate::definition::model::PROVIDERS;
use crate::definition::process::SpendingLimit;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::settings::FlowSettings;
use crate::definition::step::StepKind;
use crate::source::{Span, Spanned};
use crate::value::{Money, Prices};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW709",
    name: "budget-without-price",
    severity: Severity::Warning,
    summary: "A budget in money that no call of its model can be held against",
    reason: r#"
What a call may cost is held against the budget before it is made. Where the model has its price in another currency, or none that
is known, nobody can say whether it is within, and the step fails without asking. Write the budget in the currency of the price;
or limit tokens (`max_tokens`), which every model has; or have the operator give the model a price in that currency
(`FLOWCTL_AI_PRICES`). A model that costs nothing, such as the mock, fits every budget.

Prices are those of the table that `FLOWCTL_AI_PRICES` names here, on a server that of the server, and otherwise those that come along
with flowctl. What a `compatible` model costs only its operator can say: without a table that somebody gave nothing is said of it.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: openai/gpt-5-mini
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.50 EUR}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: openai/gpt-5-mini
    prompt: Say hello.
    output_schema: {type: object}
    budget: {max_cost: 0.50 USD}
"#,
    check,
};

/// The table that comes with flowctl.
static USUAL: LazyLock<Prices> = LazyLock::new(Prices::default);

/// The provider whose models are the operator's own: no table that comes along can have their prices.
const OWN: &str = "compatible";

/// A budget in money, and where it stands.
struct Limit<'l> {
    file: &'l File,
    money: &'l Spanned<Money>,
}

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let pricing = Pricing::of(scope);
    for file in scope.files(FileKind::Agent) {
        let Some(Definition::Agent(agent)) = &file.definition else { continue };
        for money in of_agent(agent) {
            if let Some(fault) = fault(&pricing, &agent.model, money) {
                tell(findings, &fault, (file, money.span), &Limit { file, money }, (file, agent.model.span));
            }
        }
    }
    let agents = agents(scope);
    let settings = scope.files(FileKind::Settings).find_map(|file| match &file.definition {
        Some(Definition::Settings(settings)) => Some((file, &**settings)),
        _ => None,
    });
    for process in &scope.processes {
        let of_all = of_process(process);
        let of_settings = settings.map(|(file, settings)| {
            let said = &process.process.header.defaults;
            let defaults = [
                settings.defaults.execution_budget.as_ref().filter(|_| said.execution_budget.is_none()),
                settings.defaults.monthly_budget.as_ref().filter(|_| said.monthly_budget.is_none()),
                settings.monthly_budget.as_ref(),
            ];
            let limits = defaults.into_iter().flatten().filter_map(|limit| limit.max_cost.as_ref());
            limits.map(|money| Limit { file, money }).collect::<Vec<_>>()
        });
        let mut told: Vec<(&str, Span)> = Vec::new();
        for step in process.steps() {
            let (model, named, budget) = match &step.kind {
                StepKind::AiGenerate(generate) => (&generate.model, generate.model.span, &generate.budget),
                StepKind::AgentTask(task) => match agents.get(task.agent.as_str()) {
                    Some((_, agent)) => (&agent.model, task.agent.span, &task.budget),
                    None => continue,
                },
                _ => continue,
            };
            let nearest = budget.as_ref().and_then(|budget| budget.max_cost.as_ref());
            let nearest = nearest.map(|money| Limit { file: process.file, money });
            let wider = of_all.iter().chain(of_settings.iter().flatten());
            for limit in nearest.iter().chain(wider) {
                // A budget for many steps is told of once, at the first whose model it does not fit.
                let place = (limit.file.source.path(), limit.money.span);
                let Some(fault) = fault(&pricing, model, limit.money).filter(|_| !told.contains(&place)) else {
                    continue;
                };
                told.push(place);
                let is_here = limit.file.source.path() == process.file.source.path();
                let at = if is_here { limit.money.span } else { named };
                tell(findings, &fault, (process.file, at), limit, (process.file, named));
            }
        }
    }
}

fn of_agent(agent: &Agent) -> impl Iterator<Item = &Spanned<Money>> {
    let task = agent.budget.as_ref().and_then(|budget| budget.max_cost.as_ref());
    task.into_iter().chain(agent.monthly_budget.as_ref().and_then(|limit| limit.max_cost.as_ref()))
}

/// The budgets of a process for all its steps.
fn of_process<'p>(process: &'p ProcessScope<'_>) -> Vec<Limit<'p>> {
    let defaults = &process.process.header.defaults;
    let limits: [&Option<SpendingLimit>; 2] = [&defaults.execution_budget, &defaults.monthly_budget];
    let money = limits.into_iter().flatten().filter_map(|limit| limit.max_cost.as_ref());
    money.map(|money| Limit { file: process.file, money }).collect()
}

/// Why a model's calls cannot be held against an amount.
enum Fault {
    /// Its price is in this currency.
    Currency { model: String, has: String },
    /// It has none that is known.
    Unknown { model: String },
}

/// What models are called and cost.
pub(super) struct Pricing<'s> {
    settings: Option<&'s FlowSettings>,
    prices: &'s Prices,
    /// Whether somebody said that those are the prices.
    is_given: bool,
}

impl<'s> Pricing<'s> {
    pub(super) fn of(scope: &'s Scope<'_>) -> Self {
        let given = scope.options.prices;
        Self { settings: scope.repository.settings(), prices: given.unwrap_or(&USUAL), is_given: given.is_some() }
    }

    /// Whether a model's calls can be held against an amount, as far as that is known.
    pub(super) fn fits(&self, model: &str, money: &Money) -> bool {
        fault(self, model, money).is_none()
    }
}

/// What stands between a model and an amount, where something does. Of a model that is not there nothing is known.
fn fault(pricing: &Pricing<'_>, model: &str, money: &Money) -> Option<Fault> {
    let Pricing { settings, prices, is_given } = pricing;
    let model = settings.and_then(|settings| settings.models.get(model)).map_or(model, |meant| meant.value.as_str());
    let provider = model.split_once('/').map(|(provider, _)| provider)?;
    if !PROVIDERS.contains(&provider) || model.contains("{{") || prices.is_free(model) {
        return None;
    }
    let model = model.to_owned();
    match prices.of(&model) {
        // Where the server's table is not at hand, in CI and editors, it would be told of sound budgets.
        None if provider == OWN && !is_given => None,
        None => Some(Fault::Unknown { model }),
        Some(price) if price.input.currency() != money.currency() => {
            Some(Fault::Currency { has: price.input.currency().to_owned(), model })
        }
        Some(_) => None,
    }
}

fn tell(
    findings: &mut Findings,
    fault: &Fault,
    (file, at): (&File, Span),
    limit: &Limit<'_>,
    (other, named): (&File, Span),
) {
    let wanted = limit.money.currency();
    let amount = &limit.money.value;
    let (message, help) = match fault {
        Fault::Currency { model, has } => (
            format!("the price of `{model}` is in {has}, and the budget of {amount} in {wanted}: no call is allowed"),
            format!("write the budget in {has}, or have the operator set a price in {wanted} (`FLOWCTL_AI_PRICES`)"),
        ),
        Fault::Unknown { model } => (
            format!("`{model}` has no known price, and the budget is {amount}: no call is allowed"),
            format!("limit `max_tokens` instead, or have the operator set a price in {wanted} (`FLOWCTL_AI_PRICES`)"),
        ),
    };
    let finding = findings.add(file, at, message);
    finding.help(help);
    if limit.file.source.path() != file.source.path() {
        finding.also(limit.file, limit.money.span, "the budget");
    } else if at != named {
        finding.also(other, named, "whose model it is");
    }
}
