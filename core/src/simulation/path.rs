//! The order in which steps ended.

use std::collections::BTreeSet;

use crate::definition::step::RunOn;
use crate::execution::{Event, EventKind, Plan};

/// The steps that completed or failed, in the order in which they did. Steps that ended at one moment come in the order
/// of the definition, but never before what they wait for: what really came first of them is an accident. Compensations
/// run one at a time, so that theirs is none.
pub(super) fn path(plan: &Plan, events: &[Event]) -> Vec<String> {
    let ended = events.iter().filter_map(|event| {
        let ends = matches!(event.kind, EventKind::StepCompleted { .. } | EventKind::StepFailed { .. });
        event.step.as_deref().filter(|step| ends && plan.steps.contains_key(*step)).map(|step| (event.at, step))
    });
    let mut path = Vec::new();
    let mut together: Vec<&str> = Vec::new();
    let mut moment = None;
    for (at, step) in ended {
        let undoes = plan.step(step).is_some_and(|planned| planned.step.run_on == RunOn::Compensation);
        if moment != Some(at) || undoes {
            release(plan, &mut together, &mut path);
        }
        moment = Some(at);
        together.push(step);
        if undoes {
            release(plan, &mut together, &mut path);
        }
    }
    release(plan, &mut together, &mut path);
    path
}

/// Puts the steps of one moment into order.
fn release(plan: &Plan, together: &mut Vec<&str>, path: &mut Vec<String>) {
    let mut left: BTreeSet<&str> = std::mem::take(together).into_iter().collect();
    let in_definition = |left: &BTreeSet<&str>| -> Option<String> {
        let free =
            |id: &str| plan.step(id).is_some_and(|it| !it.edges.iter().any(|edge| left.contains(edge.from.as_str())));
        plan.steps.keys().find(|id| left.contains(id.as_str()) && free(id)).cloned()
    };
    while let Some(next) = in_definition(&left) {
        left.remove(next.as_str());
        path.push(next);
    }
}
