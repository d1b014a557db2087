//! A step that keeps its id and becomes another one: what it asked for before is still looked for.

use super::Difference;
use super::tests::{between, kinds};

/// What differs where a step between two others changes its type.
fn becomes(before: &str, after: &str) -> Difference {
    let process = |middle: &str| {
        format!(
            "name: p\nversion: 1\ntriggers: [manual]\nsteps:\n  - {{id: first, type: set, values: {{v: 1}}}}\n  - {{id: middle, depends_on: first, {middle}}}\n  - {{id: ship, type: workflow, workflow: ship.yml, depends_on: middle}}\n"
        )
    };
    let path = ".flow/processes/p.yaml";
    between(&[(path, &process(before))], &[(path, &process(after))])
}

const APPROVAL: &str = "type: human_approval, approvers: {team: leads}, timeout: 1d";
const FORM: &str = "type: form, fields: {v: {type: string}}, assignees: {team: leads}, timeout: 1d";
const CALL: &str = "type: api_call, method: POST, url: 'https://example.com'";

#[test]
fn a_step_of_another_type_is_one_step_that_changed() {
    let found = becomes(CALL, "type: mcp_call, tool: hub, operation: go");
    let told = |one: &super::Change| {
        let value = |value: &Option<String>| value.clone().unwrap_or("·".to_owned());
        format!("{:?} {:?} {}: {} → {}", one.kind, one.step, one.key, value(&one.before), value(&one.after))
    };
    let changes: Vec<String> = found.definitions[0].changes.iter().map(told).collect();
    insta::assert_debug_snapshot!(changes, @r#"
    [
        "Changed Some(\"middle\") type: api_call → mcp_call",
        "Removed Some(\"middle\") method: POST → ·",
        "Removed Some(\"middle\") url: 'https://example.com' → ·",
        "Added Some(\"middle\") tool: · → hub",
        "Added Some(\"middle\") operation: · → go",
    ]
    "#);
    assert_eq!(kinds(&found), [""; 0]);
}

#[test]
fn an_approval_that_became_something_else_is_gone_and_passed_by() {
    for after in [FORM, CALL, "type: set, values: {v: 1}", "type: wait, for: 1d"] {
        let found = becomes(APPROVAL, after);
        assert_eq!(kinds(&found), ["approval-removed", "approval-bypassed"], "{after}");
        let name = after.split([' ', ',']).nth(1).unwrap_or_default();
        assert_eq!(found.weakenings[0].message, format!("`middle` was an approval and is a step of type `{name}`"));
        assert_eq!(found.weakenings[1].step.as_deref(), Some("ship"));
        assert_eq!(
            kinds(&becomes(after, APPROVAL)),
            if after == CALL { vec!["timeout-longer"] } else { vec![] },
            "{after}"
        );
    }
}

#[test]
fn a_deadline_that_another_type_does_not_have_is_told() {
    let wait = "type: wait, event: {name: paid, timeout: 20s}";
    // 30 s where nothing is said.
    assert_eq!(kinds(&becomes(wait, CALL)), ["timeout-longer"]);
    assert_eq!(kinds(&becomes(CALL, wait)), [""; 0]);
    assert_eq!(kinds(&becomes("type: mcp_call, tool: hub, operation: go, timeout: 5s", CALL)), ["timeout-longer"]);
    assert_eq!(kinds(&becomes(FORM, "type: wait, event: {name: paid, timeout: 1d}")), [""; 0]);
}

#[test]
fn a_call_that_became_another_one_behind_the_same_approval_is_no_weakening_and_without_it_is() {
    let process = |ship: &str, waits: &str| {
        format!(
            "name: p\nversion: 1\ntriggers: [manual]\nsteps:\n  - {{id: leads, {APPROVAL}}}\n  - {{id: ship, depends_on: [{waits}], {ship}}}\n"
        )
    };
    let path = ".flow/processes/p.yaml";
    let workflow = "type: workflow, workflow: ship.yml";
    let found = |after: &str| kinds(&between(&[(path, &process(workflow, "leads"))], &[(path, after)]));
    assert_eq!(found(&process(CALL, "leads")), [""; 0]);
    assert_eq!(found(&process(CALL, "")), ["approval-bypassed"]);
}
