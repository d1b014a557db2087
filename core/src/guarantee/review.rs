//! `no_data_from … to …`: no data of a source reaches a step, unless people were shown it and approved. What they were
//! shown must lie on every way that the data takes, and they must have approved in every run in which the step starts.

use std::collections::BTreeSet;

use super::every_path::{World, satisfies};
use super::shown::{self, covers, shown_by};
use super::unreviewed::{Inside, Ran, around, bodies};
use super::verdict::{Counterexample, Place, Verdict};
use crate::dataflow::{FieldIndex, Flow, Owner, PlaceIndex, Reading, Source, StepNumber};
use crate::definition::step::{Join, StepKind};
use crate::definition::{Approvers, Step};
use crate::source::Spanned;
use crate::validate::ProcessScope;

/// Most ways of data that are looked at for one step.
const MAX_WAYS: usize = 32;

/// Where data must not come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// `trigger`, inputs that a starter gives among it.
    Trigger,
    /// A step.
    Step(StepNumber),
}

/// Proves or refutes for one target.
pub(super) fn no_data<'r>(
    world: &World<'_, 'r>,
    flow: &Flow,
    process: &ProcessScope<'r>,
    from: From,
    to: StepNumber,
    reviewers: Option<&Spanned<Approvers>>,
) -> Verdict<'r> {
    let steps: Vec<&Step> = process.process.all_steps().collect();
    let Some(target) = steps.get(to) else { return Verdict::Holds };
    let bodies = bodies(process);
    let inside = |owner: StepNumber| owner == to || around(&bodies, owner).any(|foreach| foreach == to);
    let into: Vec<FieldIndex> = flow
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| !field.is_condition && matches!(field.owner, Owner::Step(owner) if inside(owner)))
        .map(|(index, _)| index)
        .collect();
    let begins = begins(flow, from);
    let mut review = Review { world, flow, process, steps: &steps, bodies: &bodies, to, reviews: Vec::new() };
    if flow.way(&begins, &into, &|_, _, _| true).is_none() {
        return Verdict::Holds;
    }
    if let Some(reviewers) = reviewers {
        review.reviews = review.reviews(reviewers);
    }
    review.judge(&begins, &into, target, reviewers)
}

/// Whether any data of the source reaches anything at all, be it reviewed or not.
pub(super) fn begins(flow: &Flow, from: From) -> impl Fn(PlaceIndex) -> bool + use<'_> {
    let places: BTreeSet<PlaceIndex> = match from {
        From::Trigger => flow.trigger_places().iter().copied().collect(),
        From::Step(step) => flow.places_of(step).collect(),
    };
    move |place| places.contains(&place)
}

/// An approval that could be the review, and what it shows.
struct Shows {
    step: StepNumber,
    values: Vec<shown::Value>,
}

struct Review<'v, 'w, 'r> {
    world: &'v World<'w, 'r>,
    flow: &'v Flow,
    process: &'v ProcessScope<'r>,
    steps: &'v [&'v Step],
    bodies: &'v [Option<StepNumber>],
    to: StepNumber,
    reviews: Vec<Shows>,
}

type Way = (PlaceIndex, Vec<(FieldIndex, Reading)>);

impl<'r> Review<'_, '_, 'r> {
    fn reviews(&self, reviewers: &Approvers) -> Vec<Shows> {
        let numbered = self.steps.iter().enumerate();
        let approvals = numbered.filter(|(_, step)| match &step.kind {
            StepKind::HumanApproval(approval) => satisfies(self.world.policies, approval, step, reviewers),
            _ => false,
        });
        let shows = |(step, _)| {
            let ended = self.ended_before(step);
            Shows { step, values: shown_by(self.flow, step, self.bodies, &|other| ended.contains(&other)) }
        };
        approvals.map(shows).collect()
    }

    /// Steps of the process's own list that have ended whenever another one of it starts.
    fn ended_before(&self, step: StepNumber) -> BTreeSet<StepNumber> {
        let graph = &self.process.graph;
        let mut ended = BTreeSet::new();
        let mut open: Vec<_> = graph.find(self.steps[step].id.as_str()).into_iter().collect();
        while let Some(at) = open.pop() {
            let one = graph.step(at);
            // With `join: any` it need not have waited for all of them.
            if one.join == Join::Any && graph.before(at).len() > 1 {
                continue;
            }
            for edge in graph.before(at) {
                let number = self.flow.step(graph.step(edge.from).id.as_str());
                if number.is_some_and(|number| ended.insert(number)) {
                    open.push(edge.from);
                }
            }
        }
        ended
    }

    fn judge(
        &self,
        begins: &dyn Fn(PlaceIndex) -> bool,
        into: &[FieldIndex],
        target: &Step,
        reviewers: Option<&Spanned<Approvers>>,
    ) -> Verdict<'r> {
        // Readings that need no further look: all that these approvals show was approved when the target starts.
        let mut safe: Vec<Vec<usize>> = Vec::new();
        let mut never: Vec<StepNumber> = Vec::new();
        for _ in 0..MAX_WAYS {
            let moves = |from: PlaceIndex, to: PlaceIndex, reading: Option<Reading>| {
                let made = self.flow.maker(from).is_some_and(|(step, completed)| completed && never.contains(&step));
                !made && !safe.iter().any(|family| family.iter().all(|review| self.covers(*review, to, reading)))
            };
            let Some(way) = self.flow.way(begins, into, &moves) else { return Verdict::Holds };
            let reviewing: Vec<usize> = (0..self.reviews.len())
                .filter(|review| way.1.iter().any(|(field, reading)| self.covers_reading(*review, *field, *reading)))
                .collect();
            let makers = self.makers(&way);
            match self.run(&reviewing, &makers) {
                Ran::Against(told) => return self.refuted(&way, target, reviewers, &reviewing, *told),
                Ran::Unsure => {
                    return Verdict::Unproved(format!("there are too many ways to `{}` to look at each", target.id));
                }
                Ran::NotFollowed => {
                    let id = &target.id;
                    return Verdict::Unproved(format!(
                        "what is asked on the way to `{id}` about how steps ended could not be followed"
                    ));
                }
                Ran::Never => {
                    // Either no such data exists when the target starts, or it was approved by then.
                    let missing = makers.iter().copied().find(|maker| matches!(self.run(&[], &[*maker]), Ran::Never));
                    match missing {
                        Some(maker) if maker != self.to => never.push(maker),
                        _ if reviewing.is_empty() => {
                            let why = "data could pass only by steps that hardly run together".to_owned();
                            return Verdict::Unproved(why);
                        }
                        _ if self.shows_at_one_place(&way, &reviewing) => safe.push(reviewing),
                        _ => {
                            let why = "several approvals show the data at different places".to_owned();
                            return Verdict::Unproved(why);
                        }
                    }
                }
            }
        }
        Verdict::Unproved(format!("data takes more than {MAX_WAYS} ways to `{}`", target.id))
    }

    fn shows_at_one_place(&self, way: &Way, reviewing: &[usize]) -> bool {
        way.1.iter().any(|(field, reading)| reviewing.iter().all(|one| self.covers_reading(*one, *field, *reading)))
    }

    fn covers(&self, review: usize, to: PlaceIndex, reading: Option<Reading>) -> bool {
        let Some((reading, field)) = reading.zip(self.flow.field_at(to)) else { return false };
        self.covers_reading(review, field, reading)
    }

    fn covers_reading(&self, review: usize, field: FieldIndex, reading: Reading) -> bool {
        let Some((_, reference)) = self.flow.reference(reading) else { return false };
        let body = match self.flow.fields()[field].owner {
            // The list of a `foreach` is read outside of it, its result inside.
            Owner::Step(owner) if self.flow.fields()[field].key == "result" => Some(owner),
            Owner::Step(owner) => self.bodies.get(owner).copied().flatten(),
            Owner::Output(_) | Owner::Concurrency => None,
        };
        self.reviews[review].values.iter().any(|value| covers(value, reference, body))
    }

    /// The steps that must have completed for data to take a way.
    fn makers(&self, way: &Way) -> Vec<StepNumber> {
        let reads = way.1.iter().filter_map(|(_, reading)| {
            let (_, reference) = self.flow.reference(*reading)?;
            let output = reference.root() == "steps" && reference.name(2) == Some("output");
            self.flow.step(reference.name(1)?).filter(|step| output && *step != self.to)
        });
        let mut makers: Vec<StepNumber> = reads.collect();
        makers.sort_unstable();
        makers.dedup();
        makers
    }

    /// Looks for a run in which the target starts, these steps have completed, and none of the reviews was given.
    fn run(&self, reviewing: &[usize], makers: &[StepNumber]) -> Ran<'r> {
        let reviews: Vec<StepNumber> = reviewing.iter().map(|review| self.reviews[*review].step).collect();
        let inside = Inside { process: self.process, steps: self.steps, bodies: self.bodies };
        inside.run_without(self.world, self.to, &reviews, makers)
    }

    fn refuted(
        &self,
        way: &Way,
        target: &Step,
        reviewers: Option<&Spanned<Approvers>>,
        reviewing: &[usize],
        told: super::tell::Told<'r>,
    ) -> Verdict<'r> {
        let file = self.process.file;
        let path = self.flow.told(&file.document, way.0, &way.1);
        let source = match &path.source {
            Source::Trigger(part) => part.as_str().to_owned(),
            Source::Input(name) => format!("inputs.{name}"),
            Source::Step(step) => format!("steps.{}.output", self.flow.step_id(*step)),
            Source::Error(step) => format!("steps.{}.error", self.flow.step_id(*step)),
            Source::Secret(name) => format!("secrets.{name}"),
        };
        let mut words = vec![format!("`{source}`")];
        let mut places = Vec::new();
        for hop in &path.hops {
            let field = &self.flow.fields()[hop.field];
            let owner = match &field.owner {
                Owner::Step(step) => self.flow.step_id(*step).to_owned(),
                Owner::Output(_) | Owner::Concurrency => continue,
            };
            let entry = field.entry.as_ref().map(|entry| format!(".{entry}")).unwrap_or_default();
            let message = format!("`{owner}` reads `{}` in `{}{entry}`", hop.reads, field.key);
            words.push(message.clone());
            places.push(Place { file, span: hop.span, message });
        }
        let mut notes = Vec::new();
        if reviewers.is_some() {
            let others: Vec<String> =
                self.reviews.iter().map(|review| format!("`{}`", self.flow.step_id(review.step))).collect();
            if !reviewing.is_empty() {
                notes.push(format!("`start` → {}", told.words.join(" → ")));
                notes.extend(told.notes);
                places.extend(told.places);
            } else if others.is_empty() {
                notes.push("no approval asks for these reviewers".to_owned());
            } else {
                notes.push(format!("{} does not show it", others.join(", ")));
            }
        }
        let last = path.hops.last().map_or("it", |hop| hop.reads.as_str());
        let help = match (reviewers, reviewing.is_empty()) {
            (None, _) => {
                format!("do not read `{last}` in `{}`, or allow it with `unless: {{reviewed_by: …}}`", target.id)
            }
            (Some(_), true) => {
                format!("print `{{{{ {last} }}}}` in the `description` of an approval that `{}` waits for", target.id)
            }
            (Some(_), false) => told.help.unwrap_or_else(|| format!("let `{}` wait for the approval", target.id)),
        };
        Verdict::Fails(Counterexample { path: words.join(" → "), notes, places, help: Some(help) })
    }
}
