//! Steps whose condition contradicts what must have happened for their edges to let them run.

use std::collections::BTreeSet;

use super::condition::{Asks, Test};
use super::worlds::Play;
use super::{Graph, StepIndex};
use crate::definition::step::{Join, OnFailure, RunOn, Step, StepKind};

/// Why a step never runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Never {
    /// It asks whether this step failed, and runs only where that has not.
    AfterFailure(StepIndex),
    /// Its condition cannot hold where it is asked.
    Contradiction,
}

/// Why a step never runs, said only where that is certain: in every world, failures of every step before it included.
pub(crate) fn never(graph: &Graph<'_>, step: StepIndex) -> Option<Never> {
    let before = graph.ancestors(step);
    let is_judged = |index: StepIndex| index == step || before.contains(&index);
    let own = graph.step(step);
    if own.run_on != RunOn::Success || !before.iter().chain([&step]).all(|index| is_steady(graph.step(*index))) {
        return None;
    }
    let mut play = Play::within(graph, &is_judged);
    play.fail(before.iter().copied());
    let mut asked = Asked::default();
    play.whens.get(step)?.as_ref()?.test.as_ref().map(|test| asked.read(test))?;
    if asked.is_unclear || !asked.steps.is_subset(&before) {
        return None;
    }
    let mut ever = false;
    play.play_all(&mut |seen| ever |= seen.ran.contains(&step))?;
    let tolerated = |index: &StepIndex| graph.step(*index).on_failure == OnFailure::Continue;
    let failed = asked.failed.into_iter().find(|index| !tolerated(index));
    (!ever).then(|| failed.map_or(Never::Contradiction, Never::AfterFailure))
}

/// Whether all that a step waits for has ended when it starts, and its conditions come out the same whenever they are asked.
fn is_steady(step: &Step) -> bool {
    let branches = match &step.kind {
        StepKind::Gateway(gateway) => gateway.branches.as_slice(),
        _ => &[],
    };
    let conditions = branches.iter().filter_map(|branch| branch.when.as_ref()).chain(&step.when);
    let changes = |text: &str| text.contains("execution");
    step.join == Join::All && !conditions.filter_map(|when| when.as_str()).any(changes)
}

/// What a test asks.
#[derive(Default)]
struct Asked {
    steps: BTreeSet<StepIndex>,
    failed: BTreeSet<StepIndex>,
    /// Whether it asks for how a step ended in words that no world knows.
    is_unclear: bool,
}

impl Asked {
    fn read(&mut self, test: &Test) {
        match test {
            Test::Constant(_) => {}
            Test::Not(of) => self.read(of),
            Test::Both(left, right) | Test::Either(left, right) => {
                self.read(left);
                self.read(right);
            }
            Test::Leaf { asks, needs } => {
                self.steps.extend(needs);
                self.leaf(asks);
            }
        }
    }

    fn leaf(&mut self, asks: &Asks) {
        match asks {
            Asks::Status(step, words) => {
                self.steps.insert(*step);
                self.is_unclear |= !words.iter().all(|word| matches!(&**word, "completed" | "failed" | "skipped"));
                if words.iter().any(|word| word == "failed") {
                    self.failed.insert(*step);
                }
            }
            Asks::Output(step, _) | Asks::Taken(step, _) | Asks::Without(step, ..) => drop(self.steps.insert(*step)),
            Asks::Choice(_) => {}
        }
    }
}
