//! What the conditions say that a step has passed before its texts are read: its own `when`, those of the steps that
//! every way to it passes, those of the branches that every way to it takes, and the same of the `foreach` around it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::Text;
use crate::definition::{Process, Step, StepKind};
use crate::expression::Reference;
use crate::expression::known::Passed;
use crate::graph::{Condition, Graph, Guards, StepIndex};
use crate::source::{Document, NodeId};

/// The roots that are the same in every step.
const SHARED: [&str; 5] = ["context", "execution", "inputs", "steps", "trigger"];
/// Of those the ones whose parts say nothing about each other.
const APART: [&str; 4] = ["context", "execution", "inputs", "steps"];
/// Most conditions about one thing that are kept.
const MAX_ABOUT_ONE: usize = 64;

/// The conditions of a process and the steps that have passed them.
#[derive(Debug, Default)]
pub(super) struct Guarded<'r> {
    /// The process's own steps, and the bodies of `foreach`.
    lists: Vec<List>,
    /// Of steps with one id the first counts.
    steps: BTreeMap<&'r str, Place>,
    /// Conditions by what they ask about.
    about: BTreeMap<About, Vec<Told>>,
    /// Each step's own, by its list and place.
    own: BTreeMap<(usize, StepIndex), Told>,
}

#[derive(Debug)]
struct List {
    guards: Guards,
    around: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    list: usize,
    step: StepIndex,
}

/// The root of a chain and the name after it.
type About = (String, String);

/// A condition, as a guard of a list, and the place of its text.
#[derive(Debug, Clone, Copy)]
struct Told {
    list: usize,
    guard: usize,
    text: usize,
    /// Whether it also asks about what is only there for an item.
    is_of_item: bool,
}

impl<'r> Guarded<'r> {
    pub(super) fn of(document: &Document, process: &'r Process, texts: &[Text]) -> Self {
        let mut guarded = Self::default();
        let by_node: BTreeMap<(NodeId, Option<&str>), usize> =
            texts.iter().enumerate().map(|(place, text)| ((text.node, text.owner.id()), place)).collect();
        let mut open: Vec<(&'r [Step], Option<Place>)> = vec![(&process.steps, None)];
        while let Some((steps, around)) = open.pop() {
            let graph = Graph::of_steps(steps);
            let list = guarded.lists.len();
            for (step, found) in graph.steps().enumerate() {
                let place = Place { list, step };
                guarded.steps.entry(found.id.as_str()).or_insert(place);
                if let StepKind::Foreach(foreach) = &found.kind {
                    open.push((&foreach.steps, Some(place)));
                }
            }
            let guards = Guards::of(&graph);
            for (guard, (condition, _)) in guards.all().iter().enumerate() {
                let (Condition::When(step) | Condition::Branch(step, _)) = condition;
                let step = graph.step(*step);
                let node = document.node(step.node);
                let written = match condition {
                    Condition::When(_) => node.get("when"),
                    Condition::Branch(_, branch) => {
                        let branches = node.get("branches").and_then(|branches| branches.items());
                        branches.and_then(|mut branches| branches.nth(*branch)?.get("when"))
                    }
                };
                let text = written.and_then(|when| by_node.get(&(when.id(), Some(step.id.as_str()))));
                let Some(told) = text.and_then(|text| told(texts, list, guard, *text)) else { continue };
                if let Condition::When(step) = condition {
                    guarded.own.insert((list, *step), told);
                }
                guarded.add(texts, told);
            }
            guarded.lists.push(List { guards, around });
        }
        guarded
    }

    fn add(&mut self, texts: &[Text], told: Told) {
        for about in abouts(&texts[told.text]) {
            let known = self.about.entry(about).or_default();
            if known.len() < MAX_ABOUT_ONE {
                known.push(told);
            }
        }
    }

    /// The conditions about what a text reads that have come out so before it is read.
    pub(super) fn passed<'t>(&self, texts: &'t [Text], text: &Text) -> Vec<Passed<'t>> {
        let Some(place) = text.owner.id().and_then(|id| self.steps.get(id)) else { return Vec::new() };
        let mut told: BTreeMap<(usize, usize), Told> = BTreeMap::new();
        for about in abouts(text) {
            let known = self.about.get(&about).into_iter().flatten();
            told.extend(known.map(|one| ((one.list, one.guard), *one)));
        }
        let mut passed = Vec::new();
        let (mut at, mut at_when) = (Some(*place), text.role.is_when);
        while let Some(place) = at {
            let list = &self.lists[place.list];
            let own = self.own.get(&(place.list, place.step)).map(|own| ((own.list, own.guard), *own));
            told.extend(own);
            for one in told.values().filter(|one| one.list == place.list) {
                let of = &texts[one.text];
                let is_same = !one.is_of_item || of.owner.items() == text.owner.items();
                if is_same && list.guards.holds(one.guard, place.step, at_when) {
                    let outcome = list.guards.all()[one.guard].1;
                    let Ok(template) = &of.template else { continue };
                    passed.extend(template.expression().map(|test| Passed { template, test, outcome }));
                }
            }
            (at, at_when) = (list.around, false);
        }
        passed
    }
}

fn told(texts: &[Text], list: usize, guard: usize, text: usize) -> Option<Told> {
    let references = texts[text].template.as_ref().ok()?.references();
    let is_of_item = references.iter().any(|reference| !SHARED.contains(&reference.root()));
    Some(Told { list, guard, text, is_of_item })
}

/// What a text asks about. One part of the trigger or of an item may say what the others are.
fn abouts(text: &Text) -> BTreeSet<About> {
    let references = text.template.iter().flat_map(|template| template.references());
    let about = |reference: &Reference| {
        let name = reference.name(1).filter(|_| APART.contains(&reference.root())).unwrap_or_default();
        (reference.root().to_owned(), name.to_owned())
    };
    references.map(about).collect()
}
