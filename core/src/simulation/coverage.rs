//! What the cases of a process have shown of it: which steps ran, which ways were taken, which ends came about. Counts
//! what a reader of the process would ask for, and names what no case shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::run::Run;
use crate::definition::step::human_approval::OnTimeout;
use crate::definition::step::{Gateway, RunOn, StepKind, gateway::GatewayMode};
use crate::definition::{ErrorClass, Process, Step};
use crate::execution::address::step_of;
use crate::execution::{EventKind, Execution, Plan, SkipReason, StepError, Waiting, context};
use crate::expression::{condition, evaluate_json};
use crate::source::{Span, Spanned};
use crate::value::Duration;

/// What the cases of one process have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// What there is to show, in the order of the definition.
    pub items: Vec<Item>,
    places: BTreeMap<(String, Aspect), usize>,
}

/// Something that a case can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The step.
    pub step: String,
    /// What of it.
    pub aspect: Aspect,
    /// Where the process says it.
    pub span: Span,
    /// How many cases show it.
    pub cases: u32,
}

/// What of a step a case can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// It ran.
    Ran,
    /// The gateway took this branch, from 0.
    Branch(usize),
    /// Its `when` was this.
    When(bool),
    /// It ended so.
    Outcome(Outcome),
}

/// How a step can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// People approved.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Somebody answered.
    Answered,
    /// The deadline passed.
    TimedOut,
    /// It failed.
    Failed,
    /// It was not due.
    Skipped,
}

/// Which kind of thing is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Steps that ran.
    Steps,
    /// Branches of gateways, and both values of each `when`.
    Branches,
    /// Ends of steps.
    Outcomes,
}

impl Aspect {
    /// What it is counted among.
    pub fn measure(self) -> Measure {
        match self {
            Self::Ran => Measure::Steps,
            Self::Branch(_) | Self::When(_) => Measure::Branches,
            Self::Outcome(_) => Measure::Outcomes,
        }
    }

    /// What no case shows, for people: behind "step `x` ".
    pub fn lacking(self) -> String {
        match self {
            Self::Ran => "never runs".to_owned(),
            Self::Branch(index) => format!("never takes branch {}", index + 1),
            Self::When(value) => format!("never has `when` {value}"),
            Self::Outcome(outcome) => match outcome {
                Outcome::Approved => "is never approved".to_owned(),
                Outcome::Rejected => "is never rejected".to_owned(),
                Outcome::Answered => "is never answered".to_owned(),
                Outcome::TimedOut => "never times out".to_owned(),
                Outcome::Failed => "never fails".to_owned(),
                Outcome::Skipped => "is never skipped".to_owned(),
            },
        }
    }

    /// Its name in JSON.
    pub fn name(self) -> String {
        match self {
            Self::Ran => "ran".to_owned(),
            Self::Branch(index) => format!("branch_{}", index + 1),
            Self::When(value) => format!("when_{value}"),
            Self::Outcome(outcome) => match outcome {
                Outcome::Approved => "approved".to_owned(),
                Outcome::Rejected => "rejected".to_owned(),
                Outcome::Answered => "answered".to_owned(),
                Outcome::TimedOut => "timed_out".to_owned(),
                Outcome::Failed => "failed".to_owned(),
                Outcome::Skipped => "skipped".to_owned(),
            },
        }
    }
}

impl Coverage {
    /// Of a process of which nothing was shown yet. `default` is the `defaults.timeout` of `flow.yaml`.
    pub fn of(process: &Process, default: Option<Spanned<Duration>>) -> Self {
        let mut coverage = Self { items: Vec::new(), places: BTreeMap::new() };
        let mut gateways: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (gateway, target) in process.all_steps().flat_map(targets) {
            gateways.entry(target).or_default().insert(gateway);
        }
        let default = process.header.defaults.timeout.or(default);
        for step in process.all_steps() {
            // A merge behind a gateway runs by its other edges; only a step that has none can be passed over.
            let naming = gateways.get(step.id.as_str());
            let passed = naming.is_some_and(|naming| step.depends_on.iter().all(|id| naming.contains(id.as_str())));
            for (aspect, span) in aspects(step, passed, default) {
                coverage.add(step, aspect, span);
            }
        }
        coverage
    }

    fn add(&mut self, step: &Step, aspect: Aspect, span: Span) {
        let id = step.id.as_str().to_owned();
        if self.places.contains_key(&(id.clone(), aspect)) {
            return;
        }
        self.places.insert((id.clone(), aspect), self.items.len());
        self.items.push(Item { step: id, aspect, span, cases: 0 });
    }

    /// Counts what one run shows.
    pub fn count(&mut self, process: &Process, plan: &Plan, run: &Run) {
        for shown in shown(process, plan, run) {
            if let Some(item) = self.places.get(&shown).and_then(|place| self.items.get_mut(*place)) {
                item.cases += 1;
            }
        }
    }

    /// How much of a measure was shown, and how much there is.
    pub fn share(&self, measure: Measure) -> (usize, usize) {
        let of = self.items.iter().filter(|item| item.aspect.measure() == measure);
        of.fold((0, 0), |(shown, all), item| (shown + usize::from(item.cases > 0), all + 1))
    }

    /// How much was shown of everything, and how much there is.
    pub fn total(&self) -> (usize, usize) {
        (self.items.iter().filter(|item| item.cases > 0).count(), self.items.len())
    }

    /// What no case shows. Of a step that never runs only that is told.
    pub fn lacking(&self) -> impl Iterator<Item = &Item> {
        let ran = |step: &str| {
            self.places.get(&(step.to_owned(), Aspect::Ran)).is_none_or(|place| self.items[*place].cases > 0)
        };
        self.items.iter().filter(move |item| item.cases == 0 && (item.aspect == Aspect::Ran || ran(&item.step)))
    }
}

/// The steps that a gateway names, each with the gateway.
fn targets(step: &Step) -> Vec<(&str, &str)> {
    match &step.kind {
        StepKind::Gateway(gateway) => {
            let named = gateway.branches.iter().flat_map(|branch| &branch.to);
            named.map(|target| (step.id.as_str(), target.as_str())).collect()
        }
        _ => Vec::new(),
    }
}

/// What there is to show of a step.
fn aspects(step: &Step, may_be_passed: bool, default: Option<Spanned<Duration>>) -> Vec<(Aspect, Span)> {
    let id = step.id.span;
    let mut aspects = vec![(Aspect::Ran, id)];
    if let Some(when) = &step.when {
        aspects.extend([(Aspect::When(true), when.span), (Aspect::When(false), when.span)]);
    }
    if let StepKind::Gateway(gateway) = &step.kind {
        let place = |index: usize| {
            let branch = &gateway.branches[index];
            let when = branch.when.as_ref().map(|when| when.span);
            when.or(branch.otherwise.as_ref().map(|it| it.span)).or(branch.to.first().map(|to| to.span)).unwrap_or(id)
        };
        aspects.extend((0..gateway.branches.len()).map(|index| (Aspect::Branch(index), place(index))));
    }
    let deadline = step.timeout.as_ref().map_or(id, |timeout| timeout.span);
    let outcome = |outcome| (Aspect::Outcome(outcome), id);
    match &step.kind {
        StepKind::HumanApproval(_) => {
            aspects.extend([outcome(Outcome::Approved), outcome(Outcome::Rejected)]);
            if step.effective_timeout(default).is_some() {
                aspects.push((Aspect::Outcome(Outcome::TimedOut), deadline));
            }
        }
        StepKind::Form(_) => {
            aspects.push(outcome(Outcome::Answered));
            if step.effective_timeout(default).is_some() {
                aspects.push((Aspect::Outcome(Outcome::TimedOut), deadline));
            }
        }
        StepKind::Set(_) | StepKind::Gateway(_) | StepKind::Notify(_) => {}
        StepKind::Wait(wait) if wait.event.is_none() => {}
        _ => aspects.push(outcome(Outcome::Failed)),
    }
    if may_be_passed || matches!(step.run_on, RunOn::Failure | RunOn::Compensation) {
        aspects.push(outcome(Outcome::Skipped));
    }
    aspects
}

/// What a run shows, each once.
fn shown(process: &Process, plan: &Plan, run: &Run) -> BTreeSet<(String, Aspect)> {
    let mut shown = BTreeSet::new();
    let mut state: Option<Execution> = None;
    for event in &run.events {
        if let EventKind::ExecutionCreated { execution } = &event.kind {
            state = Some((**execution).clone());
            continue;
        }
        let Some(state) = &mut state else { break };
        if let Some((key, step)) = event.step.as_deref().and_then(|key| Some((key, process.step(step_of(key))?))) {
            let mut show = |aspect| shown.insert((step.id.as_str().to_owned(), aspect));
            match &event.kind {
                EventKind::StepStarted { .. } => {
                    show(Aspect::Ran);
                    show(Aspect::When(true));
                }
                EventKind::StepSkipped { reason: SkipReason::Condition } => {
                    show(Aspect::When(false));
                    show(Aspect::Outcome(Outcome::Skipped));
                }
                EventKind::StepSkipped { .. } => {
                    show(Aspect::Outcome(Outcome::Skipped));
                }
                EventKind::StepCompleted { output, .. } => match &step.kind {
                    StepKind::Gateway(gateway) => {
                        branches_taken(gateway, output, plan, state).into_iter().for_each(|index| {
                            show(Aspect::Branch(index));
                        });
                    }
                    StepKind::HumanApproval(approval) => {
                        let decision = output.get("decision").and_then(Value::as_str).unwrap_or_default();
                        let by_time = approval_timed_out(state, key, event.at);
                        show(Aspect::Outcome(match decision {
                            "rejected" => Outcome::Rejected,
                            "expired" => Outcome::TimedOut,
                            _ if by_time && approval.on_timeout == OnTimeout::Approve => Outcome::TimedOut,
                            _ => Outcome::Approved,
                        }));
                    }
                    StepKind::Form(_) => {
                        let answered = state.steps.get(key).is_some_and(|it| it.answered_by.is_some());
                        show(Aspect::Outcome(if answered { Outcome::Answered } else { Outcome::TimedOut }));
                    }
                    _ => {}
                },
                EventKind::StepFailed { error, .. } => {
                    show(Aspect::Outcome(Outcome::Failed));
                    show(Aspect::Outcome(failed(error, state, key, event.at)));
                }
                // The deadline of an approval that escalates passes without an end.
                EventKind::Escalated { due_at: Some(_) } => {
                    show(Aspect::Outcome(Outcome::TimedOut));
                }
                _ => {}
            }
        }
        state.apply(event);
    }
    shown
}

fn failed(error: &StepError, state: &Execution, key: &str, at: jiff::Timestamp) -> Outcome {
    match error.class {
        ErrorClass::Rejected if approval_timed_out(state, key, at) => Outcome::TimedOut,
        ErrorClass::Rejected => Outcome::Rejected,
        ErrorClass::Timeout => Outcome::TimedOut,
        _ => Outcome::Failed,
    }
}

/// Whether an approval ends because its deadline has come: nobody's word is the reason.
fn approval_timed_out(state: &Execution, key: &str, at: jiff::Timestamp) -> bool {
    let waiting = state.steps.get(key).and_then(|state| state.waiting.as_ref());
    let due = waiting.and_then(Waiting::due_at).is_some_and(|due| due <= at);
    let last = state.steps.get(key).and_then(|state| state.decisions.last());
    due && last.is_none_or(|decision| decision.at < at)
}

/// The branches that a gateway took: those whose steps its output names. Where two of them name the same steps the state
/// tells which it was; inside of a body, where that is not at hand, it is the first.
fn branches_taken(gateway: &Gateway, output: &Value, plan: &Plan, state: &Execution) -> Vec<usize> {
    let taken: Vec<&str> =
        output.get("taken").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let named = |index: &usize| {
        let to = &gateway.branches[*index].to;
        let all = to.iter().all(|id| taken.contains(&id.as_str()));
        all && (gateway.mode == GatewayMode::All || to.len() == taken.len())
    };
    let mut possible: Vec<usize> = (0..gateway.branches.len()).filter(named).collect();
    let is_plain = possible.iter().map(|index| gateway.branches[*index].to.len()).sum::<usize>() == taken.len();
    if is_plain || possible.is_empty() {
        return possible;
    }
    let context = context::of(plan, state);
    let holds = |index: &usize| {
        let when = gateway.branches[*index].when.as_ref();
        let value = when.and_then(|when| evaluate_json(&when.value, &context).ok());
        value.and_then(|it| condition(&it.value).ok()).unwrap_or(false)
    };
    let certain: Vec<usize> = possible.iter().copied().filter(|index| holds(index)).collect();
    match (certain.is_empty(), gateway.mode) {
        (false, GatewayMode::All) => certain,
        (false, GatewayMode::First) => certain[..1].to_vec(),
        (true, _) => {
            let otherwise = |index: &usize| gateway.branches[*index].otherwise.as_ref().is_some_and(|yes| yes.value);
            let otherwise = possible.iter().copied().find(otherwise);
            possible.truncate(1);
            otherwise.map_or(possible, |index| vec![index])
        }
    }
}
