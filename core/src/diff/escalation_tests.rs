//! Whom escalations add: sooner, more, and by a policy.

use super::tests::{between, kinds};

fn told(before: (&str, &str), after: (&str, &str)) -> Vec<String> {
    let process = |approval: &str| {
        format!(
            "name: p\nversion: 1\nsteps:\n  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d, on_timeout: escalate, {approval}}}\n"
        )
    };
    let policy = |escalate: &str| format!("name: prod\napprovers: {{team: leads}}\n{escalate}");
    let (path, policies) = (".flow/processes/p.yaml", ".flow/policies/prod.yaml");
    let difference = between(
        &[(path, &process(before.0)), (policies, &policy(before.1))],
        &[(path, &process(after.0)), (policies, &policy(after.1))],
    );
    assert_eq!(kinds(&difference), vec!["escalation-wider"; difference.weakenings.len()]);
    difference.weakenings.iter().map(|one| format!("{}: {}", one.definition, one.message)).collect()
}

const LATE: &str = "escalate: [{after: 10h, to: {team: heads}}]\n";

#[test]
fn a_policy_that_adds_people_sooner_or_more_of_them_is_told_once() {
    let policy = |escalate: &str| told(("policy: prod", LATE), ("policy: prod", escalate));
    let was = "policy prod: `escalate`: `[{after: 10h, to: {team: heads}}]` became";
    assert_eq!(
        policy("escalate: [{after: 1m, to: {team: heads}}]\n"),
        [format!("{was} `[{{after: 1m, to: {{team: heads}}}}]`")]
    );
    assert_eq!(
        policy("escalate: [{after: 10h, to: {role: write}}]\n"),
        [format!("{was} `[{{after: 10h, to: {{role: write}}}}]`")]
    );
    assert_eq!(policy("escalate: [{after: 12h, to: {team: heads}}]\n"), [""; 0]);
    assert_eq!(policy("escalate: [{after: 1m, to: {team: leads}}, {after: 10h, to: {team: heads}}]\n"), [""; 0]);
    assert_eq!(policy(""), [""; 0]);
}

#[test]
fn an_approval_that_adds_people_sooner_or_by_a_policy_is_told() {
    let own = |after: &str| format!("policy: prod, escalate: [{{after: {after}, to: {{team: heads}}}}]");
    assert_eq!(
        told((&own("10h"), ""), (&own("1h"), "")),
        ["process p: `escalate`: `[{after: 10h, to: {team: heads}}]` became `[{after: 1h, to: {team: heads}}]`"]
    );
    assert_eq!(told((&own("10h"), ""), (&own("11h"), "")), [""; 0]);
    assert_eq!(
        told(("escalate: [{after: 11h, to: {team: heads}}]", LATE), ("policy: prod", LATE)),
        ["process p: `policy`: nothing became `prod`, which adds people after a while"]
    );
    assert_eq!(told(("escalate: [{after: 10h, to: {team: heads}}]", LATE), ("policy: prod", LATE)), [""; 0]);
}
