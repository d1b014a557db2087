//! Which outputs may be missing when a step runs: a process is played in many worlds (conditions true or false, tolerated
//! failures or none, for steps that run after failures one failure more), by the same edge rule that executions follow.
//! A missing output is only ever told with a world as its witness; where there are too many worlds, some are left out.

use std::collections::BTreeMap;

use super::condition::{Asks, Choices, Reader, Required, Test, Truth};
use super::{Graph, StepIndex};
use crate::definition::step::gateway::GatewayMode;
use crate::definition::step::{Join, OnFailure, RunOn, Step, StepKind};
use crate::expression::Template;
use crate::expression::tree::Node;

/// Most steps of a graph that is played: LANGUAGE allows no more.
const MAX_STEPS: usize = 1_000;
/// With up to this many choices every world is played.
const ALL_WORLDS_UP_TO: usize = 10;
/// Most worlds otherwise.
const MAX_WORLDS: usize = 2_048;
/// Most steps times worlds, so that the largest process takes well below a second.
const MAX_WORK: usize = 1_000_000;
/// The same for one question, of which there may be some.
const MAX_WORK_OF_QUESTION: usize = 100_000;

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
    /// Those that need not have ended when a step with `join: any` starts.
    under_way: Vec<Bits>,
    /// Steps that their edges let run in some world.
    due: Bits,
    /// Steps that ran in some world.
    ran: Bits,
}

impl Missing {
    /// Plays a graph.
    pub fn of(graph: &Graph<'_>) -> Self {
        let count = graph.len();
        let mut missing = Self {
            at_when: vec![Bits::none(count); count],
            in_step: vec![Bits::none(count); count],
            at_end: Bits::none(count),
            under_way: vec![Bits::none(count); count],
            due: Bits::none(count),
            ran: Bits::none(count),
        };
        if count <= MAX_STEPS {
            Play::new(graph).play(MAX_WORK, &mut |seen| seen.note(&mut missing));
        }
        missing
    }

    /// Whether the output of a step may be missing where it is read after tests that [`Self::may_be`] does not know of.
    pub(crate) fn after_tests(graph: &Graph<'_>, question: &Question<'_>) -> bool {
        if graph.len() > MAX_STEPS {
            return false;
        }
        let mut play = Play::new(graph);
        let mut reader = Reader { graph, choices: &mut play.choices, adds: false };
        let known = question.known.iter().map(|(test, outcome)| (reader.test(question.template, test), *outcome));
        let known = known.collect();
        let (moment, read) = (question.moment, question.read);
        let mut asked = Asked { moment, read, known, is_missing: false };
        play.play(MAX_WORK_OF_QUESTION, &mut |seen| asked.is_missing = asked.is_missing || seen.answers(&asked));
        asked.is_missing
    }

    /// Whether a step that its edges let run was seen to run in no world. There may be worlds that nobody has looked at.
    pub(crate) fn was_never_seen(&self, step: StepIndex) -> bool {
        self.due.has(step) && !self.ran.has(step)
    }

    /// Whether `read` may not have ended yet at this moment, so that nothing of it can be read.
    pub fn may_be_under_way(&self, read: StepIndex, moment: Moment) -> bool {
        match moment {
            Moment::When(step) | Moment::Step(step) => self.under_way[step].has(read),
            Moment::End => false,
        }
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

    fn remove(&mut self, index: usize) {
        self.0[index / 64] &= !(1 << (index % 64));
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

impl Fate {
    fn status(self) -> &'static str {
        match self {
            Self::Done => "completed",
            Self::Tolerated | Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A condition.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Nothing where it always holds.
    pub(super) test: Option<Test>,
    /// The steps of which nobody can say after it that they gave nothing.
    known: Vec<StepIndex>,
}

/// A branch of a gateway: its condition, or none for `otherwise`, and its targets.
type Way = (Option<Condition>, Vec<StepIndex>);

pub(super) struct Play<'graph, 'process> {
    graph: &'graph Graph<'process>,
    pub(super) whens: Vec<Option<Condition>>,
    branches: BTreeMap<StepIndex, Vec<Way>>,
    /// For each step whose failure is tolerated, the choice that says whether it fails.
    tolerated: BTreeMap<StepIndex, usize>,
    /// The same of other steps that are let fail.
    failing: BTreeMap<StepIndex, usize>,
    choices: Choices,
    /// How many choices there are with those of `tolerated` and `failing`.
    pub(super) count: usize,
}

/// What is read where tests have come out one way, beyond the conditions of the steps.
#[derive(Debug)]
pub(crate) struct Question<'t> {
    /// When.
    pub(crate) moment: Moment,
    /// The step whose output is read.
    pub(crate) read: StepIndex,
    /// The text that reads it.
    pub(crate) template: &'t Template,
    /// The tests around the place.
    pub(crate) known: &'t [(&'t Node, bool)],
}

/// A question as worlds see it.
struct Asked {
    moment: Moment,
    read: StepIndex,
    known: Vec<(Test, bool)>,
    /// Whether some world is a witness.
    is_missing: bool,
}

impl<'graph, 'process> Play<'graph, 'process> {
    fn new(graph: &'graph Graph<'process>) -> Self {
        Self::within(graph, &|_| true)
    }

    /// Only the conditions of these steps count.
    pub(super) fn within(graph: &'graph Graph<'process>, counts: &dyn Fn(StepIndex) -> bool) -> Self {
        let mut choices = Choices::default();
        let mut reader = Reader { graph, choices: &mut choices, adds: true };
        let mut tolerated_steps = Vec::new();
        let mut branches = BTreeMap::new();
        let mut whens = Vec::with_capacity(graph.len());
        for (index, step) in graph.steps().enumerate() {
            whens.push(step.when.as_ref().filter(|_| counts(index)).map(|when| condition(&mut reader, when)));
            if !counts(index) {
                continue;
            }
            if step.on_failure == OnFailure::Continue && depends_on_others(step) {
                tolerated_steps.push(index);
            }
            if let StepKind::Gateway(gateway) = &step.kind {
                let ways = gateway.branches.iter().map(|branch| {
                    let targets = branch.to.iter().filter_map(|id| graph.meant(id.as_str())).collect();
                    (branch.when.as_ref().map(|when| condition(&mut reader, when)), targets)
                });
                branches.insert(index, ways.collect());
            }
        }
        let first = choices.len();
        let tolerated: BTreeMap<StepIndex, usize> =
            tolerated_steps.into_iter().enumerate().map(|(offset, step)| (step, first + offset)).collect();
        let count = first + tolerated.len();
        Self { graph, whens, branches, tolerated, failing: BTreeMap::new(), choices, count }
    }

    /// Lets each of these steps fail, too.
    pub(super) fn fail(&mut self, steps: impl Iterator<Item = StepIndex>) {
        for step in steps.filter(|step| !self.tolerated.contains_key(step)) {
            self.failing.insert(step, self.count);
            self.count += 1;
        }
    }

    /// Plays every world; nothing where there are too many.
    pub(super) fn play_all(&self, witness: &mut dyn FnMut(&Seen<'_>)) -> Option<()> {
        let worlds = Some(self.count).filter(|count| *count <= ALL_WORLDS_UP_TO)?;
        let worlds = Some(self.worlds(MAX_WORK_OF_QUESTION)).filter(|played| played.len() == 1 << worlds)?;
        worlds.iter().for_each(|world| self.world(world, None, witness));
        Some(())
    }

    fn play(&self, most: usize, witness: &mut dyn FnMut(&Seen<'_>)) {
        let worlds = self.worlds(most);
        for world in &worlds {
            self.world(world, None, witness);
        }
        let after_failures = |step: &Step| matches!(step.run_on, RunOn::Failure | RunOn::Always);
        if !self.graph.steps().any(after_failures) {
            return;
        }
        let failing: Vec<StepIndex> =
            (0..self.graph.len()).filter(|index| depends_on_others(self.graph.step(*index))).collect();
        let affordable = most / self.graph.len().max(1) / failing.len().max(1);
        for world in worlds.iter().take(affordable.max(1)) {
            for failure in &failing {
                self.world(world, Some(*failure), witness);
            }
        }
    }

    /// The worlds to play: each choice as a bit. A tolerated failure counts as true.
    fn worlds(&self, most: usize) -> Vec<Vec<bool>> {
        let mut worlds = self.combinations(most);
        // One thing is not two words at once.
        for choices in self.choices.exclusive() {
            for world in &mut worlds {
                let mut holding =
                    choices.iter().filter(|choice| world[**choice]).copied().collect::<Vec<_>>().into_iter();
                holding.next();
                holding.for_each(|choice| world[choice] = false);
            }
        }
        worlds
    }

    fn combinations(&self, most: usize) -> Vec<Vec<bool>> {
        let affordable = (most / self.graph.len().max(1)).clamp(2, MAX_WORLDS);
        let count = self.count;
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
    fn world(&self, world: &[bool], failure: Option<StepIndex>, witness: &mut dyn FnMut(&Seen<'_>)) {
        let mut fates = vec![Fate::Skipped; self.graph.len()];
        let mut taken: BTreeMap<StepIndex, Vec<StepIndex>> = BTreeMap::new();
        let mut due = Vec::with_capacity(self.graph.len());
        let mut ran = Vec::with_capacity(self.graph.len());
        for index in self.graph.order().iter().copied() {
            let step = self.graph.step(index);
            if !self.is_due(index, &fates, &taken) {
                continue;
            }
            due.push(index);
            let holds = match &self.whens[index] {
                Some(condition) => holds(condition, &World { choices: world, fates: &fates, taken: &taken }),
                None => true,
            };
            if !holds {
                continue;
            }
            ran.push(index);
            let fails = failure == Some(index) || self.failing.get(&index).is_some_and(|choice| world[*choice]);
            fates[index] = match self.tolerated.get(&index) {
                Some(choice) if world[*choice] => Fate::Tolerated,
                _ if fails && step.on_failure == OnFailure::Continue => Fate::Tolerated,
                _ if fails => Fate::Failed,
                _ => Fate::Done,
            };
            if fates[index] == Fate::Done && self.branches.contains_key(&index) {
                match self.taken(index, &World { choices: world, fates: &fates, taken: &taken }) {
                    Some(targets) => drop(taken.insert(index, targets)),
                    None if step.on_failure == OnFailure::Continue => fates[index] = Fate::Tolerated,
                    None => return,
                }
            }
        }
        let world = World { choices: world, fates: &fates, taken: &taken };
        witness(&Seen { play: self, world, has_failed: failure.is_some(), due: &due, ran: &ran });
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

    /// Where a gateway leads; nothing where no branch holds and there is no `otherwise`, which fails it.
    fn taken(&self, index: StepIndex, world: &World<'_>) -> Option<Vec<StepIndex>> {
        let StepKind::Gateway(gateway) = &self.graph.step(index).kind else { return None };
        let branches = self.branches.get(&index)?;
        let mut targets = Vec::new();
        for (condition, to) in branches {
            if condition.as_ref().is_some_and(|condition| holds(condition, world)) {
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

fn condition(reader: &mut Reader<'_, '_, '_>, when: &serde_json::Value) -> Condition {
    // A literal: true always holds; false is a fault of its own, and nothing behind it is judged.
    let Some(text) = when.as_str() else { return Condition::default() };
    let template = Template::parse(text).ok().filter(Template::is_native);
    let Some((template, node)) = template.as_ref().and_then(|template| Some((template, template.expression()?))) else {
        return Condition { test: Some(reader.unread(text)), known: Vec::new() };
    };
    let required = Required::by(template, node, true);
    let ids = required.completed.iter().chain(&required.unsure);
    let known = ids.filter_map(|id| reader.graph.find(id)).collect();
    Condition { test: Some(reader.test(template, node)), known }
}

/// A condition that decides whether something runs must certainly hold for that.
fn holds(condition: &Condition, world: &World<'_>) -> bool {
    condition.test.as_ref().is_none_or(|test| world.truth(test) == Truth::True)
}

/// A world.
struct World<'w> {
    choices: &'w [bool],
    fates: &'w [Fate],
    /// The steps to which each gateway leads.
    taken: &'w BTreeMap<StepIndex, Vec<StepIndex>>,
}

impl World<'_> {
    fn truth(&self, test: &Test) -> Truth {
        match test {
            Test::Constant(truth) => Truth::from(*truth),
            Test::Not(of) => match self.truth(of) {
                Truth::False => Truth::True,
                Truth::True => Truth::False,
                other => other,
            },
            Test::Both(left, right) => self.joined(left, right, Truth::False),
            Test::Either(left, right) => self.joined(left, right, Truth::True),
            Test::Leaf { needs, .. } if needs.iter().any(|step| self.fates[*step] != Fate::Done) => Truth::Error,
            Test::Leaf { asks, .. } => self.answer(asks),
        }
    }

    /// Two tests of which one that comes out as `decisive` decides.
    fn joined(&self, left: &Test, right: &Test, decisive: Truth) -> Truth {
        match self.truth(left) {
            Truth::Free if self.truth(right) == decisive => decisive,
            Truth::Free => Truth::Free,
            decided if decided == decisive || decided == Truth::Error => decided,
            _ => self.truth(right),
        }
    }

    fn answer(&self, asks: &Asks) -> Truth {
        let choice = |choice: Option<usize>| choice.map_or(Truth::Free, |choice| Truth::from(self.choices[choice]));
        match asks {
            Asks::Status(step, words) => {
                let status = self.fates[*step].status();
                Truth::from(words.iter().any(|word| word == status))
            }
            Asks::Output(step, _) if self.fates[*step] != Fate::Done => Truth::False,
            Asks::Output(_, part) => part.map_or(Truth::True, choice),
            Asks::Taken(gateway, target) => {
                Truth::from(self.taken.get(gateway).is_some_and(|taken| taken.contains(target)))
            }
            Asks::Without(step, without, _) if self.fates[*step] != Fate::Done => Truth::from(*without),
            Asks::Without(_, _, number) | Asks::Choice(number) => choice(*number),
        }
    }
}

/// A world that was played, with the steps that its edges let run and those that ran.
pub(super) struct Seen<'w> {
    play: &'w Play<'w, 'w>,
    world: World<'w>,
    has_failed: bool,
    due: &'w [StepIndex],
    pub(super) ran: &'w [StepIndex],
}

impl Seen<'_> {
    fn counts(&self, index: StepIndex) -> bool {
        let after_failures = matches!(self.play.graph.step(index).run_on, RunOn::Failure | RunOn::Always);
        !self.has_failed || after_failures
    }

    /// The outputs that are missing; for a step also those that it need not wait for.
    fn absent(&self) -> Bits {
        let mut absent = Bits::none(self.play.graph.len());
        for index in self.play.graph.order() {
            if self.world.fates[*index] != Fate::Done {
                absent.add(*index);
            }
        }
        absent
    }

    fn note(&self, missing: &mut Missing) {
        let absent = self.absent();
        self.due.iter().for_each(|index| missing.due.add(*index));
        self.ran.iter().for_each(|index| missing.ran.add(*index));
        for index in self.due.iter().copied().filter(|index| self.counts(*index)) {
            self.play.note_early(index, self.world.fates, &mut missing.under_way[index]);
            missing.at_when[index].add_all(&absent);
            missing.at_when[index].add_all(&missing.under_way[index]);
        }
        for index in self.ran.iter().copied().filter(|index| self.counts(*index)) {
            let known = self.play.whens[index].as_ref().map_or(&[][..], |condition| &condition.known);
            if known.is_empty() {
                missing.in_step[index].add_all(&absent);
                self.play.note_early(index, self.world.fates, &mut missing.in_step[index]);
                continue;
            }
            let mut absent = absent.clone();
            self.play.note_early(index, self.world.fates, &mut absent);
            known.iter().for_each(|known| absent.remove(*known));
            missing.in_step[index].add_all(&absent);
        }
        if !self.has_failed {
            missing.at_end.add_all(&absent);
        }
    }

    /// Whether this world is a witness that what is asked may be missing.
    fn answers(&self, asked: &Asked) -> bool {
        let is_reached = match asked.moment {
            Moment::When(step) => self.counts(step) && self.due.contains(&step),
            Moment::Step(step) => self.counts(step) && self.ran.contains(&step),
            Moment::End => !self.has_failed,
        };
        let may_be = |(test, outcome): &(Test, bool)| match self.world.truth(test) {
            Truth::Free => true,
            truth => truth == Truth::from(*outcome),
        };
        if !is_reached || !asked.known.iter().all(may_be) {
            return false;
        }
        let mut absent = self.absent();
        if let Moment::When(step) | Moment::Step(step) = asked.moment {
            self.play.note_early(step, self.world.fates, &mut absent);
        }
        absent.has(asked.read)
    }
}

/// Whether a step may fail for reasons outside the process: an event that does not come is one. What is only computed is
/// taken to succeed.
fn depends_on_others(step: &Step) -> bool {
    match &step.kind {
        StepKind::Set(_) | StepKind::Gateway(_) => false,
        StepKind::Wait(wait) => wait.event.is_some(),
        _ => true,
    }
}
