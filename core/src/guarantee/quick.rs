//! A proof in one walk over the steps, without looking at worlds: a step is proved where every way to start it has
//! passed. Sound and linear, and for most processes enough; what it cannot prove may hold all the same.

use super::conditions::{Asks, Condition, Truth};
use super::model::{Fate, Model};
use super::search::Passes;
use crate::definition::step::RunOn;
use crate::graph::StepIndex;

/// Which ends of a step imply that something was passed.
#[derive(Clone, Copy, Default)]
struct Implied {
    /// That it runs.
    runs: bool,
    /// That it ends ok.
    ok: bool,
    /// That it ends neutral, or that it never does.
    neutral: bool,
}

/// For each step, whether it is proved that something was passed whenever it starts.
pub(super) fn proved(model: &Model<'_>, passes: &[Passes]) -> Vec<bool> {
    let mut implied = vec![Implied::default(); model.graph.len()];
    for step in model.graph.order().iter().copied() {
        implied[step] = of_step(model, passes, &implied, step);
    }
    implied.iter().map(|one| one.runs).collect()
}

fn of_step(model: &Model<'_>, passes: &[Passes], implied: &[Implied], step: StepIndex) -> Implied {
    let node = &model.nodes[step];
    let edges = model.before(step);
    let is_target = |gateway: bool, from: StepIndex| gateway && implied[from].runs;
    let ok = |edge: &crate::graph::Edge| {
        implied[edge.from].ok || (edge.gateway && leads_only_where_passed(model, passes, edge.from, step))
    };
    // A gateway that took another way has run.
    let neutral =
        |edge: &crate::graph::Edge| implied[edge.from].neutral && (!edge.gateway || is_target(edge.gateway, edge.from));
    let ready = node.run_on == RunOn::Success
        && !edges.is_empty()
        && (edges.iter().all(ok)
            || (node.join == crate::definition::step::Join::All && edges.iter().any(|edge| ok(edge) && neutral(edge))));
    let runs = ready || node.when.as_ref().is_some_and(|when| holds_only_where_passed(model, passes, when));
    let fails_unrun = node.tolerant && !model.always_wanted(step);
    let completes_otherwise = if node.branches.is_empty() {
        node.ends.iter().any(|end| !matches!(end, Fate::Failed) && !passes[step].by(*end))
    } else {
        node.tolerant || passes[step] == Passes::Never
    };
    Implied {
        runs,
        ok: (runs || !completes_otherwise) && (ready || !fails_unrun),
        // Without edges and condition it is never skipped; with them somebody may have cancelled what is before it.
        neutral: edges.is_empty() && model.always_wanted(step) && node.run_on != RunOn::Failure,
    }
}

/// Whether every branch that leads to a step holds only where something was passed.
fn leads_only_where_passed(model: &Model<'_>, passes: &[Passes], gateway: StepIndex, to: StepIndex) -> bool {
    let mut ways = model.nodes[gateway].branches.iter().filter(|way| way.to.contains(&to)).peekable();
    ways.peek().is_some()
        && ways.all(|way| way.when.as_ref().is_some_and(|when| holds_only_where_passed(model, passes, when)))
}

/// Whether a condition that holds says that something was passed.
fn holds_only_where_passed(model: &Model<'_>, passes: &[Passes], condition: &Condition) -> bool {
    condition.parts.iter().any(|part| {
        let every = |step: StepIndex, keeps: &dyn Fn(Fate) -> bool| {
            let node = &model.nodes[step];
            let gateway = !node.branches.is_empty();
            let mut ends = node.ends.iter().copied().chain(gateway.then_some(Fate::Took(0)));
            passes[step] != Passes::Never && ends.all(|end| !keeps(end) || passes[step].by(end))
        };
        let needed = part.needs.iter().any(|step| every(*step, &|end| end.is_completed()));
        needed
            || match &part.asks {
                Asks::Decision(step, word) if part.positive => every(*step, &|end| end.decision() == Some(word)),
                Asks::Decision(step, word) => {
                    every(*step, &|end| end.decision().is_some_and(|decision| decision != word))
                }
                Asks::Status(step, word) if part.positive && word == "completed" => {
                    every(*step, &|end| end.is_completed())
                }
                Asks::Literal(truth) => (*truth == Truth::False && part.positive) || *truth == Truth::Error,
                Asks::Either(alternatives) => {
                    let mut alternatives = alternatives.iter();
                    part.positive && alternatives.all(|one| holds_only_where_passed(model, passes, one))
                }
                Asks::Status(..) | Asks::Outcome(..) | Asks::Atom(_) => false,
            }
    })
}
