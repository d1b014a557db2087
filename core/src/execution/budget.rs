//! Budgets of model calls: what a step and an execution may spend. A call reserves what it may use up before it is made, in
//! the transition that records that it begins, so that calls at the same time cannot overspend together. What providers
//! charge is not known here.

use serde::{Deserialize, Serialize};

use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::state::{Execution, StepState, Usage};
use crate::value::Money;

/// Of a budget, the part after which people are told, in percent.
const ALERT_PERCENT: u32 = 80;

/// What may be spent. What is absent is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Money>,
    /// Tokens, read and written together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// Whose budget it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetOf {
    /// The step's.
    Step,
    /// The execution's.
    Execution,
}

impl BudgetOf {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Step => "the step",
            Self::Execution => "the execution",
        }
    }
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is over the limit once this is used, in words.
    fn exceeded(&self, used: &Usage) -> Option<String> {
        let tokens = used.input_tokens.saturating_add(used.output_tokens);
        if let Some(max) = self.max_tokens.filter(|max| tokens > *max) {
            return Some(format!("{tokens} of {max} tokens"));
        }
        let max = self.max_cost.as_ref()?;
        let cost: Money = match used.cost.as_deref() {
            Some(cost) => cost.parse().ok()?,
            None if tokens == 0 => return None,
            None => return Some(format!("a call whose price is not known, of {max}")),
        };
        if cost.currency() != max.currency() {
            return Some(format!("{cost}, which cannot be compared with {max}"));
        }
        (cost.amount() > max.amount()).then(|| format!("{cost} of {max}"))
    }

    /// Whether so much of it is used that people are told.
    fn is_nearly_used(&self, used: &Usage) -> bool {
        let tokens = used.input_tokens.saturating_add(used.output_tokens);
        let of_tokens =
            self.max_tokens.is_some_and(|max| u128::from(tokens) * 100 >= u128::from(max) * u128::from(ALERT_PERCENT));
        let of_money = self.max_cost.as_ref().is_some_and(|max| {
            let cost = used.cost.as_deref().and_then(|cost| cost.parse::<Money>().ok());
            cost.is_some_and(|cost| {
                cost.currency() == max.currency()
                    && cost.amount() * rust_decimal::Decimal::from(100)
                        >= max.amount() * rust_decimal::Decimal::from(ALERT_PERCENT)
            })
        });
        of_tokens || of_money
    }
}

/// What a step has used, and what is reserved for a call of its that is under way.
fn taken_by(step: &StepState) -> Usage {
    let reserved = step.journal.as_ref().and_then(|journal| journal.reserved.as_ref());
    let taken = [step.usage.as_ref(), reserved];
    taken.into_iter().flatten().fold(Usage::default(), |sum, usage| sum.plus(usage))
}

/// What the steps of an execution have used so far.
pub(super) fn used_by_all(execution: &Execution) -> Usage {
    execution.steps.values().filter_map(|step| step.usage.as_ref()).fold(Usage::default(), |sum, it| sum.plus(it))
}

/// Refuses a call that its step or its execution has no money or tokens left for.
pub(super) fn check(transition: &Transition<'_>, id: &str, reserved: &Usage, step: &Limits) -> Result<(), Refusal> {
    let refused = |of: BudgetOf, exceeded: String| Refusal::OverBudget { step: id.to_owned(), of, exceeded };
    let steps = &transition.execution.steps;
    let own = steps.get(id).map(taken_by).unwrap_or_default().plus(reserved);
    if let Some(exceeded) = step.exceeded(&own) {
        return Err(refused(BudgetOf::Step, exceeded));
    }
    let limits = of_execution(transition);
    if limits.is_empty() {
        return Ok(());
    }
    let all = steps.values().map(taken_by).fold(reserved.clone(), |sum, taken| sum.plus(&taken));
    match limits.exceeded(&all) {
        Some(exceeded) => Err(refused(BudgetOf::Execution, exceeded)),
        None => Ok(()),
    }
}

fn of_execution(transition: &Transition<'_>) -> Limits {
    let budget = transition.plan.process.header.defaults.execution_budget.as_ref();
    budget.map_or_else(Limits::default, |budget| Limits {
        max_cost: budget.max_cost.as_ref().map(|cost| cost.value.clone()),
        max_tokens: budget.max_tokens,
    })
}

/// Records that most of the execution's budget is used, at the call that brought it there. `before`: what was used then.
pub(super) fn alert(transition: &mut Transition<'_>, before: &Usage) {
    let limits = of_execution(transition);
    let used = used_by_all(&transition.execution);
    if !limits.is_nearly_used(before) && limits.is_nearly_used(&used) {
        transition.emit(EventKind::BudgetNearlyUsed { used, limits });
    }
}
