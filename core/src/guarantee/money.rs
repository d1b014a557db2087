//! `at_most`: the most that an execution may cost by its budgets, every attempt and every item counted, over the run
//! that costs most.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::costliest::{Costliest, costliest};
use super::every_path::World;
use super::judge::is_whole;
use super::model::Model;
use super::time::most_items;
use super::verdict::{Counterexample, Place, Verdict};
use crate::definition::process::Defaults;
use crate::definition::repository::{Definition, Repository};
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Process, Step};
use crate::validate::ProcessScope;
use crate::value::Money;

/// Deepest nesting of bodies and processes.
const MAX_DEPTH: usize = 16;

/// Proves or refutes.
pub(super) fn at_most<'r>(
    world: &World<'_, 'r>,
    repository: &'r Repository,
    process: &ProcessScope<'r>,
    bound: &Money,
) -> Verdict<'r> {
    let settings = repository.settings();
    let mut purse = Purse {
        world,
        repository,
        defaults: settings.map(|settings| settings.defaults.clone()).unwrap_or_default(),
        currency: bound.currency(),
        known: BTreeMap::new(),
        within: BTreeSet::new(),
    };
    let cost = match purse.list(process, &process.process.steps, 0) {
        Ok(cost) => cost,
        Err(Unbounded { faulty: true, .. }) => return Verdict::Faulty,
        Err(unbounded) => {
            let places = unbounded.place.into_iter().collect();
            let (path, help) = (unbounded.why, Some(unbounded.help));
            return Verdict::Fails(Counterexample { path, notes: Vec::new(), places, help });
        }
    };
    if cost.amount <= bound.amount() {
        return Verdict::Holds;
    }
    let currency = bound.currency();
    if cost.unsure {
        let why =
            format!("all budgets together are {} {currency}, and there are too many runs to look at each", cost.amount);
        return Verdict::Unproved(why);
    }
    let parts: Vec<String> = cost.parts.iter().map(|part| part.message.clone()).collect();
    let path = format!("{} = {} {currency}, which is more than {bound}", parts.join(" + "), cost.amount);
    let help = Some("lower a budget or the number of attempts".to_owned());
    Verdict::Fails(Counterexample { path, notes: Vec::new(), places: cost.parts, help })
}

/// What something costs at most.
#[derive(Debug, Clone, Default)]
struct Cost<'r> {
    amount: Decimal,
    parts: Vec<Place<'r>>,
    /// Whether no run may cost so much, for all that may be is that none costs more.
    unsure: bool,
}

/// What has no bound, and why.
#[derive(Debug, Clone)]
struct Unbounded<'r> {
    /// Whether a fault is the cause that is told elsewhere.
    faulty: bool,
    why: String,
    help: String,
    place: Option<Place<'r>>,
}

struct Purse<'p, 'w, 'r> {
    world: &'p World<'w, 'r>,
    repository: &'r Repository,
    defaults: Defaults,
    currency: &'p str,
    known: BTreeMap<String, Cost<'r>>,
    within: BTreeSet<String>,
}

impl<'r> Purse<'_, '_, 'r> {
    /// A list of steps: the run through it that costs most, and all that is undone.
    fn list(&mut self, process: &ProcessScope<'r>, steps: &[Step], depth: usize) -> Result<Cost<'r>, Unbounded<'r>> {
        let mut costs: Vec<Cost<'r>> = Vec::with_capacity(steps.len());
        for step in steps {
            costs.push(self.step(process, step, depth)?);
        }
        let mut total = Cost::default();
        if costs.iter().all(|cost| cost.amount.is_zero()) {
            return Ok(total);
        }
        let model = Model::of(process.process, steps);
        let undoes = |index: usize| steps[index].run_on == RunOn::Compensation;
        let prices: Vec<Decimal> =
            costs.iter().enumerate().map(|(at, cost)| if undoes(at) { Decimal::ZERO } else { cost.amount }).collect();
        let runs = match costliest(&model, &prices) {
            Costliest::Run(steps) => steps,
            Costliest::TooMany => {
                total.unsure = true;
                (0..steps.len()).filter(|index| !undoes(*index)).collect()
            }
        };
        let undone = (0..steps.len()).filter(|index| undoes(*index) && model.graph.undone_by(*index).next().is_some());
        for index in runs.into_iter().chain(undone) {
            let cost = std::mem::take(&mut costs[index]);
            total.amount = total.amount.saturating_add(cost.amount);
            total.parts.extend(cost.parts);
            total.unsure |= cost.unsure;
        }
        Ok(total)
    }

    fn step(&mut self, process: &ProcessScope<'r>, step: &Step, depth: usize) -> Result<Cost<'r>, Unbounded<'r>> {
        let id = step.id.as_str();
        let place = |message: String| Place { file: process.file, span: step.id.span, message };
        let unbounded = |why: String, help: String| {
            let place = Some(place(why.clone()));
            Unbounded { faulty: false, why: format!("no bound: {why}"), help, place }
        };
        let cost = match &step.kind {
            StepKind::AiGenerate(generate) => {
                if self.is_mock(&generate.model.value) {
                    return Ok(Cost::default());
                }
                self.budget(generate.budget.as_ref().and_then(|budget| budget.max_cost.as_deref()), id)
            }
            StepKind::AgentTask(task) => {
                let agent = self.agent(&task.agent.value);
                if agent.as_ref().is_some_and(|agent| self.is_mock(&agent.model.value)) {
                    return Ok(Cost::default());
                }
                let own = task.budget.as_ref().and_then(|budget| budget.max_cost.as_deref());
                let usual = agent.as_ref().and_then(|agent| agent.budget.as_ref()?.max_cost.as_deref());
                self.budget(own.or(usual), id)
            }
            StepKind::Foreach(foreach) => {
                let item = self.list(process, &foreach.steps, depth + 1)?;
                if item.amount.is_zero() {
                    return Ok(Cost::default());
                }
                let Some(items) = most_items(process.process, foreach) else {
                    let help = format!("give the list of `{id}` a `max_items`");
                    return Err(unbounded(
                        format!(
                            "`{id}` has no bound on its items, and each may cost {} {}",
                            item.amount, self.currency
                        ),
                        help,
                    ));
                };
                let amount = item.amount.saturating_mul(Decimal::from(items));
                let message = format!("{items} items of {} {} in `{id}`", item.amount, self.currency);
                return self.attempts(process, step, amount, message, item.unsure);
            }
            StepKind::Process(call) => {
                let name = call.process.as_str();
                let child = self.child(name, depth)?;
                if child.amount.is_zero() {
                    return Ok(Cost::default());
                }
                let message = format!("{} {} for `{name}` in `{id}`", child.amount, self.currency);
                return self.attempts(process, step, child.amount, message, child.unsure);
            }
            _ => return Ok(Cost::default()),
        };
        let amount =
            cost.map_err(|why| unbounded(why, format!("give `{id}` a `budget` with `max_cost` in {}", self.currency)))?;
        let message = format!("{amount} {} for `{id}`", self.currency);
        self.attempts(process, step, amount, message, false)
    }

    fn attempts(
        &self,
        process: &ProcessScope<'r>,
        step: &Step,
        amount: Decimal,
        message: String,
        unsure: bool,
    ) -> Result<Cost<'r>, Unbounded<'r>> {
        let defaults = &process.process.header.defaults;
        let retry = step.retry.as_ref().or(defaults.retry.as_ref()).or(self.defaults.retry.as_ref());
        let attempts = retry.map_or(1, |retry| retry.max_attempts);
        let message = if attempts > 1 { format!("{attempts} times {message}") } else { message };
        let amount = amount.saturating_mul(Decimal::from(attempts));
        let parts = vec![Place { file: process.file, span: step.id.span, message }];
        Ok(Cost { amount, parts, unsure })
    }

    fn budget(&self, budget: Option<&Money>, id: &str) -> Result<Decimal, String> {
        match budget {
            None => Err(format!("`{id}` has no `budget` with `max_cost`")),
            Some(money) if money.currency() != self.currency => {
                Err(format!("the budget of `{id}` is {money}, and the guarantee is in {}", self.currency))
            }
            Some(money) => Ok(money.amount()),
        }
    }

    /// Whether a model is the one that costs nothing.
    fn is_mock(&self, model: &str) -> bool {
        let models = self.repository.settings().map(|settings| &settings.models);
        let alias = models.and_then(|models| models.get(model)).map(|meant| meant.value.as_str());
        let meant = alias.unwrap_or(model);
        meant == "mock" || meant.starts_with("mock/")
    }

    fn agent(&self, name: &str) -> Option<&'r crate::definition::agent::Agent> {
        self.repository.files.iter().find_map(|(path, file)| match &file.definition {
            Some(Definition::Agent(agent)) if crate::definition::repository::stem(path) == name => Some(&**agent),
            _ => None,
        })
    }

    fn child(&mut self, name: &str, depth: usize) -> Result<Cost<'r>, Unbounded<'r>> {
        let faulty = || Unbounded { faulty: true, why: String::new(), help: String::new(), place: None };
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let Some(child) = self.world.processes.get(name).copied() else {
            return Err(faulty());
        };
        if depth >= MAX_DEPTH || !is_whole(child) || !self.within.insert(name.to_owned()) {
            return Err(faulty());
        }
        let steps: &Process = child.process;
        let cost = self.list(child, &steps.steps, depth + 1);
        self.within.remove(name);
        if let Ok(cost) = &cost {
            self.known.insert(name.to_owned(), cost.clone());
        }
        cost
    }
}
