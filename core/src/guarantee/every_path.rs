//! `every_path_to … passes …`: over the graph of a process, over the bodies of its `foreach` steps and over the processes
//! that it runs. A step inside starts where the step around it starts and it starts there; it has passed where either has.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::copies::returned;
use super::governing::Policies;
use super::items::items_of;
use super::judge::{DEEPEST_PROCESS, MAX_DEPTH, TOO_DEEP, is_whole};
use super::model::Model;
use super::quick::proved;
use super::search::{Found, Goal, Passes, search};
use super::start::starts;
use super::tell::{Told, tell};
use super::verdict::Verdict;
use crate::approval::{Demand, conjuncts};
use crate::definition::process::{Passes as Passed, PassesApproval};
use crate::definition::step::human_approval::{Escalation, OnTimeout};
use crate::definition::step::{AllSteps, HumanApproval, OnFailure, StepKind, StepType};
use crate::definition::{Approvers, Step};
use crate::graph::StepIndex;
use crate::source::Spanned;
use crate::validate::ProcessScope;
use crate::value::Duration;

/// Most steps that are searched one by one for one guarantee.
const MAX_SEARCHES: usize = 48;
/// Of so many steps that a guarantee fails for, the one with the shortest path is told.
const COMPARED: usize = 6;

/// What a guarantee speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'t> {
    /// A step of the process by its id.
    Step(&'t str),
    /// Every step of a type, also of processes that it runs.
    Type(StepType),
}

/// Processes by name and policies: what a proof looks at.
pub(super) struct World<'w, 'r> {
    pub(super) processes: &'w BTreeMap<&'r str, &'w ProcessScope<'r>>,
    pub(super) policies: &'w Policies<'r>,
    /// `defaults.timeout` of `flow.yaml`.
    pub(super) default_timeout: Option<Spanned<Duration>>,
    /// How many transitions the searches for one process may still make, all together.
    pub(super) allowance: Cell<usize>,
}

/// Proves or refutes. Decisions of several approvals on a path count together, so each part of what is demanded is looked
/// at for itself.
pub(super) fn every_path<'r>(
    world: &World<'_, 'r>,
    process: &ProcessScope<'r>,
    target: Target<'_>,
    passed: &Passed,
) -> Verdict<'r> {
    let Passed::Approval(required) = passed else { return every_path_of(world, process, target, passed) };
    let mut unsure = None;
    let mut holds = Verdict::Holds;
    for approval in conjuncts(&required.approval) {
        let approval = Spanned { value: approval, node: required.approval.node, span: required.approval.span };
        match every_path_of(world, process, target, &Passed::Approval(PassesApproval { approval })) {
            Verdict::Holds => {}
            Verdict::Idle(why) => holds = Verdict::Idle(why),
            Verdict::Unproved(why) => unsure = unsure.or(Some(why)),
            verdict => return verdict,
        }
    }
    unsure.map_or(holds, Verdict::Unproved)
}

fn every_path_of<'r>(
    world: &World<'_, 'r>,
    process: &ProcessScope<'r>,
    target: Target<'_>,
    passed: &Passed,
) -> Verdict<'r> {
    let mut prover = Prover {
        world,
        target,
        passed,
        searches: 0,
        passing: BTreeMap::new(),
        known: BTreeMap::new(),
        within: BTreeSet::new(),
    };
    let answer = prover.look(Place { process, steps: &process.process.steps, is_top: true, depth: 0 });
    match answer {
        Answer { worst: Some(told), .. } => Verdict::Fails(told.into_counterexample()),
        Answer { faulty: true, .. } => Verdict::Faulty,
        Answer { unsure: Some(why), .. } => Verdict::Unproved(why),
        Answer { ever: false, .. } => Verdict::Idle(match target {
            Target::Step(id) => format!("no run ever starts `{id}`"),
            Target::Type(kind) => format!("no run ever starts a step of type `{kind}`"),
        }),
        _ => Verdict::Holds,
    }
}

/// Whether an approval is given only by people who satisfy what is demanded, where people give it.
pub(super) fn satisfies(policies: &Policies<'_>, approval: &HumanApproval, step: &Step, required: &Approvers) -> bool {
    !approval.allow_author && demand(policies, approval, step).implies(required)
}

/// Whom an approval asks, and whom it adds by its own escalation and that of its policy.
pub(super) fn demand<'d>(policies: &Policies<'d>, approval: &'d HumanApproval, step: &Step) -> Demand<'d> {
    let own = approval.approvers.as_ref().map(|approvers| &approvers.value);
    let policy = approval.policy.as_ref().map(|name| name.value.as_str());
    let by_policy = policy.map(|name| policies.approvers(name)).unwrap_or_default();
    let added = policy.map(|name| policies.escalations(name)).unwrap_or_default();
    let deadline = step.timeout.as_ref().and_then(|timeout| timeout.literal());
    // A level behind the deadline is never reached, unless the deadline itself reaches it.
    let reached = |level: &&Spanned<Escalation>| {
        approval.on_timeout == OnTimeout::Escalate || deadline.is_none_or(|deadline| level.after.value < deadline)
    };
    let or = approval.escalate.iter().chain(added).filter(reached).map(|level| &level.to.value).collect();
    Demand { all: own.into_iter().chain(by_policy).collect(), or }
}

/// A list of steps and where it is.
#[derive(Clone, Copy)]
struct Place<'p, 'r> {
    process: &'p ProcessScope<'r>,
    steps: &'p [Step],
    /// Whether ids of the guarantee mean steps of this process.
    is_top: bool,
    depth: usize,
}

/// What was found out about the steps of a list.
#[derive(Clone, Default)]
struct Answer<'r> {
    /// Whether some target may start at all.
    ever: bool,
    worst: Option<Told<'r>>,
    unsure: Option<String>,
    /// Whether processes run each other without end.
    faulty: bool,
}

struct Prover<'w, 'p, 'r> {
    world: &'w World<'p, 'r>,
    target: Target<'w>,
    passed: &'w Passed,
    searches: usize,
    /// Whether a process that completes has passed, by its name.
    passing: BTreeMap<String, bool>,
    /// What was found out about a process that others run, by its name.
    known: BTreeMap<String, Answer<'r>>,
    /// Processes that are being looked at.
    within: BTreeSet<String>,
}

/// A step that is a target, or that has one inside.
struct Candidate<'r> {
    step: StepIndex,
    inside: Option<Answer<'r>>,
}

impl<'p, 'r> Prover<'_, 'p, 'r> {
    fn look(&mut self, place: Place<'p, 'r>) -> Answer<'r> {
        let mut candidates = self.candidates(place);
        if candidates.is_empty() {
            return Answer::default();
        }
        let model = self.model(place);
        let passes: Vec<Passes> = place.steps.iter().map(|step| self.passes(place, step)).collect();
        let quick = proved(&model, &passes);
        // Of steps with one id the first is looked at; the others are a fault of their own. Those on a circle never run.
        candidates.retain(|one| model.place[one.step].is_some());
        candidates.sort_by_key(|one| model.place[one.step]);
        let inside = |one: &Candidate<'r>| one.inside.as_ref().is_some_and(|inside| inside.faulty);
        let mut answer = Answer { faulty: candidates.iter().any(inside), ..Answer::default() };
        let mut found = 0;
        for candidate in candidates.iter_mut().filter(|one| !quick[one.step]) {
            let inside = candidate.inside.as_mut();
            if inside.as_ref().is_some_and(|inside| inside.worst.is_none() && inside.unsure.is_none()) {
                continue;
            }
            self.searches += 1;
            let run = if self.searches > MAX_SEARCHES {
                Found::TooMany
            } else {
                starts(&model, candidate.step, &passes, &self.world.allowance)
            };
            match run {
                Found::Nothing => {}
                Found::TooMany => answer.unsure = answer.unsure.or_else(|| Some(too_many(model.id(candidate.step)))),
                Found::Unsure(asking) => {
                    answer.unsure = answer.unsure.or_else(|| Some(not_followed(&model, asking)));
                }
                Found::Run(run) => {
                    answer.ever |= inside.as_ref().is_none_or(|inside| inside.ever);
                    let told = || tell(place.process, &model, &run, candidate.step, &passes, self.world, self.passed);
                    match inside.map(|inside| (inside.worst.take(), inside.unsure.take())) {
                        None => answer.take(told()),
                        Some((Some(inner), _)) => answer.take(told().around(inner)),
                        Some((None, unsure)) => answer.unsure = answer.unsure.or(unsure),
                    }
                    found += 1;
                    if found >= COMPARED {
                        break;
                    }
                }
            }
        }
        if answer.worst.is_none() && !answer.ever {
            let never = vec![Passes::Never; place.steps.len()];
            let starts = |one: &Candidate<'r>| {
                one.inside.as_ref().is_none_or(|inside| inside.ever)
                    && starts(&model, one.step, &never, &self.world.allowance) != Found::Nothing
            };
            answer.ever = candidates.iter().take(MAX_SEARCHES).any(starts) || candidates.len() > MAX_SEARCHES;
        }
        answer
    }

    /// The steps of a list that matter.
    fn candidates(&mut self, place: Place<'p, 'r>) -> Vec<Candidate<'r>> {
        let mut candidates = Vec::new();
        for (index, step) in place.steps.iter().enumerate() {
            let is_target = match self.target {
                Target::Step(id) => place.is_top && step.id.as_str() == id,
                Target::Type(kind) => step.step_type() == kind,
            };
            if is_target {
                candidates.push(Candidate { step: index, inside: None });
            }
            let inside = self.inside(place, step);
            candidates.extend(inside.map(|inside| Candidate { step: index, inside: Some(inside) }));
        }
        candidates
    }

    /// What is inside a step, where there is something.
    fn inside(&mut self, place: Place<'p, 'r>, step: &'p Step) -> Option<Answer<'r>> {
        let has_target = |steps: &[Step]| {
            AllSteps::of(steps).any(|step| match self.target {
                Target::Step(id) => place.is_top && step.id.as_str() == id,
                Target::Type(kind) => step.step_type() == kind || matches!(step.kind, StepKind::Process(_)),
            })
        };
        match &step.kind {
            StepKind::Foreach(foreach) if has_target(&foreach.steps) => {
                if place.depth >= MAX_DEPTH {
                    return Some(Answer { unsure: Some(TOO_DEEP.to_owned()), ..Answer::default() });
                }
                let inner = Place { steps: &foreach.steps, depth: place.depth + 1, ..place };
                Some(self.look(inner)).filter(Answer::says_something)
            }
            StepKind::Process(call) if matches!(self.target, Target::Type(_)) => {
                Some(self.child(place, call.process.as_str())).filter(Answer::says_something)
            }
            _ => None,
        }
    }

    /// What is inside a process that a step runs. Each is looked at once, however many steps run it.
    fn child(&mut self, place: Place<'p, 'r>, name: &str) -> Answer<'r> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let faulty = || Answer { faulty: true, ..Answer::default() };
        let Some(child) = self.world.processes.get(name).copied() else { return faulty() };
        if self.within.len() >= DEEPEST_PROCESS || !is_whole(child) || self.within.contains(name) {
            return faulty();
        }
        if place.depth >= MAX_DEPTH {
            return Answer { unsure: Some(TOO_DEEP.to_owned()), ..Answer::default() };
        }
        self.within.insert(name.to_owned());
        let steps = &child.process.steps;
        let inner = self.look(Place { process: child, steps, is_top: false, depth: place.depth + 1 });
        self.within.remove(name);
        self.known.insert(name.to_owned(), inner.clone());
        inner
    }

    /// Which ends of a step pass.
    fn passes(&mut self, place: Place<'p, 'r>, step: &'p Step) -> Passes {
        match (self.passed, &step.kind) {
            (Passed::Step(id), _) if place.is_top && step.id.as_str() == id => Passes::Completed,
            (Passed::Approval(required), StepKind::HumanApproval(approval)) => {
                let satisfies = satisfies(self.world.policies, approval, step, &required.approval);
                if satisfies { Passes::ByPeople } else { Passes::Never }
            }
            (_, StepKind::Foreach(foreach)) => {
                // Without items nothing inside it runs.
                let has_items = items_of(place.process.process, foreach).is_some_and(|items| items.least > 0);
                let all = has_items && foreach.on_item_failure == OnFailure::Fail && place.depth < MAX_DEPTH;
                let inner = Place { steps: &foreach.steps, depth: place.depth + 1, ..place };
                if all && self.completes_only_passed(inner) { Passes::Completed } else { Passes::Never }
            }
            (Passed::Approval(required), StepKind::Process(call)) if call.wait => {
                match self.process_passes(place, call.process.as_str()) {
                    true => Passes::Completed,
                    false if self.returns_approval(call.process.as_str(), required) => Passes::ByPeople,
                    false => Passes::Never,
                }
            }
            _ => Passes::Never,
        }
    }

    fn model(&self, place: Place<'p, 'r>) -> Model<'p> {
        let World { processes, default_timeout, .. } = *self.world;
        let children = |name: &str| processes.get(name).map(|scope| &**scope.process);
        Model::beside(place.process.process, default_timeout, place.steps, &children)
    }

    /// Whether a process returns the decision of an approval that people who are demanded give.
    fn returns_approval(&self, name: &str, required: &PassesApproval) -> bool {
        let child = self.world.processes.get(name).filter(|child| is_whole(child));
        let returned = child.and_then(|child| returned(child.process));
        returned.is_some_and(|returned| match &returned.approval.kind {
            StepKind::HumanApproval(approval) => {
                satisfies(self.world.policies, approval, returned.approval, &required.approval)
            }
            _ => false,
        })
    }

    fn process_passes(&mut self, place: Place<'p, 'r>, name: &str) -> bool {
        if let Some(known) = self.passing.get(name) {
            return *known;
        }
        let Some(child) = self.world.processes.get(name).copied() else { return false };
        if place.depth >= MAX_DEPTH {
            return false;
        }
        // Where a process runs itself, nothing is claimed of it.
        self.passing.insert(name.to_owned(), false);
        let steps = &child.process.steps;
        let inner = Place { process: child, steps, is_top: false, depth: place.depth + 1 };
        let passes = self.completes_only_passed(inner);
        self.passing.insert(name.to_owned(), passes);
        passes
    }

    /// Whether a list of steps that completes has passed.
    fn completes_only_passed(&mut self, place: Place<'p, 'r>) -> bool {
        let passes: Vec<Passes> = place.steps.iter().map(|step| self.passes(place, step)).collect();
        self.searches += 1;
        passes.iter().any(|one| *one != Passes::Never)
            && self.searches <= MAX_SEARCHES
            && search(&self.model(place), Goal::AllEnd, &passes, &[], &self.world.allowance) == Found::Nothing
    }
}

impl<'r> Answer<'r> {
    fn says_something(&self) -> bool {
        self.ever || self.worst.is_some() || self.unsure.is_some() || self.faulty
    }

    fn take(&mut self, told: Told<'r>) {
        if self.worst.as_ref().is_none_or(|worst| told.length() < worst.length()) {
            self.worst = Some(told);
        }
    }
}

fn not_followed(model: &Model<'_>, asking: StepIndex) -> String {
    let step = model.id(asking);
    if model.asks_about_ends(asking) {
        format!("what `{step}` asks about how other steps ended could not be followed")
    } else if model.is_unsure(asking) {
        format!("whether what `{step}` asks may hold together with what other steps ask is not known")
    } else if model.asks_about_steps(asking) {
        format!("whether `{step}` asks before or after what it asks about has ended is not known")
    } else {
        format!("whether `{step}` can begin again alone, where what was undone begins again, is not known")
    }
}

fn too_many(step: &str) -> String {
    format!("there are too many ways to `{step}` to look at each")
}
