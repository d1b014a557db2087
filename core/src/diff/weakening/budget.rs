//! What may be spent, and how often a write is tried.

use super::{Commit, Found, ProcessPair, Subject, View, effect, key_place, typed};
use crate::definition::process::{Defaults, SpendingLimit};
use crate::definition::repository::Definition;
use crate::definition::step::agent_task::Budget;
use crate::definition::{ErrorClass, Retry, Step};
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::Side;

/// Looks at budgets of agents and steps, and at attempts of steps that write.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    let agents = typed(view, |definition| match definition {
        Definition::Agent(agent) => Some(&**agent),
        _ => None,
    });
    for (before, after) in agents {
        let (Some((file_before, was)), Some((file, is))) = (before, after) else { continue };
        if let Some(message) = raised(was.budget.as_ref(), is.budget.as_ref()) {
            let (place, was) = (key_place(Side::After, file, "budget"), key_place(Side::Before, file_before, "budget"));
            found.tell(Kind::BudgetRaised, Subject::file(file), message, place, Some(was));
        }
        if let Some(message) = limit_raised(was.monthly_budget.as_ref(), is.monthly_budget.as_ref()) {
            let key = "monthly_budget";
            let (place, was) = (key_place(Side::After, file, key), key_place(Side::Before, file_before, key));
            found.tell(Kind::BudgetRaised, Subject::file(file), message, place, Some(was));
        }
    }
    for pair in &view.processes {
        let (was, is) = (pair.before.defaults(&view.before), pair.after.defaults(&view.after));
        of_defaults(view, pair, (&was, &is), found);
        for (before, after) in pair.steps() {
            let mut tell = |kind, key: &str, message: String| {
                let (place, was) = (pair.after.place(after, key), pair.before.place(before, key));
                found.tell(kind, Subject::step(pair.definition(), after), message, place, Some(was));
            };
            if let Some(message) = raised(before.kind.budget(), after.kind.budget()) {
                tell(Kind::BudgetRaised, "budget", message);
            }
            if let Some(message) = repeated(&view.after, (before, &was), (after, &is)) {
                tell(Kind::RetriesRaised, "retry", message);
            }
        }
    }
}

/// What all models of an execution may cost together, and all executions of a process in a month.
fn of_defaults(view: &View<'_>, pair: &ProcessPair<'_>, (was, is): (&Defaults, &Defaults), found: &mut Found) {
    let budgets = [
        ("execution_budget", &was.execution_budget, &is.execution_budget),
        ("monthly_budget", &was.monthly_budget, &is.monthly_budget),
    ];
    for (key, was, is) in budgets {
        let Some(how) = limit_raised(was.as_ref(), is.as_ref()) else { continue };
        let place = pair.after.place_of_default(&view.after, key);
        let place_before = pair.before.place_of_default(&view.before, key);
        let message = format!("`defaults.{key}`: {how}");
        found.tell(Kind::BudgetRaised, Subject::of(pair.definition()), message, place, Some(place_before));
    }
}

/// The same as [`raised`] of a budget that several calls share.
pub(super) fn limit_raised(was: Option<&SpendingLimit>, is: Option<&SpendingLimit>) -> Option<String> {
    let budget = |limit: &SpendingLimit| Budget {
        max_cost: limit.max_cost.clone(),
        max_tokens: limit.max_tokens,
        ..Budget::default()
    };
    raised(was.map(budget).as_ref(), is.map(budget).as_ref())
}

/// The limits that are higher or gone.
fn raised(was: Option<&Budget>, is: Option<&Budget>) -> Option<String> {
    let was = was?;
    let none = Budget::default();
    let is = is.unwrap_or(&none);
    let mut parts = Vec::new();
    let mut number = |name: &str, was: Option<u64>, is: Option<u64>| {
        if let Some(was) = was
            && is.is_none_or(|is| is > was)
        {
            let is = is.map_or_else(|| "no limit".to_owned(), |is| is.to_string());
            parts.push(format!("`{name}`: {was} became {is}"));
        }
    };
    number("max_tokens", was.max_tokens, is.max_tokens);
    number("max_turns", was.max_turns.map(u64::from), is.max_turns.map(u64::from));
    number("max_tool_calls", was.max_tool_calls.map(u64::from), is.max_tool_calls.map(u64::from));
    if let Some(cost) = &was.max_cost {
        let kept =
            is.max_cost.as_ref().is_some_and(|now| now.currency() == cost.currency() && now.amount() <= cost.amount());
        if !kept {
            let now = is.max_cost.as_ref().map_or_else(|| "no limit".to_owned(), |now| now.value.to_string());
            parts.push(format!("`max_cost`: {} became {now}", cost.value));
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A step that acts outside, and is tried more often or after more kinds of failure.
fn repeated(commit: &Commit<'_>, (before, was): (&Step, &Defaults), (after, is): (&Step, &Defaults)) -> Option<String> {
    effect::target(commit, after)?;
    let effective = |step: &Step, defaults: &Defaults| step.retry.clone().or_else(|| defaults.retry.clone());
    let (was, is) = (effective(before, was), effective(after, is)?);
    let attempts = was.as_ref().map_or(1, |retry| retry.max_attempts);
    if is.max_attempts > attempts {
        return Some(format!("`max_attempts`: {attempts} became {}", is.max_attempts));
    }
    let more = is.max_attempts > 1 && classes(&is).any(|class| was.as_ref().is_none_or(|was| !was.covers(class)));
    more.then(|| "`retry.on`: more kinds of failure are repeated".to_owned())
}

fn classes(retry: &Retry) -> impl Iterator<Item = ErrorClass> + '_ {
    use ErrorClass::{Network, RateLimited, Refused, Schema, ServerError, Timeout};
    [Timeout, Network, RateLimited, ServerError, Schema, Refused].into_iter().filter(|class| retry.covers(*class))
}
