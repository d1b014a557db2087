//! How long steps may take, by `defaults.timeout` and by themselves: that the engine gives each as long as
//! `Step::effective_timeout` says, which the rules and the comparison of commits ask as well.

use super::*;
use crate::definition::ErrorClass;
use crate::definition::step::StepType;

/// A step of each type that takes time, and how long the engine gives it with `defaults: {timeout: 45m}`.
const TYPES: [(&str, Option<&str>); 14] = [
    ("agent_task, agent: writer, message: hi", Some("45m")),
    ("ai_generate, model: mock, prompt: hi, output_schema: {}", Some("45m")),
    ("human_approval, approvers: {team: leads}", Some("45m")),
    ("form, fields: {note: {type: string}}", Some("45m")),
    ("api_call, url: 'https://example.com'", Some("45m")),
    ("mcp_call, tool: tracker, operation: list", Some("45m")),
    ("workflow, workflow: ci.yml", Some("45m")),
    ("process, process: notes", Some("45m")),
    ("foreach, items: [1], steps: [{id: inner, type: wait, for: 1d}]", Some("45m")),
    ("wait, for: 7d", None),
    ("wait, until: '2030-01-01'", None),
    ("wait, event: {name: paid}", Some("45m")),
    ("wait, event: {name: paid, timeout: 2h}", Some("2h")),
    ("notify, channel: slack, to: '#ops', message: hi", Some("45m")),
];

/// How long the attempt that the step began may take, whoever ends it.
fn given(world: &World, step: &str) -> Option<crate::value::Duration> {
    let state = &world.execution.steps[step];
    let due_at = state.waiting.as_ref().and_then(Waiting::due_at);
    let waits = due_at.map(|due_at| u64::try_from(due_at.duration_since(world.now).as_millis()).unwrap());
    state.timeout_ms.or(waits).map(crate::value::Duration::from_millis)
}

#[test]
fn the_engine_gives_each_type_of_step_as_long_as_the_rules_say() {
    let mut seen = vec![StepType::Set, StepType::Gateway];
    for (fields, expected) in TYPES {
        for (own, expected) in [("", expected), (", timeout: 90m", Some("1h30m"))] {
            let steps = format!("- {{id: one, type: {fields}{own}}}");
            let world = World::with(&steps, "defaults: {timeout: 45m}", json!({}));
            let planned = &world.plan.step("one").unwrap().step;
            seen.push(planned.step_type());
            let said = planned.effective_timeout(world.plan.process.header.defaults.timeout);
            let said = said.and_then(|timeout| timeout.literal()).map(|it| it.to_string());
            assert_eq!(said.as_deref(), expected, "{steps}");
            assert_eq!(given(&world, "one").map(|it| it.to_string()).as_deref(), expected, "{steps}");
        }
    }
    assert!(StepType::ALL.iter().all(|step_type| seen.contains(step_type)), "every type is in the table");
}

#[test]
fn an_approval_that_says_no_timeout_ends_with_the_default() {
    let steps = "- {id: review, type: human_approval, approvers: {team: leads}, on_timeout: reject}";
    let mut world = World::with(steps, "defaults: {timeout: 1h}", json!({}));
    world.passes(3_599);
    assert_eq!(world.picture(), "waiting | review:waiting");
    world.passes(1);
    assert_eq!(world.picture(), "failed | review:failed");
    assert_eq!(world.execution.error.unwrap().message, "nobody approved in time");
}

#[test]
fn a_default_of_the_repository_holds_for_a_form_and_one_of_the_process_comes_first() {
    for (own, seconds) in [("", 7_200), ("defaults: {timeout: 30m}\n", 1_800)] {
        let process = format!(
            "name: story\nversion: 1\n{own}steps:\n- {{id: ask, type: form, fields: {{note: {{type: string}}}}}}\n"
        );
        let files =
            [(".flow/flow.yaml", "defaults: {timeout: 2h}\n"), (".flow/processes/story.yaml", process.as_str())];
        let repository = Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let plan = repository.plan("story").unwrap().unwrap();
        let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
        let (mut execution, _) = create(&plan, new_execution(json!({})), now).unwrap();
        decide(&plan, &execution, Signal::Start, now).unwrap().iter().for_each(|event| execution.apply(event));
        let due_at = execution.steps["ask"].waiting.as_ref().unwrap().due_at().unwrap();
        assert_eq!(due_at.duration_since(now).as_secs(), seconds, "{own}");
    }
}

#[test]
fn an_event_that_never_comes_fails_the_step_at_the_default_or_at_the_earlier_of_its_own_two() {
    let wait = |more: &str| format!("- {{id: paid, type: wait, event: {{name: payment{more}}}");
    for (fields, seconds) in [
        (format!("{}}}", wait("")), 3_600),
        (format!("{}, timeout: 10m}}", wait("")), 600),
        (format!("{}, timeout: 10m}}", wait(", timeout: 20m")), 600),
        (format!("{}, timeout: 20m}}", wait(", timeout: 10m")), 600),
        (format!("{}}}", wait(", timeout: 2h")), 7_200),
    ] {
        let mut world = World::with(&fields, "defaults: {timeout: 1h}", json!({}));
        world.passes(seconds - 1);
        assert_eq!(world.status("paid"), "waiting", "{fields}");
        world.passes(1);
        assert_eq!(world.execution.error.clone().map(|error| error.class), Some(ErrorClass::Timeout), "{fields}");
    }
}

#[test]
fn a_wait_that_is_computed_to_last_longer_than_its_timeout_fails_when_that_is_over() {
    let wait = "- {id: pause, type: wait, for: '{{ inputs.pause }}', timeout: 1h}";
    let inputs = "inputs: {pause: {type: string, default: 7d}}";
    let mut world = World::with(wait, inputs, json!({}));
    world.passes(3_599);
    assert_eq!(world.status("pause"), "waiting");
    world.passes(1);
    let error = world.execution.error.clone().unwrap();
    assert_eq!(error.class, ErrorClass::Timeout);
    assert_eq!(error.message, "the wait takes longer than the step's `timeout`");

    let mut world = World::with(wait, inputs, json!({"pause": "30m"}));
    world.passes(1_800);
    assert_eq!(world.picture(), "completed | pause:completed", "one that is shorter ends as ever");

    let moment = "- {id: pause, type: wait, until: '2026-03-03', timeout: 1h}";
    let mut world = World::start(moment);
    world.passes(3_600);
    assert_eq!(world.picture(), "failed | pause:failed");
}

#[test]
fn while_an_execution_is_held_the_timeout_of_a_wait_rests_and_its_moment_does_not() {
    let wait = "- {id: pause, type: wait, for: 2h, timeout: 1h}";
    let hold = || Signal::Hold { actor: None, note: None };
    let mut world = World::start(wait);
    world.signal(hold()).unwrap();
    world.passes(7_200);
    assert_eq!(world.status("pause"), "completed");

    let mut world = World::start(wait);
    world.signal(hold()).unwrap();
    world.passes(1_800);
    world.signal(Signal::Unhold { actor: None, note: None }).unwrap();
    world.passes(3_599);
    assert_eq!(world.status("pause"), "waiting", "it has as much time left as it had");
    world.passes(1);
    assert_eq!(world.status("pause"), "failed");
}

#[test]
fn a_wait_that_was_stored_before_waits_could_have_a_timeout_is_read_as_one_without() {
    let stored = json!({"timer": {"until": "2026-03-02T10:00:00Z"}});
    let waiting: Waiting = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!((waiting.due_at(), waiting.wake_at()), (None, Some("2026-03-02T10:00:00Z".parse().unwrap())));
    assert_eq!(serde_json::to_value(&waiting).unwrap(), stored);
}
