//! What must hold, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::approval::SourceKind;
use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{EventKind, Execution, ExecutionStatus, StepStatus, Waiting};

use crate::clients::{Answer, Ask};
use crate::store::Kept;
use crate::world::World;

/// Who has not ended waits for a person, an event, a sub-process that waits, or its turn.
pub fn waits_for_something_named(world: &World) {
    for Kept { execution, rests, .. } in world.store.executions.values() {
        if execution.status.is_final() {
            continue;
        }
        if execution.status == ExecutionStatus::Pending {
            let same = |other: &Execution| {
                let key = |execution: &Execution| execution.group.as_ref().map(|group| group.key.clone());
                other.id != execution.id && !other.status.is_final() && key(other) == key(execution)
            };
            let others = world.store.executions.values().any(|kept| same(&kept.execution));
            assert!(*rests && others, "a queued execution waits for nobody\n{}", world.picture());
            continue;
        }
        let waits = execution.steps.values().filter(|step| step.status == StepStatus::Waiting);
        let named = waits.filter(|step| match &step.waiting {
            Some(Waiting::Approval(_) | Waiting::Form(_) | Waiting::Event { .. }) => true,
            Some(Waiting::Process { execution, .. }) => !world.store.executions[execution].execution.status.is_final(),
            _ => false,
        });
        assert!(named.count() > 0, "execution {} waits for nothing\n{}", execution.id.as_u128(), world.picture());
        let runs = execution.steps.values().any(|step| step.status == StepStatus::Running);
        assert!(!runs, "nobody performs an attempt\n{}", world.picture());
    }
}

pub fn at_the_end(world: &World) {
    let store = &world.store;
    assert!(store.work.is_empty(), "work is left: {:?}", store.work);
    assert!(store.signals.is_empty(), "signals are left: {:?}", store.signals);
    assert!(store.untold.is_empty() && store.occurrences.is_empty(), "something was not told");
    for kept in store.executions.values() {
        let execution = &kept.execution;
        assert!(execution.status.is_final(), "{}", world.picture());
        assert_eq!(execution.wake_at(), None);
        assert_eq!(Execution::fold(&kept.events).as_ref(), Some(execution), "folding all events gives the state");
        let open = execution.steps.iter().find(|(_, step)| !step.status.is_final());
        assert!(open.is_none(), "a step has no end: {open:?}\n{}", world.picture());
        one_result_for_each_attempt(world, kept);
        undone(world, execution);
    }
    requests(world);
    starts(world);
}

fn one_result_for_each_attempt(world: &World, kept: &Kept) {
    let mut started: BTreeSet<(&str, u32)> = BTreeSet::new();
    let mut ended: BTreeMap<(&str, u32), &str> = BTreeMap::new();
    for event in &kept.events {
        let (Some(step), Some(attempt)) = (event.step.as_deref(), event.attempt) else { continue };
        let key = (step, attempt);
        match &event.kind {
            EventKind::StepStarted { .. } | EventKind::ItemsResumed { .. } => {
                assert!(started.insert(key), "{key:?} starts twice\n{}", world.picture());
            }
            EventKind::StepCompleted { .. } | EventKind::StepFailed { .. } | EventKind::StepRetrying { .. } => {
                assert!(started.contains(&key), "{key:?} ends before it starts\n{}", world.picture());
                let before = ended.insert(key, event.kind.name());
                assert_eq!(before, None, "{key:?} ends twice, at last as {}\n{}", event.kind.name(), world.picture());
            }
            _ => {}
        }
    }
}

/// What ended badly has undone what it did.
fn undone(world: &World, execution: &Execution) {
    if execution.status == ExecutionStatus::Completed {
        return;
    }
    let plan = world.plan(execution);
    for (key, step) in &execution.steps {
        let undo = plan.step(key).and_then(|planned| planned.step.compensate_with.as_ref());
        let Some(undo) = undo.filter(|_| step.status == StepStatus::Completed) else { continue };
        let items = key.find('[').map_or("", |at| &key[at..]);
        let status = execution.steps[&format!("{}{items}", undo.as_str())].status;
        let ran = matches!(status, StepStatus::Completed | StepStatus::Failed | StepStatus::Cancelled);
        assert!(ran, "{key} was not undone: {}\n{}", status.as_str(), world.picture());
    }
}

/// What somebody was answered is true: recorded once, or not at all.
fn requests(world: &World) {
    for request in &world.requests {
        let answer = request.answer.expect("everybody is answered");
        match &request.ask {
            Ask::Start => {
                let known = world.store.start_keys.contains_key(&request.key);
                assert_eq!(known, answer == Answer::Done, "{}", request.key);
            }
            Ask::Decide { execution, step, .. } => {
                let decisions = &world.store.executions[execution].execution.steps[step].decisions;
                let said = |kind: SourceKind, id: &str| kind == SourceKind::Comment && id == request.key;
                let times = decisions.iter().filter(|it| said(it.source.kind, &it.source.id)).count();
                assert_eq!(times, usize::from(answer == Answer::Done), "how often {} was recorded", request.key);
            }
            Ask::Publish { .. } => {
                let times = world.store.published.iter().filter(|event| event.id == request.key).count();
                assert_eq!(times, 1, "{}", request.key);
            }
            Ask::Answer { .. } | Ask::Cancel { .. } | Ask::Retry { .. } | Ask::Push { .. } => {
                let recorded = world.store.words.contains(&request.key);
                assert_eq!(recorded, answer == Answer::Done, "{}", request.key);
            }
        }
    }
}

/// Each start, each event and each attempt of a sub-process is one execution.
fn starts(world: &World) {
    let known: BTreeSet<_> = world.store.start_keys.values().collect();
    assert_eq!(known.len(), world.store.executions.len(), "each execution has a key of its own");
    let main = &world.processes.plans["main"].process.header;
    let skips = main.concurrency.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Skip);
    for request in world.requests.iter().filter(|it| matches!(it.ask, Ask::Publish { starts: true, .. })) {
        let began = world.store.start_keys.contains_key(&format!("event:{}", request.key));
        assert!(began || skips, "event {} began nothing", request.key);
    }
}
