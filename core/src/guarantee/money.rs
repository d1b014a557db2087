//! `at_most`: the most that an execution may cost by its budgets, every item and every sub-process counted, over the run
//! that costs most. A step's budget holds over all its attempts, and an execution's over all its steps.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::costliest::{Costliest, costliest};
use super::equipped::agent;
use super::every_path::World;
use super::items::most_items;
use super::judge::{DEEPEST_PROCESS, MAX_DEPTH, TOO_DEEP, is_whole};
use super::model::Model;
use super::verdict::{Counterexample, Place, Verdict};
use crate::definition::Step;
use crate::definition::process::Defaults;
use crate::definition::repository::Repository;
use crate::definition::step::agent_task::Budget;
use crate::definition::step::{Foreach, RunOn, StepKind, SubProcess};
use crate::validate::ProcessScope;
use crate::value::Money;

/// Proves or refutes.
pub(super) fn at_most<'r>(
    world: &World<'_, 'r>,
    repository: &'r Repository,
    process: &ProcessScope<'r>,
    bound: &Money,
) -> Verdict<'r> {
    let currency = bound.currency();
    let cost = match Purse::new(world, repository, currency).execution(process, 0) {
        Ok(cost) => cost,
        Err(Unbounded { faulty: true, .. }) => return Verdict::Faulty,
        Err(Unbounded { unproved: true, why, .. }) => return Verdict::Unproved(why),
        Err(unbounded) => {
            let places = unbounded.place.into_iter().collect();
            let (path, help) = (unbounded.why, Some(unbounded.help));
            return Verdict::Fails(Counterexample { path, notes: Vec::new(), places, help });
        }
    };
    let (total, most) = (cost.total(), cost.most());
    if most <= bound.amount() {
        return Verdict::Holds;
    }
    if total <= bound.amount() {
        let why =
            format!("all budgets together are {most} {currency}, and whether one run may use them all is not known");
        return Verdict::Unproved(why);
    }
    let words: Vec<String> = cost.parts.iter().map(|part| part.place.message.clone()).collect();
    let path = format!("{} = {total} {currency}, which is more than {bound}", words.join(" + "));
    let help = Some("lower a budget, or the number of items or sub-processes".to_owned());
    let places = cost.parts.into_iter().map(|part| part.place).collect();
    Verdict::Fails(Counterexample { path, notes: Vec::new(), places, help })
}

/// What something costs: what some run does cost, and what none costs more than.
#[derive(Debug, Clone, Default)]
struct Cost<'r> {
    /// What models of the execution itself cost in a run: the execution's own budget bounds it.
    own: Decimal,
    /// What its sub-processes cost in the same run, each of which is an execution.
    others: Decimal,
    /// What makes up both.
    parts: Vec<Part<'r>>,
    most_own: Decimal,
    most_others: Decimal,
}

/// A part of what something costs.
#[derive(Debug, Clone)]
struct Part<'r> {
    place: Place<'r>,
    is_own: bool,
}

impl Cost<'_> {
    /// What some run costs.
    fn total(&self) -> Decimal {
        self.own.saturating_add(self.others)
    }

    /// What no run costs more than.
    fn most(&self) -> Decimal {
        self.most_own.saturating_add(self.most_others)
    }
}

/// What has no bound, and why.
#[derive(Debug, Clone)]
struct Unbounded<'r> {
    /// Whether a fault is the cause that is told elsewhere.
    faulty: bool,
    /// Whether it may have a bound all the same.
    unproved: bool,
    why: String,
    help: String,
    place: Option<Place<'r>>,
}

struct Purse<'p, 'w, 'r> {
    world: &'p World<'w, 'r>,
    repository: &'r Repository,
    /// The repository's.
    defaults: Defaults,
    currency: &'p str,
    known: BTreeMap<String, Cost<'r>>,
    within: BTreeSet<String>,
}

/// What the steps of one process share.
#[derive(Clone, Copy)]
struct Context<'c, 'r> {
    process: &'c ProcessScope<'r>,
    defaults: &'c Defaults,
    /// What the models of the execution may cost together.
    cap: Option<Decimal>,
    /// Whether what models cost and what sub-processes cost counts differently further out: then the run for which both
    /// together are most need not be the dearest.
    apart: bool,
    depth: usize,
}

impl<'p, 'w, 'r> Purse<'p, 'w, 'r> {
    fn new(world: &'p World<'w, 'r>, repository: &'r Repository, currency: &'p str) -> Self {
        let defaults = repository.settings().map(|settings| settings.defaults.clone()).unwrap_or_default();
        Self { world, repository, defaults, currency, known: BTreeMap::new(), within: BTreeSet::new() }
    }

    /// A whole execution: what its steps cost, as far as its own budget lets them.
    fn execution(&mut self, process: &ProcessScope<'r>, depth: usize) -> Result<Cost<'r>, Unbounded<'r>> {
        let defaults = process.process.header.defaults.clone().or(&self.defaults);
        let budget = defaults.execution_budget.as_ref().and_then(|budget| budget.max_cost.as_deref());
        let cap = budget.filter(|cap| cap.currency() == self.currency).map(Money::amount);
        let context = Context { process, defaults: &defaults, cap, apart: cap.is_some(), depth };
        let mut cost = self.list(&context, &process.process.steps)?;
        cost.most_own = cap.map_or(cost.most_own, |cap| cap.min(cost.most_own));
        if let Some(cap) = cap.filter(|cap| cost.own >= *cap && !cap.is_zero()) {
            let name = &process.process.header.name;
            let message = format!("{cap} {} for all models of `{}` (`execution_budget`)", self.currency, name.as_str());
            cost.parts.retain(|part| !part.is_own);
            let place = Place { file: process.file, span: name.span, message };
            cost.parts.insert(0, Part { place, is_own: true });
            cost.own = cap;
        }
        Ok(cost)
    }

    /// A list of steps: the run through it that costs most, and all that is undone.
    fn list(&mut self, context: &Context<'_, 'r>, steps: &[Step]) -> Result<Cost<'r>, Unbounded<'r>> {
        let mut costs: Vec<Cost<'r>> = Vec::with_capacity(steps.len());
        for step in steps {
            costs.push(self.step(context, step)?);
        }
        if costs.iter().all(|cost| cost.most().is_zero()) {
            return Ok(Cost::default());
        }
        let model = Model::of(context.process.process, self.world.default_timeout, steps);
        let undoes = |index: usize| steps[index].run_on == RunOn::Compensation;
        let undone = (0..steps.len()).filter(|index| undoes(*index) && model.graph.undone_by(*index).next().is_some());
        let undone: Vec<usize> = undone.collect();
        let dearest = |of: &dyn Fn(&Cost<'r>) -> Decimal| -> Option<Vec<usize>> {
            let price = |(at, cost)| if undoes(at) { Decimal::ZERO } else { of(cost) };
            match costliest(&model, &costs.iter().enumerate().map(price).collect::<Vec<_>>()) {
                Costliest::Run(steps) => Some(steps),
                Costliest::TooMany => None,
            }
        };
        let all = || (0..steps.len()).filter(|index| !undoes(*index)).collect::<Vec<_>>();
        let sum = |steps: &[usize], of: &dyn Fn(&Cost<'r>) -> Decimal| -> Decimal {
            steps.iter().map(|step| of(&costs[*step])).fold(Decimal::ZERO, Decimal::saturating_add)
        };
        let both: [fn(&Cost<'r>) -> Decimal; 2] = [|cost| cost.most_own, |cost| cost.most_others];
        let run = dearest(&Cost::total);
        let is_exact = costs.iter().all(|cost| cost.most() == cost.total());
        let most = if context.apart {
            both.map(|of| sum(&dearest(&of).unwrap_or_else(all), &of))
        } else {
            let dearest = if is_exact { run.clone() } else { dearest(&Cost::most) };
            let dearest = dearest.unwrap_or_else(all);
            both.map(|of| sum(&dearest, &of))
        };
        let mut total = Cost { most_own: most[0], most_others: most[1], ..Cost::default() };
        for index in run.unwrap_or_default() {
            let Cost { own, others, parts, .. } = std::mem::take(&mut costs[index]);
            total.add(Cost { own, others, parts, ..Cost::default() });
        }
        for index in undone {
            total.add(std::mem::take(&mut costs[index]));
        }
        Ok(total)
    }

    fn step(&mut self, context: &Context<'_, 'r>, step: &Step) -> Result<Cost<'r>, Unbounded<'r>> {
        match &step.kind {
            StepKind::AiGenerate(generate) if !self.is_mock(&generate.model.value) => {
                self.model_calls(context, step, generate.budget.as_ref().and_then(max_cost))
            }
            StepKind::AgentTask(task) => {
                let agent = agent(self.repository, &task.agent.value);
                if agent.is_some_and(|agent| self.is_mock(&agent.model.value)) {
                    return Ok(Cost::default());
                }
                let own = task.budget.as_ref().and_then(max_cost);
                let usual = agent.and_then(|agent| agent.budget.as_ref()).and_then(max_cost);
                // Of two budgets the smaller one; of two currencies the task's.
                let least = match (own, usual) {
                    (Some(own), Some(usual)) if own.currency() == usual.currency() && usual.amount() < own.amount() => {
                        Some(usual)
                    }
                    _ => own.or(usual),
                };
                self.model_calls(context, step, least)
            }
            StepKind::Foreach(foreach) => self.foreach(context, step, foreach),
            StepKind::Process(call) => self.sub_process(context, step, call),
            _ => Ok(Cost::default()),
        }
    }

    /// A step that asks a model: all its attempts share its budget.
    fn model_calls(
        &self,
        context: &Context<'_, 'r>,
        step: &Step,
        budget: Option<&Money>,
    ) -> Result<Cost<'r>, Unbounded<'r>> {
        let id = step.id.as_str();
        let amount = match (budget, context.cap) {
            (Some(money), cap) if money.currency() == self.currency => {
                cap.map_or(money.amount(), |cap| cap.min(money.amount()))
            }
            (_, Some(cap)) => cap,
            (budget, None) => {
                let why = match budget {
                    None => format!("`{id}` has no `budget` with `max_cost`"),
                    Some(money) => {
                        format!("the budget of `{id}` is {money}, and the guarantee is in {}", self.currency)
                    }
                };
                let help = format!("give `{id}` a `budget` with `max_cost` in {}", self.currency);
                return Err(unbounded(context, step, why, help));
            }
        };
        let message = format!("{amount} {} for `{id}`", self.currency);
        let parts = vec![part(context, step, message, true)];
        Ok(Cost { own: amount, most_own: amount, parts, ..Cost::default() })
    }

    /// Each item asks models of its own; what an item asked before counts where it is tried again.
    fn foreach(
        &mut self,
        context: &Context<'_, 'r>,
        step: &Step,
        foreach: &Foreach,
    ) -> Result<Cost<'r>, Unbounded<'r>> {
        let id = step.id.as_str();
        let attempts = attempts(context, step);
        let deeper = Context { depth: context.depth + 1, apart: context.apart || attempts > 1, ..*context };
        let item = self.list(&deeper, &foreach.steps)?;
        if item.most().is_zero() {
            return Ok(Cost::default());
        }
        let items = most_items(context.process.process, foreach).map(Decimal::from);
        let at_most = |own: Decimal| context.cap.map_or(own, |cap| cap.min(own));
        let [own, most_own] = match (items, context.cap) {
            (Some(items), _) => [item.own, item.most_own].map(|own| at_most(own.saturating_mul(items))),
            (None, Some(cap)) if item.most_others.is_zero() => [if item.own.is_zero() { item.own } else { cap }, cap],
            (None, _) => {
                let each = item.most();
                let why = format!("`{id}` has no bound on its items, and each may cost {each} {}", self.currency);
                return Err(unbounded(context, step, why, format!("give the list of `{id}` a `max_items`")));
            }
        };
        let items = items.unwrap_or(Decimal::ONE);
        let mut parts = Vec::new();
        if !own.is_zero() {
            let message = format!("{items} items of {} {} in `{id}`", item.own, self.currency);
            parts.push(part(context, step, message, true));
        }
        if !item.others.is_zero() {
            let message = format!("{items} items of {} {} for sub-processes in `{id}`", item.others, self.currency);
            parts.push(part(context, step, times(attempts, message), false));
        }
        let all = items.saturating_mul(Decimal::from(attempts));
        let [others, most_others] = [item.others, item.most_others].map(|others| others.saturating_mul(all));
        Ok(Cost { own, others, parts, most_own, most_others })
    }

    /// Each attempt runs the other process anew.
    fn sub_process(
        &mut self,
        context: &Context<'_, 'r>,
        step: &Step,
        call: &SubProcess,
    ) -> Result<Cost<'r>, Unbounded<'r>> {
        let (id, name) = (step.id.as_str(), call.process.as_str());
        let child = self.child(name, context.depth)?;
        if child.most().is_zero() {
            return Ok(Cost::default());
        }
        let one = child.total();
        let attempts = attempts(context, step);
        let message = times(attempts, format!("{one} {} for `{name}` in `{id}`", self.currency));
        let parts = vec![part(context, step, message, false)];
        let [others, most_others] = [one, child.most()].map(|cost| cost.saturating_mul(Decimal::from(attempts)));
        Ok(Cost { others, most_others, parts, ..Cost::default() })
    }

    /// Whether a model is the one that costs nothing.
    fn is_mock(&self, model: &str) -> bool {
        let models = self.repository.settings().map(|settings| &settings.models);
        let alias = models.and_then(|models| models.get(model)).map(|meant| meant.value.as_str());
        let meant = alias.unwrap_or(model);
        meant == "mock" || meant.starts_with("mock/")
    }

    fn child(&mut self, name: &str, depth: usize) -> Result<Cost<'r>, Unbounded<'r>> {
        let faulty =
            || Unbounded { faulty: true, unproved: false, why: String::new(), help: String::new(), place: None };
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let Some(child) = self.world.processes.get(name).copied() else {
            return Err(faulty());
        };
        if self.within.len() >= DEEPEST_PROCESS || !is_whole(child) || self.within.contains(name) {
            return Err(faulty());
        }
        if depth >= MAX_DEPTH {
            return Err(Unbounded { faulty: false, unproved: true, why: TOO_DEEP.to_owned(), ..faulty() });
        }
        self.within.insert(name.to_owned());
        let cost = self.execution(child, depth + 1);
        self.within.remove(name);
        if let Ok(cost) = &cost {
            self.known.insert(name.to_owned(), cost.clone());
        }
        cost
    }
}

impl<'r> Cost<'r> {
    fn add(&mut self, other: Self) {
        self.own = self.own.saturating_add(other.own);
        self.others = self.others.saturating_add(other.others);
        self.parts.extend(other.parts);
        self.most_own = self.most_own.saturating_add(other.most_own);
        self.most_others = self.most_others.saturating_add(other.most_others);
    }
}

fn max_cost(budget: &Budget) -> Option<&Money> {
    budget.max_cost.as_deref()
}

/// How often a step is tried.
fn attempts(context: &Context<'_, '_>, step: &Step) -> u32 {
    step.retry.as_ref().or(context.defaults.retry.as_ref()).map_or(1, |retry| retry.max_attempts)
}

fn times(attempts: u32, message: String) -> String {
    if attempts > 1 { format!("{attempts} times {message}") } else { message }
}

fn part<'r>(context: &Context<'_, 'r>, step: &Step, message: String, is_own: bool) -> Part<'r> {
    Part { place: Place { file: context.process.file, span: step.id.span, message }, is_own }
}

fn unbounded<'r>(context: &Context<'_, 'r>, step: &Step, why: String, help: String) -> Unbounded<'r> {
    let place = Some(part(context, step, why.clone(), true).place);
    Unbounded { faulty: false, unproved: false, why: format!("no bound: {why}"), help, place }
}
