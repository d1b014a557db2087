//! Workflows of GitHub Actions: a run is dispatched, known, ends; or nobody waits for it any more.

use serde_json::json;

use super::World;
use crate::execution::workflow::{WorkflowRun, abandoned_runs, bad_conclusion};
use crate::execution::{Refusal, Signal, StepError, Waiting};

const SHIP: &str = "
- id: ship
  type: workflow
  workflow: release.yml
  timeout: 1h
  retry: {max_attempts: 2, on: [timeout], initial: 1s, jitter: false}
";

fn run(id: u64) -> WorkflowRun {
    WorkflowRun { id, url: format!("https://github.com/o/r/actions/runs/{id}") }
}

fn began(id: u64, attempt: u32) -> Signal {
    Signal::WorkflowStarted { step: "ship".to_owned(), attempt, run: Some(run(id)) }
}

fn ended(attempt: u32, result: Result<serde_json::Value, StepError>) -> Signal {
    Signal::WorkflowEnded { step: "ship".to_owned(), attempt, result }
}

/// A step that waits for run 7.
fn during() -> World {
    let mut world = World::start(SHIP);
    world.signal(Signal::WorkflowAwaited { step: "ship".to_owned(), attempt: 1 }).unwrap();
    let taken = Signal::WorkflowStarted { step: "ship".to_owned(), attempt: 1, run: None };
    world.signal(taken.clone()).unwrap();
    assert_eq!(world.signal(taken), Err(Refusal::Repeated));
    world.signal(began(7, 1)).unwrap();
    world
}

#[test]
fn a_run_is_awaited_and_its_end_is_the_steps() {
    let mut world = during();
    assert_eq!(world.picture(), "waiting | ship:waiting");
    assert_eq!(world.signal(began(7, 1)), Err(Refusal::Repeated));
    assert!(matches!(world.signal(began(8, 1)), Err(Refusal::Stale { .. })), "one run an attempt");
    assert!(matches!(world.signal(ended(2, Ok(json!({})))), Err(Refusal::Stale { .. })));
    let before = world.execution.clone();
    world.signal(ended(1, Ok(json!({"run_id": 7})))).unwrap();
    assert_eq!(world.picture(), "completed | ship:completed");
    assert_eq!(world.execution.steps["ship"].output, Some(json!({"run_id": 7})));
    assert!(abandoned_runs(&before, &world.execution).is_empty(), "what ended is not cancelled");
}

#[test]
fn a_run_that_failed_fails_its_step() {
    let mut world = during();
    let before = world.execution.clone();
    world.signal(ended(1, Err(bad_conclusion("failure").unwrap()))).unwrap();
    assert_eq!(world.picture(), "failed | ship:failed");
    assert!(abandoned_runs(&before, &world.execution).is_empty());
    assert!(["success", "neutral", "skipped"].into_iter().all(|good| bad_conclusion(good).is_none()));
}

#[test]
fn a_run_that_nobody_waits_for_any_more_is_abandoned() {
    let mut world = during();
    let before = world.execution.clone();
    world.signal(Signal::Cancel { actor: None, reason: "enough".to_owned() }).unwrap();
    assert_eq!(abandoned_runs(&before, &world.execution), [run(7)]);

    let mut world = during();
    world.passes(3_600);
    assert!(matches!(world.execution.steps["ship"].waiting, Some(Waiting::Retry { .. })), "it is tried again");
    assert_eq!(abandoned_runs(&before, &world.execution), [run(7)]);
    assert!(matches!(world.signal(ended(1, Ok(json!({})))), Err(Refusal::Stale { .. })), "too late");
    world.passes(1);
    world.signal(Signal::WorkflowAwaited { step: "ship".to_owned(), attempt: 2 }).unwrap();
    world.signal(began(8, 2)).unwrap();
    world.signal(ended(2, Ok(json!({"run_id": 8})))).unwrap();
    assert_eq!(world.picture(), "completed | ship:completed");
}
