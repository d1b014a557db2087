//! Looks for a run in which a step starts although none of some approvals was given by people, through all the bodies
//! around the step. What is said of such a run is not said here.

use super::every_path::World;
use super::model::Model;
use super::search::{Found, Passes};
use super::start::starts_with;
use super::tell::{Told, tell};
use crate::dataflow::StepNumber;
use crate::definition::Step;
use crate::definition::process::Passes as Passed;
use crate::definition::step::StepKind;
use crate::validate::ProcessScope;

/// What came of looking for a run.
pub(super) enum Ran<'r> {
    /// There is one.
    Against(Box<Told<'r>>),
    /// There is none.
    Never,
    /// There are too many.
    Unsure,
    /// There may be one, but what a condition asks is not followed.
    NotFollowed,
}

/// The steps of a process, those of bodies included, and the body that each is in.
pub(super) struct Inside<'i, 'r> {
    pub(super) process: &'i ProcessScope<'r>,
    pub(super) steps: &'i [&'i Step],
    pub(super) bodies: &'i [Option<StepNumber>],
}

impl<'r> Inside<'_, 'r> {
    /// Looks for a run in which a step starts, `completed` have completed, and people gave none of the approvals. Each
    /// list of steps around the step is looked at for itself.
    pub(super) fn run_without(
        &self,
        world: &World<'_, 'r>,
        to: StepNumber,
        approvals: &[StepNumber],
        completed: &[StepNumber],
    ) -> Ran<'r> {
        let mut chain: Vec<StepNumber> = around(self.bodies, to).collect();
        chain.reverse();
        chain.push(to);
        let (mut unsure, mut not_followed) = (false, false);
        let mut whole: Option<Told<'r>> = None;
        for number in chain {
            let around = self.bodies[number];
            let list = match around.map(|foreach| &self.steps[foreach].kind) {
                Some(StepKind::Foreach(foreach)) => &foreach.steps,
                _ => &self.process.process.steps,
            };
            let model = Model::of(self.process.process, world.default_timeout, list);
            let own = |step: StepNumber| {
                (self.bodies[step] == around).then(|| model.graph.find(self.steps[step].id.as_str())).flatten()
            };
            let mut passes = vec![Passes::Never; list.len()];
            approvals.iter().filter_map(|step| own(*step)).for_each(|step| passes[step] = Passes::ByPeople);
            let completed: Vec<_> = completed.iter().filter_map(|step| own(*step)).collect();
            let Some(step) = own(number) else { return Ran::Unsure };
            match starts_with(&model, step, &passes, &completed, &world.allowance) {
                Found::Nothing => return Ran::Never,
                Found::TooMany => unsure = true,
                Found::Unsure(_) => not_followed = true,
                Found::Run(run) => {
                    let passed = Passed::Step(String::new());
                    let told = tell(self.process, &model, &run, step, &passes, world, &passed);
                    whole = Some(match whole {
                        None => told,
                        Some(outer) => outer.around(told),
                    });
                }
            }
        }
        match (unsure, whole) {
            _ if not_followed => Ran::NotFollowed,
            (false, Some(told)) => Ran::Against(Box::new(told)),
            _ => Ran::Unsure,
        }
    }
}

/// For each step the `foreach` that it is right inside of.
pub(super) fn bodies(process: &ProcessScope<'_>) -> Vec<Option<StepNumber>> {
    fn walk(steps: &[Step], around: Option<StepNumber>, bodies: &mut Vec<Option<StepNumber>>) {
        for step in steps {
            let own = bodies.len();
            bodies.push(around);
            if let StepKind::Foreach(foreach) = &step.kind {
                walk(&foreach.steps, Some(own), bodies);
            }
        }
    }
    let mut bodies = Vec::new();
    walk(&process.process.steps, None, &mut bodies);
    bodies
}

/// The `foreach` steps around a step, innermost first.
pub(super) fn around(bodies: &[Option<StepNumber>], step: StepNumber) -> impl Iterator<Item = StepNumber> + '_ {
    std::iter::successors(bodies.get(step).copied().flatten(), |foreach| bodies.get(*foreach).copied().flatten())
}
