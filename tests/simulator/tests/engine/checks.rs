//! What must hold at the end, whatever happened. That folding the events gives what is stored, and that timers, attempts,
//! questions and waits stand beside it as the state says, is what `doctor` looks at, which is asked too.

use std::collections::{BTreeMap, BTreeSet};

use flowctl_core::definition::process::OnConflict;
use flowctl_core::execution::{EventKind, Execution, ExecutionStatus, StepStatus, TenantId};

use crate::people::{Answer, Ask};
use crate::servers::{Call, World};
use flowctl_app::store::{Store as _, StoredEvent};

pub async fn at_the_end(world: &World, fair: bool) {
    let executions = world.executions().await;
    for execution in &executions {
        assert!(execution.status.is_final(), "{execution:#?}");
        let open = execution.steps.iter().find(|(_, step)| !step.status.is_final());
        assert!(open.is_none(), "a step has no end: {open:#?}");
        one_result_for_each_attempt(world, execution, fair);
        undone(world, execution);
    }
    requests(world, &executions);
    calls(world, fair);
}

fn one_result_for_each_attempt(world: &World, execution: &Execution, fair: bool) {
    let store = &world.shared.store;
    let events: Vec<StoredEvent> =
        world.on_the_disk(store.events(&execution.tenant, execution.id, 0, 100_000)).unwrap();
    let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for StoredEvent { event, seq, .. } in &events {
        let (Some(step), Some(attempt)) = (event.step.clone(), event.attempt) else { continue };
        match &event.kind {
            EventKind::StepStarted { .. } | EventKind::ItemsResumed { .. } => {
                assert!(started.insert((step.clone(), attempt)), "{seq}: {step} starts its attempt {attempt} twice");
            }
            EventKind::StepCompleted { .. } | EventKind::StepFailed { .. } | EventKind::StepRetrying { .. } => {
                assert!(started.contains(&(step.clone(), attempt)), "{seq}: {step} ends before it starts");
                assert!(ended.insert((step.clone(), attempt)), "{seq}: {step} ends its attempt {attempt} twice");
            }
            EventKind::StepRepeated => assert!(!fair, "{seq}: {step} is repeated in fair weather"),
            _ => {}
        }
    }
}

/// What ended badly has undone what it did.
fn undone(world: &World, execution: &Execution) {
    if execution.status == ExecutionStatus::Completed {
        return;
    }
    let plan = &world.processes.plans()[execution.process.as_str()];
    for (key, step) in &execution.steps {
        let undo = plan.step(key).and_then(|planned| planned.step.compensate_with.as_ref());
        let Some(undo) = undo.filter(|_| step.status == StepStatus::Completed) else { continue };
        let items = key.find('[').map_or("", |at| &key[at..]);
        let status = execution.steps[&format!("{}{items}", undo.as_str())].status;
        let ran = matches!(status, StepStatus::Completed | StepStatus::Failed | StepStatus::Cancelled);
        assert!(ran, "{key} of {} was not undone: {}", execution.id, status.as_str());
    }
}

/// What somebody was answered is true: recorded once, or not at all.
fn requests(world: &World, executions: &[Execution]) {
    let (store, tenant) = (&world.shared.store, TenantId::local());
    let mut starts = 0;
    for request in world.requests.lock().unwrap().iter() {
        let answer = request.answer.unwrap_or_else(|| panic!("{} was not answered", request.key));
        let done = answer == Answer::Done;
        match &request.ask {
            Ask::Start => {
                let known = world.on_the_disk(store.by_start_key(&tenant, &request.key)).unwrap();
                assert_eq!(known.is_some(), done, "{}", request.key);
                starts += usize::from(done);
            }
            Ask::Publish { .. } => {
                assert!(
                    world.on_the_disk(store.api_event(&tenant, &request.key)).unwrap().is_some(),
                    "{}",
                    request.key
                );
            }
            Ask::Decide { execution, step, .. } => {
                let execution = executions.iter().find(|it| it.id == *execution).unwrap();
                let decisions = &execution.steps[step].decisions;
                let times = decisions.iter().filter(|it| it.source.id == request.key).count();
                assert_eq!(times, usize::from(done), "how often {} was recorded", request.key);
            }
            Ask::Answer { .. } | Ask::Cancel { .. } | Ask::Retry { .. } => {
                let known = world.on_the_disk(store.knows_word(&tenant, &request.key)).unwrap();
                assert_eq!(known, done, "{}", request.key);
            }
        }
    }
    let by_hand = executions.iter().filter(|it| it.trigger.kind == "manual" && it.parent.is_none()).count();
    assert_eq!(by_hand, starts, "each start is one execution");
    by_events(world, executions);
}

/// Each event that starts a process is one execution, but where another one of its group stands in its way.
fn by_events(world: &World, executions: &[Execution]) {
    let main = &world.processes.plans()["main"].process.header;
    let skips = main.concurrency.as_ref().is_some_and(|group| group.on_conflict == OnConflict::Skip);
    let requests = world.requests.lock().unwrap();
    let events = requests.iter().filter(|it| matches!(it.ask, Ask::Publish { name: "begin" })).count();
    let begun = executions.iter().filter(|it| it.trigger.kind == "event").count();
    match world.processes.0.begins_by_event {
        true if skips => assert!(begun <= events, "{begun} executions for {events} events"),
        true => assert_eq!(begun, events, "each event is one execution"),
        false => assert_eq!(begun, 0),
    }
}

/// Calls of one step say that they are the same, and calls of different ones that they are not; in fair weather nobody is
/// called twice for one attempt.
fn calls(world: &World, fair: bool) {
    let calls = world.calls.lock().unwrap();
    let mut of_key: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut once: BTreeSet<&Call> = BTreeSet::new();
    for call in calls.iter() {
        let Call { execution, step, attempt, key } = call;
        let of = of_key.entry(key).or_insert((execution.as_str(), step.as_str()));
        assert_eq!(*of, (execution.as_str(), step.as_str()), "one key for two steps");
        assert!(once.insert(call) || !fair, "attempt {attempt} of {step} is made twice in fair weather");
    }
}
