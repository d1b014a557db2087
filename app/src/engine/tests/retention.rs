//! What is forgotten of processes that are archived, gone, or cannot be read.

use tokio_util::sync::CancellationToken;

use super::*;

const NOTE: &str = "
name: note
version: 1
steps:
  - {id: note, type: set, values: {x: 1}}
";
const DAY: i64 = 86_400;

async fn forgotten(world: &World) -> u64 {
    world.engine.forget(&CancellationToken::new()).await.unwrap().0
}

#[tokio::test]
async fn executions_of_an_archived_process_are_forgotten_a_month_after_that_was_seen() {
    let world = World::of(NOTE).await;
    world.started().await;
    world.passes(60 * DAY);
    assert_eq!(forgotten(&world).await, 0, "it is in use");
    world.definitions.rewrite(&NOTE.replace("version: 1\n", "version: 1\nstatus: archived\n"));
    assert_eq!(forgotten(&world).await, 0, "it may be a mistake");
    world.passes(20 * DAY);
    let late = world.started().await;
    assert_eq!(forgotten(&world).await, 0);
    world.passes(11 * DAY);
    assert_eq!(forgotten(&world).await, 1, "the other one ended eleven days ago");
    let left: Vec<ExecutionId> = world.all_of("note").await.iter().map(|it| it.id).collect();
    assert_eq!(left, [late]);
    world.passes(20 * DAY);
    assert_eq!(forgotten(&world).await, 1);
}

#[tokio::test]
async fn a_process_that_comes_back_keeps_what_it_has() {
    let world = World::of(NOTE).await;
    world.started().await;
    let gone = || world.definitions.plans.lock().unwrap().clear();
    world.passes(31 * DAY);
    gone();
    assert_eq!(forgotten(&world).await, 0);
    world.passes(20 * DAY);
    world.definitions.rewrite(NOTE);
    assert_eq!(forgotten(&world).await, 0);
    gone();
    world.passes(20 * DAY);
    assert_eq!(forgotten(&world).await, 0, "it is gone anew");
    world.passes(20 * DAY);
    world.definitions.fail_with(Some(DefinitionError::Unavailable {
        repository: "shop".to_owned(),
        reason: "the disk is away".to_owned(),
    }));
    world.passes(20 * DAY);
    assert_eq!(forgotten(&world).await, 0, "nothing is known of the repository");
    world.definitions.fail_with(None);
    assert_eq!(forgotten(&world).await, 1);
}

#[tokio::test]
async fn executions_of_archived_processes_stay_as_long_as_others_where_that_is_wanted() {
    let options = EngineOptions { keep_archived: None, ..EngineOptions::new("the engine") };
    let world = World::with_options(NOTE, options).await;
    world.started().await;
    world.definitions.rewrite(&NOTE.replace("version: 1\n", "version: 1\nstatus: archived\n"));
    for _ in 0..3 {
        world.passes(100 * DAY);
        assert_eq!(forgotten(&world).await, 0);
    }
    world.passes(66 * DAY);
    assert_eq!(forgotten(&world).await, 1, "a year has passed");
}

#[tokio::test]
async fn what_waits_is_never_forgotten() {
    let world = World::of(RELEASE).await;
    world.performer.then(Script::Gives(Ok(json!({"notes": "fine"}))));
    world.started().await;
    world.definitions.plans.lock().unwrap().clear();
    for _ in 0..3 {
        world.passes(400 * DAY);
        assert_eq!(forgotten(&world).await, 0);
    }
}
