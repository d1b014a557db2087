//! Sub-processes: a child and the step that waits for it are never without each other.

use flowctl_core::execution::{ExecutionStatus, Waiting};

use super::*;

const SHIP: &str = "
name: ship
version: 1
steps:
  - {id: notes, type: process, process: notes, inputs: {tag: v7}, timeout: 1h}
  - {id: done, type: set, depends_on: notes, values: {text: '{{ steps.notes.output.text }}'}}
outputs:
  text: '{{ steps.done.output.text }}'
";
const NOTES: &str = "
name: notes
version: 1
inputs:
  tag: {type: string, required: true}
steps:
  - {id: write, type: api_call, url: 'https://notes.example/{{ inputs.tag }}', compensate_with: unwrite}
  - {id: sign, type: human_approval, depends_on: write, approvers: {all: [{users: [alice]}, {users: [bob]}]}}
  - {id: unwrite, type: set, run_on: compensation, values: {x: 1}}
outputs:
  text: '{{ steps.write.output.notes }} for {{ inputs.tag }}'
";

async fn world() -> World {
    let world = World::of(SHIP).await;
    world.definitions.also(NOTES);
    world
}

async fn child(world: &World, id: ExecutionId) -> ExecutionId {
    match world.execution(id).await.steps["notes"].waiting {
        Some(Waiting::Process { execution, .. }) => execution,
        ref other => panic!("it waits for no child: {other:?}"),
    }
}

#[tokio::test]
async fn a_child_runs_at_the_same_commit_and_its_end_wakes_the_step() {
    let world = world().await;
    let id = world.started().await;
    assert_eq!(world.picture(id).await, "waiting | notes:waiting done:pending");
    let child = child(&world, id).await;
    assert_eq!(world.picture(child).await, "waiting | write:completed sign:waiting unwrite:pending");
    let state = world.execution(child).await;
    assert_eq!((state.revision.as_str(), state.repository.as_str()), (REVISION, "shop"));
    assert_eq!((state.trigger.kind.as_str(), state.parent.as_ref().unwrap().execution), ("process", id));
    world.signal(child, world.approval("alice", "1")).await.unwrap();
    world.signal(child, world.approval("bob", "2")).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | notes:completed done:completed");
    assert_eq!(world.execution(id).await.outputs, Some(json!({"text": "as drafted for v7"})));
    world.check().await;
}

#[tokio::test]
async fn an_engine_that_dies_before_the_end_is_told_loses_nothing() {
    let world = world().await;
    let id = world.started().await;
    let child = child(&world, id).await;
    world.signal(child, world.approval("alice", "1")).await.unwrap();
    // The child ends, and whoever ended it passes nothing on any more.
    world.signal(child, world.approval("bob", "2")).await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | notes:waiting done:pending");
    let another = world.another("another");
    let (one, two) = tokio::join!(another.take_signals(), world.engine.take_signals());
    assert!(one.unwrap() + two.unwrap() >= 1);
    another.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "completed | notes:completed done:completed");
    let completed = world.story(id).await.iter().filter(|event| *event == "notes completed").count();
    assert_eq!(completed, 1, "the end of the child counts once");
    world.check().await;
}

#[tokio::test]
async fn an_attempt_that_is_repeated_starts_no_second_child() {
    let world = world().await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let work = world.engine.claim_work(1).await.unwrap().remove(0);
    world.engine.start_child(&work).await.unwrap();
    // As if the server had died before it could say that the attempt is over.
    let again = world.engine.start_child(&work).await;
    assert!(matches!(again, Err(SignalFailure::Refused(_))), "{again:?}");
    assert_eq!(world.all_of("notes").await.len(), 1);
    assert_eq!(world.picture(id).await, "waiting | notes:waiting done:pending");
}

#[tokio::test]
async fn a_failed_child_fails_the_step_and_a_retry_starts_another() {
    let world = world().await;
    world.performer.fails(ErrorClass::Refused);
    let id = world.started().await;
    let error = world.execution(id).await.error.unwrap();
    assert_eq!(error.message, "the sub-process `notes` failed: as the script says");
    assert_eq!(error.step.as_deref(), Some("notes"));
    world.signal(id, Signal::Retry { actor: None, step: None }).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | notes:waiting done:pending");
    assert_eq!(world.all_of("notes").await.len(), 2);
    world.check().await;
}

#[tokio::test]
async fn cancelling_reaches_the_child_which_undoes_what_it_did() {
    let world = world().await;
    let id = world.started().await;
    let child = child(&world, id).await;
    world.signal(id, Signal::Cancel { actor: None, reason: "enough".to_owned() }).await.unwrap();
    world.engine.settle().await.unwrap();
    assert_eq!(world.execution(id).await.status, ExecutionStatus::Cancelled);
    assert_eq!(world.picture(child).await, "cancelled | write:completed sign:cancelled unwrite:completed");
    world.check().await;
}

#[tokio::test]
async fn a_child_that_takes_too_long_is_cancelled() {
    let world = world().await;
    let id = world.started().await;
    let child = child(&world, id).await;
    world.passes(3600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "failed | notes:failed done:skipped");
    assert_eq!(world.execution(child).await.status, ExecutionStatus::Cancelled);
}

#[tokio::test]
async fn without_waiting_the_step_gives_the_child_and_goes_on() {
    let world = World::of(
        "
name: ship
version: 1
steps:
  - {id: notes, type: process, process: notes, wait: false, inputs: {tag: v7}}
",
    )
    .await;
    world.definitions.also(NOTES);
    let id = world.started().await;
    let child = world.all_of("notes").await.remove(0);
    let execution = world.execution(id).await;
    assert_eq!(execution.steps["notes"].output, Some(json!({"execution": child.id})));
    assert_eq!(execution.status, ExecutionStatus::Completed);
    assert_eq!(child.status, ExecutionStatus::Waiting, "it outlives whoever started it");
}

#[tokio::test]
async fn a_child_that_cannot_start_fails_the_step_and_says_why() {
    for (call, why) in [
        ("process: notes", "the sub-process `notes` cannot start: the inputs do not fit: `tag` is required"),
        ("process: nowhere", "there is no process `nowhere` in shop at commit"),
    ] {
        let world =
            World::of(&format!("name: ship\nversion: 1\nsteps:\n  - {{id: notes, type: process, {call}}}\n")).await;
        world.definitions.also(NOTES);
        let id = world.started().await;
        let error = world.execution(id).await.error.unwrap();
        assert!(error.message.starts_with(why), "{}", error.message);
    }
}

#[tokio::test]
async fn processes_that_contain_themselves_end_at_the_greatest_depth() {
    let world = World::of("name: ship\nversion: 1\nsteps:\n  - {id: again, type: process, process: ship}\n").await;
    let id = world.started().await;
    let error = world.execution(id).await.error.unwrap();
    assert!(error.message.ends_with("sub-processes may be 16 deep at most"), "{}", error.message);
    assert_eq!(world.all_of("ship").await.len(), 17);
    world.check().await;
}
