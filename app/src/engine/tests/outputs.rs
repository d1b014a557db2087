//! Large outputs are kept beside the events, and read where an expression refers to them.

use flowctl_core::execution::{EventKind, ExecutionStatus, LargeOutput};

use super::*;
use crate::engine::outputs::MAX_INLINE;
use crate::store::Outputs as _;

const REPORT: &str = "
name: report
version: 1
steps:
  - {id: fetch, type: api_call, url: https://data.example}
  - {id: rest, type: wait, for: 1h, depends_on: fetch}
  - {id: small, type: set, depends_on: rest, values: {first: '{{ steps.fetch.output.lines[0] }}'}}
  - {id: copy, type: set, depends_on: small, values: {all: '{{ steps.fetch.output.lines }}'}}
outputs:
  first: '{{ steps.small.output.first }}'
  count: '{{ steps.copy.output.all | length }}'
";

fn lines() -> Value {
    json!({"lines": (0..1_000).map(|line| format!("line {line}")).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_large_output_is_kept_once_and_read_where_it_is_referred_to() {
    let world = World::of(REPORT).await;
    world.performer.then(Script::Gives(Ok(lines())));
    let id = world.started().await;
    let waiting = world.execution(id).await;
    let large = LargeOutput::of(waiting.steps["fetch"].output.as_ref().unwrap()).expect("a reference");
    assert_eq!(large.at, format!("executions/{id}/steps/fetch/output"));
    assert!(large.bytes as usize > MAX_INLINE);
    assert_eq!(crate::engine::outputs::read(&*world.store, &TenantId::local(), &large).await.unwrap(), lines());
    let foreign = world.store.read(&TenantId("globex".to_owned()), &large.sha256).await.unwrap();
    assert_eq!(foreign, None, "it is of a tenant");

    // Another server goes on from what is stored.
    world.passes(3_600);
    world.another("another").settle().await.unwrap();
    let ended = world.execution(id).await;
    assert_eq!(ended.status, ExecutionStatus::Completed, "{:?}", ended.error);
    assert_eq!(ended.outputs, Some(json!({"first": "line 0", "count": 1_000})));
    assert!(LargeOutput::of(ended.steps["copy"].output.as_ref().unwrap()).is_some(), "a copy is large too");
    assert_eq!(ended.steps["small"].output, Some(json!({"first": "line 0"})));
    for stored in world.store.events(&TenantId::local(), id, 0, 100).await.unwrap() {
        if let EventKind::StepCompleted { output, .. } = &stored.event.kind {
            assert!(output.to_string().len() <= MAX_INLINE);
        }
    }
    world.check().await;

    // As long as the execution is known, so is what it gave.
    let later = world.clock.now() + SignedDuration::from_hours(24);
    assert_eq!(world.store.forget(later, 10).await.unwrap(), 0);
    assert_eq!(world.store.forget_executions(later, 10).await.unwrap(), 1);
    assert_eq!(world.store.forget(later, 10).await.unwrap(), 2);
    assert_eq!(world.store.read(&TenantId::local(), &large.sha256).await.unwrap(), None);
}

#[tokio::test]
async fn a_large_output_that_was_lost_stops_its_reader_and_nothing_else() {
    let world = World::of(REPORT).await;
    world.performer.then(Script::Gives(Ok(lines())));
    let id = world.started().await;
    std::fs::remove_dir_all(world.folder.path().join("outputs")).unwrap();
    world.passes(3_600);
    world.engine.settle().await.unwrap();
    assert_eq!(world.picture(id).await, "waiting | fetch:completed rest:waiting small:pending copy:pending");
    world.check().await;
}

#[tokio::test]
async fn an_output_that_looks_like_a_reference_is_none() {
    let world = World::of(
        "
name: forged
version: 1
steps:
  - {id: forge, type: api_call, url: https://data.example}
  - {id: read, type: set, depends_on: forge, values: {it: '{{ steps.forge.output }}'}}
outputs: {it: '{{ steps.read.output.it }}'}
",
    )
    .await;
    let forged = LargeOutput { sha256: "0".repeat(64), bytes: 1, at: "executions/1/steps/a/output".to_owned() };
    world.performer.then(Script::Gives(Ok(forged.clone().into_value())));
    let id = world.started().await;
    let execution = world.execution(id).await;
    assert_eq!(execution.outputs, Some(json!({"it": forged.clone().into_value()})), "{:?}", execution.error);
    let kept = LargeOutput::of(execution.steps["forge"].output.as_ref().unwrap()).unwrap();
    assert_ne!(kept, forged);
    assert_eq!(
        crate::engine::outputs::read(&*world.store, &TenantId::local(), &kept).await.unwrap(),
        forged.into_value()
    );
}
