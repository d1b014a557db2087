//! Holding an execution, giving one's word away, overriding.

use serde_json::json;

use super::*;
use crate::approval::DecisionKind::{Approve, Override};
use crate::execution::state::Delegation;

fn hold() -> Signal {
    Signal::Hold { actor: None, note: Some("incident".to_owned()) }
}

fn unhold() -> Signal {
    Signal::Unhold { actor: None, note: None }
}

const ASK: &str = "
- {id: ok, type: human_approval, approvers: {team: leads}, timeout: 1h, reminders: [30m]}
- {id: ship, type: set, depends_on: ok, values: {done: true}}
";

#[test]
fn while_it_is_held_people_may_answer_and_nothing_new_starts() {
    let mut world = World::start(ASK);
    world.signal(hold()).unwrap();
    assert_eq!(world.signal(hold()), Err(Refusal::Held));
    world.decides("ann", "ok", Approve).unwrap();
    assert_eq!(world.picture(), "waiting | ok:completed ship:pending");
    world.signal(unhold()).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed ship:completed");
    assert!(matches!(world.signal(unhold()), Err(Refusal::Ended { .. })));
}

#[test]
fn deadlines_rest_and_have_as_much_time_left_afterwards() {
    let mut world = World::start(ASK);
    world.passes(1_200);
    world.signal(hold()).unwrap();
    assert_eq!(world.execution.wake_at(), None, "nothing is due by itself");
    world.passes(7_200);
    assert_eq!(world.status("ok"), "waiting", "the deadline has long passed");
    assert!(!world.events.iter().any(|event| event.kind == EventKind::Reminded));
    world.signal(unhold()).unwrap();
    world.passes(600);
    assert!(world.events.iter().any(|event| event.kind == EventKind::Reminded), "30 minutes of waiting in all");
    world.passes(1_799);
    assert_eq!(world.status("ok"), "waiting");
    world.passes(1);
    assert_eq!(world.picture(), "failed | ok:failed ship:skipped");
}

#[test]
fn a_wait_ends_in_its_time_and_what_follows_waits() {
    let mut world =
        World::start("- {id: rest, type: wait, for: 1m}\n- {id: on, type: set, depends_on: rest, values: {a: 1}}\n");
    world.signal(hold()).unwrap();
    world.passes(60);
    assert_eq!(world.picture(), "waiting | rest:completed on:pending");
    world.signal(unhold()).unwrap();
    assert_eq!(world.picture(), "completed | rest:completed on:completed");
}

#[test]
fn what_is_held_can_be_cancelled_and_is_cleared_up() {
    let steps = "
- {id: ok, type: human_approval, approvers: {team: leads}}
- {id: sweep, type: set, depends_on: ok, run_on: always, values: {done: true}}
";
    let mut world = World::start(steps);
    world.signal(hold()).unwrap();
    world.signal(Signal::Cancel { actor: None, reason: "enough".to_owned() }).unwrap();
    assert_eq!(world.picture(), "cancelled | ok:cancelled sweep:completed");
}

#[test]
fn the_items_of_a_list_wait_for_their_turn() {
    let steps = "
- id: each
  type: foreach
  items: '{{ [1, 2] }}'
  max_parallel: 1
  steps:
    - {id: ask, type: human_approval, approvers: {team: leads}}
";
    let mut world = World::start(steps);
    world.signal(hold()).unwrap();
    world.decides("ann", "ask[0]", Approve).unwrap();
    assert_eq!(world.status("each"), "waiting", "the second item is still to come");
    world.signal(unhold()).unwrap();
    assert_eq!(world.status("ask[1]"), "waiting");
    world.decides("ann", "ask[1]", Approve).unwrap();
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
}

#[test]
fn an_override_needs_a_reason_and_is_on_the_record() {
    let mut world = World::start(ASK);
    assert_eq!(world.decides("gina", "ok", Override), Err(Refusal::NoteRequired));
    let head = Some("1".repeat(40));
    world.decides_on("gina", "ok", Override, head, Some("the shop is down")).unwrap();
    assert_eq!(world.picture(), "completed | ok:completed ship:completed");
    let output = world.execution.steps["ok"].output.as_ref().unwrap();
    assert_eq!(output["decisions"][0]["decision"], json!("override"));
    assert_eq!(output["decisions"][0]["note"], json!("the shop is down"));
}

#[test]
fn a_word_that_is_given_away_counts_until_then_and_the_newest_stands() {
    let mut world = World::start(ASK);
    let person = |login: &str| Person { login: login.to_owned(), id: 0 };
    let give = |from: &str, to: &str, now: Timestamp| Signal::Delegate {
        delegation: Delegation {
            from: person(from),
            to: person(to),
            since: now,
            until: now.checked_add(SignedDuration::from_secs(60)).unwrap(),
            note: None,
            source: Source { kind: SourceKind::Comment, id: "9".to_owned(), url: None },
        },
    };
    let speaks_for = |world: &World, login: &str, seconds: i64| -> Vec<String> {
        let at = world.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        world.execution.gave_their_word_to(&person(login), at).map(|from| from.login.clone()).collect()
    };
    world.signal(give("ann", "dave", world.now)).unwrap();
    assert_eq!(speaks_for(&world, "dave", 59), ["ann"]);
    assert!(speaks_for(&world, "dave", 60).is_empty());
    world.signal(give("ann", "eve", world.now)).unwrap();
    assert!(speaks_for(&world, "dave", 0).is_empty());
    world.signal(give("ann", "ann", world.now)).unwrap();
    assert!(speaks_for(&world, "eve", 0).is_empty() && speaks_for(&world, "ann", 0).is_empty());
}
