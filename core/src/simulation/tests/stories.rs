//! What happens in a case: people, time, stubs, retries.

use super::*;

const CALL: &str = "steps:
- {id: call, type: api_call, url: 'http://127.0.0.1/', timeout: 10s, retry: {max_attempts: 3, initial: 10s, jitter: false}}
- {id: after, type: set, depends_on: call, values: {status: '{{ steps.call.output.status }}'}}
";

const ASK: &str = "triggers:
- pull_request: {actions: [labeled], labels: [ship], branches: [trunk]}
steps:
- id: ask
  type: human_approval
  approvers: {team: leads}
  timeout: 8h
  on_timeout: escalate
  reminders: [1h]
  escalate: [{after: 4h, to: {team: directors}}]
- {id: ship, type: set, depends_on: ask, values: {base: '{{ trigger.pull_request.base }}', label: '{{ trigger.payload.label }}'}}
outputs: {ship: '{{ steps.ship.output }}'}
";

const PEOPLE: &str = "people:
  users: {alice: write, ben: write, cleo: admin}
  teams: {leads: [alice, ben], directors: [cleo]}
";

#[test]
fn the_clock_jumps_over_reminders_and_escalation_to_the_end() {
    let tests = format!("{PEOPLE}cases: [{{name: silence, trigger: {{actor: alice}}, expect: {{status: failed}}}}]");
    insta::assert_snapshot!(tried(ASK, &tests).timeline(), @r#"
    0s  started: pull_request by @alice
    0s  ◦ ask   asks 1 of team leads
    1h  · ask   people are reminded
    4h  · ask   escalated: more people are asked
    8h  ✗ ask   failed: nobody approved in time
    8h  - ship  skipped: what it depends on failed
    8h  failed: nobody approved in time
    path: ask
    "#);
}

#[test]
fn people_are_weighed_as_in_production() {
    let tests = format!(
        "{PEOPLE}cases:
  - name: who counts
    trigger: {{pull_request: {{author: alice, contributors: [dora]}}}}
    decisions:
      - {{by: alice, step: ask, decision: approve}}
      - {{by: 'robot[bot]', step: ask, decision: approve}}
      - {{by: cleo, step: ask, decision: approve}}
      - {{by: cleo, step: ask, decision: approve, after: 5h}}
      - {{by: ben, step: ask, decision: approve, after: 6h}}
    expect: {{}}
"
    );
    insta::assert_snapshot!(tried(ASK, &tests).timeline(), @r#"
    0s  started: pull_request by @alice
    0s  ◦ ask   asks 1 of team leads
    0s  ✗ ask   @alice's approve does not count: the author of a change cannot approve it without `allow_author`
    0s  ✗ ask   @robot[bot]'s approve does not count: a program cannot decide; it needs 1 of team leads
    0s  ✗ ask   @cleo's approve does not count: it needs 1 of team leads
    1h  · ask   people are reminded
    4h  · ask   escalated: more people are asked
    5h  · ask   @cleo approves
    5h  ✓ ask   approved
    5h  ✓ ship  completed {base: trunk, label: ship}
    5h  completed with {ship: {base: trunk, label: ship}}
    6h  ✗ ask   @ben's approve does not count: the execution had ended: it was completed
    path: ask ship
    "#);
}

#[test]
fn attempts_have_results_of_their_own_and_take_time() {
    let tests = "cases:
  - name: third time lucky
    stubs:
      call:
        - {error: connection refused, class: network}
        - {takes: 1m}
        - {output: {body: ok}, takes: 2s}
    expect: {status: completed}
";
    insta::assert_snapshot!(tried(CALL, tests).timeline(), @r#"
     0s  started: manual by @octocat
     0s  ✗ call   connection refused (network); it is tried again
    10s  · call   attempt 2
    20s  ✗ call   the attempt took longer than the step's `timeout` (timeout); it is tried again
    40s  · call   attempt 3
    42s  ✓ call   completed {status: 200, headers: {}, body: ok}
    42s  ✓ after  completed {status: 200}
    42s  completed
    path: call after
    "#);
}

#[test]
fn an_answer_is_taken_as_production_takes_it() {
    let tests = "cases:
  - {name: busy, stubs: {call: [{output: {status: 503}}, {output: {status: 404}}]}, expect: {status: failed}}
";
    insta::assert_snapshot!(tried(CALL, tests).timeline(), @r#"
     0s  started: manual by @octocat
     0s  ✗ call   the stub answered 503, which `expect.status` does not take (server_error); it is tried again
    10s  · call   attempt 2
    10s  ✗ call   failed: the stub answered 404, which `expect.status` does not take
    10s  - after  skipped: what it depends on failed
    10s  failed: the stub answered 404, which `expect.status` does not take
    path: call
    "#);
}

#[test]
fn a_model_without_a_stub_answers_as_the_mock_does() {
    let generate = "steps:
- {id: draft, type: ai_generate, model: mock, prompt: Draft it, output_schema: {type: object, required: [risk], properties: {risk: {type: integer, minimum: 0, maximum: 10}}}}
";
    let tests = "cases:
  - {name: by the mock, expect: {status: completed}}
  - {name: stubbed, stubs: {draft: {output: {risk: 3}}}, expect: {steps: {draft: {output: {risk: 3}}}}}
  - {name: wrong, stubs: {draft: {output: {risk: 30}}}, expect: {status: failed, error: at most 10}}
";
    let tried = tried(generate, tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
    0s  started: manual by @octocat
    0s  ✓ draft  completed {risk: 3}
    0s  completed
    path: draft
    "#);
}

#[test]
fn forms_are_answered_by_whom_they_are_for() {
    let form = "steps:
- id: ask
  type: form
  fields: {system: {type: string, enum: [billing, search], required: true}, days: {type: integer, default: 7, maximum: 30}}
  assignees: {team: leads}
";
    let tests = format!(
        "{PEOPLE}cases:
  - name: answers
    answers:
      - {{by: cleo, step: ask, values: {{system: billing}}, refused: not_listed}}
      - {{by: ben, step: ask, values: {{days: 60}}, refused: wrong_answers}}
      - {{by: ben, step: ask, values: {{system: billing}}, after: 1h}}
    expect: {{status: completed, took: 1h, steps: {{ask: {{output: {{system: billing, days: 7}}}}}}}}
"
    );
    let tried = tried(form, &tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
    0s  started: manual by @octocat
    0s  ◦ ask  asks 1 of team leads
    0s  ✗ ask  @cleo's answer does not count: it needs 1 of team leads
    0s  ✗ ask  @ben's answer does not count: the answers do not fit the form: `days` must be at most 30; `system` is required
    1h  · ask  @ben answers
    1h  ✓ ask  completed {days: 7, system: billing}
    1h  completed
    path: ask
    "#);
}

#[test]
fn a_push_takes_the_force_of_what_was_said() {
    let steps = ASK.replace("approvers: {team: leads}", "approvers: {team: leads, count: 2}");
    let tests = format!(
        "{PEOPLE}cases:
  - name: push
    trigger: {{pull_request: {{author: dora}}}}
    decisions:
      - {{by: alice, step: ask, decision: approve}}
      - {{by: ben, step: ask, decision: approve, after: 30m}}
    pushes: [{{after: 10m}}]
    cancel: {{after: 40m, by: dora}}
    expect: {{status: cancelled}}
"
    );
    let tried = tried(&steps, &tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
     0s  started: pull_request by @dora
     0s  ◦ ask   asks 2 of team leads
     0s  · ask   @alice approves
    10m  pushed: the head is 2222222
    10m  · ask   a push dismisses what @alice said
    30m  · ask   @ben approves
    40m  ✗ ask   cancelled
    40m  ✗ ship  cancelled
    40m  cancelled by dora
    path:
    "#);
}

#[test]
fn what_waits_for_ever_is_waiting() {
    let tests = "cases: [{name: a, expect: {status: waiting, steps: {ask: {status: waiting}}}}]";
    let tried = tried("steps: [{id: ask, type: human_approval, approvers: {role: write}}]", tests);
    assert_eq!(tried.judged(), "");
}

#[test]
fn what_does_not_end_is_cut() {
    let call = |index: usize| {
        format!(
            "- {{id: s{index}, type: api_call, url: 'http://127.0.0.1/', on_failure: continue, retry: {{max_attempts: 100, initial: 1ms, max: 1ms, jitter: false}}}}\n"
        )
    };
    let steps = format!("steps:\n{}", (0..110).map(call).collect::<String>());
    let stubs: String = (0..110).map(|index| format!("s{index}: {{error: no}}, ")).collect();
    let tests = format!("cases: [{{name: a, stubs: {{{stubs}}}, expect: {{}}}}]");
    let tried = tried(&steps, &tests);
    assert_eq!(tried.judged(), "2: it does not end: it was given up after 10000 signals, at +90ms\n");
}

#[test]
fn steps_of_one_moment_are_listed_as_the_process_lists_them() {
    let steps = "steps:
- {id: merge, type: set, depends_on: [quick, slow], values: {x: 1}}
- {id: slow, type: wait, for: 1m}
- {id: last, type: set, depends_on: quick, values: {x: 1}}
- {id: quick, type: set, values: {x: 1}}
- {id: other, type: set, values: {x: 1}}
";
    let run = tried(steps, "cases: [{name: a, expect: {}}]").run("");
    assert_eq!(run.path.join(" "), "quick last other slow merge");
}

#[test]
fn compensations_are_listed_in_the_order_in_which_they_ran() {
    let steps = "steps:
- {id: one, type: set, compensate_with: undo_one, values: {x: 1}}
- {id: two, type: set, depends_on: one, compensate_with: undo_two, values: {x: 1}}
- {id: call, depends_on: two, type: api_call, url: 'http://127.0.0.1/'}
- {id: undo_one, run_on: compensation, type: set, values: {x: 1}}
- {id: undo_two, run_on: compensation, type: set, values: {x: 1}}
- {id: tidy, type: set, run_on: always, depends_on: call, values: {x: 1}}
";
    let run = tried(steps, "cases: [{name: a, stubs: {call: {error: no}}, expect: {}}]").run("");
    assert_eq!(run.path.join(" "), "one two call tidy undo_two undo_one");
}

#[test]
fn triggers_are_filled_in_as_github_would() {
    let steps = "triggers: [{push: {branches: [trunk]}}, {comment: /ship}]
steps: [{id: a, type: set, values: {trigger: '{{ trigger.payload }}', by: '{{ trigger.actor }}'}}]
";
    let tests = "cases:
  - {name: the first, expect: {steps: {a: {output_contains: {by: octocat, trigger: {ref: refs/heads/trunk, branch: trunk}}}}}}
  - name: a comment
    trigger: {type: comment, actor: ann, payload: {arguments: {audience: all}}}
    expect: {steps: {a: {output_contains: {by: ann, trigger: {comment: {body: /ship, author: ann}, arguments: {audience: all}}}}}}
  - {name: in a word, trigger: comment, expect: {status: completed}}
";
    assert_eq!(tried(steps, tests).judged(), "");
}

#[test]
fn commands_need_what_the_settings_demand() {
    let tests = format!(
        "{PEOPLE}cases:
  - name: a lead without the permission
    trigger: {{actor: dora}}
    decisions: [{{by: ben, step: ask, decision: approve, refused: not_allowed}}]
    expect: {{}}
"
    );
    let settings = [(".flow/flow.yaml", "commands: {approve: {role: admin}}")];
    assert_eq!(tried_with(&settings, ASK, &tests).judged(), "");
}
