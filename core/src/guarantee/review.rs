//! `no_data_from … to …`: no data of a source reaches a step, unless people were shown it and approved. What they were
//! shown must lie on every way that the data takes, and they must have approved in every run in which the step starts.
//! Rules that ask whether somebody reviewed a text ask the same question here.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::every_path::{World, satisfies};
use super::governing::Policies;
use super::judge::is_whole;
use super::search::MAX_TRANSITIONS;
use super::shown::{self, covers, shown_by};
use super::tell::Told;
use super::unreviewed::{Inside, Ran, around, bodies};
use super::verdict::{Counterexample, Place, Verdict};
use crate::dataflow::{FieldIndex, Flow, Origins, Owner, Path, PlaceIndex, Reading, Source, StepNumber};
use crate::definition::step::form::FormTimeout;
use crate::definition::step::{Join, StepKind};
use crate::definition::{Approvers, Step};
use crate::source::Spanned;
use crate::validate::{ProcessScope, Scope};

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
    let mut review = Review {
        world,
        flow,
        process,
        steps: &steps,
        bodies: &bodies,
        to,
        reviews: Vec::new(),
        carries: &|_, _| true,
        looks_closed: &|_| false,
    };
    if flow.way(&begins, &into, &|_, _, _| true).is_none() {
        return Verdict::Holds;
    }
    if let Some(reviewers) = reviewers {
        review.reviews = review.reviews(&|step| match &step.kind {
            StepKind::HumanApproval(approval) => satisfies(world.policies, approval, step, reviewers),
            _ => false,
        });
    }
    match review.judge(&begins, &into) {
        Outcome::Reviewed => Verdict::Holds,
        Outcome::Unproved(why) => Verdict::Unproved(why.in_words(target.id.as_str())),
        Outcome::Against { way, reviewing, told } => review.refuted(&way, target, reviewers, &reviewing, *told),
    }
}

/// Whether the words of others were reviewed before they reach a step.
pub(crate) enum Reviewed<'r> {
    /// On each of their ways, in every run in which the step starts, by somebody else than the author.
    Always,
    /// Not on this way.
    Not {
        /// The way.
        path: Path,
        /// A shortest run in which nobody did, where somebody could have been asked; nothing where no approval shows it.
        run: Option<Counterexample<'r>>,
        /// Approvals that show it and that the author may give.
        by_author: Vec<StepNumber>,
    },
    /// Neither is known: there are too many ways, or what is asked on them is not followed.
    Unknown {
        /// The reason in words.
        why: String,
    },
}

/// Whose look at the words of others counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reviewers {
    /// Whoever approves, but the author of the change: these words may be the author's.
    OthersThanTheAuthor,
    /// Whoever approves, the author too, and whoever answers a form that shows them: no person wrote these words.
    Anybody,
}

/// What is asked about a field of a step.
pub(crate) struct Question<'q> {
    /// The step.
    pub(crate) to: StepNumber,
    /// The field that reads.
    pub(crate) field: FieldIndex,
    /// Whose words.
    pub(crate) origins: Origins,
    /// Whose look at them counts.
    pub(crate) reviewers: Reviewers,
    /// Whether words pass by a reading.
    pub(crate) carries: &'q dyn Fn(FieldIndex, Reading) -> bool,
    /// Whether an approval looks as if nothing led around it: that counts where it cannot be searched.
    pub(crate) looks_closed: &'q dyn Fn(StepNumber) -> bool,
}

/// Whether words of others were shown to somebody who approved before they reach a field: what `no_data_from` proves with
/// `unless`, with whomever may approve.
pub(crate) fn reviewed<'r>(
    scope: &Scope<'r>,
    flow: &Flow,
    process: &ProcessScope<'r>,
    question: &Question<'_>,
) -> Reviewed<'r> {
    let policies = Policies::of(scope.repository);
    // Nothing is searched in a process that does not say what it means.
    let allowance = if is_whole(process) { 2 * MAX_TRANSITIONS } else { 0 };
    let default_timeout = scope.repository.settings().and_then(|settings| settings.defaults.timeout);
    let allowance = Cell::new(allowance);
    let world = World { processes: &BTreeMap::new(), policies: &policies, default_timeout, allowance };
    let steps: Vec<&Step> = process.process.all_steps().collect();
    let bodies = bodies(process);
    let begins = |place| flow.is_written_by(place, question.origins);
    let mut review = Review {
        world: &world,
        flow,
        process,
        steps: &steps,
        bodies: &bodies,
        to: question.to,
        reviews: Vec::new(),
        carries: question.carries,
        looks_closed: question.looks_closed,
    };
    review.reviews = review.reviews(&|step| question.reviewers.are_asked_by(step));
    match review.judge(&begins, &[question.field]) {
        Outcome::Reviewed => Reviewed::Always,
        Outcome::Unproved(why) => Reviewed::Unknown { why: why.in_words(steps[question.to].id.as_str()) },
        Outcome::Against { way, reviewing, told } => {
            review.reviews = review.reviews(&|step| {
                let is_approval = matches!(step.kind, StepKind::HumanApproval(_));
                is_approval && !question.reviewers.are_asked_by(step)
            });
            let by_author: Vec<StepNumber> =
                review.covering(&way).into_iter().map(|one| review.reviews[one].step).collect();
            let is_asked = !reviewing.is_empty() || !by_author.is_empty();
            let path = flow.told(&process.file.document, way.0, &way.1);
            Reviewed::Not { path, run: is_asked.then(|| told.into_counterexample()), by_author }
        }
    }
}

impl Reviewers {
    /// Whether a step that completes by people is completed by these. A form that goes on by itself asked nobody.
    fn are_asked_by(self, step: &Step) -> bool {
        match &step.kind {
            StepKind::HumanApproval(approval) => self == Self::Anybody || !approval.allow_author,
            StepKind::Form(form) => self == Self::Anybody && form.on_timeout == FormTimeout::Fail,
            _ => false,
        }
    }
}

/// Whether any data of the source reaches anything at all, be it reviewed or not.
pub(super) fn begins(flow: &Flow, from: From) -> impl Fn(PlaceIndex) -> bool + use<'_> {
    let places: BTreeSet<PlaceIndex> = match from {
        From::Trigger => flow.trigger_places().iter().copied().collect(),
        From::Step(step) => flow.places_of(step).collect(),
    };
    move |place| places.contains(&place)
}

/// A step that asks people and could be the review, and what it shows.
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
    carries: &'v dyn Fn(FieldIndex, Reading) -> bool,
    looks_closed: &'v dyn Fn(StepNumber) -> bool,
}

/// What came of looking at every way.
enum Outcome<'r> {
    /// What passes was reviewed, or nothing passes.
    Reviewed,
    /// What passes on this way was not, in this run; with the reviews that show it.
    Against {
        way: Way,
        reviewing: Vec<usize>,
        told: Box<Told<'r>>,
    },
    Unproved(Unproved),
}

/// Why neither was found.
enum Unproved {
    TooManyRuns,
    TooManyWays,
    NotFollowed,
    HardlyTogether,
    SeveralPlaces,
}

impl Unproved {
    fn in_words(&self, target: &str) -> String {
        match self {
            Self::TooManyRuns => format!("there are too many ways to `{target}` to look at each"),
            Self::TooManyWays => format!("data takes more than {MAX_WAYS} ways to `{target}`"),
            Self::NotFollowed => {
                format!("what is asked on the way to `{target}` could not be followed")
            }
            Self::HardlyTogether => "data could pass only by steps that hardly run together".to_owned(),
            Self::SeveralPlaces => "several approvals show the data at different places".to_owned(),
        }
    }
}

type Way = (PlaceIndex, Vec<(FieldIndex, Reading)>);

impl<'r> Review<'_, '_, 'r> {
    /// The steps that ask people and are wanted, with what they show.
    fn reviews(&self, wanted: &dyn Fn(&Step) -> bool) -> Vec<Shows> {
        let asking = self.steps.iter().enumerate().filter(|(_, step)| wanted(step));
        let shows = |(step, _)| {
            let ended = self.ended_before(step);
            Shows { step, values: shown_by(self.flow, step, self.bodies, &|other| ended.contains(&other)) }
        };
        asking.map(shows).collect()
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

    fn judge(&self, begins: &dyn Fn(PlaceIndex) -> bool, into: &[FieldIndex]) -> Outcome<'r> {
        // Readings that need no further look: all that these approvals show was approved when the target starts.
        let mut safe: Vec<Vec<usize>> = Vec::new();
        let mut never: Vec<StepNumber> = Vec::new();
        for _ in 0..MAX_WAYS {
            let moves = |from: PlaceIndex, to: PlaceIndex, reading: Option<Reading>| {
                let made = self.flow.maker(from).is_some_and(|(step, completed)| completed && never.contains(&step));
                !made
                    && !safe.iter().any(|family| family.iter().all(|review| self.covers(*review, to, reading)))
                    && self.flow.carried(to, reading, self.carries)
            };
            let Some(way) = self.flow.way(begins, into, &moves) else { return Outcome::Reviewed };
            let reviewing = self.covering(&way);
            let makers = self.makers(&way);
            let looks_closed = |review: &usize| (self.looks_closed)(self.reviews[*review].step);
            match self.run(&reviewing, &makers) {
                Ran::Against(told) => return Outcome::Against { way, reviewing, told },
                Ran::Unsure | Ran::NotFollowed if reviewing.iter().any(looks_closed) => {
                    safe.push(vec![reviewing.into_iter().find(looks_closed).unwrap_or_default()]);
                }
                Ran::Unsure => return Outcome::Unproved(Unproved::TooManyRuns),
                Ran::NotFollowed => return Outcome::Unproved(Unproved::NotFollowed),
                Ran::Never => {
                    // Either no such data exists when the target starts, or it was approved by then.
                    let missing = makers.iter().copied().find(|maker| matches!(self.run(&[], &[*maker]), Ran::Never));
                    match missing {
                        Some(maker) if maker != self.to => never.push(maker),
                        _ if reviewing.is_empty() => return Outcome::Unproved(Unproved::HardlyTogether),
                        _ if self.shows_at_one_place(&way, &reviewing) => safe.push(reviewing),
                        _ => return Outcome::Unproved(Unproved::SeveralPlaces),
                    }
                }
            }
        }
        Outcome::Unproved(Unproved::TooManyWays)
    }

    /// The reviews that show what passes on a way.
    fn covering(&self, way: &Way) -> Vec<usize> {
        let shows =
            |review: &usize| way.1.iter().any(|(field, reading)| self.covers_reading(*review, *field, *reading));
        (0..self.reviews.len()).filter(shows).collect()
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
        told: Told<'r>,
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
        if let Some(handed_on) = self.flow.handed_on(way.0) {
            words.insert(0, format!("the trigger of `{}`", handed_on.by));
            places.extend(self.world.processes.get(handed_on.by.as_str()).map(|caller| {
                let message = format!("`{}` hands its trigger on as `{source}`", handed_on.by);
                Place { file: caller.file, span: caller.file.document.node(handed_on.node).span(), message }
            }));
        }
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
