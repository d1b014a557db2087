//! Weakenings that something hides: a constant, an input, a loop, a sub-process, a deadline that is computed.

use super::Difference;
use super::tests::{between, kinds};

/// A process `p` with these constants or inputs and steps.
fn process(rest: &str) -> String {
    format!("name: p\nversion: 1\ntriggers: [manual]\n{rest}")
}

const CALL: &str = "steps:
  - {id: ship, type: api_call, method: POST, url: 'https://{{ context.host }}/a', headers: {a: '{{ secrets.T }}'}}\n";

/// What is told where a process becomes another.
fn becomes(before: &str, after: &str) -> Difference {
    let path = ".flow/processes/p.yaml";
    between(&[(path, &process(before))], &[(path, &process(after))])
}

#[test]
fn a_secret_that_travels_in_the_open_is_told() {
    let with = |url: &str| CALL.replace("https://{{ context.host }}", url);
    assert_ne!(CALL, with("https://a.example"), "the call has an address");
    let found = becomes(&with("https://a.example"), &with("http://a.example"));
    assert_eq!(kinds(&found), ["secret-over-http"]);
    assert!(found.weakenings[0].message.ends_with("goes to `a.example` with `http://`, where it can be read"));
    assert!(becomes(&with("http://a.example"), &with("https://a.example")).weakenings.is_empty());
    assert!(becomes(&with("https://localhost"), &with("http://localhost")).weakenings.is_empty());
}

#[test]
fn a_secret_whose_host_stands_in_a_constant_is_told_when_the_constant_changes() {
    let with = |host: &str| format!("context: {{host: {host}}}\n{CALL}");
    let found = becomes(&with("a.example"), &with("evil.example"));
    assert_eq!(kinds(&found), ["secret-host-changed"]);
    assert!(found.weakenings[0].message.contains("went to `a.example` and goes to `evil.example`"));
    assert!(
        becomes(&with("a.example"), &format!("context: {{other: 1, host: a.example}}\n{CALL}")).weakenings.is_empty()
    );
    let written = CALL.replace("{{ context.host }}", "a.example");
    assert!(becomes(&with("a.example"), &written).weakenings.is_empty(), "the same host, written out");
}

#[test]
fn a_secret_whose_host_is_an_input_is_told_when_more_may_be_given() {
    let with = |field: &str| {
        format!("inputs: {{host: {{type: string, {field}}}}}\n{}", CALL.replace("context.host", "inputs.host"))
    };
    let found = |before: &str, after: &str| kinds(&becomes(&with(before), &with(after)));
    let two = "enum: [a.example, b.example]";
    assert_eq!(found(two, "enum: [a.example, b.example, evil.example]"), ["secret-host-changed"]);
    assert_eq!(found(two, "required: true"), ["secret-host-changed"]);
    assert_eq!(found(two, "enum: [b.example]"), [""; 0]);
    assert_eq!(found("required: true", two), [""; 0]);
    assert_eq!(found("pattern: '^a$'", "pattern: '.*'"), ["secret-host-changed"]);
}

#[test]
fn a_deadline_that_is_computed_hides_nothing() {
    let with = |timeout: &str, constant: &str| {
        format!(
            "context: {{t: {constant}}}\nsteps:\n  - {{id: ok, type: human_approval, approvers: {{team: a}}, timeout: {timeout}}}\n"
        )
    };
    let found = |before: &str, after: &str| kinds(&becomes(before, after));
    let constant = "'{{ context.t }}'";
    assert_eq!(found(&with("1d", "9d"), &with(constant, "9d")), ["timeout-longer"]);
    assert_eq!(found(&with(constant, "9d"), &with(constant, "99d")), ["timeout-longer"]);
    assert_eq!(found(&with(constant, "9d"), &with(constant, "1d")), [""; 0]);
    assert_eq!(found(&with("9d", "9d"), &with(constant, "9d")), [""; 0]);
    assert_eq!(found(&with("1d", "9d"), &with("'{{ inputs.t }}'", "9d")), ["timeout-longer"]);
    assert_eq!(found(&with("'{{ inputs.t }}'", "1d"), &with("'{{ inputs.t }}'", "9d")), [""; 0]);
}

#[test]
fn a_loop_around_an_approval_that_goes_on_without_it_is_told() {
    let with = |fields: &str| {
        format!(
            "steps:
  - {{id: each, type: foreach, {fields}, steps: [{{id: ok, type: human_approval, approvers: {{team: a}}}}]}}
  - {{id: ship, type: workflow, workflow: ship.yml, depends_on: each}}\n"
        )
    };
    let found = |after: &str| kinds(&becomes(&with("items: [a, b]"), &with(after)));
    assert_eq!(found("items: [a, b], on_item_failure: continue"), ["rejection-continues"]);
    assert_eq!(found("items: [a, b], on_failure: continue"), ["rejection-continues"]);
    assert_eq!(found("items: []"), ["approval-conditional"]);
    assert_eq!(found("items: '{{ inputs.list }}'"), ["approval-conditional"]);
    assert_eq!(found("items: [a, b], when: '{{ inputs.x }}'"), ["approval-conditional"]);
    assert_eq!(found("items: [b, a, c]"), [""; 0]);
    assert_eq!(found("items: [a, b], max_parallel: 2"), [""; 0]);
}

#[test]
fn a_sub_process_with_an_approval_that_may_fail_is_told() {
    let child = (
        ".flow/processes/child.yaml",
        "name: child\nversion: 1\nsteps:\n  - {id: ok, type: human_approval, approvers: {team: a}}\n",
    );
    let with = |more: &str| {
        process(&format!(
            "steps:\n  - {{id: ask, type: process, process: child{more}}}\n  - {{id: ship, type: workflow, workflow: ship.yml, depends_on: ask}}\n"
        ))
    };
    let path = ".flow/processes/p.yaml";
    let found = |after: &str| kinds(&between(&[(path, &with("")), child], &[(path, &with(after)), child]));
    assert_eq!(found(", on_failure: continue"), ["rejection-continues"]);
    assert_eq!(found(", timeout: 1d"), [""; 0]);
}

#[test]
fn an_approval_deep_inside_counts_however_many_ways_lead_to_it() {
    let level = |number: u32, steps: &str| {
        (format!(".flow/processes/l{number}.yaml"), format!("name: l{number}\nversion: 1\nsteps:\n{steps}"))
    };
    let run = |id: &str, number: u32| format!("  - {{id: {id}, type: process, process: l{number}}}\n");
    let with = |asked: &str| {
        let ship = "  - {id: ship, type: workflow, workflow: ship.yml, depends_on: one}\n";
        let mut files = vec![level(0, &format!("{}{ship}", run("one", 1)))];
        files.extend(
            (1..40).map(|number| level(number, &format!("{}{}", run("one", number + 1), run("two", number + 1)))),
        );
        files.push(level(40, asked));
        files
    };
    let found = |after: &str| {
        let [before, after] = [with("  - {id: ok, type: human_approval, approvers: {team: a}}\n"), with(after)];
        let [before, after] = [&before, &after]
            .map(|files| files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
        between(&before, &after).weakenings.into_iter().map(|one| one.message).collect::<Vec<_>>()
    };
    assert_eq!(found("  - {id: ok, type: human_approval, approvers: {team: a, count: 2}}\n"), [""; 0]);
    insta::assert_debug_snapshot!(found("  - {id: ok, type: set, values: {v: 1}}\n"), @r#"
    [
        "`ok` was an approval and is a step of type `set`",
        "there is a way to `ship` without an approval; every way to it passed one before",
    ]
    "#);
}

#[test]
fn a_condition_of_an_approval_that_reads_a_changed_constant_is_told() {
    let with = |constant: u32| {
        format!(
            "context: {{c: {constant}}}\nsteps:\n  - {{id: ok, type: human_approval, approvers: {{team: a}}, when: '{{{{ context.c > 3 }}}}'}}\n"
        )
    };
    assert_eq!(kinds(&becomes(&with(100), &with(1))), ["approval-conditional"]);
    assert_eq!(kinds(&becomes(&with(100), &with(50))), [""; 0]);
}
