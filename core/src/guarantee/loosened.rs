//! Compares in which runs a step starts in two versions of a list of steps: whether it starts now although an approval
//! ended in a way in which it did not start before. What both versions ask alike is answered alike in both.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::conditions::{Atom, Condition, Truth};
use super::copies::Children;
use super::model::{Fate, Model};
use super::search::{Found, Goal, Passes, Wanted, slice};
use super::start::starts_where;
use crate::definition::step::{RunOn, StepKind};
use crate::definition::{Process, Step};
use crate::graph::StepIndex;
use crate::source::Spanned;
use crate::value::Duration;

/// Up to so many truths are combined in every way; of more only two at a time are.
const ALL_COMBINED: usize = 4;
/// Truths beyond that are left open.
const MAX_TRUTHS: usize = 12;

/// How an approval may stand other than approved by people, in the order in which it is looked for.
const ENDS: [Fate; 8] = [
    Fate::Open,
    Fate::RejectedOn,
    Fate::Failed,
    Fate::Tolerated,
    Fate::Expired,
    Fate::LapsedApproved,
    Fate::Skipped,
    Fate::Cancelled,
];

/// The runs of one version of a list of steps.
pub(crate) struct Runs<'p> {
    model: Model<'p>,
}

/// A step that asks people, by its places in both versions.
#[derive(Clone, Copy)]
pub(crate) struct Approval<'a> {
    pub(crate) before: StepIndex,
    pub(crate) after: StepIndex,
    /// Other steps that ask at least as much, before and after: runs in which one of them was given do not count.
    pub(crate) instead: (&'a [StepIndex], &'a [StepIndex]),
    /// Whether it is told elsewhere that it may be skipped.
    pub(crate) is_skipped_elsewhere: bool,
}

/// Two versions of a list of steps.
pub(crate) struct Versions<'v, 'p> {
    pub(crate) before: &'v Runs<'p>,
    pub(crate) after: &'v Runs<'p>,
    /// The text that a condition from before has after; nothing where it means something else there.
    pub(crate) renamed: &'v dyn Fn(&str) -> Option<String>,
    /// How many transitions the searches may still make, all together.
    pub(crate) allowance: &'v Cell<usize>,
}

/// A step in both versions.
pub(crate) struct Starting {
    step: (StepIndex, StepIndex),
    /// The steps that decide whether it starts.
    deciding: (BTreeSet<StepIndex>, BTreeSet<StepIndex>),
}

/// Truths of the version before and of that after, each with its value.
type Given = (Vec<(Atom, Truth)>, Vec<(Atom, Truth)>);

impl<'p> Runs<'p> {
    /// `default` is `defaults.timeout` of `flow.yaml`.
    pub(crate) fn of(
        process: &Process,
        default: Option<Spanned<Duration>>,
        steps: &'p [Step],
        children: Children<'_, 'p>,
    ) -> Self {
        Self { model: Model::beside(process, default, steps, children) }
    }

    /// The place of a step that the list has.
    pub(crate) fn place(&self, step: &Step) -> Option<StepIndex> {
        let place = self.model.graph.find(step.id.as_str())?;
        (self.model.graph.step(place).node == step.node).then_some(place)
    }

    /// For each step whether something holds of it, or of a step before it.
    pub(crate) fn reached_by(&self, holds: &dyn Fn(&Step) -> bool) -> Vec<bool> {
        let graph = &self.model.graph;
        let mut reached: Vec<bool> = graph.steps().map(holds).collect();
        for step in graph.order().iter().copied() {
            reached[step] |= self.model.before(step).iter().any(|edge| reached[edge.from]);
        }
        for step in 0..graph.len() {
            if self.model.nodes[step].run_on == RunOn::Compensation {
                reached[step] |= graph.undone_by(step).any(|undone| reached[undone]);
            }
        }
        reached
    }

    /// The steps that decide whether a step starts.
    fn deciding(&self, step: StepIndex) -> BTreeSet<StepIndex> {
        let mut goals = vec![Goal::Starts(step)];
        if self.model.nodes[step].run_on == RunOn::Compensation {
            goals.extend(self.model.graph.undone_by(step).map(Goal::Completes));
        }
        goals.into_iter().filter_map(|goal| slice(&self.model, goal)).flatten().collect()
    }

    /// The truths that some steps ask about, with their texts.
    fn truths(&self, steps: &BTreeSet<StepIndex>) -> Vec<(Atom, &str)> {
        let nodes = steps.iter().map(|step| &self.model.nodes[*step]);
        let conditions =
            nodes.flat_map(|node| node.when.iter().chain(node.branches.iter().filter_map(|way| way.when.as_ref())));
        let asked: BTreeSet<Atom> = conditions.flat_map(Condition::all_parts).filter_map(|part| part.atom()).collect();
        self.model.atoms.texts().filter(|(_, atom)| asked.contains(atom)).map(|(text, atom)| (atom, text)).collect()
    }

    /// Whether truths may have these values together.
    fn allows(&self, given: &[(Atom, Truth)]) -> bool {
        let known = |atom: Atom| given.iter().find(|(other, _)| *other == atom).map(|(_, truth)| *truth);
        given.iter().all(|(atom, truth)| self.model.related.allows(*atom, *truth, &known))
    }

    fn starts(
        &self,
        step: StepIndex,
        fate: Option<(StepIndex, Fate)>,
        given: &[(Atom, Truth)],
        instead: &[StepIndex],
        allowance: &Cell<usize>,
    ) -> Found {
        let mut passes = vec![Passes::Never; self.model.graph.len()];
        for other in instead {
            let is_approval = matches!(self.model.graph.step(*other).kind, StepKind::HumanApproval(_));
            passes[*other] = if is_approval { Passes::ByPeople } else { Passes::Completed };
        }
        starts_where(&self.model, step, &passes, &Wanted { completed: &[], fate, given }, allowance)
    }
}

impl Versions<'_, '_> {
    /// A step by its places in both versions, with what decides whether it starts.
    pub(crate) fn starting(&self, before: StepIndex, after: StepIndex) -> Starting {
        Starting { step: (before, after), deciding: (self.before.deciding(before), self.after.deciding(after)) }
    }

    /// How an approval ended, in words, in a run in which a step starts now and did not start before, where it would have
    /// started if people had approved. What could not be looked at for its size is taken to be as before. `by_case`: looks
    /// at each answer to what conditions ask for itself, in place of all together.
    pub(crate) fn starts_newly(
        &self,
        starting: &Starting,
        approval: Approval<'_>,
        by_case: bool,
    ) -> Option<&'static str> {
        let Starting { step, deciding } = starting;
        if self.allowance.get() == 0 || !deciding.0.contains(&approval.before) {
            return None;
        }
        let is_awaited = deciding.1.contains(&approval.after);
        let ends = &self.before.model.nodes[approval.before].ends;
        let may_end = |fate: &Fate| match fate {
            Fate::Skipped => is_awaited && !approval.is_skipped_elsewhere,
            Fate::Open => true,
            Fate::Cancelled => is_awaited,
            fate => is_awaited && ends.contains(fate),
        };
        let mut ends: Vec<Fate> = ENDS.into_iter().filter(may_end).collect();
        let before = |fate: Fate, given: &Given, instead: &[StepIndex]| {
            self.charge(&deciding.0);
            self.before.starts(step.0, Some((approval.before, fate)), &given.0, instead, self.allowance)
        };
        let after = |fate: Fate, given: &Given| {
            self.charge(&deciding.1);
            let fate = is_awaited.then_some((approval.after, fate));
            self.after.starts(step.1, fate, &given.1, approval.instead.1, self.allowance)
        };
        let mut cases = vec![Given::default()];
        if by_case {
            // What no run shows, no case shows.
            ends.retain(|fate| after(*fate, &Given::default()) != Found::Nothing);
            cases = if ends.is_empty() { Vec::new() } else { self.given(&deciding.0) };
        }
        let found =
            cases.iter().filter(|given| before(Fate::Completed, given, &[]) != Found::Nothing).find_map(|given| {
                ends.iter().copied().find(|fate| {
                    matches!(after(*fate, given), Found::Run(_) | Found::Unsure(_))
                        && before(*fate, given, approval.instead.0) == Found::Nothing
                        && self.allowance.get() > 0
                })
            });
        found.map(|fate| self.in_words(approval, fate))
    }

    /// To prepare a search costs as well.
    fn charge(&self, deciding: &BTreeSet<StepIndex>) {
        self.allowance.set(self.allowance.get().saturating_sub(deciding.len()));
    }

    /// Values of what the steps that decide ask, as far as they may be so together.
    fn given(&self, deciding: &BTreeSet<StepIndex>) -> Vec<Given> {
        let names: BTreeMap<&str, Atom> = self.after.model.atoms.texts().collect();
        let truths = self.before.truths(deciding).into_iter().filter_map(|(atom, text)| {
            let renamed = (self.renamed)(text)?;
            Some((atom, names.get(renamed.as_str()).copied()))
        });
        let truths: Vec<(Atom, Option<Atom>)> = truths.take(MAX_TRUTHS).collect();
        let combined = combinations(truths.len()).into_iter().map(|values| {
            let mut given = Given::default();
            for (place, value) in values {
                let (before, after) = truths[place];
                let truth = if value { Truth::True } else { Truth::False };
                given.0.push((before, truth));
                given.1.extend(after.map(|after| (after, truth)));
            }
            given
        });
        combined.filter(|(before, after)| self.before.allows(before) && self.after.allows(after)).collect()
    }

    fn in_words(&self, approval: Approval<'_>, fate: Fate) -> &'static str {
        let model = &self.before.model;
        let is_approval = matches!(model.graph.step(approval.before).kind, StepKind::HumanApproval(_));
        let fails_rejected = is_approval && !model.nodes[approval.before].ends.contains(&Fate::RejectedOn);
        match fate {
            Fate::RejectedOn => "is rejected",
            Fate::Failed | Fate::Tolerated if fails_rejected => "is rejected",
            Fate::Failed | Fate::Tolerated => "fails",
            Fate::Expired => "gets no answer",
            Fate::LapsedApproved => "is approved by its deadline",
            Fate::Skipped => "is skipped",
            Fate::Cancelled => "is cancelled",
            Fate::Open | Fate::Completed | Fate::Took(_) => "is still open",
        }
    }
}

/// Values of so many truths, by their places. What a run does not depend on is left open.
fn combinations(count: usize) -> Vec<Vec<(usize, bool)>> {
    let mut found = vec![Vec::new()];
    for place in 0..count {
        let fits = |known: &&Vec<(usize, bool)>| count <= ALL_COMBINED || known.len() < 2;
        let more: Vec<_> = found.iter().filter(fits).flat_map(|known| with(known, place)).collect();
        found.extend(more);
    }
    found.remove(0);
    found
}

fn with(known: &[(usize, bool)], place: usize) -> [Vec<(usize, bool)>; 2] {
    [true, false].map(|value| known.iter().copied().chain([(place, value)]).collect())
}
