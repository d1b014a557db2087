//! The lists of steps of a process, its own and the bodies of its `foreach` steps: which of their steps have ended, and
//! which may have given nothing, when a text of another is evaluated. `execution::plan` says the same of a running
//! execution. Makes no sentences; `reference` does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::scope::ProcessScope;
use crate::definition::schema::MAX_STEPS;
use crate::definition::step::{RunOn, StepKind};
use crate::expression::Template;
use crate::expression::tree::Node;
use crate::graph::{Graph, Missing, Moment, Question, Reach, StepIndex, StepSet};
use crate::types::text::{Owner, Text};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Its list: 0 is the process's own.
    list: usize,
    step: StepIndex,
}

/// From where something is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    list: usize,
    /// Nothing once all steps of the list have ended: so read the outputs of a process and the `result` of a `foreach`.
    step: Option<StepIndex>,
    is_when: bool,
}

impl Reader {
    /// Whether it reads once all steps of its list have ended.
    pub(super) fn is_at_end(self) -> bool {
        self.step.is_none()
    }
}

/// How a step stands to the one that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order<'r> {
    /// It has ended, or nobody can say.
    Ended,
    /// The reader is in its body.
    Around,
    /// It runs for each item of this `foreach`, which the reader is not in.
    Inside(&'r str),
    /// It need not have ended when this step of its own list runs: the reader, or the `foreach` that the reader is in.
    Early {
        /// The step that would have to wait for it.
        reader: &'r str,
        /// Whether it waits for that one instead.
        is_later: bool,
    },
}

/// The lists of a process; those of bodies after those around them.
pub(super) struct Lists<'scope, 'r> {
    lists: Vec<List<'scope, 'r>>,
    places: BTreeMap<&'r str, Place>,
    /// The body of each `foreach`.
    bodies: BTreeMap<Place, usize>,
}

struct List<'scope, 'r> {
    graph: &'scope Graph<'r>,
    missing: &'scope Missing,
    /// Nothing where there are more steps than a process may have.
    reach: Option<Reach>,
    /// Steps of which it is unknown what they wait for.
    unresolved: StepSet,
    /// Steps that are not on a circle, nor behind one.
    ordered: StepSet,
    /// Whether it is unknown where some gateway leads.
    has_loose_ends: bool,
    /// The `foreach` whose body it is.
    around: Option<Place>,
}

impl<'scope, 'r> Lists<'scope, 'r> {
    pub(super) fn of(process: &'scope ProcessScope<'r>) -> Self {
        let own = List::of(process, &process.graph, &process.missing, process.has_loose_ends);
        let mut lists = Self { lists: Vec::new(), places: BTreeMap::new(), bodies: BTreeMap::new() };
        lists.add(own);
        for body in &process.bodies {
            let written = process.node(body.foreach).get("steps");
            let has_loose_ends = !process.unread_ids.is_empty() || process.loose_ends(&body.graph, written);
            let around = lists.find(body.foreach.id.as_str());
            lists.add(List { around, ..List::of(process, &body.graph, &body.missing, has_loose_ends) });
        }
        lists
    }

    fn add(&mut self, list: List<'scope, 'r>) {
        let own = self.lists.len();
        for (step, found) in list.graph.steps().enumerate() {
            self.places.entry(found.id.as_str()).or_insert(Place { list: own, step });
        }
        self.bodies.extend(list.around.map(|around| (around, own)));
        self.lists.push(list);
    }

    /// Where the step with this id is. Of several the first counts.
    pub(super) fn find(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    fn id(&self, place: Place) -> &'r str {
        self.lists[place.list].graph.step(place.step).id.as_str()
    }

    /// From where a text reads; nothing where its step is not known, or where no step has run.
    pub(super) fn reader(&self, text: &Text) -> Option<Reader> {
        let (id, items) = match &text.owner {
            Owner::Outputs => return Some(Reader { list: 0, step: None, is_when: false }),
            Owner::Concurrency => return None,
            Owner::Step { id, items } => (id.as_deref()?, items),
        };
        let place = self.find(id)?;
        let node = self.lists[place.list].graph.step(place.step).node;
        let own_body = items.last().filter(|item| item.foreach == node);
        if own_body.is_some() {
            return Some(Reader { list: *self.bodies.get(&place)?, step: None, is_when: false });
        }
        Some(Reader { list: place.list, step: Some(place.step), is_when: text.role.is_when })
    }

    /// The reader as it stands in a list around it.
    fn seen_in(&self, mut reader: Reader, list: usize) -> Option<Reader> {
        while reader.list != list {
            reader = self.outside(reader)?;
        }
        Some(reader)
    }

    fn outside(&self, reader: Reader) -> Option<Reader> {
        let around = self.lists[reader.list].around?;
        Some(Reader { list: around.list, step: Some(around.step), is_when: false })
    }

    /// How a step stands to its reader.
    pub(super) fn order(&self, from: Reader, read: Place) -> Order<'r> {
        let list = &self.lists[read.list];
        let Some(reader) = self.seen_in(from, read.list) else {
            let mut around = list.around;
            while let Some(foreach) = around.filter(|foreach| self.seen_in(from, foreach.list).is_none()) {
                around = self.lists[foreach.list].around;
            }
            return around.map_or(Order::Ended, |foreach| Order::Inside(self.id(foreach)));
        };
        let Some(step) = reader.step else { return Order::Ended };
        if step == read.step && from.list != read.list {
            return Order::Around;
        }
        let Some(reach) = list.reach.as_ref().filter(|_| !list.has_loose_ends && list.ordered.has(step)) else {
            return Order::Ended;
        };
        if list.readable(reach, step).is_none_or(|readable| readable.has(read.step)) {
            return Order::Ended;
        }
        let reader = self.id(Place { list: read.list, step });
        Order::Early { reader, is_later: reach.before(read.step).has(step) }
    }

    /// Whether a step waits for another one, or stands in the body of one that does.
    pub(super) fn waits_for(&self, step: &str, other: &str) -> bool {
        let (Some(step), Some(other)) = (self.find(step), self.find(other)) else { return false };
        let Some(step) = self.lifted(step, other.list) else { return false };
        let reach = self.lists[step.list].reach.as_ref();
        step != other && reach.is_some_and(|reach| reach.before(step.step).has(other.step))
    }

    /// Whether a step is in the list of another one, or inside of a step of it.
    pub(super) fn is_beside(&self, step: &str, other: &str) -> bool {
        let (Some(step), Some(other)) = (self.find(step), self.find(other)) else { return false };
        self.lifted(step, other.list).is_some()
    }

    /// The step of a list that a step is, or is inside of.
    fn lifted(&self, mut step: Place, list: usize) -> Option<Place> {
        while step.list != list {
            step = self.lists[step.list].around?;
        }
        Some(step)
    }

    /// Sorts steps so that none comes before one that it waits for.
    pub(super) fn sort<T>(&self, steps: &mut [(&str, T)]) {
        let mut places: BTreeMap<Place, usize> = BTreeMap::new();
        for (list, of) in self.lists.iter().enumerate() {
            places.extend(of.graph.order().iter().enumerate().map(|(at, step)| (Place { list, step: *step }, at)));
        }
        steps.sort_by_key(|(id, _)| {
            let place = self.find(id);
            place.map(|place| (place.list, places.get(&place).copied()))
        });
    }

    /// The gateway without `otherwise` that may have been meant to lead to a step: nothing leads to it, and what it reads
    /// has ended when the gateway has.
    pub(super) fn forgotten_by(&self, step: &str, read: &str) -> Option<&'r str> {
        let (step, read) = (self.find(step)?, self.find(read)?);
        let list = &self.lists[step.list];
        let (graph, reach) = (list.graph, list.reach.as_ref()?);
        if step.list != read.list || !graph.before(step.step).is_empty() {
            return None;
        }
        let is_open = |gateway: &StepIndex| match &graph.step(*gateway).kind {
            StepKind::Gateway(kind) => kind.branches.iter().all(|branch| branch.otherwise.is_none()),
            _ => false,
        };
        let leads = |gateway: &StepIndex| *gateway == read.step || reach.before(*gateway).has(read.step);
        (0..graph.len()).filter(is_open).find(leads).map(|gateway| graph.step(gateway).id.as_str())
    }

    /// What a compensation undoes; nothing where a step is none.
    pub(super) fn undone_by(&self, step: &str) -> Option<&'r str> {
        let place = self.find(step)?;
        let graph = self.lists[place.list].graph;
        let undone = graph.undone_by(place.step).next()?;
        Some(graph.step(undone).id.as_str())
    }

    /// Whether a step may have given nothing when its reader reads it, by all that has happened before.
    pub(super) fn may_be_missing(&self, from: Reader, read: Place) -> bool {
        let Some((list, reader)) = self.judging(from, read) else { return false };
        list.moments(read.step, reader).into_iter().any(|moment| list.missing.may_be(read.step, moment))
    }

    /// Whether a step may not have ended yet when its reader reads it.
    pub(super) fn may_be_under_way(&self, from: Reader, read: Place) -> bool {
        let Some((list, reader)) = self.judging(from, read) else { return false };
        list.moments(read.step, reader).into_iter().any(|moment| list.missing.may_be_under_way(read.step, moment))
    }

    /// The same where tests have come out one way in the text that reads it.
    pub(super) fn may_be_missing_after(
        &self,
        from: Reader,
        read: Place,
        template: &Template,
        known: &[(&Node, bool)],
    ) -> bool {
        let Some((list, reader)) = self.judging(from, read) else { return false };
        list.moments(read.step, reader).into_iter().any(|moment| {
            let question = Question { moment, read: read.step, template, known };
            list.missing.may_be(read.step, moment) && Missing::after_tests(list.graph, &question)
        })
    }

    /// The list that a step is of and its reader as it stands there; nothing where nobody can say what is missing.
    fn judging(&self, from: Reader, read: Place) -> Option<(&List<'scope, 'r>, Reader)> {
        let reader = self.seen_in(from, read.list)?;
        let list = &self.lists[read.list];
        (!list.has_loose_ends && !list.is_unresolved(read.step)).then_some((list, reader))
    }

    /// Whether something in a step could not be read as it is written.
    pub(super) fn is_faulty(&self, process: &ProcessScope<'_>, id: &str) -> bool {
        let step = self.find(id).map(|place| self.lists[place.list].graph.step(place.step));
        step.is_some_and(|step| process.is_faulty(step))
    }
}

impl<'scope, 'r> List<'scope, 'r> {
    fn of(
        process: &ProcessScope<'_>,
        graph: &'scope Graph<'r>,
        missing: &'scope Missing,
        has_loose_ends: bool,
    ) -> Self {
        let mut ordered = StepSet::none(graph.len());
        graph.order().iter().for_each(|step| ordered.add(*step));
        Self {
            graph,
            missing,
            reach: (graph.len() <= MAX_STEPS).then(|| Reach::of(graph)),
            unresolved: StepSet::of(graph.len(), |step| is_unresolved(process, graph, step)),
            ordered,
            has_loose_ends,
            around: None,
        }
    }

    /// The steps that have ended when a step runs; nothing where another finding makes that unknown.
    fn readable<'l>(&'l self, reach: &'l Reach, reader: StepIndex) -> Option<Cow<'l, StepSet>> {
        let graph = self.graph;
        let mut readable = Cow::Borrowed(reach.before(reader));
        if graph.step(reader).run_on == RunOn::Compensation {
            for undone in graph.undone_by(reader) {
                readable.to_mut().add(undone);
                readable.to_mut().add_all(reach.before(undone));
            }
            if readable.is_empty() {
                return None;
            }
        }
        let known = !self.unresolved.has(reader) && !readable.meets(&self.unresolved);
        known.then_some(readable)
    }

    /// Whether it is unknown what a step, or one before it, waits for.
    fn is_unresolved(&self, step: StepIndex) -> bool {
        let before = |reach: &Reach| reach.before(step).meets(&self.unresolved);
        self.unresolved.has(step) || self.reach.as_ref().is_some_and(before)
    }

    /// When a reader reads a step: a compensation after what it undoes.
    fn moments(&self, read: StepIndex, reader: Reader) -> Vec<Moment> {
        let Some(step) = reader.step else { return vec![Moment::End] };
        if self.graph.step(step).run_on == RunOn::Compensation {
            return self.graph.undone_by(step).filter(|undone| *undone != read).map(Moment::Step).collect();
        }
        vec![if reader.is_when { Moment::When(step) } else { Moment::Step(step) }]
    }
}

/// Whether it is unknown what a step waits for, because that could not be read or names no step.
fn is_unresolved(process: &ProcessScope<'_>, graph: &Graph<'_>, index: StepIndex) -> bool {
    let step = graph.step(index);
    match step.depends_on.is_empty() {
        true => {
            let written = process.node(step).get("depends_on");
            written.is_some_and(|written| !written.is_null() && written.items().is_none_or(|ids| ids.len() > 0))
        }
        false => step.depends_on.iter().any(|id| graph.meant(id.as_str()).is_none()),
    }
}

#[cfg(test)]
mod tests;
