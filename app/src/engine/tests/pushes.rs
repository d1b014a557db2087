//! Pushes to repositories on this machine: each once, whoever looks and however often.

use super::*;
use crate::engine::pushes::Seen;

const CHECK: &str = "
name: check
version: 1
triggers:
  - push: {branches: [main], paths: ['src/**']}
steps:
  - {id: note, type: set, values: {after: '{{ trigger.payload.after }}', by: '{{ trigger.actor }}'}}
";

fn pushed(world: &World, commit: &str, paths: Option<&[&str]>) {
    let plan = world.definitions.plans.lock().unwrap().values().next().cloned().unwrap();
    world.definitions.plans.lock().unwrap().insert((commit.to_owned(), "check".to_owned()), plan);
    world.definitions.publish_as(commit);
    let paths = paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
    world.definitions.branch.lock().unwrap().1 = paths;
}

async fn noted(world: &World) -> Vec<Value> {
    world.engine.settle().await.unwrap();
    world.all_of("check").await.iter().map(|it| it.steps["note"].output.clone().unwrap()).collect()
}

#[tokio::test]
async fn a_push_starts_what_wants_it_once() {
    let world = World::of(CHECK).await;
    let (mut one, mut two) = (Seen::new(), Seen::new());
    assert_eq!(world.engine.look_at_branches(&mut one).await, 0, "what was there before counts as known");
    pushed(&world, "a", Some(&["src/main.rs"]));
    let another = world.another("another");
    tokio::join!(world.engine.look_at_branches(&mut one), another.look_at_branches(&mut two));
    assert_eq!(noted(&world).await, [json!({"after": "a", "by": "Ann"})]);
    assert_eq!(world.engine.look_at_branches(&mut one).await, 0);
    pushed(&world, "b", Some(&["docs/a.md"]));
    assert_eq!(world.engine.look_at_branches(&mut one).await, 1);
    assert_eq!(noted(&world).await.len(), 1, "nothing that it wants has changed");
    // What comes while no server runs is seen by the next one; back to a commit is a push too.
    pushed(&world, "a", None);
    assert_eq!(world.another("restarted").look_at_branches(&mut Seen::new()).await, 1);
    assert_eq!(noted(&world).await.len(), 2);
    world.definitions.branch.lock().unwrap().0 = "next".to_owned();
    pushed(&world, "c", None);
    assert_eq!(world.engine.look_at_branches(&mut one).await, 0, "another branch is checked out");
    assert_eq!(noted(&world).await.len(), 2);
    world.check().await;
}
