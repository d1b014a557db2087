//! What is counted of an execution.

use super::super::measures::Measures;
use super::*;

#[tokio::test]
async fn each_thing_that_happened_is_counted_once() {
    let world = World::of(RELEASE).await;
    world.performer.fails(ErrorClass::Network);
    let id = world.started().await;
    world.passes(10);
    world.engine.settle().await.unwrap();
    world.signal(id, world.approval("alice", "1")).await.unwrap();
    world.signal(id, world.approval("bob", "2")).await.unwrap();
    world.passes(3600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | draft:completed sign:completed pause:completed");
    let events = world.store.events(&TenantId::local(), id, 0, 100).await.unwrap();
    let events = events.into_iter().map(|stored| stored.event).collect();
    let told = Measures::of(&Transition::of(world.execution(id).await, 1, events));
    insta::assert_snapshot!(format!("{told:?}").replace("}, ", "}\n").replace("Started, ", "Started\n"), @r#"
    Measures([Started
    Retried { step_type: "api_call" }
    StepEnded { step_type: "api_call", status: "completed", seconds: Some(10.0) }
    Decided { kind: Approve, source: Comment }
    Decided { kind: Approve, source: Comment }
    StepEnded { step_type: "human_approval", status: "completed", seconds: Some(0.0) }
    StepEnded { step_type: "wait", status: "completed", seconds: Some(3600.0) }
    Ended { status: "completed", seconds: 3610.0 }])
    "#);
    world.check().await;
}
