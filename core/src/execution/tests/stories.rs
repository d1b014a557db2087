//! Graphs, failures, retries, time, compensation, cancelling.

use serde_json::json;

use super::*;
use crate::definition::{ErrorClass, StepType};

fn server_error() -> StepError {
    StepError::new(ErrorClass::ServerError, "503")
}

const CALL: &str = "{type: api_call, url: 'http://127.0.0.1/'";

#[test]
fn a_gateway_takes_one_way_and_the_merge_after_it_runs() {
    let steps = "
- {id: size, type: set, values: {files: '{{ inputs.files }}'}}
- {id: route, type: gateway, depends_on: size, branches: [{when: '{{ steps.size.output.files > 10 }}', to: [big]}, {otherwise: true, to: [small]}]}
- {id: big, type: set, values: {way: big}}
- {id: small, type: set, values: {way: small}}
- {id: merge, type: set, depends_on: [big, small], values: {way: \"{{ steps.big.output.way | default('small') }}\"}}
";
    let more = "inputs: {files: {type: integer, default: 3}}\noutputs: {way: '{{ steps.merge.output.way }}'}";
    let few = World::with(steps, more, json!({}));
    assert_eq!(few.picture(), "completed | size:completed route:completed big:skipped small:completed merge:completed");
    assert_eq!(few.execution.steps["big"].skipped, Some(SkipReason::NotTaken));
    assert_eq!(few.execution.outputs, Some(json!({"way": "small"})));
    let many = World::with(steps, more, json!({"files": 11}));
    assert_eq!(many.execution.outputs, Some(json!({"way": "big"})));
}

#[test]
fn values_keep_their_types_and_a_chain_behind_a_skipped_step_is_skipped() {
    let world = World::with(
        "
- {id: a, type: set, when: '{{ inputs.go }}', values: {n: 1}}
- {id: b, type: set, depends_on: a, values: {n: 2}}
- {id: c, type: set, values: {list: '{{ [1, 2] }}', text: 'n is {{ 1 + 1 }}', flag: '{{ not inputs.go }}'}}
",
        "inputs: {go: {type: boolean, required: true}}",
        json!({"go": false}),
    );
    assert_eq!(world.picture(), "completed | a:skipped b:skipped c:completed");
    assert_eq!(world.execution.steps["c"].output, Some(json!({"list": [1, 2], "text": "n is 2", "flag": true})));
    assert_eq!(world.execution.steps["b"].skipped, Some(SkipReason::DependencySkipped));
}

#[test]
fn a_failure_skips_what_follows_and_runs_what_waits_for_it() {
    let mut world = World::start(&format!(
        "
- {{id: call, {call}}}
- {{id: after, type: set, depends_on: call, values: {{x: 1}}}}
- {{id: rescue, type: set, depends_on: call, run_on: failure, values: {{why: '{{{{ steps.call.error.message }}}}'}}}}
- {{id: tidy, type: set, depends_on: [after, rescue], run_on: always, values: {{x: 1}}}}
",
        call = &CALL[1..]
    ));
    assert_eq!(world.picture(), "running | call:running after:pending rescue:pending tidy:pending");
    world.ends("call", Err(server_error()));
    assert_eq!(world.picture(), "failed | call:failed after:skipped rescue:completed tidy:completed");
    assert_eq!(world.execution.steps["rescue"].output, Some(json!({"why": "503"})));
    assert_eq!(world.execution.error.as_ref().unwrap().step.as_deref(), Some("call"));
}

#[test]
fn a_tolerated_failure_is_ok() {
    let mut world = World::start(&format!(
        "
- {{id: call, on_failure: continue, {call}}}
- {{id: after, type: set, depends_on: call, values: {{status: '{{{{ steps.call.status }}}}'}}}}
",
        call = &CALL[1..]
    ));
    world.ends("call", Err(server_error()));
    assert_eq!(world.picture(), "completed | call:failed after:completed");
    assert_eq!(world.execution.steps["after"].output, Some(json!({"status": "failed"})));
}

#[test]
fn attempts_are_repeated_with_growing_pauses_and_only_for_errors_that_may_pass() {
    let call = format!("- {{id: call, retry: {{max_attempts: 3, initial: 10s, jitter: false}}, {}}}", &CALL[1..]);
    let mut world = World::start(&call);
    world.ends("call", Err(server_error()));
    assert_eq!(world.picture(), "running | call:waiting");
    world.passes(9);
    assert_eq!(world.status("call"), "waiting");
    world.passes(1);
    assert_eq!((world.status("call"), world.execution.steps["call"].attempt), ("running", 2));
    world.ends("call", Err(server_error()));
    world.passes(19);
    assert_eq!(world.status("call"), "waiting");
    world.passes(1);
    world.ends("call", Err(server_error()));
    assert_eq!(world.picture(), "failed | call:failed");

    let mut refused = World::start(&call);
    refused.ends("call", Err(StepError::new(ErrorClass::Refused, "404")));
    assert_eq!(refused.picture(), "failed | call:failed");
}

#[test]
fn a_pause_is_at_least_what_the_other_side_asks_for() {
    let mut world = World::start(&format!("- {{id: call, retry: {{initial: 1s}}, {}}}", &CALL[1..]));
    let error = StepError { retry_after_ms: Some(60_000), ..StepError::new(ErrorClass::RateLimited, "429") };
    world.ends("call", Err(error));
    world.passes(59);
    assert_eq!(world.status("call"), "waiting");
    world.passes(1);
    assert_eq!(world.status("call"), "running");
}

#[test]
fn an_attempt_knows_its_time_and_whoever_performs_it_ends_it() {
    let mut world = World::start(&format!("- {{id: call, timeout: 5s, {}}}", &CALL[1..]));
    assert_eq!(world.execution.steps["call"].timeout_ms, Some(5_000));
    // In the queue, or with a server that died, no time of the attempt is used up.
    assert_eq!(world.execution.wake_at(), None);
    world.passes(60);
    assert_eq!(world.picture(), "running | call:running");
    world.ends("call", Err(StepError::new(ErrorClass::Timeout, "too long")));
    assert_eq!(world.picture(), "failed | call:failed");
    assert_eq!(world.execution.steps["call"].error.as_ref().unwrap().class, ErrorClass::Timeout);
    let late = Signal::StepEnded { step: "call".to_owned(), attempt: 1, result: Ok(json!(1)), usage: None };
    assert!(matches!(world.signal(late), Err(Refusal::Stale { .. })));
}

#[test]
fn a_wait_ends_when_its_time_has_come() {
    let mut world = World::start(
        "
- {id: pause, type: wait, for: 90s}
- {id: day, type: wait, until: '2026-03-02T09:00:10Z'}
- {id: after, type: set, depends_on: [pause, day], values: {x: 1}}
",
    );
    assert_eq!(world.picture(), "waiting | pause:waiting day:waiting after:pending");
    world.passes(10);
    assert_eq!(world.picture(), "waiting | pause:waiting day:completed after:pending");
    world.passes(80);
    assert_eq!(world.picture(), "completed | pause:completed day:completed after:completed");
}

#[test]
fn join_any_starts_with_the_first_that_is_ok() {
    let mut world = World::start(
        "
- {id: slow, type: wait, for: 1h}
- {id: quick, type: set, values: {x: 1}}
- {id: first, type: set, depends_on: [slow, quick], join: any, values: {x: 1}}
",
    );
    assert_eq!(world.picture(), "waiting | slow:waiting quick:completed first:completed");
    world.passes(3_600);
    assert_eq!(world.picture(), "completed | slow:completed quick:completed first:completed");
}

#[test]
fn a_failed_execution_undoes_what_it_did_in_reverse_order() {
    let mut world = World::start(&format!(
        "
- {{id: one, type: set, compensate_with: undo_one, values: {{x: 1}}}}
- {{id: two, type: set, depends_on: one, compensate_with: undo_two, values: {{x: 1}}}}
- {{id: call, depends_on: two, {call}}}
- {{id: undo_one, run_on: compensation, {call}}}
- {{id: undo_two, run_on: compensation, {call}}}
- {{id: tidy, type: set, depends_on: call, run_on: always, values: {{x: 1}}}}
",
        call = &CALL[1..]
    ));
    world.ends("call", Err(server_error()));
    assert_eq!(
        world.picture(),
        "running | one:completed two:completed call:failed undo_one:pending undo_two:running tidy:completed"
    );
    world.ends("undo_two", Err(server_error()));
    assert_eq!(world.status("undo_one"), "running");
    world.ends("undo_one", Ok(json!({})));
    assert_eq!(world.execution.status, ExecutionStatus::Failed);
    assert_eq!(world.execution.error.as_ref().unwrap().step.as_deref(), Some("call"));
}

#[test]
fn compensations_that_are_not_needed_are_skipped() {
    let world = World::start(
        "
- {id: one, type: set, compensate_with: undo, values: {x: 1}}
- {id: undo, type: set, run_on: compensation, values: {x: 1}}
",
    );
    assert_eq!(world.picture(), "completed | one:completed undo:skipped");
}

#[test]
fn cancelling_interrupts_undoes_and_then_runs_what_always_runs() {
    let mut world = World::start(&format!(
        "
- {{id: one, type: set, compensate_with: undo, values: {{x: 1}}}}
- {{id: call, depends_on: one, {call}}}
- {{id: later, type: set, depends_on: call, values: {{x: 1}}}}
- {{id: undo, run_on: compensation, {call}}}
- {{id: tidy, type: set, depends_on: later, run_on: always, values: {{x: 1}}}}
",
        call = &CALL[1..]
    ));
    world.signal(Signal::Cancel { actor: None, reason: "changed my mind".to_owned() }).unwrap();
    assert_eq!(world.picture(), "running | one:completed call:cancelled later:cancelled undo:running tidy:pending");
    world.ends("undo", Ok(json!({})));
    assert_eq!(
        world.picture(),
        "cancelled | one:completed call:cancelled later:cancelled undo:completed tidy:completed"
    );
    let again = Signal::Cancel { actor: None, reason: String::new() };
    assert!(matches!(world.signal(again), Err(Refusal::Ended { .. })));
}

#[test]
fn a_retry_goes_on_from_what_failed() {
    let mut world = World::start(&format!(
        "
- {{id: before, type: set, values: {{x: 1}}}}
- {{id: call, depends_on: before, {call}}}
- {{id: after, type: set, depends_on: call, values: {{x: 1}}}}
",
        call = &CALL[1..]
    ));
    assert!(matches!(world.signal(Signal::Retry { actor: None, step: None }), Err(Refusal::NothingToRetry { .. })));
    world.ends("call", Err(server_error()));
    world.signal(Signal::Retry { actor: None, step: None }).unwrap();
    assert_eq!(world.picture(), "running | before:completed call:running after:pending");
    assert_eq!((world.execution.steps["call"].attempt, world.execution.retries), (2, 1));
    world.ends("call", Ok(json!({"status": 200})));
    assert_eq!(world.picture(), "completed | before:completed call:completed after:completed");
}

#[test]
fn an_execution_that_takes_too_long_fails() {
    let mut world = World::with("- {id: pause, type: wait, for: 7d}", "defaults: {execution_timeout: 1h}", json!({}));
    world.passes(3_600);
    assert_eq!(world.picture(), "failed | pause:cancelled");
    assert_eq!(world.execution.error.as_ref().unwrap().class, ErrorClass::Timeout);
}

#[test]
fn an_execution_that_undoes_what_it_did_is_not_due_because_of_its_deadline() {
    let mut world = World::with(
        "- {id: make, type: set, values: {x: 1}, compensate_with: undo}
- {id: fail, type: api_call, url: 'https://example.com', depends_on: make, timeout: 1h}
- {id: undo, type: api_call, url: 'https://example.com', run_on: compensation, timeout: 9h}",
        "defaults: {execution_timeout: 2h}",
        json!({}),
    );
    world.ends("fail", Err(StepError::new(ErrorClass::Refused, "no")));
    assert_eq!(world.picture(), "running | make:completed fail:failed undo:running");
    assert_eq!(world.execution.wake_at(), None);
    world.passes(3 * 3_600);
    assert_eq!(world.picture(), "running | make:completed fail:failed undo:running");
}

#[test]
fn an_expression_that_fails_fails_its_step_and_says_which_field() {
    let world = World::with(
        "- {id: a, type: set, values: {x: '{{ inputs.none }}'}}\n- {id: b, type: set, when: '{{ 3 }}', values: {x: 1}}",
        "inputs: {none: {type: string}}",
        json!({}),
    );
    assert_eq!(world.picture(), "failed | a:failed b:failed");
    let message = |id: &str| world.execution.steps[id].error.as_ref().unwrap().message.clone();
    assert!(message("a").contains("values"), "{}", message("a"));
    assert!(message("b").contains("when"), "{}", message("b"));
}

#[test]
fn inputs_are_checked_with_every_fault_and_defaults_filled_in() {
    let plan = plan(
        "- {id: a, type: set, values: {x: 1}}",
        "inputs: {size: {type: integer, minimum: 1, required: true}, when: {type: date}, audience: {type: string, enum: [a, b], default: a}}",
    );
    let wrong = create(&plan, new_execution(json!({"size": 0, "when": "soon", "odd": 1})), Timestamp::UNIX_EPOCH);
    let Err(StartError::WrongInputs { mut faults }) = wrong else { panic!("refused") };
    faults.sort();
    let faults: Vec<String> = faults.into_iter().map(|(field, fault)| format!("{field} {fault}")).collect();
    assert_eq!(faults, ["odd is not a field here", "size must be at least 1", "when must be a day such as 2026-03-01"]);
    let (execution, _) = create(&plan, new_execution(json!({"size": 2})), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(execution.inputs, map(json!({"audience": "a", "size": 2})));
}

#[test]
fn calls_of_an_agent_are_allowed_by_all_whom_the_step_the_agent_and_a_policy_name() {
    let world = World::with(
        "
- {id: all, type: agent_task, agent: careful, message: Hi, approvers: {users: ['{{ inputs.who }}']}}
- {id: agent, type: agent_task, agent: careful, message: Hi}
- {id: policy, type: agent_task, agent: writer, message: Hi, policy: strict}
- {id: none, type: agent_task, agent: writer, message: Hi}
",
        "inputs: {who: {type: string, default: ann}}",
        json!({}),
    );
    use crate::approval::{Group, Requirement};
    use crate::definition::Role;
    let asked = |step: &str| world.execution.steps[step].input.get("requirement").cloned();
    let people = |group: Group| Requirement::People { group, count: 1 };
    let (ann, leads) = (people(Group::Users(vec!["ann".to_owned()])), people(Group::Team("leads".to_owned())));
    let admins = || people(Group::Role(Role::Admin));
    assert_eq!(asked("all"), Some(json!(Requirement::All { of: vec![ann, leads.clone(), admins()] })));
    assert_eq!(asked("agent"), Some(json!(Requirement::All { of: vec![leads, admins()] })));
    assert_eq!(asked("policy"), Some(json!(admins())));
    assert_eq!(asked("none"), None);
}

#[test]
fn a_policy_that_names_nobody_makes_nobody_else_a_judge_of_calls() {
    let step = "- {id: act, type: agent_task, agent: writer, message: Hi, policy: empty}";
    let world = World::with(step, "", json!({}));
    let error = world.execution.steps["act"].error.as_ref().unwrap();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Refused, "nobody is named who could approve"));
}

#[test]
fn what_is_not_performed_is_refused_before_it_starts() {
    let text = "name: story\nversion: 1\nsteps:\n- {id: a, type: agent_task, agent: writer, message: hello}\n";
    let repository = Repository::read([(".flow/processes/story.yaml".to_owned(), text.to_owned())]);
    let performed = Performable::default().with(StepType::Set);
    assert_eq!(
        repository.plan_for("story", &performed).unwrap().unwrap_err(),
        PlanError::NotPerformed { step: "a".to_owned(), step_type: "agent_task" }
    );
}

#[test]
fn what_others_perform_is_given_its_fields_evaluated_and_goes_on_with_what_they_give() {
    let mut world = World::with(
        "
- {id: ask, type: agent_task, agent: writer, message: 'About {{ inputs.tag }}', budget: {max_turns: 3}}
- {id: look, type: mcp_call, tool: tracker, operation: find, arguments: {tag: '{{ inputs.tag }}', limit: '{{ 1 + 1 }}'}}
- {id: build, type: workflow, workflow: build.yml, ref: 'v{{ inputs.tag }}', inputs: {tag: '{{ inputs.tag }}'}}
- {id: sub, type: process, process: notes, inputs: {tag: '{{ inputs.tag }}'}}
- {id: tell, type: notify, channel: webhook, to: 'https://example.com/{{ secrets.HOOK }}', message: '{{ inputs.tag }} is out'}
- {id: end, type: set, depends_on: [ask, look, build, sub, tell], values: {all: '{{ steps.sub.output.notes }}'}}
",
        "inputs: {tag: {type: string, default: '7'}}",
        json!({}),
    );
    assert_eq!(
        world.picture(),
        "running | ask:running look:running build:running sub:running tell:running end:pending"
    );
    let input = |step: &str| Value::clone(&world.execution.steps[step].input);
    let tracker = json!({
        "name": "tracker", "type": "mcp", "url": "https://tracker.example/mcp", "approval": "writes"
    });
    let ask = json!({"agent": "writer", "message": "About 7", "session": "new", "budget":
        {"max_cost": null, "max_tokens": null, "max_turns": 3, "max_tool_calls": null},
        "definition": {"name": "writer", "model": "mock", "tools": ["tracker"], "memory": "none"},
        "equipment": {"tracker": tracker}});
    assert_eq!(input("ask"), ask);
    let look = json!({
        "tool": "tracker", "operation": "find", "arguments": {"tag": "7", "limit": 2}, "definition": tracker
    });
    assert_eq!(input("look"), look);
    assert_eq!(input("build"), json!({"workflow": "build.yml", "ref": "v7", "inputs": {"tag": "7"}}));
    assert_eq!(input("sub"), json!({"process": "notes", "inputs": {"tag": "7"}, "wait": true}));
    let receivers = json!([{"to": "https://example.com/***"}]);
    let tell = json!({"channel": "webhook", "receivers": receivers, "message": "7 is out"});
    assert_eq!(input("tell"), tell);
    assert_eq!(world.execution.steps["tell"].secret_texts.len(), 1);
    assert_eq!(world.execution.steps["build"].timeout_ms, Some(6 * 3_600_000));
    assert_eq!(world.execution.steps["sub"].timeout_ms, None, "a child takes as long as it does");
    for step in ["ask", "look", "build", "tell"] {
        world.ends(step, Ok(json!("done")));
    }
    world.ends("sub", Ok(json!({"notes": "new"})));
    assert_eq!(world.execution.steps["end"].output, Some(json!({"all": "new"})));
    assert_eq!(world.execution.status, ExecutionStatus::Completed);
}

#[test]
fn the_repository_says_what_a_process_does_not() {
    let settings = "defaults: {timeout: 7s, execution_timeout: 1h}\n";
    let process = "name: story\nversion: 1\ndefaults: {execution_timeout: 2h}\nsteps:\n- {id: a, type: api_call, url: 'http://127.0.0.1/'}\n";
    let plan = |settings: &str| {
        let files = [(".flow/flow.yaml", settings), (".flow/processes/story.yaml", process)];
        let repository = Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        repository.plan("story").unwrap().unwrap()
    };
    let with = plan(settings);
    let defaults = &with.process.header.defaults;
    assert_eq!(defaults.timeout.as_ref().unwrap().to_string(), "7s");
    assert_eq!(defaults.execution_timeout.as_ref().unwrap().to_string(), "2h");
    assert_ne!(with.digest, plan("{}\n").digest, "what was shown to people has changed");
}

#[test]
fn a_name_is_filled_in_when_its_step_starts_and_fails_nothing() {
    let steps = "- {id: pack, type: wait, for: 1m, name: 'Pack {{ inputs.what }}'}
- {id: ship, type: set, depends_on: pack, name: 'Ship {{ inputs.what }}   to {{ steps.pack.output.at }}', values: {a: 1}}
- {id: tell_all, type: set, depends_on: pack, name: 'Tell {{ inputs.other.name }}', values: {a: 1}}
- {id: each, type: foreach, depends_on: pack, items: [red, blue], steps: [{id: paint, type: set, name: 'Paint it {{ item }}', values: {a: 1}}]}
";
    let inputs = "inputs: {what: {type: string}, other: {type: object}}";
    let mut world = World::with(steps, inputs, json!({"what": "a box"}));
    let names = |world: &World| {
        let named = |(key, step): (&String, &StepState)| format!("{key}: {}", step.name.as_deref().unwrap_or("-"));
        world.execution.steps.iter().map(named).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["pack: Pack a box", "ship: -", "tell_all: -", "each: -"]);
    world.passes(60);
    assert_eq!(world.execution.status, ExecutionStatus::Completed, "a name that cannot be filled in fails nothing");
    let expected = ["pack: Pack a box", "ship: Ship a box to 2026-03-02T09:01:00Z", "tell_all: -", "each: -"];
    assert_eq!(names(&world)[..4], expected);
    assert_eq!(names(&world)[4..], ["paint[0]: Paint it red", "paint[1]: Paint it blue"]);
}

#[test]
fn nobody_asks_a_step_to_wait_for_longer_than_its_failure_allows() {
    use crate::definition::ErrorClass::{Network, RateLimited, Refused, Schema, ServerError, Timeout};
    let steps = "- {id: a, type: api_call, url: 'https://example.com', retry: {jitter: false, on: [any]}}";
    let day = 86_400;
    for (class, longest) in
        [(RateLimited, day), (ServerError, day), (Refused, day), (Timeout, 30), (Network, 30), (Schema, 1)]
    {
        for (asked, seconds) in [(2_000, longest.min(2)), (u64::MAX, longest)] {
            let mut world = World::start(steps);
            let error = StepError::new(class, "later");
            world.ends("a", Err(StepError { retry_after_ms: Some(asked), ..error }));
            let Some(Waiting::Retry { at }) = world.execution.steps["a"].waiting else { panic!("it is tried again") };
            assert_eq!(at.duration_since(world.now).as_secs(), seconds, "{class:?} {asked}");
        }
    }
}
