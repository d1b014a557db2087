//! `foreach`: items, their order and number at a time, what they give, how they fail, and how they begin again.

use super::*;
use crate::definition::ErrorClass;

fn refused() -> StepError {
    StepError::new(ErrorClass::Refused, "no")
}

/// A list of `count` items, each with a call, at most `parallel` at a time.
fn calls(count: usize, parallel: usize, more: &str) -> World {
    let items: Vec<usize> = (0..count).map(|index| index * 10).collect();
    World::start(&format!(
        "
- id: each
  type: foreach
  items: {items:?}
  max_parallel: {parallel}
  {more}
  steps:
    - {{id: call, type: api_call, url: 'http://127.0.0.1/{{{{ item }}}}'}}
    - {{id: note, type: set, depends_on: call, values: {{got: '{{{{ steps.call.output.n }}}}', at: '{{{{ index }}}}'}}}}
  result: '{{{{ steps.note.output.got }}}}'
- {{id: after, type: set, depends_on: each, values: {{all: '{{{{ steps.each.output }}}}'}}}}
"
    ))
}

impl World {
    /// The keys of the steps that run.
    fn running(&self) -> Vec<&str> {
        let running = self.execution.steps.iter().filter(|(_, step)| step.status == StepStatus::Running);
        running.map(|(key, _)| key.as_str()).collect()
    }

    fn names(&self, from: usize) -> Vec<String> {
        let name = |event: &Event| match &event.step {
            Some(step) => format!("{step} {}", event.kind.name()),
            None => event.kind.name().to_owned(),
        };
        self.events[from..].iter().map(name).collect()
    }
}

#[test]
fn items_run_some_at_a_time_and_give_their_results_in_order() {
    let mut world = calls(3, 2, "");
    assert_eq!(
        world.picture(),
        "running | each:waiting after:pending call[0]:running note[0]:pending call[1]:running note[1]:pending"
    );
    assert_eq!(world.execution.steps["call[1]"].input["url"], "http://127.0.0.1/10");
    world.ends("call[1]", Ok(json!({"n": "b"})));
    assert_eq!(world.running(), ["call[0]", "call[2]"], "the place of an item that ended is taken by the next");
    assert_eq!(world.execution.steps["note[1]"].output, Some(json!({"got": "b", "at": 1})));
    world.ends("call[2]", Ok(json!({"n": "c"})));
    world.ends("call[0]", Ok(json!({"n": "a"})));
    assert_eq!(world.execution.steps["after"].output, Some(json!({"all": ["a", "b", "c"]})));
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
}

#[test]
fn the_events_of_an_item_tell_its_story() {
    let mut world = calls(1, 1, "");
    let before = world.events.len();
    assert_eq!(
        world.names(1),
        [
            "execution.started",
            "each step.started",
            "each foreach.opened",
            "each foreach.item_started",
            "call[0] step.started",
        ]
    );
    world.ends("call[0]", Ok(json!({"n": 1})));
    assert_eq!(
        world.names(before),
        [
            "call[0] step.completed",
            "note[0] step.started",
            "note[0] step.completed",
            "each foreach.item_completed",
            "each step.completed",
            "after step.started",
            "after step.completed",
            "execution.completed",
        ]
    );
}

#[test]
fn without_a_result_an_item_gives_the_output_of_its_last_step() {
    let world = World::start(
        "
- id: each
  type: foreach
  items: [a, b]
  as: letter
  steps:
    - {id: one, type: set, values: {is: '{{ letter }}'}}
    - {id: two, type: set, depends_on: one, values: {was: '{{ steps.one.output.is }}'}}
",
    );
    assert_eq!(world.execution.steps["each"].output, Some(json!([{"was": "a"}, {"was": "b"}])));
    assert!(world.execution.steps["each"].items.as_ref().unwrap().begun.iter().all(|item| item.result.is_none()));
}

#[test]
fn an_empty_list_is_done_at_once() {
    let world = World::start(
        "
- {id: each, type: foreach, items: [], steps: [{id: one, type: set, values: {x: 1}}]}
- {id: after, type: set, depends_on: each, values: {all: '{{ steps.each.output }}'}}
",
    );
    assert_eq!(world.picture(), "completed | each:completed after:completed");
    assert_eq!(world.execution.steps["after"].output, Some(json!({"all": []})));
}

#[test]
fn what_is_no_list_or_too_long_fails_the_step_and_says_why() {
    for (items, message) in [
        ("'{{ inputs.n }}'", "`items` gave 7, and a list is needed"),
        ("'some text'", "`items` gave a text, and a list is needed"),
        ("'{{ inputs.map }}'", "`items` gave a map, and a list is needed"),
        ("'{{ inputs.none }}'", "`items` is empty (null), and a list is needed"),
        ("'{{ inputs.long }}'", "`items` has 1001 items; at most 1000 are allowed"),
        ("'{{ inputs.missing }}'", "`items`: "),
    ] {
        let world = World::with(
            &format!(
                "- {{id: each, type: foreach, items: {items}, steps: [{{id: one, type: set, values: {{x: 1}}}}]}}"
            ),
            "inputs: {n: {type: integer, default: 7}, map: {type: object, default: {a: 1}}, long: {type: list}, none: {type: string}}",
            json!({"long": vec![0; 1001]}),
        );
        let error = world.execution.error.unwrap_or_else(|| panic!("{items} is refused"));
        assert!(error.message.starts_with(message) || message.contains("null"), "{items}: {}", error.message);
        assert_eq!(error.step.as_deref(), Some("each"));
    }
    let body: Vec<String> = (0..11).map(|n| format!("{{id: s{n}, type: set, values: {{x: 1}}}}")).collect();
    let many = World::with(
        &format!("- {{id: each, type: foreach, items: '{{{{ inputs.list }}}}', steps: [{}]}}", body.join(", ")),
        "inputs: {list: {type: list}}",
        json!({"list": vec![0; 1000]}),
    );
    let message = many.execution.error.unwrap().message;
    assert_eq!(
        message,
        "`items` has 1000 items, with which the execution would have 11001 steps; at most 10000 are allowed"
    );
}

#[test]
fn a_failed_item_fails_the_step_once_those_under_way_have_ended() {
    let mut world = calls(4, 2, "");
    world.ends("call[0]", Err(refused()));
    assert_eq!(world.running(), ["call[1]"], "none begins any more");
    world.ends("call[1]", Ok(json!({"n": 1})));
    let error = world.execution.error.clone().unwrap();
    assert_eq!((error.message.as_str(), error.step.as_deref()), ("item 0: no", Some("call[0]")));
    assert_eq!(
        world.picture(),
        "failed | each:failed after:skipped call[0]:failed note[0]:skipped call[1]:completed note[1]:completed"
    );
}

#[test]
fn a_tolerated_item_leaves_null_in_its_place() {
    let mut world = calls(2, 2, "on_item_failure: continue");
    world.ends("call[0]", Err(refused()));
    world.ends("call[1]", Ok(json!({"n": 1})));
    assert_eq!(world.execution.steps["after"].output, Some(json!({"all": [null, 1]})));
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
}

#[test]
fn a_result_that_cannot_be_computed_fails_its_item() {
    let mut world = calls(1, 1, "");
    world.ends("call[0]", Ok(json!({"other": 1})));
    let error = world.execution.error.unwrap();
    assert_eq!(error.step.as_deref(), Some("note[0]"));
    assert_eq!(error.class, ErrorClass::Expression);
}

#[test]
fn inside_of_an_item_edges_gateways_and_conditions_work_as_in_a_process() {
    let world = World::start(
        "
- id: each
  type: foreach
  items: [1, 20]
  as: size
  steps:
    - {id: route, type: gateway, branches: [{when: '{{ size > 10 }}', to: [big]}, {otherwise: true, to: [small]}]}
    - {id: big, type: set, values: {way: big}}
    - {id: small, type: set, values: {way: small}}
    - {id: merge, type: set, depends_on: [big, small], values: {way: \"{{ steps.big.output.way | default('small') }}\"}}
    - {id: odd, type: set, depends_on: merge, when: '{{ index == 1 }}', values: {x: 1}}
  result: '{{ steps.merge.output.way }}'
",
    );
    assert_eq!(world.execution.steps["each"].output, Some(json!(["small", "big"])));
    assert_eq!(world.execution.steps["big[0]"].skipped, Some(SkipReason::NotTaken));
    assert_eq!(world.execution.steps["odd[0]"].skipped, Some(SkipReason::Condition));
    assert_eq!(world.status("odd[1]"), "completed");
}

#[test]
fn bodies_are_nested_and_see_the_items_around_them() {
    let world = World::start(
        "
- {id: start, type: set, values: {base: 100}}
- id: rows
  type: foreach
  depends_on: start
  items: [[1, 2], [3]]
  as: row
  steps:
    - {id: sum, type: set, values: {first: '{{ row[0] }}'}}
    - id: cells
      type: foreach
      depends_on: sum
      items: '{{ row }}'
      as: cell
      steps:
        - {id: add, type: set, values: {n: '{{ cell + steps.sum.output.first + steps.start.output.base }}', at: '{{ index }}', row: '{{ row }}'}}
      result: '{{ steps.add.output.n }}'
  result: '{{ steps.cells.output }}'
",
    );
    assert_eq!(world.execution.status, ExecutionStatus::Completed, "{:?}", world.execution.error);
    assert_eq!(world.execution.steps["rows"].output, Some(json!([[102, 103], [106]])));
    assert_eq!(world.execution.steps["add[0][1]"].output, Some(json!({"n": 103, "at": 1, "row": [1, 2]})));
}

#[test]
fn people_are_asked_about_each_item() {
    let mut world = World::start(
        "
- id: each
  type: foreach
  items: [api, web]
  steps:
    - {id: sign, type: human_approval, title: 'Ship {{ item }}?', approvers: {users: [ann]}, timeout: 1h}
",
    );
    assert_eq!(world.execution.status, ExecutionStatus::Waiting);
    let asked: Vec<&str> = world.execution.waiting_for_people().map(|(key, _)| key).collect();
    assert_eq!(asked, ["sign[0]", "sign[1]"]);
    world.decides("ann", "sign[1]", DecisionKind::Approve).unwrap();
    assert_eq!(world.picture(), "waiting | each:waiting sign[0]:waiting sign[1]:completed");
    world.decides("ann", "sign[0]", DecisionKind::Reject).unwrap();
    assert_eq!(world.picture(), "failed | each:failed sign[0]:failed sign[1]:completed");
}

#[test]
fn a_retry_by_hand_goes_on_from_the_failed_item_and_keeps_the_others() {
    let mut world = calls(3, 1, "");
    world.ends("call[0]", Ok(json!({"n": "a"})));
    world.ends("call[1]", Err(refused()));
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.running(), ["call[1]"]);
    assert_eq!(world.execution.steps["call[1]"].attempt, 2);
    assert_eq!(world.status("call[0]"), "completed");
    world.ends("call[1]", Ok(json!({"n": "b"})));
    world.ends("call[2]", Ok(json!({"n": "c"})));
    assert_eq!(world.execution.steps["after"].output, Some(json!({"all": ["a", "b", "c"]})));
    assert_eq!(world.execution.steps["each"].attempt, 2);
}

#[test]
fn a_retry_inside_of_items_of_items_goes_on_there() {
    let steps = "
- id: rows
  type: foreach
  items: [[1, 2], [3]]
  steps:
    - id: cells
      type: foreach
      items: '{{ item }}'
      steps:
        - {id: call, type: api_call, url: 'http://127.0.0.1/{{ item }}'}
      result: '{{ steps.call.output }}'
";
    let mut world = World::start(steps);
    world.ends("call[0][0]", Ok(json!("a")));
    world.ends("call[1][0]", Ok(json!("c")));
    world.ends("call[0][1]", Err(refused()));
    assert_eq!(world.execution.error.as_ref().unwrap().message, "item 0: item 1: no");
    assert_eq!(world.execution.error.as_ref().unwrap().step.as_deref(), Some("call[0][1]"));
    world.signal(Signal::Retry { actor: None, step: Some("rows".to_owned()) }).unwrap();
    assert_eq!(world.running(), ["call[0][1]"]);
    world.ends("call[0][1]", Ok(json!("b")));
    assert_eq!(world.execution.steps["rows"].output, Some(json!([["a", "b"], ["c"]])));
}

#[test]
fn a_list_that_depends_on_what_begins_again_is_made_anew() {
    let mut world = World::start(
        "
- {id: list, type: api_call, url: 'http://127.0.0.1/'}
- id: each
  type: foreach
  depends_on: list
  run_on: always
  items: \"{{ steps.list.output.items | default(['x']) }}\"
  steps: [{id: one, type: set, values: {is: '{{ item }}'}}]
",
    );
    world.ends("list", Err(refused()));
    assert_eq!(world.execution.steps["each"].output, Some(json!([{"is": "x"}])));
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    world.ends("list", Ok(json!({"items": ["y", "z"]})));
    assert_eq!(world.execution.steps["each"].output, Some(json!([{"is": "y"}, {"is": "z"}])));
    assert_eq!(world.execution.steps["one[0]"].attempt, 2, "an attempt's number is never used twice");
}

#[test]
fn attempts_of_the_whole_repeat_the_failed_items_only() {
    let mut world = calls(2, 2, "retry: {max_attempts: 2, initial: 10s, jitter: false, on: [any]}");
    world.ends("call[0]", Ok(json!({"n": "a"})));
    world.ends("call[1]", Err(refused()));
    assert_eq!(world.status("each"), "waiting");
    assert_eq!(world.execution.wake_at(), world.now.checked_add(SignedDuration::from_secs(10)).ok());
    world.passes(10);
    assert_eq!(world.running(), ["call[1]"]);
    world.ends("call[1]", Err(refused()));
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    assert_eq!((world.execution.steps["each"].attempt, world.execution.steps["call[0]"].attempt), (2, 1));
}

#[test]
fn a_list_within_keeps_a_deadline_of_its_own_when_the_one_around_it_is_tried_again() {
    let mut world = World::start(
        "
- id: outer
  type: foreach
  items: [1]
  retry: {max_attempts: 2, initial: 1s, jitter: false, on: [any]}
  steps:
    - id: inner
      type: foreach
      items: [1]
      timeout: 1h
      steps:
        - {id: sign, type: human_approval, approvers: {users: [ann]}}
",
    );
    world.passes(3600);
    assert_eq!(world.status("inner[0]"), "failed");
    world.passes(1);
    assert_eq!(world.status("sign[0][0]"), "waiting");
    let now = world.now;
    assert_eq!(world.execution.wake_at(), now.checked_add(SignedDuration::from_hours(1)).ok());
    world.passes(3600);
    assert_eq!(world.status("outer"), "failed");
}

#[test]
fn a_list_whose_time_is_over_while_the_execution_ends_is_not_tried_again() {
    let mut world = World::start(
        "
- id: each
  type: foreach
  items: [1]
  timeout: 2h
  retry: {max_attempts: 2, initial: 1s, on: [any]}
  steps:
    - {id: work, type: wait, for: 9h}
    - {id: tidy, type: wait, for: 9h, depends_on: work, run_on: always}
",
    );
    world.signal(Signal::Cancel { actor: None, reason: String::new() }).unwrap();
    assert_eq!(world.picture(), "waiting | each:waiting work[0]:cancelled tidy[0]:waiting");
    world.passes(2 * 3600);
    assert_eq!(world.picture(), "cancelled | each:failed work[0]:cancelled tidy[0]:cancelled");
}

#[test]
fn the_time_of_the_whole_ends_its_items() {
    let mut world = calls(3, 1, "timeout: 1m");
    world.passes(59);
    assert_eq!(world.running(), ["call[0]"]);
    world.passes(1);
    assert_eq!(world.picture(), "failed | each:failed after:skipped call[0]:cancelled note[0]:cancelled");
    assert_eq!(world.execution.error.as_ref().unwrap().class, ErrorClass::Timeout);
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.running(), ["call[0]"]);
    assert_eq!(world.execution.wake_at(), world.now.checked_add(SignedDuration::from_secs(60)).ok());
}

#[test]
fn cancelling_interrupts_items_undoes_and_runs_what_always_runs() {
    let mut world = World::start(
        "
- id: each
  type: foreach
  items: [a, b, c]
  max_parallel: 2
  steps:
    - {id: rent, type: set, compensate_with: give_back, values: {what: '{{ item }}'}}
    - {id: use, type: api_call, depends_on: rent, url: 'http://127.0.0.1/'}
    - {id: tidy, type: set, depends_on: use, run_on: always, values: {tidied: '{{ item }}'}}
    - {id: give_back, type: set, run_on: compensation, values: {back: '{{ steps.rent.output.what }}'}}
- {id: last, type: set, depends_on: each, run_on: always, values: {x: 1}}
",
    );
    let before = world.events.len();
    world.signal(Signal::Cancel { actor: None, reason: "enough".to_owned() }).unwrap();
    assert_eq!(world.execution.status, ExecutionStatus::Cancelled);
    let done: Vec<String> = world.names(before).into_iter().filter(|name| name.ends_with("step.completed")).collect();
    assert_eq!(
        done,
        [
            "give_back[1] step.completed",
            "give_back[0] step.completed",
            "tidy[0] step.completed",
            "tidy[1] step.completed",
            "last step.completed",
        ]
    );
    assert_eq!(world.execution.steps["give_back[1]"].output, Some(json!({"back": "b"})));
    assert_eq!(world.status("each"), "cancelled");
    assert!(!world.execution.steps.contains_key("rent[2]"), "an item that never began has no steps");
    assert!(world.execution.steps.values().all(|step| step.status.is_final()));
}

#[test]
fn what_items_did_is_undone_when_the_execution_fails_later_and_done_again_by_a_retry() {
    let mut world = World::start(
        "
- id: each
  type: foreach
  items: [a, b]
  steps:
    - {id: rent, type: set, compensate_with: give_back, values: {what: '{{ item }}'}}
    - {id: give_back, type: set, run_on: compensation, values: {back: '{{ item }}'}}
- {id: pay, type: api_call, depends_on: each, url: 'http://127.0.0.1/'}
",
    );
    world.ends("pay", Err(refused()));
    assert_eq!(
        world.picture(),
        "failed | each:completed pay:failed rent[0]:completed give_back[0]:completed rent[1]:completed give_back[1]:completed"
    );
    let before = world.events.len();
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    let started: Vec<String> = world.names(before).into_iter().filter(|name| name.ends_with("step.started")).collect();
    assert_eq!(started, ["rent[0] step.started", "rent[1] step.started", "pay step.started"]);
    world.ends("pay", Ok(json!({})));
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
    assert_eq!(world.status("give_back[0]"), "skipped");
}

#[test]
fn size_and_number_of_events_grow_with_the_items_and_no_faster() {
    let size = |count: usize| {
        let item = "x".repeat(100);
        let items = vec![item; count];
        let world = World::with(
            "
- id: each
  type: foreach
  items: '{{ inputs.items }}'
  steps: [{id: one, type: set, values: {index: '{{ index }}'}}]
",
            "inputs: {items: {type: list}}",
            json!({"items": items}),
        );
        assert_eq!(world.execution.status, ExecutionStatus::Completed);
        // The first event carries the inputs.
        let size: usize = world.events[1..].iter().map(|event| serde_json::to_string(event).unwrap().len()).sum();
        (world.events.len(), size, serde_json::to_string(&world.execution).unwrap().len())
    };
    let (few, many) = (size(100), size(200));
    for (few, many) in [(few.0, many.0), (few.1, many.1), (few.2, many.2)] {
        assert!(many < 2 * few + few / 20, "{few} became {many}");
    }
}

#[test]
fn of_many_items_only_those_under_way_are_looked_at() {
    let mut world = calls(60, 2, "");
    for item in 0..60 {
        // The list, what comes after it, and two steps of each of two items.
        assert!(world.execution.steps.looked_at() <= 6, "{} steps are looked at", world.execution.steps.looked_at());
        world.ends(&format!("call[{item}]"), Ok(json!({"n": item})));
    }
    assert_eq!((world.execution.status, world.execution.steps.looked_at()), (ExecutionStatus::Completed, 0));
}
