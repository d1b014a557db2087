//! Whether a step that starts by the first of its edges may have asked about another one before or after that had ended.
//! Says yes only where it is certain: what is not, is not claimed.

use std::rc::Rc;

use super::super::model::Fate;
use super::{Search, State, decoded};
use crate::definition::step::{Join, RunOn};
use crate::graph::{Edge, StepIndex};

/// What is known about the time at which a step ends, by steps.
#[derive(Debug)]
pub(super) struct Around {
    /// What may have ended before it although nothing that takes time was waited for but what is before it.
    ended: Vec<bool>,
    /// What does not come after it.
    apart: Vec<bool>,
}

impl Search<'_, '_> {
    /// Whether everything can happen so that a step asks about these once they have ended.
    pub(super) fn can_ask_after(&self, step: StepIndex, reads: &[StepIndex], state: &State) -> bool {
        reads.iter().all(|of| {
            let around = self.around(*of);
            let may_start = |edge: &Edge| around.ended[edge.from] && self.went_well(edge, step, state) != Some(false);
            let edges = self.model.before(step);
            match self.starts_early(step) {
                true => !edges.iter().any(may_start),
                false => !edges.iter().all(|edge| around.ended[edge.from]),
            }
        })
    }

    /// Whether everything can happen so that a step asks about these while one has not ended.
    pub(super) fn can_ask_before(&self, step: StepIndex, reads: &[StepIndex], state: &State) -> bool {
        reads.iter().filter(|of| !self.model.nodes[**of].at_once && self.starts_early(step)).any(|of| {
            let around = self.around(*of);
            let mut edges = self.model.before(step).iter();
            edges.any(|edge| around.apart[edge.from] && self.went_well(edge, step, state) == Some(true))
        })
    }

    fn starts_early(&self, step: StepIndex) -> bool {
        let node = &self.model.nodes[step];
        node.join == Join::Any && node.run_on != RunOn::Failure
    }

    /// Whether an edge ended well; nothing where that is not known.
    fn went_well(&self, edge: &Edge, to: StepIndex, state: &State) -> Option<bool> {
        let fate = self.layout.fates.get(&edge.from).map(|slot| decoded(state[*slot]))?;
        let every_way_leads = || self.model.nodes[edge.from].branches.iter().all(|way| way.to.contains(&to));
        match fate {
            Fate::Completed | Fate::LapsedApproved | Fate::RejectedOn | Fate::Expired => Some(true),
            Fate::Took(_) => (!edge.gateway || every_way_leads()).then_some(true),
            Fate::Tolerated => Some(!edge.gateway),
            Fate::Open | Fate::Failed | Fate::Skipped | Fate::Cancelled => Some(false),
        }
    }

    fn around(&self, of: StepIndex) -> Rc<Around> {
        if let Some(known) = self.around.borrow().get(&of) {
            return Rc::clone(known);
        }
        let model = self.model;
        let mut is_before = vec![false; model.graph.len()];
        let mut open = vec![of];
        while let Some(step) = open.pop() {
            for edge in model.before(step) {
                if !std::mem::replace(&mut is_before[edge.from], true) {
                    open.push(edge.from);
                }
            }
        }
        let mut around = Around { ended: vec![false; is_before.len()], apart: vec![true; is_before.len()] };
        for step in self.slice.iter().copied() {
            let edges = model.before(step);
            around.apart[step] = step != of && edges.iter().all(|edge| around.apart[edge.from]);
            let mut ended = edges.iter().map(|edge| around.ended[edge.from]);
            let starts =
                edges.is_empty() || if self.starts_early(step) { ended.any(|it| it) } else { ended.all(|it| it) };
            around.ended[step] = step != of && starts && (is_before[step] || model.nodes[step].at_once);
        }
        let around = Rc::new(around);
        self.around.borrow_mut().insert(of, Rc::clone(&around));
        around
    }
}
