//! A run as a person reads it: the steps from the start to the one that it is about, what they did, and what became of
//! those that should have been passed.

use super::conditions::bare;
use super::every_path::{World, demand, satisfies};
use super::model::{Fate, Model};
use super::search::{Passes, Run, Why};
use super::verdict::{Counterexample, Place};
use crate::approval::Demand;
use crate::definition::process::Passes as Passed;
use crate::definition::step::{Join, RunOn, StepKind};
use crate::graph::StepIndex;
use crate::source::Span;
use crate::validate::ProcessScope;

/// Longest condition that is shown whole.
const LONGEST_CONDITION: usize = 60;
/// Most notes behind a path.
const MAX_NOTES: usize = 4;

/// A run in words.
#[derive(Debug, Clone)]
pub(super) struct Told<'r> {
    pub(super) words: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) places: Vec<Place<'r>>,
    pub(super) help: Option<String>,
}

impl<'r> Told<'r> {
    /// The run as what is told against a guarantee.
    pub(super) fn into_counterexample(self) -> Counterexample<'r> {
        let path = std::iter::once("`start`".to_owned()).chain(self.words).collect::<Vec<_>>().join(" → ");
        Counterexample { path, notes: self.notes, places: self.places, help: self.help }
    }

    /// What shorter is measured by.
    pub(super) fn length(&self) -> (usize, usize) {
        (self.words.len(), self.words.iter().map(String::len).sum())
    }

    /// This run up to a step, and a run inside that step.
    pub(super) fn around(mut self, inner: Self) -> Self {
        self.words.extend(inner.words);
        self.notes.extend(inner.notes);
        self.notes.truncate(MAX_NOTES);
        self.places.extend(inner.places);
        self.help = inner.help.or(self.help);
        self
    }
}

/// Tells.
pub(super) fn tell<'r>(
    process: &ProcessScope<'r>,
    model: &Model<'_>,
    run: &Run,
    target: StepIndex,
    passes: &[Passes],
    world: &World<'_, 'r>,
    passed: &Passed,
) -> Told<'r> {
    let mut fates: Vec<Option<(Fate, Why)>> = vec![None; model.graph.len()];
    run.iter().for_each(|(step, fate, why)| fates[*step] = Some((*fate, *why)));
    let teller = Teller { process, model, fates: &fates, passes, target };
    let chain = teller.chain();
    let mut told = Told { words: Vec::new(), notes: Vec::new(), places: Vec::new(), help: None };
    for (at, step) in chain.iter().enumerate() {
        let (words, span) = teller.link(*step, chain.get(at + 1).copied());
        told.places.push(Place { file: process.file, span, message: words.clone() });
        told.words.push(words);
    }
    teller.cancelled(&mut told);
    teller.notes(world, passed, &chain, &mut told);
    // Where other people approved on this way, to ask for one that lies on another way would only close this one.
    let others = chain.iter().filter(|step| passes[**step] == Passes::Never && teller.is_on_another_way(**step));
    let instead = others.filter_map(|step| teller.not_enough(*step, world, passed)).map(|(_, help)| help).next();
    // A step that passes is nearer at hand than an approval that would have to be changed.
    told.help = instead
        .or_else(|| teller.help(&chain))
        .or(told.help)
        .or_else(|| Some(format!("put such a step before `{}`, on every way to it", model.id(target))));
    told
}

struct Teller<'t, 'r> {
    process: &'t ProcessScope<'r>,
    model: &'t Model<'t>,
    fates: &'t [Option<(Fate, Why)>],
    passes: &'t [Passes],
    target: StepIndex,
}

impl<'r> Teller<'_, 'r> {
    fn fate(&self, step: StepIndex) -> Option<Fate> {
        self.fates[step].map(|(fate, _)| fate)
    }

    /// The steps from the first one to the target, each because of the one before it.
    fn chain(&self) -> Vec<StepIndex> {
        let mut chain = vec![self.target];
        let mut at = self.target;
        while let Some(before) = self.because(at) {
            chain.push(before);
            // What did not run has no further cause that a reader needs.
            if matches!(self.fate(before), Some(Fate::Skipped | Fate::Cancelled | Fate::Open) | None) {
                break;
            }
            at = before;
        }
        chain.reverse();
        chain
    }

    /// The step before another one that let it run.
    fn because(&self, step: StepIndex) -> Option<StepIndex> {
        let node = &self.model.nodes[step];
        if node.run_on == RunOn::Compensation {
            return self.model.graph.undone_by(step).find(|undone| self.fate(*undone).is_some_and(Fate::is_completed));
        }
        let weight = |from: StepIndex, gateway: bool| match (self.fate(from)?, node.run_on) {
            (Fate::Open, _) => None,
            (Fate::Failed, RunOn::Failure) => Some(0),
            (Fate::Cancelled, RunOn::Failure) => Some(1),
            (_, RunOn::Failure) => None,
            (Fate::Took(taken), _) if gateway => self.leads(from, taken, step).then_some(0),
            (Fate::Skipped | Fate::Failed | Fate::Cancelled, RunOn::Always) => Some(3),
            (Fate::Skipped | Fate::Failed | Fate::Cancelled, _) => None,
            (Fate::Tolerated, _) if gateway => None,
            (Fate::Tolerated, _) => Some(2),
            _ => Some(1),
        };
        let edges = self.model.before(step).iter();
        edges.filter_map(|edge| Some((weight(edge.from, edge.gateway)?, edge.from))).min().map(|(_, from)| from)
    }

    fn leads(&self, gateway: StepIndex, taken: u64, to: StepIndex) -> bool {
        self.way(gateway, taken, to).is_some()
    }

    /// The branch that a gateway took to a step.
    fn way(&self, gateway: StepIndex, taken: u64, to: StepIndex) -> Option<usize> {
        let ways = self.model.nodes[gateway].branches.iter().enumerate();
        ways.filter(|(at, _)| taken & (1 << at) != 0).find(|(_, way)| way.to.contains(&to)).map(|(at, _)| at)
    }

    /// One link of the chain and its place.
    fn link(&self, step: StepIndex, next: Option<StepIndex>) -> (String, Span) {
        let definition = self.model.graph.step(step);
        let id = definition.id.as_str();
        let mut span = definition.id.span;
        let (fate, why) = self.fates[step].unwrap_or((Fate::Open, Why::Course));
        if step == self.target {
            return (format!("`{id}` starts"), span);
        }
        let whose = match &definition.kind {
            StepKind::Process(call) => format!("the approval in `{}`", call.process.as_str()),
            _ => format!("`{id}`"),
        };
        let words = match fate {
            Fate::Took(taken) => match next.and_then(|next| Some((next, self.way(step, taken, next)?))) {
                Some((next, way)) => {
                    if let StepKind::Gateway(gateway) = &definition.kind {
                        let branch = &gateway.branches[way];
                        span =
                            branch.to.iter().find(|to| to.as_str() == self.model.id(next)).map_or(span, |to| to.span);
                    }
                    format!("`{id}` takes `{}` ({})", self.model.id(next), self.condition(step, way))
                }
                None => format!("`{id}`"),
            },
            Fate::Completed if matches!(definition.kind, StepKind::HumanApproval(_)) => format!("`{id}` is approved"),
            Fate::Completed => format!("`{id}`"),
            Fate::LapsedApproved => format!("{whose} gets no answer and counts as approved (`on_timeout: approve`)"),
            Fate::RejectedOn => format!("{whose} is rejected and goes on (`on_reject: continue`)"),
            Fate::Expired => format!("{whose} gets no answer and goes on (`on_timeout: continue`)"),
            Fate::Tolerated => format!("`{id}` fails, which is tolerated"),
            Fate::Failed if why == Why::Error => format!("`{id}` fails, for a condition cannot be evaluated"),
            Fate::Failed => format!("`{id}` fails"),
            Fate::Skipped => format!("`{id}` is skipped"),
            Fate::Cancelled => format!("the execution is cancelled before `{id}` ends"),
            Fate::Open => format!("`{id}` has not ended"),
        };
        (words, span)
    }

    fn condition(&self, gateway: StepIndex, way: usize) -> String {
        let condition = self.model.nodes[gateway].branches.get(way).and_then(|way| way.when.as_ref());
        let text = condition.map_or("otherwise", |condition| condition.text.as_str());
        shortened(text)
    }

    /// What somebody does where the run needs it, beside the course of the process.
    fn cancelled(&self, told: &mut Told<'_>) {
        let cancelled = self.fates.iter().flatten().any(|(fate, _)| *fate == Fate::Cancelled);
        let node = &self.model.nodes[self.target];
        let last = told.words.len().saturating_sub(1);
        if node.run_on == RunOn::Compensation {
            told.words.insert(last, "the execution fails or is cancelled".to_owned());
        } else if cancelled && node.run_on != RunOn::Always {
            told.words.insert(last, "somebody retries from there alone".to_owned());
        }
    }

    /// What became of the steps that pass, or nearly do.
    fn notes(&self, world: &World<'_, '_>, passed: &Passed, chain: &[StepIndex], told: &mut Told<'r>) {
        for step in 0..self.model.graph.len() {
            if told.notes.len() >= MAX_NOTES || step == self.target {
                continue;
            }
            let note = if self.passes[step] == Passes::Never {
                self.not_enough(step, world, passed).map(|(note, help)| {
                    told.help.get_or_insert(help);
                    note
                })
            } else if chain.contains(&step) {
                None
            } else {
                Some(self.became(step))
            };
            if let Some(note) = note {
                let span = self.model.graph.step(step).id.span;
                told.places.push(Place { file: self.process.file, span, message: note.clone() });
                told.notes.push(note);
            }
        }
    }

    fn became(&self, step: StepIndex) -> String {
        let id = self.model.id(step);
        match self.fates[step] {
            None => format!("`{id}` is not on the way"),
            Some((Fate::Open, _)) => format!("`{id}` has not ended"),
            Some((Fate::Skipped, Why::Condition)) => format!("`{id}` was skipped, for its condition is false"),
            Some((Fate::Skipped, _)) => match self.failed_before(step) {
                Some(cause) => format!("`{id}` was skipped, for `{cause}` failed"),
                None => format!("`{id}` was skipped"),
            },
            Some((Fate::Tolerated, _)) => format!("`{id}` failed, which is tolerated"),
            Some((Fate::Failed, Why::Course)) if self.is_approval(step) => format!("`{id}` was not approved"),
            Some((Fate::Failed, _)) => format!("`{id}` failed"),
            Some((Fate::Cancelled, _)) => format!("`{id}` was cancelled"),
            Some((Fate::LapsedApproved, _)) => format!("`{id}` got no answer and counts as approved"),
            Some((Fate::RejectedOn, _)) => format!("`{id}` was rejected"),
            Some((Fate::Expired, _)) => format!("`{id}` got no answer"),
            Some((Fate::Completed | Fate::Took(_), _)) => format!("`{id}` completed"),
        }
    }

    fn is_approval(&self, step: StepIndex) -> bool {
        matches!(self.model.graph.step(step).kind, StepKind::HumanApproval(_))
    }

    /// A step right before a skipped one that failed.
    fn failed_before(&self, step: StepIndex) -> Option<&str> {
        let mut before = self.model.before(step).iter().map(|edge| edge.from);
        before.find(|from| self.fate(*from) == Some(Fate::Failed)).map(|from| self.model.id(from))
    }

    /// Whether no step that passes comes after this one.
    fn is_on_another_way(&self, step: StepIndex) -> bool {
        let mut passing = (0..self.model.graph.len()).filter(|other| self.passes[*other] != Passes::Never);
        passing.all(|other| !self.model.graph.ancestors(other).contains(&step))
    }

    /// An approval in the run that other people can give than those who are demanded.
    fn not_enough(&self, step: StepIndex, world: &World<'_, '_>, passed: &Passed) -> Option<(String, String)> {
        let definition = self.model.graph.step(step);
        let (StepKind::HumanApproval(approval), Passed::Approval(required)) = (&definition.kind, passed) else {
            return None;
        };
        self.fate(step).filter(|fate| fate.is_completed())?;
        let id = definition.id.as_str();
        let mut others = approval.clone();
        others.allow_author = false;
        if approval.allow_author && satisfies(world.policies, &others, definition, &required.approval) {
            let note = format!("`{id}` lets the author approve (`allow_author`)");
            return Some((note, format!("remove `allow_author` of `{id}`")));
        }
        let demand = demand(world.policies, &others, definition);
        let at_first = Demand { or: Vec::new(), ..demand.clone() };
        if !demand.or.is_empty() && at_first.implies(&required.approval) {
            let note = format!("`{id}` lets others approve after it escalates");
            return Some((note, format!("let `{id}` escalate only to people who are demanded")));
        }
        let note = format!("`{id}` asks for other or fewer approvers");
        Some((note, format!("ask for the demanded approvers in `{id}`")))
    }

    /// Which way to close.
    fn help(&self, chain: &[StepIndex]) -> Option<String> {
        let target = self.model.id(self.target);
        let passing =
            (0..self.model.graph.len()).filter(|step| self.passes[*step] != Passes::Never && *step != self.target);
        let before = chain.len().checked_sub(2).and_then(|at| chain.get(at)).copied();
        let mut best: Option<(u8, String)> = None;
        for step in passing {
            let id = self.model.id(step);
            // Where only an approval lets it complete, its status says enough, and may be asked of a skipped one too.
            let surely = self.model.nodes[step].ends.iter().all(|end| !end.is_completed() || *end == Fate::Completed);
            let guard = match self.model.nodes[step].approved.as_ref().filter(|_| !surely) {
                Some(approved) => format!("`when: \"{{{{ {approved} }}}}\"`"),
                None => format!("`when: \"{{{{ steps.{id}.status == 'completed' }}}}\"`"),
            };
            let node = &self.model.nodes[self.target];
            let (rank, help) = match self.fate(step) {
                Some(Fate::LapsedApproved) => (0, format!("let `{id}` end with `on_timeout: reject`")),
                Some(Fate::Expired) => {
                    (0, format!("let `{id}` end with `on_timeout: reject`, or give `{target}` {guard}"))
                }
                Some(Fate::RejectedOn) => {
                    (0, format!("remove `on_reject: continue` of `{id}`, or give `{target}` {guard}"))
                }
                _ if node.run_on == RunOn::Compensation => {
                    let undone = before.map_or("what it undoes", |before| self.model.id(before));
                    (1, format!("let `{undone}` run only after `{id}`: it is undone whenever the execution fails"))
                }
                Some(Fate::Open) if node.join == Join::Any => {
                    (1, format!("let `{target}` wait for every step: `join: all`"))
                }
                Some(_) => match before.filter(|before| matches!(self.fate(*before), Some(Fate::Took(_)))) {
                    Some(gateway) => {
                        let gateway = self.model.id(gateway);
                        (1, format!("lead `{gateway}` to `{id}` instead of `{target}`, or give `{target}` {guard}"))
                    }
                    None => (1, format!("give `{target}` {guard}")),
                },
                None => (2, format!("add `{id}` to `depends_on` of `{target}`")),
            };
            if best.as_ref().is_none_or(|(known, _)| rank < *known) {
                best = Some((rank, help));
            }
        }
        best.map(|(_, help)| help)
    }
}

/// A condition without its braces, cut where it is long.
fn shortened(text: &str) -> String {
    let text = bare(text);
    if text.chars().count() <= LONGEST_CONDITION {
        return text;
    }
    let cut: String = text.chars().take(LONGEST_CONDITION - 1).collect();
    format!("{}…", cut.trim_end())
}
