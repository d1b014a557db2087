//! What is not as a case expects it, as a person reads it.

use super::*;

const STEPS: &str = "inputs: {n: {type: integer, required: true}, word: {type: string, enum: [a, b], default: a}}
steps:
- {id: one, type: set, values: {n: '{{ inputs.n }}', list: [1, {x: 1, y: 2}], text: t}}
- {id: two, type: set, depends_on: one, when: '{{ inputs.n > 1 }}', values: {x: 1}}
outputs: {n: '{{ steps.one.output.n }}', all: true}
";

#[test]
fn each_difference_is_told_where_it_is_expected() {
    let tests = "cases:
  - name: all wrong
    inputs: {n: 1}
    expect:
      status: failed
      took: 1s
      path: [one, two]
      skipped: []
      error: nothing
      steps:
        one: {output: {n: 2, list: [1, {x: 1}]}, attempts: 2, error: no}
        two: {status: completed}
      outputs: {n: 1}
";
    insta::assert_snapshot!(tried(STEPS, tests).judged(), @r#"
    6: expected status failed, found completed
    10: the execution has no error
    7: expected to take 1s, took 0s
    8: another path was taken
    expected one
    two
    found one
    9: other steps were skipped
    expected found two
    12: step `one`: expected 2 attempts, found 1
    12: step `one` has no error
    12: not the expected output of step `one`
    expected {
      "n": 2,
      "list": [
        1,
        {
          "x": 1
        }
      ]
    }
    found {
      "n": 1,
      "list": [
        1,
        {
          "x": 1,
          "y": 2
        }
      ],
      "text": "t"
    }
    13: step `two`: expected completed, found skipped: its condition was false
    14: not the expected outputs of the execution
    expected {
      "n": 1
    }
    found {
      "n": 1,
      "all": true
    }
    "#);
}

#[test]
fn a_part_is_enough_where_a_part_is_asked_for() {
    let tests = "cases:
  - name: parts
    inputs: {n: 1.0}
    expect:
      steps: {one: {output_contains: {list: [1, {y: 2.0}]}}}
      outputs_contain: {all: true}
  - name: too much of it
    inputs: {n: 1}
    expect:
      steps: {one: {output_contains: {list: [1], text: t}}}
      outputs_contain: {more: 1}
";
    insta::assert_snapshot!(tried(STEPS, tests).judged(), @r#"
    11: not contained in the output of step `one`
    expected {
      "list": [
        1
      ],
      "text": "t"
    }
    found {
      "list": [
        1,
        {
          "x": 1,
          "y": 2
        }
      ],
      "text": "t"
    }
    12: not contained in the outputs of the execution
    expected {
      "more": 1
    }
    found {}
    "#);
}

#[test]
fn every_wrong_input_is_told() {
    let tests = "cases:
  - name: wrong
    inputs:
      word: c
      other: 1
    expect: {}
  - {name: none, expect: {}}
";
    insta::assert_snapshot!(tried(STEPS, tests).judged(), @r#"
    5: input `word` must be one of a, b None
    6: input `other` is not a field here None
    3: input `n` is required None
    8: input `n` is required None
    "#);
}

#[test]
fn a_missing_stub_says_what_to_write_and_nothing_else_is_judged() {
    let steps = "steps:
- {id: call, type: api_call, url: 'http://127.0.0.1/', expect: {schema: {type: object, required: [id], properties: {id: {type: integer}}}}}
- {id: ship, type: api_call, url: 'http://127.0.0.1/', depends_on: call}
";
    let tests = "cases: [{name: a, expect: {status: failed}}]";
    insta::assert_snapshot!(tried(steps, tests).judged(), @r#"
    2: step `call` (api_call) would call the world and has no stub
      write below `stubs`, for example: call: {output: {status: 200, body: {id: 18}}}
    2: step `ship` (api_call) would call the world and has no stub
      write below `stubs`, for example: ship: {output: {status: 200, body: {}}}
    "#);
}

#[test]
fn what_cannot_start_says_why() {
    let steps = "triggers: [{push: {}}]\nsteps: [{id: a, type: set, values: {x: 1}}]\n";
    let tests = "cases:
  - {name: a, trigger: comment, expect: {}}
  - {name: b, trigger: {type: manual}, expect: {}}
  - {name: c, at: yesterday, expect: {}}
";
    insta::assert_snapshot!(tried(steps, tests).judged(), @r#"
    3: process `story` has no trigger `comment` Some("it has: push")
    4: process `story` has no trigger `manual` Some("it has: push")
    5: `yesterday` is no moment Some("write one such as 2026-01-05T09:00:00Z")
    "#);
}

#[test]
fn words_that_do_not_count_fail_a_case_unless_it_says_so() {
    let steps = "steps: [{id: ask, type: human_approval, approvers: {users: [ann]}, note_required: on_reject}]";
    let tests = "cases:
  - name: a
    decisions:
      - {by: bob, step: ask, decision: approve}
      - {by: bob, step: ask, decision: approve, refused: author}
      - {by: ann, step: ask, decision: reject, refused: note_required}
      - {by: ann, step: ask, decision: withdraw, refused: true}
      - {by: ann, step: ask, decision: approve, refused: true}
      - {by: ann, step: ask, decision: approve, after: 1h}
    expect: {status: completed}
";
    insta::assert_snapshot!(tried(steps, tests).judged(), @r#"
    5: @bob's approve of `ask` does not count: it needs @ann
      where that is what the test shows, add `refused: not_listed`
    6: @bob's approve of `ask` does not count for another reason: expected author, found not_listed: it needs @ann
    9: @ann's approve of `ask` should not count, and it did
    10: @ann's approve of `ask` does not count: the execution had ended: it was completed
      where that is what the test shows, add `refused: not_waiting`
    "#);
}
