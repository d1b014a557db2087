//! The run through a list of steps that costs most: steps that exclude each other are not added up.

use indexmap::IndexMap;
use rust_decimal::Decimal;

use super::model::{Fate, Model};
use super::search::{Goal, MAX_TRANSITIONS, Passes, Search, State, Why, slice};
use crate::graph::StepIndex;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Costliest {
    /// The steps that run and cost something, in their order.
    Run(Vec<StepIndex>),
    /// There are too many runs.
    TooMany,
}

/// Looks. `prices` is what each step costs when it runs.
pub(super) fn costliest(model: &Model<'_>, prices: &[Decimal]) -> Costliest {
    let Some(slice) = slice(model, Goal::Over) else { return Costliest::TooMany };
    let passes = vec![Passes::Never; model.graph.len()];
    let search = Search::new(model, Goal::Over, &passes, &slice);
    let mut ran: Vec<(StepIndex, u32)> = Vec::new();
    let mut layer: IndexMap<State, (Decimal, u32)> = IndexMap::new();
    layer.insert(vec![0; search.layout.length], (Decimal::ZERO, u32::MAX));
    let mut transitions = 0;
    for (at, step) in slice.iter().copied().enumerate() {
        let mut after: IndexMap<State, (Decimal, u32)> = IndexMap::new();
        for (state, (cost, visit)) in &layer {
            let Some(nexts) = search.nexts(step, state) else { return Costliest::TooMany };
            for next in nexts {
                transitions += 1;
                if transitions > MAX_TRANSITIONS {
                    return Costliest::TooMany;
                }
                let runs = next.why == Why::Course && !matches!(next.fate, Fate::Open | Fate::Skipped);
                let price = if runs { prices[step] } else { Decimal::ZERO };
                let total = cost.saturating_add(price);
                let moved = search.moved(at, step, state, &next);
                if after.get(&moved).is_none_or(|(known, _)| total > *known) {
                    let visit = if price.is_zero() {
                        *visit
                    } else {
                        ran.push((step, *visit));
                        u32::try_from(ran.len() - 1).unwrap_or(u32::MAX)
                    };
                    after.insert(moved, (total, visit));
                }
            }
        }
        layer = after;
    }
    let dearest = layer.values().max_by_key(|(cost, _)| *cost).map(|(_, visit)| *visit);
    let mut steps = Vec::new();
    let mut at = dearest.unwrap_or(u32::MAX);
    while let Some((step, before)) = ran.get(at as usize) {
        steps.push(*step);
        at = *before;
    }
    steps.reverse();
    Costliest::Run(steps)
}
