//! What holds for processes by defaults, written in their files or in `flow.yaml`: what is in force is compared.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::tests::between;

/// What is told between two commits of a process, a line each. Steps are those of the commit after.
fn told(before: (&str, &str), after: (&str, &str), steps: &str) -> Vec<String> {
    told_of(before, (after.0, after.1), (steps, steps))
}

fn told_of(before: (&str, &str), after: (&str, &str), (was, is): (&str, &str)) -> Vec<String> {
    let process = |name: &str, defaults: &str, steps: &str| {
        format!("name: {name}\nversion: 1\ntriggers: [manual]\n{defaults}\nsteps:\n{steps}")
    };
    let settings = |defaults: &str| format!("models: {{fast: mock}}\n{defaults}\n");
    let (was, is) = (process("x", before.0, was), process("x", after.0, is));
    let (shared, now) = (settings(before.1), settings(after.1));
    let (path, flow) = (".flow/processes/x.yaml", ".flow/flow.yaml");
    let difference = between(&[(path, &was), (flow, &shared)], &[(path, &is), (flow, &now)]);
    let line = |one: &super::Weakening| {
        let (step, line) = (one.step.as_deref().unwrap_or("-"), one.place.range.start.line);
        let path = one.place.path.trim_start_matches(".flow/");
        format!("{} {} {step} {path}:{line}: {}", one.kind.name(), one.definition, one.message)
    };
    difference.weakenings.iter().map(line).collect()
}

const CALL: &str = "  - {id: call, type: api_call, url: 'https://example.com'}\n";
const NOTHING: &str = "description: x";

#[test]
fn a_default_that_is_later_in_flow_yaml_is_told_for_the_process() {
    let shared = |length: &str| format!("defaults: {{timeout: {length}, execution_timeout: {length}}}");
    insta::assert_debug_snapshot!(
        [
            told((NOTHING, &shared("1h")), (NOTHING, &shared("2h")), CALL),
            told((NOTHING, &shared("1h")), (NOTHING, ""), CALL),
            told(("defaults: {timeout: 1h}", &shared("2h")), (NOTHING, &shared("2h")), CALL),
        ],
        @r#"
    [
        [
            "timeout-longer process x - flow.yaml:2: `defaults.timeout`: `1h` became `2h`",
            "timeout-longer process x - flow.yaml:2: `defaults.execution_timeout`: `1h` became `2h`",
        ],
        [
            "timeout-longer process x - processes/x.yaml:1: `defaults.execution_timeout`: `1h` became no deadline",
            "timeout-longer process x - processes/x.yaml:1: `defaults.timeout`: `1h` became no deadline",
        ],
        [
            "timeout-longer process x - flow.yaml:2: `defaults.timeout`: `1h` became `2h`",
        ],
    ]
    "#
    );
}

#[test]
fn a_default_that_moves_between_the_two_files_is_no_weakening() {
    let own = "defaults: {timeout: 1h, execution_timeout: 1d, execution_budget: {max_cost: 1 USD}}";
    assert!(told((own, ""), (NOTHING, own), CALL).is_empty());
    assert!(told((NOTHING, own), (own, ""), CALL).is_empty());
    let shorter = own.replace("1h", "30m");
    assert!(told((NOTHING, own), (&shorter, ""), CALL).is_empty());
    // What the process says itself counts, whatever `flow.yaml` says.
    let longer = own.replace("1h", "9h");
    assert!(told((own, own), (own, &longer), CALL).is_empty());
}

#[test]
fn a_default_that_is_longer_than_what_was_usual_is_told_at_the_step() {
    assert_eq!(
        told((NOTHING, ""), (NOTHING, "defaults: {timeout: 1h}"), CALL),
        ["timeout-longer process x call processes/x.yaml:6: `timeout`: `30s` became `1h`"]
    );
    assert!(told((NOTHING, ""), (NOTHING, "defaults: {timeout: 10s}"), CALL).is_empty());
}

#[test]
fn a_budget_of_defaults_that_is_higher_is_told() {
    let shared = |limit: &str| format!("defaults: {{monthly_budget: {{max_cost: {limit}}}}}");
    insta::assert_debug_snapshot!(
        [
            told((NOTHING, &shared("5 USD")), (NOTHING, &shared("6 USD")), CALL),
            told(("defaults: {execution_budget: {max_tokens: 100}}", ""), (NOTHING, ""), CALL),
            told((NOTHING, &shared("5 USD")), (NOTHING, &shared("4 USD")), CALL),
        ],
        @r#"
    [
        [
            "budget-raised process x - flow.yaml:2: `defaults.monthly_budget`: `max_cost`: 5 USD became 6 USD",
        ],
        [
            "budget-raised process x - processes/x.yaml:1: `defaults.execution_budget`: `max_tokens`: 100 became no limit",
        ],
        [],
    ]
    "#
    );
}

#[test]
fn a_deadline_that_is_new_or_sooner_where_silence_decides_weakens_the_approval() {
    let ask = |fields: &str| format!("  - {{id: ask, type: human_approval, approvers: {{team: leads}}, {fields}}}\n");
    let changed = |was: &str, is: &str| told_of((NOTHING, ""), (NOTHING, ""), (&ask(was), &ask(is)));
    insta::assert_debug_snapshot!(
        [
            changed("on_timeout: approve", "on_timeout: approve, timeout: 1h"),
            changed("on_timeout: approve, timeout: 2d", "on_timeout: approve, timeout: 1h"),
            changed("on_timeout: approve, timeout: 2d", "on_timeout: continue, timeout: 1h"),
            told((NOTHING, ""), (NOTHING, "defaults: {timeout: 1h}"), &ask("on_timeout: approve")),
            told(("defaults: {timeout: 1d}", ""), ("defaults: {timeout: 1h}", ""), &ask("on_timeout: continue")),
        ],
        @r#"
    [
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: no deadline became `1h`, and then `on_timeout: approve` decides",
        ],
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: `2d` became `1h`, and then `on_timeout: approve` decides",
        ],
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: `2d` became `1h`, and then `on_timeout: continue` decides",
        ],
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: no deadline became `1h`, and then `on_timeout: approve` decides",
        ],
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: `1d` became `1h`, and then `on_timeout: continue` decides",
        ],
    ]
    "#
    );
    for (was, is) in [
        ("on_timeout: approve, timeout: 1h", "on_timeout: approve, timeout: 1h"),
        ("on_timeout: reject, timeout: 2d", "on_timeout: reject, timeout: 1h"),
        ("on_timeout: approve, timeout: 2d", "on_timeout: fail, timeout: 1h"),
        ("timeout: 2d", "timeout: 1h"),
    ] {
        assert_eq!(changed(was, is), [""; 0], "{was} → {is}");
    }
}

#[test]
fn a_computed_deadline_that_may_be_sooner_weakens_an_approval_where_silence_decides() {
    let ask = |length: &str| {
        format!(
            "  - {{id: ask, type: human_approval, approvers: {{team: leads}}, on_timeout: approve, timeout: '{length}'}}\n"
        )
    };
    let inputs = |length: &str| format!("inputs: {{patience: {{type: string, default: {length}}}}}");
    let (long, short) = (inputs("2d"), inputs("1h"));
    let computed = ask("{{ inputs.patience }}");
    assert_eq!(
        told((&long, ""), (&short, ""), &computed),
        [
            "timeout-approves process x ask processes/x.yaml:6: `timeout`: `{{ inputs.patience }}`, by default `2d`, became by default `1h`, and then `on_timeout: approve` decides"
        ]
    );
    let kinds = told_of((&long, ""), (&long, ""), (&ask("2d"), &computed));
    assert!(kinds.iter().any(|told| told.starts_with("timeout-approves")), "{kinds:?}");
}

#[test]
fn a_default_that_does_the_same_to_many_steps_is_told_once_where_it_stands() {
    let calls = |count: usize| -> String {
        (0..count).map(|n| format!("  - {{id: c{n}, type: api_call, url: 'https://example.com'}}\n")).collect()
    };
    let added = |steps: &str| told((NOTHING, ""), (NOTHING, "defaults: {timeout: 1h}"), steps);
    let asks = "  - {id: a, type: human_approval, approvers: {team: leads}, on_timeout: approve}\n  - {id: b, type: human_approval, approvers: {team: leads}, on_timeout: approve}\n  - {id: c, type: human_approval, approvers: {team: leads}, on_timeout: approve, timeout: 2d}\n";
    let shared = |length: &str| format!("defaults: {{timeout: {length}}}");
    insta::assert_debug_snapshot!(
        [
            added(&calls(3)),
            added(&calls(12)),
            told((NOTHING, &shared("1d")), (NOTHING, &shared("1h")), asks),
        ],
        @r#"
    [
        [
            "timeout-longer process x - flow.yaml:2: `timeout`: `30s` became `1h`, for `c0`, `c1` and `c2`",
        ],
        [
            "timeout-longer process x - flow.yaml:2: `timeout`: `30s` became `1h`, for `c0`, `c1`, `c2`, `c3`, `c4`, `c5`, `c6`, `c7`, `c8`, `c9` and 2 more",
        ],
        [
            "timeout-approves process x - flow.yaml:2: `timeout`: `1d` became `1h`, and then `on_timeout: approve` decides, for `a` and `b`",
        ],
    ]
    "#
    );
}
