//! How a step starts: by its edges, or to undo another one when the execution failed or was cancelled.

use std::cell::Cell;

use super::model::{Fate, Model};
use super::search::{Found, Goal, Passes, Wanted, Why, search_where};
use crate::definition::step::RunOn;
use crate::graph::StepIndex;

/// Looks for a run in which a step starts and nothing was passed. The run ends with the step itself.
pub(super) fn starts(model: &Model<'_>, step: StepIndex, passes: &[Passes], allowance: &Cell<usize>) -> Found {
    starts_where(model, step, passes, &Wanted::default(), allowance)
}

/// The same for runs in which these steps have completed by then; those that are not before the step may always have.
pub(super) fn starts_with(
    model: &Model<'_>,
    step: StepIndex,
    passes: &[Passes],
    completed: &[StepIndex],
    allowance: &Cell<usize>,
) -> Found {
    starts_where(model, step, passes, &Wanted { completed, ..Wanted::default() }, allowance)
}

/// The same for runs of which more is wanted.
pub(super) fn starts_where(
    model: &Model<'_>,
    step: StepIndex,
    passes: &[Passes],
    wanted: &Wanted<'_>,
    allowance: &Cell<usize>,
) -> Found {
    if model.nodes[step].run_on != RunOn::Compensation {
        return search_where(model, Goal::Starts(step), passes, wanted, allowance);
    }
    // It starts when what it undoes has completed and the execution ends badly, which can happen at any moment.
    let mut unsure = None;
    for undone in model.graph.undone_by(step) {
        match search_where(model, Goal::Completes(undone), passes, wanted, allowance) {
            Found::Run(mut run) => {
                // What had not ended by then was cancelled, but for what runs whatever happens.
                let goes_on = |step: StepIndex| model.nodes[step].run_on == RunOn::Always;
                let open = run.iter_mut().filter(|(other, fate, _)| *fate == Fate::Open && !goes_on(*other));
                open.for_each(|(_, fate, _)| *fate = Fate::Cancelled);
                run.push((step, Fate::Open, Why::Course));
                return Found::Run(run);
            }
            Found::Nothing => {}
            found => unsure = Some(found),
        }
    }
    unsure.unwrap_or(Found::Nothing)
}
