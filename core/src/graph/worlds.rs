//! Which outputs may be missing when a step runs: a process is played in many worlds (conditions true or false, tolerated
//! failures or none, for steps that run after failures one failure more), by the same edge rule that executions follow.
//! A missing output is only ever told with a world as its witness; where there are too many worlds, some are left out.

use std::collections::BTreeMap;

use super::words::bare;
use super::{Graph, StepIndex};
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::{Join, OnFailure, RunOn, Step, StepKind};
use crate::expression::{Reference, Template};

/// Most steps of a graph that is played: LANGUAGE allows no more.
const MAX_STEPS: usize = 1_000;
/// With up to this many choices every world is played.
const ALL_WORLDS_UP_TO: usize = 10;
/// Most worlds otherwise.
const MAX_WORLDS: usize = 2_048;
/// Most steps times worlds, so that the largest process takes well below a second.
const MAX_WORK: usize = 1_000_000;

/// When something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A step's `when`.
    When(StepIndex),
    /// The rest of a step.
    Step(StepIndex),
    /// The outputs of a process that completed.
    End,
}

/// Which outputs may be missing when.
#[derive(Debug)]
pub struct Missing {
    at_when: Vec<Bits>,
    in_step: Vec<Bits>,
    at_end: Bits,
}

impl Missing {
    /// Plays a graph.
    pub fn of(graph: &Graph<'_>) -> Self {
        let count = graph.len();
        let mut missing = Self {
            at_when: vec![Bits::none(count); count],
            in_step: vec![Bits::none(count); count],
            at_end: Bits::none(count),
        };
        if count <= MAX_STEPS {
            Play::new(graph).play(&mut missing);
        }
        missing
    }

    /// Whether the output of `read` may be missing at this moment.
    pub fn may_be(&self, read: StepIndex, moment: Moment) -> bool {
        match moment {
            Moment::When(step) => self.at_when[step].has(read),
            Moment::Step(step) => self.in_step[step].has(read),
            Moment::End => self.at_end.has(read),
        }
    }
}

/// A set of steps.
#[derive(Debug, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn add(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    fn has(&self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, more)| *own |= more);
    }
}

/// What became of a step in one world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It gave its output.
    Done,
    /// It failed, which is tolerated: its edges are ok, its output is missing.
    Tolerated,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
}

/// A condition: choices that must come out so, and steps that it reads and which therefore must have run.
#[derive(Debug, Clone, Default)]
struct Condition {
    atoms: Vec<(usize, bool)>,
    reads: Vec<StepIndex>,
}

/// A branch of a gateway: its condition, or none for `otherwise`, and its targets.
type Way = (Option<Condition>, Vec<StepIndex>);

struct Play<'graph, 'process> {
    graph: &'graph Graph<'process>,
    whens: Vec<Option<Condition>>,
    branches: BTreeMap<StepIndex, Vec<Way>>,
    /// For each step whose failure is tolerated, the choice that says whether it fails.
    tolerated: BTreeMap<StepIndex, usize>,
    choices: usize,
}

/// Choices by the text of their condition: the same text comes out the same everywhere.
#[derive(Default)]
struct Atoms(BTreeMap<String, usize>);

impl<'graph, 'process> Play<'graph, 'process> {
    fn new(graph: &'graph Graph<'process>) -> Self {
        let mut atoms = Atoms::default();
        let mut tolerated_steps = Vec::new();
        let mut branches = BTreeMap::new();
        let mut whens = Vec::with_capacity(graph.len());
        for (index, step) in graph.steps().enumerate() {
            whens.push(step.when.as_ref().map(|when| atoms.condition(graph, when)));
            if step.on_failure == OnFailure::Continue && can_fail(step) {
                tolerated_steps.push(index);
            }
            if let StepKind::Gateway(gateway) = &step.kind {
                let ways = gateway.branches.iter().map(|branch| {
                    let targets = branch.to.iter().filter_map(|id| graph.meant(id.as_str())).collect();
                    (branch.when.as_ref().map(|when| atoms.condition(graph, when)), targets)
                });
                branches.insert(index, ways.collect());
            }
        }
        let first = atoms.0.len();
        let tolerated: BTreeMap<StepIndex, usize> =
            tolerated_steps.into_iter().enumerate().map(|(offset, step)| (step, first + offset)).collect();
        let choices = first + tolerated.len();
        Self { graph, whens, branches, tolerated, choices }
    }

    fn play(&self, missing: &mut Missing) {
        let worlds = self.worlds();
        for world in &worlds {
            self.world(world, None, missing);
        }
        let after_failures = |step: &Step| matches!(step.run_on, RunOn::Failure | RunOn::Always);
        if !self.graph.steps().any(after_failures) {
            return;
        }
        let failing: Vec<StepIndex> = (0..self.graph.len()).filter(|index| can_fail(self.graph.step(*index))).collect();
        let affordable = MAX_WORK / self.graph.len().max(1) / failing.len().max(1);
        for world in worlds.iter().take(affordable.max(1)) {
            for failure in &failing {
                self.world(world, Some(*failure), missing);
            }
        }
    }

    /// The worlds to play: each choice as a bit. A tolerated failure counts as true.
    fn worlds(&self) -> Vec<Vec<bool>> {
        let affordable = (MAX_WORK / self.graph.len().max(1)).clamp(2, MAX_WORLDS);
        let count = self.choices;
        if count <= ALL_WORLDS_UP_TO && (1 << count) <= affordable {
            return (0..1_usize << count).map(|bits| (0..count).map(|at| bits & (1 << at) != 0).collect()).collect();
        }
        let mut worlds = vec![vec![true; count], vec![false; count]];
        for (plain, flips) in [(false, 1), (true, 1), (false, 2), (true, 2)] {
            for first in 0..count {
                let seconds = if flips == 1 { first..first + 1 } else { first + 1..count };
                for second in seconds {
                    if worlds.len() >= affordable {
                        return worlds;
                    }
                    let mut world = vec![plain; count];
                    world[first] = !plain;
                    world[second] = !plain;
                    worlds.push(world);
                }
            }
        }
        worlds
    }

    /// Plays one world. Without a failure, a world in which something fails that nobody tolerates says nothing: the
    /// execution has failed by then, and only steps that run after failures matter.
    fn world(&self, world: &[bool], failure: Option<StepIndex>, missing: &mut Missing) {
        let mut fates = vec![Fate::Skipped; self.graph.len()];
        let mut taken: BTreeMap<StepIndex, Vec<StepIndex>> = BTreeMap::new();
        let mut due = Vec::new();
        let mut ran = Vec::new();
        for index in self.graph.order().iter().copied() {
            let step = self.graph.step(index);
            if !self.is_due(index, &fates, &taken) {
                continue;
            }
            due.push(index);
            let holds = match &self.whens[index] {
                Some(condition) => Self::holds(condition, world, &fates),
                None => true,
            };
            if !holds {
                continue;
            }
            ran.push(index);
            fates[index] = match self.tolerated.get(&index) {
                Some(choice) if world[*choice] => Fate::Tolerated,
                _ if failure == Some(index) && step.on_failure == OnFailure::Continue => Fate::Tolerated,
                _ if failure == Some(index) => Fate::Failed,
                _ => Fate::Done,
            };
            if fates[index] == Fate::Done && self.branches.contains_key(&index) {
                match self.taken(index, world, &fates) {
                    Some(targets) => drop(taken.insert(index, targets)),
                    None if step.on_failure == OnFailure::Continue => fates[index] = Fate::Tolerated,
                    None => return,
                }
            }
        }
        self.note(&fates, failure.is_some(), &due, &ran, missing);
    }

    fn note(&self, fates: &[Fate], failed: bool, due: &[StepIndex], ran: &[StepIndex], missing: &mut Missing) {
        let mut absent = Bits::none(self.graph.len());
        for index in self.graph.order() {
            if fates[*index] != Fate::Done {
                absent.add(*index);
            }
        }
        let counts = |index: StepIndex| {
            let after_failures = matches!(self.graph.step(index).run_on, RunOn::Failure | RunOn::Always);
            !failed || after_failures
        };
        for index in due.iter().copied().filter(|index| counts(*index)) {
            missing.at_when[index].add_all(&absent);
            self.note_early(index, fates, &mut missing.at_when[index]);
        }
        for index in ran.iter().copied().filter(|index| counts(*index)) {
            missing.in_step[index].add_all(&absent);
            self.note_early(index, fates, &mut missing.in_step[index]);
        }
        if !failed {
            missing.at_end.add_all(&absent);
        }
    }

    /// A step with `join: any` starts after its first ok edge: the others need not have ended.
    fn note_early(&self, index: StepIndex, fates: &[Fate], missing: &mut Bits) {
        let edges = self.graph.before(index);
        if self.graph.step(index).join != Join::Any || edges.len() < 2 {
            return;
        }
        let ok = |fate: Fate| matches!(fate, Fate::Done | Fate::Tolerated);
        for edge in edges.iter().filter(|edge| ok(fates[edge.from])) {
            let mut ended = self.graph.ancestors(edge.from);
            ended.insert(edge.from);
            for ancestor in self.graph.ancestors(index).difference(&ended) {
                missing.add(*ancestor);
            }
        }
    }

    /// Whether a step's edges let it run: the edge rule of `execution::edges`, with every edge ended.
    fn is_due(&self, index: StepIndex, fates: &[Fate], taken: &BTreeMap<StepIndex, Vec<StepIndex>>) -> bool {
        let step = self.graph.step(index);
        let (mut ok, mut bad) = (false, false);
        let edges = self.graph.before(index);
        for edge in edges {
            match fates[edge.from] {
                Fate::Done if edge.gateway => {
                    ok |= taken.get(&edge.from).is_some_and(|targets| targets.contains(&index));
                }
                Fate::Tolerated if edge.gateway => {}
                Fate::Done | Fate::Tolerated => ok = true,
                Fate::Failed => bad = true,
                Fate::Skipped => {}
            }
        }
        match step.run_on {
            RunOn::Success if step.join == Join::Any && ok => true,
            RunOn::Success => !bad && (ok || edges.is_empty()),
            RunOn::Failure => bad,
            RunOn::Always => true,
            RunOn::Compensation => false,
        }
    }

    fn holds(condition: &Condition, world: &[bool], fates: &[Fate]) -> bool {
        let readable = condition.reads.iter().all(|step| fates[*step] == Fate::Done);
        readable && condition.atoms.iter().all(|(atom, expected)| world[*atom] == *expected)
    }

    /// Where a gateway leads; nothing where no branch holds and there is no `otherwise`, which fails it.
    fn taken(&self, index: StepIndex, world: &[bool], fates: &[Fate]) -> Option<Vec<StepIndex>> {
        let StepKind::Gateway(gateway) = &self.graph.step(index).kind else { return None };
        let branches = self.branches.get(&index)?;
        let mut targets = Vec::new();
        for (condition, to) in branches {
            if condition.as_ref().is_some_and(|condition| Self::holds(condition, world, fates)) {
                targets.extend(to);
                if gateway.mode == GatewayMode::First {
                    return Some(targets);
                }
            }
        }
        if targets.is_empty() {
            targets.extend(&branches.iter().find(|(condition, _)| condition.is_none())?.1);
        }
        Some(targets)
    }
}

impl Atoms {
    fn condition(&mut self, graph: &Graph<'_>, when: &serde_json::Value) -> Condition {
        let Some(text) = when.as_str() else {
            // A literal: true always holds; false is a fault of its own, and nothing behind it is judged.
            return Condition::default();
        };
        let reads = Template::parse(text).map(|template| required_steps(graph, &template)).unwrap_or_default();
        let whole = bare(text);
        let simple = ![" or ", "(", " if ", "\"", "'"].iter().any(|mark| whole.contains(mark));
        let parts: Vec<&str> = if simple { whole.split(" and ").collect() } else { vec![whole.as_str()] };
        let atoms = parts.into_iter().map(|part| {
            let words = part.split_whitespace().collect::<Vec<_>>().join(" ");
            match words.strip_prefix("not ").filter(|_| simple) {
                Some(rest) => (self.number(rest), false),
                None => (self.number(&words), true),
            }
        });
        Condition { atoms: atoms.collect(), reads }
    }

    fn number(&mut self, words: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(words.to_owned()).or_insert(next)
    }
}

/// The steps whose output a condition reads without providing for its absence, or which it asks to be completed: where
/// one is missing, what the condition guards does not run.
fn required_steps(graph: &Graph<'_>, template: &Template) -> Vec<StepIndex> {
    let asks_for_completion = template.text().contains("completed");
    let bound = |reference: &&Reference| {
        let needed = match reference.name(2) {
            Some("output") => !reference.has_default && !reference.conditional,
            Some("status") => asks_for_completion,
            _ => false,
        };
        reference.root() == "steps" && needed
    };
    template.references().iter().filter(bound).filter_map(|reference| graph.find(reference.name(1)?)).collect()
}

/// Whether a step may fail for reasons outside the process. What is only computed is taken to succeed.
fn can_fail(step: &Step) -> bool {
    !matches!(step.kind, StepKind::Set(_) | StepKind::Gateway(_) | StepKind::Wait(_))
}
