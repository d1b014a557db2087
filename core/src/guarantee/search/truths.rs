//! Which values the conditions of steps and branches may have where a search stands, each with the truths that an
//! evaluation settles. Knows no goals.

use super::super::conditions::{Asks, Atom, Condition, Part, Truth};
use super::super::model::Fate;
use super::{MAX_WAYS, Search, Settled, State, decoded};
use crate::definition::step::gateway::GatewayMode;
use crate::graph::StepIndex;

/// The values of a truth.
const TRUTHS: [Truth; 3] = [Truth::False, Truth::True, Truth::Error];

impl Search<'_, '_> {
    /// The values that a condition may have, each with the truths that it settles.
    pub(super) fn truths(
        &self,
        step: StepIndex,
        condition: Option<&Condition>,
        state: &State,
    ) -> Option<Vec<(Truth, Settled)>> {
        self.truths_given(step, condition, state, &Settled::new())
    }

    fn truths_given(
        &self,
        step: StepIndex,
        condition: Option<&Condition>,
        state: &State,
        given: &Settled,
    ) -> Option<Vec<(Truth, Settled)>> {
        let mut found = Vec::new();
        let mut open = vec![given.clone()];
        for part in condition.iter().flat_map(|condition| &condition.parts) {
            let mut further = Vec::new();
            for settled in open {
                for (truth, more) in self.part(step, part, state, &settled)? {
                    match truth {
                        Truth::True => further.push(more),
                        Truth::False | Truth::Error => found.push((truth, more)),
                    }
                }
            }
            open = further;
            if found.len() + open.len() > MAX_WAYS {
                return None;
            }
        }
        found.extend(open.into_iter().map(|settled| (Truth::True, settled)));
        Some(found)
    }

    fn part(&self, step: StepIndex, part: &Part, state: &State, settled: &Settled) -> Option<Vec<(Truth, Settled)>> {
        let signed = |truth| match (truth, part.positive) {
            (Truth::True, false) => Truth::False,
            (Truth::False, false) => Truth::True,
            (truth, _) => truth,
        };
        let early = self.layout.early[step] && !part.reads.is_empty();
        let fate = |step: &StepIndex| self.layout.fates.get(step).map(|slot| decoded(state[*slot]));
        // It may have been asked before the step that it reads had ended, or afterwards; where a run has to be certain,
        // only if time surely allows that.
        let is_free = !early || !self.certain;
        let after = is_free || self.can_ask_after(step, &part.reads, state);
        let before = early && (is_free || self.can_ask_before(step, &part.reads, state));
        let known = |truth: Truth| {
            let of_fate = (after || truth == Truth::Error).then(|| (signed(truth), settled.clone()));
            let open = (before && truth != Truth::Error).then(|| (Truth::Error, settled.clone()));
            of_fate.into_iter().chain(open).collect::<Vec<_>>()
        };
        let told = |same: bool| if same { Truth::True } else { Truth::False };
        if self.certain && part.unsure {
            return Some(Vec::new());
        }
        if part.needs.iter().any(|of| fate(of).is_some_and(|fate| !fate.is_completed())) {
            return Some(vec![(Truth::Error, settled.clone())]);
        }
        Some(match &part.asks {
            Asks::Either(alternatives) => {
                let either = self.either(step, alternatives, state, settled)?;
                either.into_iter().map(|(truth, settled)| (signed(truth), settled)).collect()
            }
            Asks::Literal(truth) => known(*truth),
            Asks::Decision(of, word) => match fate(of) {
                Some(fate) => known(fate.decision().map_or(Truth::Error, |decision| told(decision == word))),
                None => any(settled),
            },
            Asks::Status(of, word) => match fate(of) {
                Some(fate) => known(fate.status().map_or(Truth::Error, |status| told(status == word))),
                None => any(settled),
            },
            Asks::Outcome(of, truths) => {
                let value = |fate: Fate| {
                    let known = truths.iter().find(|(known, _)| *known == fate);
                    signed(known.map_or(Truth::Error, |(_, truth)| *truth))
                };
                let Some(fate) = fate(of) else { return Some(any(settled)) };
                let is_same = value(Fate::Open) == value(fate);
                let of_fate = (after || is_same).then(|| (value(fate), settled.clone()));
                let open = (before && !is_same).then(|| (value(Fate::Open), settled.clone()));
                of_fate.into_iter().chain(open).collect()
            }
            Asks::Atom(_) if early => {
                let mut all = any(settled);
                all.retain(|(truth, _)| if *truth == Truth::Error { before } else { after });
                all
            }
            Asks::Atom(_) if part.needs.iter().any(|of| fate(of).is_none()) => any(settled),
            Asks::Atom(atom) => {
                let known = |atom: Atom| self.known(atom, state, settled);
                if let Some(truth) = known(*atom) {
                    return Some(vec![(signed(truth), settled.clone())]);
                }
                let related = &self.model.related;
                if self.certain && related.is_unsure(*atom, &known) {
                    return Some(Vec::new());
                }
                let possible = TRUTHS.into_iter().filter(|truth| related.allows(*atom, *truth, &known));
                let more = possible.map(|truth| {
                    let mut more = settled.clone();
                    more.push((*atom, truth));
                    (signed(truth), more)
                });
                more.collect()
            }
        })
    }

    /// What a truth is, where that was settled.
    fn known(&self, atom: Atom, state: &State, settled: &Settled) -> Option<Truth> {
        let mut settled = self.given.iter().chain(settled);
        let now = settled.find(|(settled, _)| *settled == atom).map(|(_, truth)| *truth);
        let before = self.layout.atoms.get(&atom).map_or(0, |slot| state[*slot]);
        now.or_else(|| TRUTHS.into_iter().find(|truth| *truth as u8 + 1 == before))
    }

    /// The values that a disjunction may have.
    fn either(
        &self,
        step: StepIndex,
        alternatives: &[Condition],
        state: &State,
        settled: &Settled,
    ) -> Option<Vec<(Truth, Settled)>> {
        let (mut found, mut open) = (Vec::new(), vec![settled.clone()]);
        for alternative in alternatives {
            let mut further = Vec::new();
            for settled in open {
                for (truth, more) in self.truths_given(step, Some(alternative), state, &settled)? {
                    match truth {
                        Truth::False => further.push(more),
                        Truth::True | Truth::Error => found.push((truth, more)),
                    }
                }
            }
            open = further;
            if found.len() + open.len() > MAX_WAYS {
                return None;
            }
        }
        found.extend(open.into_iter().map(|settled| (Truth::False, settled)));
        Some(found)
    }

    /// The ways that a gateway may take, as bits of its branches; nothing in place of them where it fails.
    pub(super) fn ways(
        &self,
        step: StepIndex,
        state: &State,
        settled: &Settled,
    ) -> Option<Vec<(Option<u64>, Settled)>> {
        let node = &self.model.nodes[step];
        if node.branches.len() > 64 {
            return None;
        }
        if node.branches.is_empty() {
            return Some(Vec::new());
        }
        let mut found = Vec::new();
        let mut open: Vec<(u64, Settled)> = vec![(0, settled.clone())];
        for (at, way) in node.branches.iter().enumerate().filter(|(_, way)| way.when.is_some()) {
            let mut further = Vec::new();
            for (taken, settled) in open {
                for (truth, more) in self.truths_given(step, way.when.as_ref(), state, &settled)? {
                    match truth {
                        Truth::True if node.mode == GatewayMode::First => found.push((Some(taken | 1 << at), more)),
                        Truth::True => further.push((taken | 1 << at, more)),
                        Truth::False => further.push((taken, more)),
                        Truth::Error => found.push((None, more)),
                    }
                }
            }
            open = further;
            if found.len() + open.len() > MAX_WAYS {
                return None;
            }
        }
        let otherwise = node.branches.iter().position(|way| way.when.is_none());
        for (taken, settled) in open {
            let taken = if taken == 0 { otherwise.map(|at| 1 << at) } else { Some(taken) };
            found.push((taken, settled));
        }
        Some(found)
    }
}

fn any(settled: &Settled) -> Vec<(Truth, Settled)> {
    TRUTHS.into_iter().map(|truth| (truth, settled.clone())).collect()
}
