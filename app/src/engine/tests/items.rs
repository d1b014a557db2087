//! `foreach` on a real store: attempts of items are work of their own, and a server that dies repeats only its own.

use flowctl_core::execution::ExecutionStatus;

use super::*;

const EACH: &str = "
name: each
version: 1
steps:
  - id: all
    type: foreach
    items: [a, b, c]
    max_parallel: 2
    steps:
      - {id: call, type: api_call, url: 'https://notes.example/{{ item }}'}
    result: '{{ steps.call.output.notes }}'
outputs:
  all: '{{ steps.all.output }}'
";

#[tokio::test]
async fn items_are_performed_with_keys_of_their_own() {
    let world = World::of(EACH).await;
    let id = world.started().await;
    let drafted = json!("as drafted");
    assert_eq!(world.execution(id).await.outputs, Some(json!({"all": [drafted, drafted, drafted]})));
    let seen = world.performer.seen();
    let mut steps: Vec<&str> = seen.iter().map(|attempt| attempt.step.as_str()).collect();
    steps.sort_unstable();
    assert_eq!(steps, ["call[0]", "call[1]", "call[2]"]);
    let keys: std::collections::BTreeSet<&str> = seen.iter().map(|attempt| attempt.idempotency_key.as_str()).collect();
    assert_eq!(keys.len(), 3);
    world.check().await;
}

#[tokio::test]
async fn an_item_whose_server_died_is_repeated_and_the_others_are_not() {
    let world = World::of(EACH).await;
    let id = world.engine.start(world.request()).await.unwrap().execution.id;
    let claimed = world.engine.claim_work(1).await.unwrap();
    assert_eq!(claimed[0].step, "call[0]");
    // Nobody ever performs what was claimed.
    let another = world.another("another");
    another.settle().await.unwrap();
    assert_eq!(world.execution(id).await.steps["call[0]"].status, StepStatus::Running);
    world.passes(31);
    another.settle().await.unwrap();
    assert_eq!(world.execution(id).await.status, ExecutionStatus::Completed);
    let story = world.story(id).await;
    assert_eq!(story.iter().filter(|event| event.ends_with("repeated")).collect::<Vec<_>>(), ["call[0] repeated"]);
    let started: Vec<&String> = story.iter().filter(|event| event.ends_with("item_started")).collect();
    assert_eq!(started.len(), 3);
    world.check().await;
}
