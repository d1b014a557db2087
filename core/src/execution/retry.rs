//! What begins again: by hand, an execution that failed or was cancelled goes on from what failed; by itself, a
//! `foreach` goes on with the items that failed. What was undone is done again, and what people approved for another commit
//! is asked again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use indexmap::IndexMap;

use super::address::{self, innermost, inside, items_of, step_of};
use super::decide::{Refusal, Transition};
use super::event::EventKind;
use super::perform;
use super::plan::{Plan, PlannedStep, compensation};
use super::state::{Execution, StepState, StepStatus};
use crate::approval::Person;
use crate::definition::StepKind;
use crate::definition::step::{OnFailure, RunOn};

/// A `foreach` that goes on with some of its items.
#[derive(Debug)]
pub(super) struct Resumed {
    /// Its key.
    pub(super) foreach: String,
    /// The items.
    pub(super) items: Vec<u32>,
    /// The steps inside of them that begin again.
    pub(super) steps: Vec<String>,
}

/// Begins again with the steps that failed, were cancelled, undone or are outdated, all that follows from them, and compensations. With
/// `only`: of what ended badly with this step alone.
pub(super) fn retry(transition: &mut Transition<'_>, actor: Option<Person>, only: Option<&str>) -> Result<(), Refusal> {
    let status = transition.execution.status;
    if !transition.execution.can_be_retried() {
        return Err(Refusal::NothingToRetry { status });
    }
    let (plan, execution) = (transition.plan, &transition.execution);
    let only = match only {
        None => None,
        Some(key) => {
            // A step inside of items begins again with the step of the process that they belong to.
            let around = plan.around(key).first().map(|foreach| foreach.step.id.as_str());
            let id = around.unwrap_or(step_of(key));
            let state = execution.steps.get(id).ok_or_else(|| Refusal::UnknownStep { step: key.to_owned() })?;
            if !ended_badly(state) && !state.outdated {
                return Err(Refusal::NothingToRetry { status });
            }
            Some(id)
        }
    };
    let mut again = Again::new(plan, execution);
    again.scope(&plan.steps, "", only);
    let Again { mut steps, resumed, .. } = again;
    steps.extend(compensations(plan, execution));
    let steps: BTreeSet<String> = steps.into_iter().collect();
    let steps = execution.steps.keys().filter(|key| steps.contains(*key)).cloned().collect();
    let due_at = transition.execution_due_at();
    transition.emit_by(actor, EventKind::ExecutionRetried { steps, due_at });
    for Resumed { foreach, items, .. } in resumed {
        let due_at = transition.plan.step(&foreach).and_then(|planned| perform::due_at(transition, &foreach, planned));
        // The steps inside are among those above.
        transition.emit_step(&foreach, None, EventKind::ItemsResumed { items, steps: Vec::new(), due_at });
    }
    Ok(())
}

/// The items of a `foreach` that failed or were interrupted, and those of every one inside of them; outermost first.
pub(super) fn items_again(transition: &Transition<'_>, key: &str, planned: &PlannedStep) -> Vec<Resumed> {
    let mut again = Again::new(transition.plan, &transition.execution);
    again.items(key, planned);
    // Whose steps begin again is told with the outermost; the state knows them all by key.
    let Again { mut resumed, steps, .. } = again;
    if let Some(outermost) = resumed.first_mut() {
        outermost.steps = steps;
    }
    resumed
}

fn ended_badly(step: &StepState) -> bool {
    match step.status {
        StepStatus::Cancelled => true,
        StepStatus::Failed => step.on_failure == OnFailure::Fail,
        _ => false,
    }
}

fn compensations<'e>(plan: &'e Plan, execution: &'e Execution) -> impl Iterator<Item = String> + 'e {
    let undoes = |key: &str| plan.step(key).is_some_and(|planned| planned.step.run_on == RunOn::Compensation);
    execution.steps.keys().filter(move |key| undoes(key)).cloned()
}

/// What begins again, found scope by scope.
struct Again<'a> {
    execution: &'a Execution,
    /// Steps whose compensation ran, at least in part, and approvals of what is there no more.
    undone: HashSet<String>,
    /// The items with such a step inside, by the key of their `foreach`.
    touched: BTreeMap<String, BTreeSet<u32>>,
    steps: Vec<String>,
    resumed: Vec<Resumed>,
}

impl<'a> Again<'a> {
    fn new(plan: &Plan, execution: &'a Execution) -> Self {
        let mut undone = HashSet::new();
        let mut touched: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
        for (key, step) in &execution.steps {
            if step.status != StepStatus::Completed {
                continue;
            }
            let undo = compensation(plan, key).and_then(|(undo, _)| execution.steps.get(&undo));
            let is_undone = undo.is_some_and(|undo| !matches!(undo.status, StepStatus::Pending | StepStatus::Skipped));
            if !is_undone && !step.outdated {
                continue;
            }
            undone.insert(key.clone());
            let mut items = items_of(key);
            for foreach in plan.around(key).into_iter().rev() {
                let Some((around, index)) = innermost(items) else { break };
                touched.entry(address::key(foreach.step.id.as_str(), around)).or_default().insert(index);
                items = around;
            }
        }
        Self { execution, undone, touched, steps: Vec::new(), resumed: Vec::new() }
    }

    /// The steps of a process or of an item. With `only`: of those that ended badly this one alone.
    fn scope(&mut self, steps: &IndexMap<String, PlannedStep>, items: &str, only: Option<&str>) {
        let mut begun: IndexMap<&str, bool> = IndexMap::new();
        for (id, planned) in steps {
            let key = address::key(id, items);
            let Some(state) = self.execution.steps.get(&key) else { continue };
            if planned.step.run_on == RunOn::Compensation {
                continue;
            }
            let bad = ended_badly(state) && only.is_none_or(|only| only == id);
            let touched = self.touched.contains_key(&key);
            if bad || touched || self.undone.contains(&key) {
                // A list that was opened goes on; everything else begins again as a whole.
                begun.insert(id, state.items.is_some() && !self.undone.contains(&key));
            }
        }
        add_what_follows(steps, &mut begun);
        for (id, goes_on) in begun {
            let key = address::key(id, items);
            match steps.get(id) {
                Some(planned) if goes_on => self.items(&key, planned),
                Some(planned) => self.whole(&key, planned),
                None => {}
            }
        }
    }

    /// A `foreach` that goes on with the items that did not end well or were undone in part.
    fn items(&mut self, key: &str, planned: &PlannedStep) {
        let Some(items) = self.execution.steps.get(key).and_then(|state| state.items.as_deref()) else { return };
        let StepKind::Foreach(foreach) = &planned.step.kind else { return };
        let tolerated = foreach.on_item_failure == OnFailure::Continue;
        let touched = self.touched.get(key).cloned().unwrap_or_default();
        let again: Vec<u32> = (0..)
            .zip(&items.begun)
            .filter(|(index, item)| match item.status {
                _ if touched.contains(index) => true,
                StepStatus::Completed => false,
                StepStatus::Failed => !tolerated,
                _ => true,
            })
            .map(|(index, _)| index)
            .collect();
        self.resumed.push(Resumed { foreach: key.to_owned(), items: again.clone(), steps: Vec::new() });
        for index in again {
            self.scope(&planned.body, &inside(items_of(key), index), None);
        }
    }

    /// A step that begins again with all that is inside of it.
    fn whole(&mut self, key: &str, planned: &PlannedStep) {
        self.steps.push(key.to_owned());
        let begun = self.execution.steps.get(key).and_then(|state| state.items.as_deref()).map_or(0, |i| i.begun.len());
        for index in (0..u32::try_from(begun).unwrap_or(u32::MAX)).take_while(|_| !planned.body.is_empty()) {
            let items = inside(items_of(key), index);
            for (id, step) in &planned.body {
                self.whole(&address::key(id, &items), step);
            }
        }
    }
}

/// Adds the steps that depend on these, and begin again as a whole because of that.
fn add_what_follows<'s>(steps: &'s IndexMap<String, PlannedStep>, begun: &mut IndexMap<&'s str, bool>) {
    let mut after: BTreeMap<&str, Vec<&'s str>> = BTreeMap::new();
    for (id, planned) in steps {
        planned.edges.iter().for_each(|edge| after.entry(edge.from.as_str()).or_default().push(id));
    }
    let mut next = 0;
    let mut followed: HashSet<&str> = HashSet::new();
    while let Some((id, _)) = begun.get_index(next) {
        next += 1;
        for follower in after.get(*id).into_iter().flatten() {
            followed.insert(follower);
            begun.entry(follower).or_insert(false);
        }
    }
    for (id, goes_on) in begun.iter_mut() {
        *goes_on &= !followed.contains(id);
    }
}
