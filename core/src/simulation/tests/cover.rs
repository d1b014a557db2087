//! What cases have shown of a process.

use super::*;

#[test]
fn what_no_case_shows_is_named() {
    let steps = "inputs: {size: {type: string, default: small}}
steps:
- id: route
  type: gateway
  branches:
    - {when: \"{{ inputs.size == 'big' }}\", to: [ask]}
    - {when: \"{{ inputs.size == 'huge' }}\", to: [ask]}
    - {otherwise: true, to: [done]}
- {id: ask, type: human_approval, approvers: {role: write}, timeout: 1h}
- {id: done, type: set, depends_on: ask, when: \"{{ inputs.size != 'none' }}\", values: {x: 1}}
- {id: call, type: api_call, url: 'http://127.0.0.1/', depends_on: done}
- {id: sorry, type: set, depends_on: call, run_on: failure, values: {x: 1}}
";
    let tests = "people: {users: {ann: write}}
cases:
  - {name: small, stubs: {call: {output: {}}}, expect: {status: completed}}
  - {name: huge, inputs: {size: huge}, decisions: [{by: ann, step: ask, decision: reject}], expect: {status: failed}}
  - {name: late, inputs: {size: huge}, expect: {status: failed}}
";
    let tried = tried(steps, tests);
    assert_eq!(tried.judged(), "");
    let plan = tried.stage.plan("story").unwrap().as_ref().unwrap();
    let mut coverage = Coverage::of(&plan.process, None);
    for case in &tried.tests.cases {
        let run = simulate(&tried.stage, "story", &tried.tests.people, case).unwrap();
        coverage.count(&plan.process, plan, &run);
    }
    use coverage::Measure;
    let share = |measure| coverage.share(measure);
    assert_eq!(
        (share(Measure::Steps), share(Measure::Branches), share(Measure::Outcomes), coverage.total()),
        ((4, 5), (3, 5), (4, 6), (11, 16))
    );
    let lacking: String = coverage.lacking().map(|item| format!("{} {}\n", item.step, item.aspect.lacking())).collect();
    insta::assert_snapshot!(lacking, @r#"
    route never takes branch 1
    ask is never approved
    done never has `when` false
    call never fails
    sorry never runs
    "#);
}
