//! What must hold at the end, whenever the server was killed: looked at in the store itself, once no server has it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use flowctl_app::engine::idempotency_key;
use flowctl_app::store::{ExecutionFilter, StoredEvent};
use flowctl_core::definition::StepType;
use flowctl_core::execution::{Execution, StepStatus};
use flowctl_tests::program;

use crate::orders::{Ending, Order};
use crate::recorder::Call;
use crate::stage::Stage;

pub async fn of(stage: &Stage, orders: &[Order]) {
    let store = stage.store().await;
    let all = store.list(None, &ExecutionFilter::default(), 1_000, None).await.unwrap().items;
    let placed = all.iter().filter(|execution| execution.process == "order").map(|order| order.id);
    let accepted: BTreeSet<_> = orders.iter().map(|order| order.execution).collect();
    assert_eq!(placed.collect::<BTreeSet<_>>(), accepted, "what was accepted is there, and nothing else");
    let packed = all.iter().filter(|execution| execution.process == "pack").count();
    let to_pack = orders.iter().filter(|order| order.ending != Ending::Rejected).count();
    assert_eq!(packed, to_pack, "each order is packed once");
    let mut calls: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for call in stage.recorder.calls() {
        calls.entry(call.key.clone()).or_default().push(call);
    }
    let (mut repeated, mut made) = (0, 0);
    for execution in &all {
        let events = store.events(&execution.tenant, execution.id, 0, 10_000).await.unwrap();
        assert_eq!(Execution::fold(events.iter().map(|it| &it.event)).unwrap(), *execution);
        assert!(execution.status.is_final(), "{execution:#?}");
        one_result_for_each_attempt(&events);
        for (step, state) in &execution.steps {
            if state.step_type == StepType::ApiCall && state.status != StepStatus::Skipped {
                let of_step = calls.remove(&idempotency_key(execution, step)).unwrap_or_default();
                repeated += called_again_only_after_a_kill(step, &of_step, &events);
                made += of_step.len();
            }
        }
    }
    assert_eq!(calls, BTreeMap::new(), "every call has the key of a step");
    for order in orders {
        let execution = all.iter().find(|execution| execution.id == order.execution).unwrap();
        ended_as_it_should(order, execution);
    }
    let backlog = store.backlog().await.unwrap();
    assert_eq!(backlog.work, 0, "nobody has anything left to do");
    store.close().await;
    println!("{} executions ended; of {made} calls {repeated} were repetitions", all.len());
    doctor_finds_nothing(stage);
}

fn one_result_for_each_attempt(events: &[StoredEvent]) {
    let mut results: BTreeMap<(String, Option<u32>), Vec<&str>> = BTreeMap::new();
    for event in events.iter().map(|stored| &stored.event) {
        let name = event.kind.name();
        if let Some(step) = &event.step
            && ["step.completed", "step.failed", "step.skipped", "step.cancelled"].contains(&name)
        {
            results.entry((step.clone(), event.attempt)).or_default().push(name);
        }
    }
    let doubled: Vec<_> = results.into_iter().filter(|(_, results)| results.len() > 1).collect();
    assert_eq!(doubled, [], "{events:#?}");
}

/// A step is called once, and once more at most for each time that its attempt was under way at a kill; how often it was
/// called beyond the first time.
fn called_again_only_after_a_kill(step: &str, calls: &[Call], events: &[StoredEvent]) -> usize {
    let of_step = events.iter().map(|stored| &stored.event).filter(|event| event.step.as_deref() == Some(step));
    let interrupted = of_step.filter(|event| event.kind.name() == "step.repeated").count();
    assert!((1..=1 + interrupted).contains(&calls.len()), "{step}: {calls:#?}, interrupted {interrupted} times");
    let lives: BTreeSet<&str> = calls.iter().map(|call| call.life.as_str()).collect();
    assert_eq!(lives.len(), calls.len(), "{step} is called once in each of the server's lives: {calls:#?}");
    calls.len() - 1
}

fn ended_as_it_should(order: &Order, execution: &Execution) {
    let step = |id: &str| execution.steps[id].status.as_str();
    let (status, steps) = match order.ending {
        Ending::Done => ("completed", [("sign", "completed"), ("ship", "completed"), ("release", "skipped")]),
        Ending::Refused => ("failed", [("sign", "completed"), ("ship", "failed"), ("release", "completed")]),
        Ending::Rejected => ("failed", [("sign", "failed"), ("ship", "skipped"), ("release", "completed")]),
    };
    assert_eq!(execution.status.as_str(), status, "{execution:#?}");
    assert_eq!(steps.map(|(id, _)| (id, step(id))), steps, "{execution:#?}");
    let decisions = &execution.steps["sign"].decisions;
    let said_by = |login: &str| decisions.iter().filter(|decision| decision.person.login == login).count();
    assert_eq!(said_by("alice"), 1, "alice's word counts once: {decisions:#?}");
    let bob = said_by("bob");
    assert!(bob <= order.spoken_by_bob && (bob > 0) == (order.spoken_by_bob > 0), "{order:?}: {decisions:#?}");
    assert_eq!(decisions.len(), 1 + bob);
}

fn doctor_finds_nothing(stage: &Stage) {
    let mut doctor = Command::new(program());
    doctor.arg("doctor").env("FLOWCTL_DATA_DIR", stage.data());
    if let Some(url) = stage.database_url() {
        doctor.env("FLOWCTL_DATABASE_URL", url);
    }
    let looked = doctor.output().unwrap();
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stdout));
}
