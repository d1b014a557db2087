//! What happens inside of bodies and sub-processes, and events.

use super::*;

const EACH: &str = "inputs: {regions: {type: list, items: {type: string}, default: [eu, us, ap]}}
steps:
- id: each
  type: foreach
  items: '{{ inputs.regions }}'
  max_parallel: 2
  on_item_failure: continue
  steps:
    - {id: sign, type: human_approval, approvers: {users: [ann, bob]}, title: 'Deploy {{ item }}?'}
    - {id: deploy, type: api_call, depends_on: sign, url: 'http://127.0.0.1/{{ item }}', retry: {max_attempts: 2, initial: 1s, jitter: false}}
  result: '{{ steps.deploy.output.body }}'
- {id: after, type: set, depends_on: each, values: {results: '{{ steps.each.output }}'}}
";

#[test]
fn steps_of_a_body_have_one_result_or_one_an_item() {
    let tests = "cases:
  - name: items
    stubs:
      deploy:
        items:
          - {output: {body: one}}
          - [{error: reset, class: network}, {output: {body: two}}]
          - {error: refused, class: refused}
    decisions: [{by: ann, step: sign, decision: approve}]
    expect:
      status: completed
      took: 1s
      path: [each, after]
      steps:
        each: {output: [one, two, null]}
        sign: {status: completed}
";
    let tried = tried(EACH, tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
    0s  started: manual by @octocat
    0s  ◦ each       runs once for each of 3 items
    0s  ◦ sign[0]    asks 1 of @ann, @bob
    0s  ◦ sign[1]    asks 1 of @ann, @bob
    0s  · sign[0]    @ann approves
    0s  ✓ sign[0]    approved
    0s  ✓ deploy[0]  completed {status: 200, headers: {}, body: one}
    0s  ◦ sign[2]    asks 1 of @ann, @bob
    0s  · sign[1]    @ann approves
    0s  ✓ sign[1]    approved
    0s  ✗ deploy[1]  reset (network); it is tried again
    0s  · sign[2]    @ann approves
    0s  ✓ sign[2]    approved
    0s  ✗ deploy[2]  failed: refused
    0s  ✗ each       item 2 failed: refused
    1s  · deploy[1]  attempt 2
    1s  ✓ deploy[1]  completed {status: 200, headers: {}, body: two}
    1s  ✓ each       completed [one, two, null]
    1s  ✓ after      completed {results: [one, two, null]}
    1s  completed
    path: each after
    "#);
}

#[test]
fn a_word_may_be_about_one_item() {
    let tests = "cases:
  - name: one is rejected
    stubs: {deploy: {output: {body: ok}}}
    decisions:
      - {by: ann, step: sign, item: 1, decision: reject, after: 1m}
      - {by: ann, step: sign, item: 0, decision: approve}
      - {by: ann, step: sign, item: 2, decision: approve}
      - {by: ann, step: sign, item: 7, decision: approve, refused: not_waiting}
    expect: {status: completed, steps: {each: {output: [ok, null, ok]}, deploy: {status: completed}}}
";
    insta::assert_snapshot!(tried(EACH, tests).judged(), @r#"
    10: step `deploy[1]`: expected completed, found skipped: what it depends on failed
    "#);
}

const CHILD: &str = "name: child
version: 1
inputs: {who: {type: string, required: true}}
steps:
- {id: fetch, type: api_call, url: 'http://127.0.0.1/'}
- {id: ask, type: human_approval, depends_on: fetch, approvers: {users: [ann]}, timeout: 1h}
outputs: {greeting: 'hello {{ inputs.who }}', got: '{{ steps.fetch.output.body }}'}
";

const PARENT: &str = "steps:
- {id: call, type: process, process: child, inputs: {who: you}, timeout: 2h}
- {id: after, type: set, depends_on: call, values: {said: '{{ steps.call.output.greeting }}'}}
";

#[test]
fn a_sub_process_is_played_too() {
    let tests = "cases:
  - name: played
    children:
      call:
        stubs: {fetch: {output: {body: x}, takes: 5s}}
        decisions:
          - {by: bob, step: ask, decision: approve, refused: not_listed}
          - {by: ann, step: ask, decision: approve, after: 30m}
    expect:
      status: completed
      took: 30m
      path: [call, after]
      steps: {call: {output: {greeting: hello you, got: x}}}
";
    let tried = tried_with(&[(".flow/processes/child.yaml", CHILD)], PARENT, tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
     0s  started: manual by @octocat
     0s  ◦ call        its sub-process runs
     0s  · call        started: process by @octocat
     5s  ✓ call/fetch  completed {status: 200, headers: {}, body: x}
     5s  ◦ call/ask    asks @ann
     5s  ✗ call/ask    @bob's approve does not count: it needs @ann
    30m  · call/ask    @ann approves
    30m  ✓ call/ask    approved
    30m  ✓ call        completed with {greeting: "hello you", got: x}
    30m  ✓ call        completed {greeting: "hello you", got: x}
    30m  ✓ after       completed {said: "hello you"}
    30m  completed
    path: call after
    "#);
}

#[test]
fn a_sub_process_ends_as_production_has_it_end() {
    let tests = "cases:
  - name: it fails
    children: {call: {stubs: {fetch: {error: gone, class: refused}}}}
    expect: {status: failed, error: 'the sub-process `child` failed: gone'}
  - name: it takes too long
    children: {call: {stubs: {fetch: {output: {}}}, decisions: [{by: ann, step: ask, decision: approve, after: 3h, refused: true}]}}
    expect: {status: failed, took: 1h, error: nobody approved in time}
  - name: instead of it
    stubs: {call: {output: {greeting: hi}}}
    expect: {status: completed, steps: {after: {output: {said: hi}}}}
  - name: without a stub for what it calls
    expect: {}
  - name: of a step that never ran
    stubs: {call: {error: no}}
    children: {call: {}}
    expect: {status: failed}
";
    let tried = tried_with(&[(".flow/processes/child.yaml", CHILD)], PARENT, tests);
    insta::assert_snapshot!(tried.judged(), @r#"
    12: step `fetch` (api_call) would call the world and has no stub
      write below `children.call.stubs`, for example: fetch: {output: {status: 200, body: {}}}
    16: step `call` never started its sub-process
    "#);
}

#[test]
fn cancelling_reaches_sub_processes() {
    let tests = "cases:
  - name: a
    children: {call: {stubs: {fetch: {output: {}}}}}
    cancel: {after: 1m}
    expect: {status: cancelled}
";
    let tried = tried_with(&[(".flow/processes/child.yaml", CHILD)], PARENT, tests);
    assert_eq!(tried.judged(), "");
    insta::assert_snapshot!(tried.timeline(), @r#"
    0s  started: manual by @octocat
    0s  ◦ call        its sub-process runs
    0s  · call        started: process by @octocat
    0s  ✓ call/fetch  completed {status: 200, headers: {}, body: null}
    0s  ◦ call/ask    asks @ann
    1m  ✗ call        cancelled
    1m  ✗ after       cancelled
    1m  cancelled
    1m  ✗ call/ask    cancelled
    1m  ✗ call        step `call` of execution 019b8d3a-0000-7000-8000-000000000001 no longer waits for it
    path:
    "#);
}

#[test]
fn events_end_what_waits_for_them() {
    let steps = "steps:
- {id: pause, type: wait, for: 1m}
- {id: paid, type: wait, depends_on: pause, event: {name: payment, match: '{{ event.payload.amount > 10 }}', timeout: 1h}}
- {id: after, type: set, depends_on: paid, values: {amount: '{{ steps.paid.output.payload.amount }}'}}
";
    let tests = "cases:
  - name: too little, then enough
    events:
      - {name: payment, payload: {amount: 5}, after: 2m}
      - {name: refund, payload: {amount: 50}, after: 3m}
      - {name: payment, payload: {amount: 20}, after: 4m}
    expect: {status: completed, took: 4m, steps: {after: {output: {amount: 20}}}}
  - name: before the step asks
    events: [{name: payment, payload: {amount: 20}}]
    expect: {status: completed, took: 1m}
  - name: never
    expect: {status: failed, took: 61m, error: no event}
";
    assert_eq!(tried(steps, tests).judged(), "");
}
