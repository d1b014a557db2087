//! Budgets of model calls: what a step and an execution may spend, and whose budgets count by month. A call reserves what it
//! may use up before it is made, in the transition that records that it begins, so that calls at the same time cannot
//! overspend together. What providers charge is not known here, nor what other executions have spent.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::address::items_of;
use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::plan::Plan;
use super::state::{Execution, StepState, Usage};
use crate::definition::process::SpendingLimit;
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

impl From<&SpendingLimit> for Limits {
    fn from(limit: &SpendingLimit) -> Self {
        Self { max_cost: limit.max_cost.as_ref().map(|cost| cost.value.clone()), max_tokens: limit.max_tokens }
    }
}

/// Whose budget it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetOf {
    /// The step's.
    Step,
    /// The execution's.
    #[default]
    Execution,
    /// Of all tasks of an agent in a month.
    Agent,
    /// Of all executions of a process in a month.
    Process,
    /// Of all processes of a repository in a month.
    Repository,
    /// Of all repositories of a tenant in a month.
    Tenant,
}

impl BudgetOf {
    /// The name in events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Execution => "execution",
            Self::Agent => "agent",
            Self::Process => "process",
            Self::Repository => "repository",
            Self::Tenant => "tenant",
        }
    }
}

/// Who has spent something.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// What it is.
    pub of: BudgetOf,
    /// Its name: `acme/shop:release` of a process or an agent, `acme/shop` of a repository, `acme` of a tenant, the
    /// id of a step; empty of executions, whose events say which they are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl Account {
    /// The account of this name.
    pub fn new(of: BudgetOf, name: impl Into<String>) -> Self {
        Self { of, name: name.into() }
    }

    /// For people.
    pub fn words(&self) -> String {
        match self.of {
            BudgetOf::Step if self.name.is_empty() => "the step".to_owned(),
            BudgetOf::Execution => "the execution".to_owned(),
            of => format!("{} `{}`", of.as_str(), self.name),
        }
    }
}

impl fmt::Display for Account {
    /// As it is stored: `process/acme/shop:release`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.of.as_str(), self.name)
    }
}

/// A calendar month, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

impl Month {
    /// The month of this moment.
    pub fn of(at: Timestamp) -> Self {
        Self { first: at.to_zoned(TimeZone::UTC).date().first_of_month() }
    }

    /// The first moment after it; nothing at the end of time.
    pub fn end(self) -> Option<Timestamp> {
        let next = self.first.last_of_month().tomorrow().ok()?;
        next.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

/// Most of a budget is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NearlyUsed {
    /// Whose budget; the execution's where nothing is said.
    #[serde(default)]
    pub account: Account,
    /// What was used of it.
    pub used: Usage,
    /// What may be.
    pub limits: Limits,
    /// When it begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The budgets that a step's calls count for by month, the nearest first: its agent's, the process's, the repository's. Also
/// those without limits are counted: a limit that is set later counts what was spent before.
pub fn monthly(plan: Option<&Plan>, execution: &Execution, step: &str) -> Vec<(Account, Limits)> {
    let repository = &execution.repository;
    let planned = plan.and_then(|plan| plan.step(step)).and_then(|planned| planned.agent.clone());
    let named = || {
        let agent = execution.steps.get(step)?.input.get("agent")?.as_str()?;
        Some((agent.to_owned(), Limits::default()))
    };
    let agent = planned.or_else(|| named().filter(|_| plan.is_none()));
    let agent = agent.map(|(name, limits)| (Account::new(BudgetOf::Agent, format!("{repository}:{name}")), limits));
    let of_process = plan.and_then(|plan| plan.process.header.defaults.monthly_budget.as_ref()).map(Limits::from);
    let process = Account::new(BudgetOf::Process, format!("{repository}:{}", execution.process));
    let of_repository = plan.map(|plan| plan.monthly_budget.clone());
    let others = [
        (process, of_process.unwrap_or_default()),
        (Account::new(BudgetOf::Repository, repository), of_repository.unwrap_or_default()),
    ];
    agent.into_iter().chain(others).collect()
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Why a call that may use up this much is not made where `standing` is used or reserved already, in words. The cost of
    /// `standing` is in the limit's currency.
    pub fn refuse(&self, call: &Usage, standing: &Usage) -> Option<String> {
        let cost = call.cost.as_deref().and_then(|cost| cost.parse::<Money>().ok());
        let has_currency_of = |max: &Money| cost.as_ref().is_some_and(|cost| cost.currency() == max.currency());
        // What cannot be compared with the limit cannot be added to what can.
        match self.max_cost.as_ref().is_none_or(has_currency_of) {
            true => self.exceeded(&standing.clone().plus(call)),
            false => self.exceeded(call),
        }
    }

    /// What is over the limit once this is used, in words.
    fn exceeded(&self, used: &Usage) -> Option<String> {
        let tokens = used.tokens();
        if let Some(max) = self.max_tokens.filter(|max| tokens > *max) {
            return Some(format!("{tokens} of {max} tokens"));
        }
        let max = self.max_cost.as_ref()?;
        if used.is_unpriced() {
            return Some(format!("a call whose price is not known, of {max}"));
        }
        for cost in used.costs() {
            match cost.parse::<Money>() {
                Ok(cost) if cost.currency() == max.currency() => {
                    if cost.amount() > max.amount() {
                        return Some(format!("{cost} of {max}"));
                    }
                }
                // Nothing is nothing in every currency.
                Ok(cost) if cost.amount().is_zero() => {}
                _ => return Some(format!("{cost}, which cannot be compared with {max}")),
            }
        }
        None
    }

    /// Whether so much of it is used that people are told.
    pub fn is_nearly_used(&self, used: &Usage) -> bool {
        let tokens = used.tokens();
        let of_tokens =
            self.max_tokens.is_some_and(|max| u128::from(tokens) * 100 >= u128::from(max) * u128::from(ALERT_PERCENT));
        let of_money = self.max_cost.as_ref().is_some_and(|max| {
            used.costs().filter_map(|cost| cost.parse::<Money>().ok()).any(|cost| {
                let part = Decimal::new(i64::from(ALERT_PERCENT), 2);
                // Nothing that was used is most of nothing.
                !cost.amount().is_zero()
                    && cost.currency() == max.currency()
                    && max.amount().checked_mul(part).is_some_and(|most| cost.amount() >= most)
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
    transition.plan.process.header.defaults.execution_budget.as_ref().map(Limits::from).unwrap_or_default()
}

/// What a step has used so far, calls under way not counted.
pub(super) fn used_by(transition: &Transition<'_>, id: &str) -> Usage {
    transition.execution.steps.get(id).and_then(|step| step.usage.clone()).unwrap_or_default()
}

/// Records that most of the execution's or the step's budget is used, at the call that brought it there. `before`: what both had
/// used then.
pub(super) fn alert(transition: &mut Transition<'_>, id: &str, (of_all, of_step): &(Usage, Usage)) {
    // A budget of a step that runs for each item of a list is one for each of them: people would be told as often.
    let own = transition.execution.steps.get(id).filter(|_| items_of(id).is_empty());
    let own = own.and_then(|step| step.journal.as_ref()).map(|journal| journal.budget.clone()).unwrap_or_default();
    let accounts = [
        (Account::new(BudgetOf::Step, id), own, of_step, used_by(transition, id)),
        (Account::default(), of_execution(transition), of_all, transition.execution.used()),
    ];
    for (account, limits, before, used) in accounts {
        if !limits.is_nearly_used(before) && limits.is_nearly_used(&used) {
            let nearly = NearlyUsed { account, used, limits, until: None };
            transition.emit(EventKind::BudgetNearlyUsed { nearly });
        }
    }
}
