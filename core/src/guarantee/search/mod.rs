//! Looks for a run in which a step starts, or a list of steps completes, although nothing that must be passed was passed.
//! Steps are taken in their order, each with every fate that the fates before it allow; what later steps cannot tell
//! apart is one state. Exact for a list of steps, and given up where there are too many states.

mod timing;
mod truths;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use indexmap::IndexMap;

use super::conditions::{Atom, Truth};
use super::layout::Layout;
use super::model::{Fate, Model};
use crate::definition::step::{Join, RunOn};
use crate::execution::edges::{EdgeEnd, Readiness, readiness};
use crate::graph::StepIndex;
use timing::Around;

/// Most transitions between states that one search makes: some hundredths of a second.
pub(super) const MAX_TRANSITIONS: usize = 60_000;
/// Most ways of one gateway that are told apart.
const MAX_WAYS: usize = 256;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// This step starts by its edges.
    Starts(StepIndex),
    /// This step completes.
    Completes(StepIndex),
    /// Every step ends, and the list does not fail.
    AllEnd,
    /// Every step ends, however.
    Over,
}

/// Which ends of a step pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Passes {
    /// None.
    #[default]
    Never,
    /// It completed; an approval: with `approved`, by people or by its deadline.
    Completed,
    /// The people who were asked approved.
    ByPeople,
}

impl Passes {
    pub(super) fn by(self, fate: Fate) -> bool {
        match self {
            Self::Never => false,
            Self::Completed => matches!(fate, Fate::Completed | Fate::Took(_) | Fate::LapsedApproved),
            Self::ByPeople => fate == Fate::Completed,
        }
    }
}

/// Why a step has its fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It ran, runs, or has not started.
    Course,
    /// Its condition is false.
    Condition,
    /// Its condition, or one of its branches, cannot be evaluated.
    Error,
    /// Its edges.
    Edges,
}

/// A run that was found: the steps that matter to it in their order, each with its fate.
pub(super) type Run = Vec<(StepIndex, Fate, Why)>;

/// What came of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no such run.
    Nothing,
    /// A shortest one.
    Run(Run),
    /// There are too many states.
    TooMany,
    /// There may be one; what this step asks, or when, is not followed, and no run was found that does without the answer.
    Unsure(StepIndex),
}

/// What is wanted of a run, as far as it matters to the goal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'w> {
    /// Steps that have completed.
    pub(super) completed: &'w [StepIndex],
    /// A step with the fate that it has.
    pub(super) fate: Option<(StepIndex, Fate)>,
    /// Truths with the values that they have.
    pub(super) given: &'w [(Atom, Truth)],
}

/// Looks for a run in which these steps, as far as they matter, have completed.
pub(super) fn search(
    model: &Model<'_>,
    goal: Goal,
    passes: &[Passes],
    completed: &[StepIndex],
    allowance: &Cell<usize>,
) -> Found {
    search_where(model, goal, passes, &Wanted { completed, ..Wanted::default() }, allowance)
}

/// Looks for a run of which more is wanted.
pub(super) fn search_where(
    model: &Model<'_>,
    goal: Goal,
    passes: &[Passes],
    wanted: &Wanted<'_>,
    allowance: &Cell<usize>,
) -> Found {
    let Some(slice) = slice(model, goal) else { return Found::Nothing };
    let mut search = Search::new(model, goal, passes, &slice);
    wanted.completed.iter().for_each(|step| search.must_complete[*step] = true);
    search.must_end = wanted.fate;
    search.given = wanted.given;
    let found = search.within(allowance);
    let Some(asking) = search.doubtful().filter(|_| matches!(found, Found::Run(_))) else { return found };
    search.certain = true;
    search.layout = Layout::of(model, &slice, true);
    match search.within(allowance) {
        Found::Run(run) => Found::Run(run),
        _ => Found::Unsure(asking),
    }
}

/// The steps that matter: the goal's step and all before it, in their order. Nothing where the goal is never reached.
pub(super) fn slice(model: &Model<'_>, goal: Goal) -> Option<Vec<StepIndex>> {
    let (Goal::Starts(last) | Goal::Completes(last)) = goal else {
        // Steps on a circle never run, and the list never ends.
        return (model.graph.order().len() == model.graph.len()).then(|| model.graph.order().to_vec());
    };
    model.place[last]?;
    let mut wanted = vec![false; model.graph.len()];
    let mut open = vec![last];
    wanted[last] = true;
    while let Some(step) = open.pop() {
        for edge in model.before(step) {
            if !std::mem::replace(&mut wanted[edge.from], true) {
                open.push(edge.from);
            }
        }
    }
    let mut steps: Vec<StepIndex> = (0..wanted.len()).filter(|step| wanted[*step]).collect();
    steps.sort_by_key(|step| model.place[*step]);
    Some(steps)
}

/// Whether a step may still be open when the goal is reached: not where everything behind it waits for its end.
fn openable(model: &Model<'_>, slice: &[StepIndex], goal: Goal) -> Vec<bool> {
    let mut openable = vec![false; model.graph.len()];
    if matches!(goal, Goal::AllEnd | Goal::Over) {
        for step in slice {
            openable[*step] = model.nodes[*step].run_on == RunOn::Compensation;
        }
        return openable;
    }
    let inside: std::collections::BTreeSet<StepIndex> = slice.iter().copied().collect();
    let last = slice.last().copied();
    for step in slice.iter().rev().copied().filter(|step| Some(*step) != last) {
        let mut after = model.graph.after(step).iter().filter(|next| inside.contains(next));
        openable[step] = after.all(|next| {
            let node = &model.nodes[*next];
            openable[*next] || (node.join == Join::Any && node.run_on != RunOn::Failure)
        });
    }
    openable
}

const OK: u8 = 1;
const BAD: u8 = 2;
const OPEN: u8 = 4;
const CANCELLED: u8 = 8;
/// Open, and not ended by somebody who cancels: it waits to run whatever happens, or to undo something.
const OUTLIVES: u8 = 16;
/// It ran after somebody had cancelled, as what runs whatever happens does.
const LATE: u8 = 32;
/// Something before it has completed that is undone where somebody cancels, and begins again where somebody retries.
const UNDOES: u8 = 64;
/// It was cancelled although it begins again with what was undone.
const UNDONE: u8 = 128;

pub(super) type State = Vec<u8>;

/// How a state was reached.
struct Visit {
    before: u32,
    step: StepIndex,
    fate: Fate,
    why: Why,
}

/// Truths that an evaluation settled.
pub(super) type Settled = Vec<(Atom, Truth)>;

pub(super) struct Search<'s, 'p> {
    model: &'s Model<'p>,
    goal: Goal,
    passes: &'s [Passes],
    slice: &'s [StepIndex],
    pub(super) layout: Layout,
    openable: Vec<bool>,
    must_complete: Vec<bool>,
    /// A step and the one fate that it may have.
    must_end: Option<(StepIndex, Fate)>,
    /// Truths that are settled from the beginning.
    given: &'s [(Atom, Truth)],
    /// Whether steps fail only where they cannot do otherwise, and nobody cancels.
    calm: bool,
    /// Whether only runs count in which nothing is asked that is not followed, and in which everything may surely happen
    /// in this order.
    certain: bool,
    limit: usize,
    /// What is known about the time at which a step ends, once somebody asked.
    around: RefCell<BTreeMap<StepIndex, Rc<Around>>>,
}

/// One possible next fate of a step.
pub(super) struct Next {
    pub(super) fate: Fate,
    pub(super) why: Why,
    settled: Settled,
}

impl<'s, 'p> Search<'s, 'p> {
    pub(super) fn new(model: &'s Model<'p>, goal: Goal, passes: &'s [Passes], slice: &'s [StepIndex]) -> Self {
        let layout = Layout::of(model, slice, false);
        let openable = openable(model, slice, goal);
        let must_complete = vec![false; model.graph.len()];
        Self {
            model,
            goal,
            passes,
            slice,
            layout,
            openable,
            must_complete,
            must_end: None,
            given: &[],
            calm: false,
            certain: false,
            limit: MAX_TRANSITIONS,
            around: RefCell::default(),
        }
    }

    /// The step because of which a run that was found may not be one.
    fn doubtful(&self) -> Option<StepIndex> {
        let (model, slice) = (self.model, self.slice);
        let unsure = || slice.iter().copied().filter(|step| model.is_unsure(*step));
        let asks_early = |step: &StepIndex| self.layout.early[*step] && model.asks_about_steps(*step);
        let begins_alone = || slice.last().copied().filter(|_| slice.iter().any(|step| model.is_undone(*step)));
        unsure()
            .find(|step| model.asks_about_ends(*step))
            .or_else(|| unsure().next_back())
            .or_else(|| slice.iter().copied().find(asks_early))
            .or_else(begins_alone)
    }

    /// What was found with what is left of an allowance.
    fn within(&mut self, allowance: &Cell<usize>) -> Found {
        let before = allowance.get();
        // Most runs that are found are calm: nothing fails and nobody cancels. There are few of those.
        self.calm = true;
        self.limit = before.min(MAX_TRANSITIONS / 4);
        let (found, calm) = self.run();
        if matches!(found, Found::Run(_)) {
            allowance.set(before.saturating_sub(calm));
            return found;
        }
        self.calm = false;
        self.limit = before.saturating_sub(calm).min(MAX_TRANSITIONS);
        let (found, transitions) = self.run();
        allowance.set(before.saturating_sub(calm + transitions));
        found
    }

    /// What was found, and after how many transitions.
    fn run(&self) -> (Found, usize) {
        let mut transitions = 0;
        let mut visits: Vec<Visit> = Vec::new();
        let mut layer: IndexMap<State, (u32, u32)> = IndexMap::new();
        layer.insert(vec![0; self.layout.length], (0, u32::MAX));
        let mut best: Option<(u32, u32, StepIndex, Fate)> = None;
        for (at, step) in self.slice.iter().copied().enumerate() {
            let mut after: IndexMap<State, (u32, u32)> = IndexMap::new();
            for (state, (cost, visit)) in &layer {
                let Some(nexts) = self.nexts(step, state) else { return (Found::TooMany, transitions) };
                for next in nexts {
                    transitions += 1;
                    if transitions > self.limit {
                        return (Found::TooMany, transitions);
                    }
                    let reached = match self.goal {
                        Goal::Starts(goal) => goal == step,
                        Goal::Completes(goal) => goal == step && next.fate.is_completed(),
                        Goal::AllEnd | Goal::Over => false,
                    };
                    let cost = cost + price(next.fate, next.why);
                    if reached {
                        if best.is_none_or(|(least, ..)| cost < least) {
                            best = Some((cost, *visit, step, next.fate));
                        }
                        continue;
                    }
                    let moved = self.moved(at, step, state, &next);
                    let known = after.get(&moved).map(|(known, _)| *known);
                    if known.is_none_or(|known| cost < known) {
                        let index = u32::try_from(visits.len()).unwrap_or(u32::MAX);
                        visits.push(Visit { before: *visit, step, fate: next.fate, why: next.why });
                        after.insert(moved, (cost, index));
                    }
                }
            }
            layer = after;
        }
        if self.goal == Goal::AllEnd {
            let least = layer.values().min().copied();
            let found = least.map_or(Found::Nothing, |(_, visit)| Found::Run(told(&visits, visit)));
            return (found, transitions);
        }
        let Some((_, visit, step, fate)) = best else { return (Found::Nothing, transitions) };
        let mut run = told(&visits, visit);
        run.push((step, fate, Why::Course));
        (Found::Run(run), transitions)
    }

    /// Every fate that a step may have; nothing where there are too many.
    pub(super) fn nexts(&self, step: StepIndex, state: &State) -> Option<Vec<Next>> {
        let node = &self.model.nodes[step];
        let edges = self.layout.edges.get(&step).map_or(0, |slot| state[*slot]);
        let mut ends: Vec<Option<EdgeEnd>> = Vec::with_capacity(4);
        ends.extend((edges & OK != 0).then_some(Some(EdgeEnd::Ok)));
        ends.extend((edges & BAD != 0).then_some(Some(EdgeEnd::Bad)));
        ends.extend((edges & (OPEN | OUTLIVES) != 0).then_some(None));
        if ends.is_empty() && !self.model.before(step).is_empty() {
            ends.push(Some(EdgeEnd::Neutral));
        }
        let is_goal = self.goal == Goal::Starts(step);
        let mut nexts = Vec::new();
        let mut add = |fate, why, settled: &Settled| nexts.push(Next { fate, why, settled: settled.clone() });
        let none = Settled::new();
        // Whoever cancels ends all that has begun or is to come, but for what runs whatever happens.
        let all_end = matches!(self.goal, Goal::AllEnd | Goal::Over);
        let may_cancel = !all_end && edges & OPEN == 0 && node.run_on != RunOn::Compensation;
        let swept = may_cancel && edges & CANCELLED != 0 && node.run_on != RunOn::Always;
        match readiness(node.join, node.run_on, &ends) {
            Readiness::Wait => {
                if self.openable[step] {
                    add(Fate::Open, Why::Course, &none);
                }
                if may_cancel && node.run_on != RunOn::Always {
                    add(Fate::Cancelled, Why::Course, &none);
                }
            }
            // Behind what was cancelled nothing is skipped: whoever retries it retries that as well.
            Readiness::Skip(_) if swept => add(Fate::Cancelled, Why::Course, &none),
            Readiness::Skip(_) => add(Fate::Skipped, Why::Edges, &none),
            // Nobody retries it alone: what was undone begins again, and what follows from that.
            Readiness::Run if edges & UNDONE != 0 && node.run_on != RunOn::Always => {
                add(Fate::Cancelled, Why::Course, &none);
            }
            Readiness::Run => {
                for (truth, settled) in self.truths(step, node.when.as_ref(), state)? {
                    match truth {
                        Truth::False => add(Fate::Skipped, Why::Condition, &settled),
                        Truth::Error => add(self.failure(step), Why::Error, &settled),
                        Truth::True if is_goal => add(Fate::Open, Why::Course, &settled),
                        Truth::True => {
                            if self.openable[step] && (!node.at_once || self.passes[step] != Passes::Never) {
                                add(Fate::Open, Why::Course, &settled);
                            }
                            if may_cancel && (!node.at_once || swept) {
                                add(Fate::Cancelled, Why::Course, &settled);
                            }
                            node.ends.iter().for_each(|end| add(*end, Why::Course, &settled));
                            for (way, more) in self.ways(step, state, &settled)? {
                                match way {
                                    Some(taken) => add(Fate::Took(taken), Why::Course, &more),
                                    None => add(self.failure(step), Why::Error, &more),
                                }
                            }
                        }
                    }
                }
                if swept {
                    add(Fate::Cancelled, Why::Course, &none);
                }
            }
        }
        if is_goal {
            nexts.retain(|next| next.fate == Fate::Open && readiness(node.join, node.run_on, &ends) == Readiness::Run);
        }
        if self.goal == Goal::AllEnd {
            nexts.retain(|next| next.fate != Fate::Failed);
        }
        if self.must_complete[step] && !is_goal {
            nexts.retain(|next| next.fate.is_completed());
        }
        if let Some((_, fate)) = self.must_end.filter(|(wanted, _)| *wanted == step && !is_goal) {
            nexts.retain(|next| next.fate == fate);
        }
        nexts.retain(|next| !self.passes[step].by(next.fate));
        let is_calm = |next: &Next| !matches!(next.fate, Fate::Failed | Fate::Tolerated | Fate::Cancelled);
        if self.calm && nexts.iter().any(is_calm) {
            nexts.retain(is_calm);
        }
        Some(nexts)
    }

    fn failure(&self, step: StepIndex) -> Fate {
        if self.model.nodes[step].tolerant { Fate::Tolerated } else { Fate::Failed }
    }

    /// The state behind a step with this fate.
    pub(super) fn moved(&self, at: usize, step: StepIndex, state: &State, next: &Next) -> State {
        let mut moved = state.clone();
        for (atom, truth) in &next.settled {
            if let Some(slot) = self.layout.atoms.get(atom) {
                moved[*slot] = *truth as u8 + 1;
            }
        }
        if let Some(slot) = self.layout.fates.get(&step) {
            moved[*slot] = code(next.fate);
        }
        let own = self.layout.edges.get(&step).map_or(0, |slot| state[*slot]);
        for to in self.model.graph.after(step) {
            let Some(slot) = self.layout.edges.get(to) else { continue };
            let gateway = self.model.before(*to).iter().any(|edge| edge.from == step && edge.gateway);
            moved[*slot] |= self.edge(step, next.fate, *to, gateway)
                | self.timing(step, next.fate, own)
                | self.undoing(step, next.fate, own);
        }
        self.layout.done[at].iter().for_each(|slot| moved[*slot] = 0);
        moved
    }

    /// Whether a step has ended, and before or after somebody cancelled.
    fn timing(&self, step: StepIndex, fate: Fate, own: u8) -> u8 {
        let late = own & (CANCELLED | OUTLIVES | LATE) != 0;
        match (self.model.nodes[step].run_on, fate) {
            (RunOn::Compensation, Fate::Open) => OUTLIVES,
            (RunOn::Always, Fate::Open) if late => OUTLIVES,
            (_, Fate::Open) => OPEN,
            (RunOn::Always, fate) if late && fate != Fate::Cancelled => LATE,
            _ => 0,
        }
    }

    /// Whether something has completed that is undone, and whether the step was cancelled behind that. Only asked where a
    /// run has to be certain.
    fn undoing(&self, step: StepIndex, fate: Fate, own: u8) -> u8 {
        if !self.certain {
            return 0;
        }
        let undoes = own & UNDOES != 0 || (fate.is_completed() && self.model.is_undone(step));
        let undone = own & UNDOES != 0 && fate == Fate::Cancelled;
        (if undoes { UNDOES } else { 0 }) | (if undone { UNDONE } else { 0 })
    }

    fn edge(&self, step: StepIndex, fate: Fate, to: StepIndex, gateway: bool) -> u8 {
        match fate {
            // Whether it can outlive somebody's cancelling is told by `timing`.
            Fate::Open => 0,
            Fate::Cancelled => BAD | CANCELLED,
            Fate::Failed => BAD,
            Fate::Skipped => 0,
            Fate::Tolerated => {
                if gateway {
                    0
                } else {
                    OK
                }
            }
            Fate::Took(taken) if gateway => {
                let ways = self.model.nodes[step].branches.iter().enumerate();
                let leads = ways.filter(|(way, _)| taken & (1 << way) != 0).any(|(_, way)| way.to.contains(&to));
                if leads { OK } else { 0 }
            }
            _ => OK,
        }
    }
}

/// How much a fate costs: plain courses are told before failures, and those before somebody cancelling.
fn price(fate: Fate, why: Why) -> u32 {
    let fate = match fate {
        Fate::Open => 0,
        Fate::Completed | Fate::Took(_) | Fate::Skipped => 2,
        Fate::LapsedApproved | Fate::RejectedOn | Fate::Expired => 5,
        Fate::Tolerated | Fate::Failed => 7,
        Fate::Cancelled => 40,
    };
    fate + if why == Why::Error { 9 } else { 0 }
}

fn code(fate: Fate) -> u8 {
    match fate {
        Fate::Open => 0,
        Fate::Completed => 1,
        Fate::LapsedApproved => 2,
        Fate::RejectedOn => 3,
        Fate::Expired => 4,
        Fate::Took(_) => 5,
        Fate::Tolerated => 6,
        Fate::Failed => 7,
        Fate::Skipped => 8,
        Fate::Cancelled => 9,
    }
}

fn decoded(code: u8) -> Fate {
    match code {
        1 => Fate::Completed,
        2 => Fate::LapsedApproved,
        3 => Fate::RejectedOn,
        4 => Fate::Expired,
        5 => Fate::Took(0),
        6 => Fate::Tolerated,
        7 => Fate::Failed,
        8 => Fate::Skipped,
        9 => Fate::Cancelled,
        _ => Fate::Open,
    }
}

fn told(visits: &[Visit], last: u32) -> Run {
    let mut run = Vec::new();
    let mut at = last;
    while let Some(visit) = visits.get(at as usize) {
        run.push((visit.step, visit.fate, visit.why));
        at = visit.before;
    }
    run.reverse();
    run
}
