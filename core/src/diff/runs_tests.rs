//! What an effect asks of the approvals before it, by the runs in which it starts: its own condition, and approvals that
//! are asked for in some runs alone.

use super::tests::between;

const HEAD: &str = "name: p\nversion: 1\ninputs: {env: {type: string, enum: [dev, prod], default: prod}, n: {type: integer, default: 1}}\nsteps:\n";

/// What is told where steps become others, a line each.
fn becomes(before: &str, after: &str) -> Vec<String> {
    let path = ".flow/processes/p.yaml";
    let (before, after) = (format!("{HEAD}{before}"), format!("{HEAD}{after}"));
    let difference = between(&[(path, &before)], &[(path, &after)]);
    let line = |one: &super::Weakening| {
        format!(
            "{} {}:{} {}",
            one.kind.name(),
            one.step.as_deref().unwrap_or("-"),
            one.place.range.start.line,
            one.message
        )
    };
    difference.weakenings.iter().map(line).collect()
}

/// An approval that goes on however it ends, and an effect behind it with a condition.
fn asks_the_decision(when: &str, ends: &str) -> String {
    let when = if when.is_empty() { String::new() } else { format!(", when: \"{{{{ {when} }}}}\"") };
    format!(
        "  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d{ends}}}\n  - {{id: ship, type: api_call, method: POST, depends_on: ask{when}, url: 'https://ship.example'}}\n"
    )
}

const APPROVED: &str = "steps.ask.output.decision == 'approved'";

#[test]
fn an_effect_that_no_longer_asks_whether_it_was_approved_is_told() {
    let told = |ends: &str, when: &str| becomes(&asks_the_decision(APPROVED, ends), &asks_the_decision(when, ends));
    let rejected = ["approval-bypassed ship:6 `ship` now also starts when `ask` is rejected"];
    assert_eq!(told(", on_reject: continue", ""), rejected);
    assert_eq!(told(", on_reject: continue", "steps.ask.output.decision in ['approved', 'rejected']"), rejected);
    let unanswered = ["approval-bypassed ship:6 `ship` now also starts when `ask` gets no answer"];
    assert_eq!(
        told(", on_reject: continue, on_timeout: continue", "steps.ask.output.decision != 'rejected'"),
        unanswered
    );
    assert_eq!(told(", on_timeout: continue", ""), unanswered);
}

#[test]
fn a_condition_that_asks_as_much_in_other_words_is_not_told() {
    let told = |ends: &str, when: &str| becomes(&asks_the_decision(APPROVED, ends), &asks_the_decision(when, ends));
    for when in [
        "steps.ask.output.decision != 'rejected'",
        "steps.ask.output.decision in ['approved']",
        "inputs.n > 3 and steps.ask.output.decision == 'approved'",
    ] {
        assert_eq!(told(", on_reject: continue", when), [""; 0], "{when}");
    }
    // It never started after a rejection.
    assert_eq!(told("", ""), [""; 0]);
}

#[test]
fn a_condition_that_asks_nothing_about_people_may_go() {
    let with = |when: &str| asks_the_decision(when, ", on_reject: continue");
    assert_eq!(becomes(&with("inputs.n > 3"), &with("")), [""; 0]);
    assert_eq!(becomes(&with("inputs.n > 3 and steps.ask.output.decision == 'approved'"), &with(APPROVED)), [""; 0]);
}

/// Production is asked about, and the effect is behind both ways.
fn behind_a_gateway(ship: &str) -> String {
    format!(
        r#"  - {{id: g, type: gateway, branches: [{{when: "{{{{ inputs.env == 'prod' }}}}", to: [ask]}}, {{otherwise: true, to: [note]}}]}}
  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d}}
  - {{id: note, type: set, values: {{x: 1}}}}
  - {{id: ship, type: api_call, method: POST, url: 'https://ship.example', {ship}}}
"#
    )
}

#[test]
fn an_effect_that_no_longer_waits_for_an_approval_behind_a_gateway_is_told() {
    let told = |ship: &str| becomes(&behind_a_gateway("depends_on: [ask, note]"), &behind_a_gateway(ship));
    let open = ["approval-bypassed ship:8 `ship` now also starts when `ask` is still open"];
    assert_eq!(told("depends_on: [ask, note, g], join: any"), open);
    assert_eq!(
        told("depends_on: [ask, note], run_on: always"),
        ["approval-bypassed ship:8 `ship` now also starts when `ask` is rejected"]
    );
    assert_eq!(told("depends_on: [note, ask]"), [""; 0]);
    assert_eq!(told("depends_on: [ask, note, g]"), [""; 0]);
}

#[test]
fn an_effect_that_was_skipped_where_nobody_was_asked_is_told_when_it_is_not() {
    let steps = |when: &str| {
        format!(
            r#"  - {{id: begin, type: set, values: {{x: 1}}}}
  - {{id: maybe, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d, depends_on: begin, when: "{{{{ inputs.n > 3 }}}}"}}
  - {{id: ship, type: api_call, method: POST, depends_on: [begin, maybe], url: 'https://ship.example'{when}}}
"#
        )
    };
    let asks = r#", when: "{{ inputs.env != 'prod' or steps.maybe.status == 'completed' }}""#;
    let skipped = ["approval-bypassed ship:7 `ship` now also starts when `maybe` is skipped"];
    assert_eq!(becomes(&steps(asks), &steps("")), skipped);
    let same = r#", when: "{{ steps.maybe.status == 'completed' or inputs.env != 'prod' }}""#;
    assert_eq!(becomes(&steps(asks), &steps(same)), [""; 0]);
}

#[test]
fn a_loop_around_effects_counts_as_one() {
    let steps = |when: &str| {
        format!(
            "  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d, on_reject: continue}}\n  - id: each\n    type: foreach\n    items: [1, 2]\n    depends_on: ask\n{when}    steps: [{{id: ship, type: api_call, method: POST, url: 'https://ship.example'}}]\n"
        )
    };
    let asks = format!("    when: \"{{{{ {APPROVED} }}}}\"\n");
    assert_eq!(
        becomes(&steps(&asks), &steps("")),
        ["approval-bypassed each:6 `each` now also starts when `ask` is rejected"]
    );
}

#[test]
fn what_another_approval_asks_as_well_is_not_told() {
    let steps = |ship: &str| {
        format!(
            "  - {{id: ask, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: again, type: human_approval, title: t, approvers: {{team: leads}}, timeout: 1d, depends_on: ask}}\n  - {{id: ship, type: api_call, method: POST, {ship}, url: 'https://ship.example'}}\n"
        )
    };
    assert_eq!(becomes(&steps("depends_on: [ask, again]"), &steps("depends_on: again")), [""; 0]);
}
