//! How a state of the search is laid out: a byte for each thing that later steps still ask about, used again once nobody
//! asks about it any more.

use std::collections::{BTreeMap, BTreeSet};

use super::conditions::{Asks, Atom, Part};
use super::model::Model;
use crate::definition::step::Join;
use crate::graph::StepIndex;

/// Where each thing that later steps ask about stands in a state.
pub(super) struct Layout {
    pub(super) length: usize,
    pub(super) edges: BTreeMap<StepIndex, usize>,
    pub(super) atoms: BTreeMap<Atom, usize>,
    pub(super) fates: BTreeMap<StepIndex, usize>,
    /// What nobody asks about any more behind a place of the slice.
    pub(super) done: Vec<Vec<usize>>,
    /// Steps that may have started while one before them had not ended.
    pub(super) early: Vec<bool>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Thing {
    Edges(StepIndex),
    Atom(Atom),
    Fate(StepIndex),
}

impl Layout {
    /// `in_time`: whether how the steps right before an early one ended is kept until that one asks.
    pub(super) fn of(model: &Model<'_>, slice: &[StepIndex], in_time: bool) -> Self {
        let place: BTreeMap<StepIndex, usize> = slice.iter().enumerate().map(|(at, step)| (*step, at)).collect();
        let mut live: BTreeMap<Thing, (usize, usize)> = BTreeMap::new();
        let mut touch = |thing: Thing, at: usize| {
            let span = live.entry(thing).or_insert((at, at));
            *span = (span.0.min(at), span.1.max(at));
        };
        let mut early = vec![false; model.graph.len()];
        let mut asked: BTreeSet<Atom> = BTreeSet::new();
        for (at, step) in slice.iter().copied().enumerate() {
            let node = &model.nodes[step];
            let edges = model.before(step);
            early[step] = (node.join == Join::Any && edges.len() > 1) || edges.iter().any(|edge| early[edge.from]);
            for edge in edges {
                if let Some(from) = place.get(&edge.from) {
                    touch(Thing::Edges(step), *from);
                    touch(Thing::Edges(step), at);
                }
            }
            let asks = in_time && early[step] && model.asks_about_steps(step);
            for from in edges.iter().map(|edge| edge.from).filter(|_| asks) {
                if let Some(from_place) = place.get(&from) {
                    touch(Thing::Fate(from), *from_place);
                    touch(Thing::Fate(from), at);
                }
            }
            let conditions = node.when.iter().chain(node.branches.iter().filter_map(|way| way.when.as_ref()));
            for part in conditions.flat_map(|condition| condition.all_parts()) {
                if let Some(atom) = part.atom() {
                    touch(Thing::Atom(atom), at);
                    asked.insert(atom);
                    // What was asked before about the same thing says what this may be.
                    let before = model.related.beside(atom).filter(|other| asked.contains(other));
                    before.for_each(|other| touch(Thing::Atom(other), at));
                }
                for read in part.asked() {
                    if let Some(from) = place.get(&read).filter(|from| **from < at) {
                        touch(Thing::Fate(read), *from);
                        touch(Thing::Fate(read), at);
                    }
                }
            }
        }
        Self::allocate(slice.len(), &live, early)
    }

    /// Gives places that are no longer needed to what comes later, so that a state is as short as can be.
    fn allocate(length: usize, live: &BTreeMap<Thing, (usize, usize)>, early: Vec<bool>) -> Self {
        let mut begins: Vec<Vec<(Thing, usize)>> = vec![Vec::new(); length];
        live.iter().for_each(|(thing, (first, last))| begins[*first].push((*thing, *last)));
        let mut layout = Self {
            length: 0,
            edges: BTreeMap::new(),
            atoms: BTreeMap::new(),
            fates: BTreeMap::new(),
            done: vec![Vec::new(); length],
            early,
        };
        let mut free: Vec<usize> = Vec::new();
        for (at, things) in begins.into_iter().enumerate() {
            for (thing, last) in things {
                let slot = free.pop().unwrap_or_else(|| {
                    layout.length += 1;
                    layout.length - 1
                });
                match thing {
                    Thing::Edges(step) => layout.edges.insert(step, slot),
                    Thing::Atom(atom) => layout.atoms.insert(atom, slot),
                    Thing::Fate(step) => layout.fates.insert(step, slot),
                };
                layout.done[last].push(slot);
            }
            free.extend(&layout.done[at]);
        }
        layout
    }
}

impl Part {
    /// The steps whose fates decide something of it.
    fn asked(&self) -> impl Iterator<Item = StepIndex> {
        let own = match &self.asks {
            Asks::Decision(step, _) | Asks::Status(step, _) | Asks::Outcome(step, _) => Some(*step),
            Asks::Literal(_) | Asks::Atom(_) | Asks::Either(_) => None,
        };
        own.into_iter().chain(self.needs.iter().copied())
    }
}
