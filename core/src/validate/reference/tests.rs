//! What is known where a value is read: the tests that have passed before, and what they do not say.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// The findings about values that may be missing or null: each as its code and the part.
fn unsure(body: &str) -> Vec<String> {
    let text = format!("name: a\nversion: 1\n{body}");
    let repository = Repository::read([(".flow/processes/a.yaml".to_owned(), text.clone())]);
    let report = validate(&repository, &Options { performed_only: false, ..Options::default() });
    let told = report.findings.iter().filter(|finding| finding.severity != crate::validate::Severity::Info);
    let mut said: Vec<String> =
        told.map(|finding| format!("{} {}", finding.code, &text[finding.span.range()])).collect();
    said.sort();
    said
}

/// A step that may be skipped, then one that runs in any case.
fn after_maybe(fields: &str, values: &str) -> Vec<String> {
    unsure(&format!(
        "triggers: [manual]\ninputs: {{go: {{type: boolean, default: false}}}}\nsteps:\n  - {{id: a, type: set, when: \"{{{{ inputs.go }}}}\", values: {{v: 1}}}}\n  - {{id: c, type: set, when: \"{{{{ execution.version > 1 }}}}\", values: {{v: 1}}}}\n  - id: b\n    type: set\n    depends_on: [a, c]\n    run_on: always\n{fields}    values: {values}\n"
    ))
}

const NONE: [&str; 0] = [];

#[test]
fn a_condition_of_a_step_guards_its_other_fields() {
    for when in [
        "steps.a.status == 'completed'",
        "'completed' == steps.a.status",
        "steps.a.status in ['completed']",
        "not steps.a.status != 'completed'",
        "steps.a.status not in ['failed', 'skipped', 'cancelled']",
        "steps.a.output is defined",
        "steps.a.output.v is defined",
        "steps.a.output is not undefined",
        "steps.a.status == 'completed' and steps.a.output.v > 3",
        "(steps.a.output.v | default(0)) > 0",
        "steps.a.output.v | default(false)",
        "steps.a.status == 'completed' and (inputs.go or execution.version > 3)",
        "(steps.a.status == 'completed' and inputs.go) or (steps.a.output is defined and not inputs.go)",
        "inputs.go",
    ] {
        let fields = format!("    when: \"{{{{ {when} }}}}\"\n");
        assert_eq!(after_maybe(&fields, "{x: \"{{ steps.a.output.v }}\"}"), NONE, "{when}");
    }
}

#[test]
fn a_condition_that_says_something_else_guards_nothing() {
    for when in [
        "steps.a.status != 'completed'",
        "steps.a.status == 'skipped'",
        "steps.a.status in ['completed', 'skipped']",
        "steps.a.status == 'completed' or steps.c.status == 'completed'",
        "not (steps.a.status == 'completed' and inputs.go)",
        "steps.a.output is undefined",
        "(steps.a.output.v | default(5)) > 0",
        "steps.c.status == 'completed'",
        "not inputs.go",
    ] {
        let fields = format!("    when: \"{{{{ {when} }}}}\"\n");
        assert_eq!(after_maybe(&fields, "{x: \"{{ steps.a.output.v }}\"}"), ["FLOW205 a"], "{when}");
    }
}

#[test]
fn a_test_inside_an_expression_guards_what_is_read_after_it() {
    for value in [
        "steps.a.output.v if steps.a.status == 'completed' else 0",
        "0 if steps.a.status != 'completed' else steps.a.output.v",
        "steps.a.status == 'completed' and steps.a.output.v > 3",
        "steps.a.status != 'completed' or steps.a.output.v > 3",
        "steps.a.output is defined and steps.a.output.v > 3",
        "steps.a.output.v if inputs.go else 0",
        "steps.a.output.v if inputs.go and execution.version > 4 else 0",
        "(steps.a.output.v if steps.c.status == 'completed' else 1) if steps.a.status == 'completed' else 0",
    ] {
        assert_eq!(after_maybe("", &format!("{{x: \"{{{{ {value} }}}}\"}}")), NONE, "{value}");
    }
    for value in [
        "0 if steps.a.status == 'completed' else steps.a.output.v",
        "steps.a.output.v > 3 and steps.a.status == 'completed'",
        "steps.a.status == 'completed' or steps.a.output.v > 3",
        "steps.a.output.v if steps.a.status == 'completed' or steps.c.status == 'completed' else 0",
        "steps.a.output.v if steps.c.status == 'completed' else 0",
        "steps.a.output.v if not inputs.go else 0",
    ] {
        assert_eq!(after_maybe("", &format!("{{x: \"{{{{ {value} }}}}\"}}")), ["FLOW205 a"], "{value}");
    }
}

#[test]
fn a_test_in_a_template_guards_what_it_encloses() {
    let note = |message: &str| {
        unsure(&format!(
            "triggers: [manual]\nsteps:\n  - {{id: a, type: set, when: \"{{{{ execution.version > 1 }}}}\", values: {{v: 1}}}}\n  - id: n\n    type: notify\n    channel: comment\n    depends_on: a\n    run_on: always\n    message: \"{message}\"\n"
        ))
    };
    assert_eq!(note("{% if steps.a.status == 'completed' %}{{ steps.a.output.v }}{% endif %}"), NONE);
    assert_eq!(note("{% if steps.a.status != 'completed' %}-{% else %}{{ steps.a.output.v }}{% endif %}"), NONE);
    assert_eq!(
        note("{% if steps.a.status == 'completed' %}-{% else %}{{ steps.a.output.v }}{% endif %}"),
        ["FLOW205 a"]
    );
    assert_eq!(note("{% if steps.a.status == 'completed' %}-{% endif %}{{ steps.a.output.v }}"), ["FLOW205 a"]);
}

/// A gateway with two ways that meet again.
fn meeting(values: &str) -> Vec<String> {
    unsure(&format!(
        "triggers: [manual]\nsteps:\n  - {{id: g, type: gateway, branches: [{{when: \"{{{{ execution.version > 1 }}}}\", to: [a]}}, {{otherwise: true, to: [c]}}]}}\n  - {{id: a, type: set, values: {{v: 1}}}}\n  - {{id: c, type: set, values: {{v: 2}}}}\n  - {{id: b, type: set, depends_on: [a, c], values: {values}}}\n"
    ))
}

#[test]
fn what_a_gateway_took_says_which_steps_ran() {
    for value in [
        "steps.a.output.v if 'a' in steps.g.output.taken else steps.c.output.v",
        "steps.c.output.v if 'a' not in steps.g.output.taken else steps.a.output.v",
        "steps.a.output.v | default(0) if 'c' in steps.g.output.taken else steps.a.output.v",
        "steps.a.output.v if execution.version > 1 else steps.c.output.v",
    ] {
        assert_eq!(meeting(&format!("{{x: \"{{{{ {value} }}}}\"}}")), NONE, "{value}");
    }
    assert_eq!(
        meeting("{x: \"{{ steps.c.output.v if 'a' in steps.g.output.taken else steps.a.output.v }}\"}"),
        ["FLOW205 a", "FLOW205 c"]
    );
    assert_eq!(meeting("{x: \"{{ steps.a.output.v | default(steps.c.output.v) }}\"}"), NONE);
    assert_eq!(meeting("{x: \"{{ steps.a.output.v | default(0) + steps.c.output.v }}\"}"), ["FLOW205 c"]);
}

/// Steps after a call whose answer may hold null, and may lack a field.
fn after_answer(steps: &str) -> Vec<String> {
    unsure(&format!(
        "triggers: [manual]\nsteps:\n  - id: call\n    type: api_call\n    url: https://x.example\n    expect: {{schema: {{type: object, properties: {{next: {{type: [string, 'null']}}, note: {{type: string}}}}, required: [next]}}}}\n{steps}"
    ))
}

const NEXT: &str = "values: {x: \"{{ steps.call.output.body.next | upper }}\"}";
const NOTE: &str = "values: {x: \"{{ steps.call.output.body.note | upper }}\"}";
const HAS_NEXT: &str = "when: \"{{ steps.call.output.body.next is not none }}\"";
const HAS_NOTE: &str = "when: \"{{ steps.call.output.body.note is defined }}\"";

#[test]
fn the_condition_of_a_step_says_that_a_value_is_there() {
    assert_eq!(after_answer(&format!("  - {{id: s, type: set, depends_on: call, {NEXT}}}\n")), ["FLOW217 next"]);
    assert_eq!(after_answer(&format!("  - {{id: s, type: set, depends_on: call, {HAS_NEXT}, {NEXT}}}\n")), NONE);
    assert_eq!(after_answer(&format!("  - {{id: s, type: set, depends_on: call, {NOTE}}}\n")), ["FLOW205 note"]);
    assert_eq!(after_answer(&format!("  - {{id: s, type: set, depends_on: call, {HAS_NOTE}, {NOTE}}}\n")), NONE);
    for when in ["steps.call.output.body.next is none", "steps.call.output.body.next is none or execution.version > 2"]
    {
        let found =
            after_answer(&format!("  - {{id: s, type: set, depends_on: call, when: \"{{{{ {when} }}}}\", {NEXT}}}\n"));
        assert!(!found.is_empty(), "{when}");
    }
}

#[test]
fn what_every_way_to_a_step_has_asked_is_known_there() {
    let then = |first: &str, second: &str| {
        after_answer(&format!(
            "  - {{id: s, type: set, depends_on: call, {first}}}\n  - {{id: t, type: set, {second}}}\n"
        ))
    };
    let asked = format!("{HAS_NEXT}, values: {{x: 1}}");
    assert_eq!(then(&asked, &format!("depends_on: s, {NEXT}")), NONE);
    assert_eq!(then(&asked, &format!("depends_on: [s, call], {NEXT}")), ["FLOW217 next"]);
    assert_eq!(then(&asked, &format!("depends_on: s, run_on: always, {NEXT}")), ["FLOW205 call"]);
}

#[test]
fn a_branch_guards_what_runs_only_through_it() {
    let routed = |branches: &str, target: &str| {
        after_answer(&format!(
            "  - {{id: g, type: gateway, depends_on: call, branches: {branches}}}\n  - {{id: s, type: set, {target}}}\n  - {{id: t, type: set, values: {{x: 1}}}}\n"
        ))
    };
    let through = "[{when: \"{{ steps.call.output.body.next is not none }}\", to: [s]}, {otherwise: true, to: [t]}]";
    let around = "[{when: \"{{ steps.call.output.body.next is none }}\", to: [t]}, {otherwise: true, to: [s]}]";
    let either = "[{when: \"{{ steps.call.output.body.next is not none }}\", to: [s]}, {otherwise: true, to: [s, t]}]";
    assert_eq!(routed(through, NEXT), NONE);
    assert_eq!(routed(around, NEXT), NONE);
    assert_eq!(routed(either, NEXT), ["FLOW217 next"]);
    assert_eq!(routed(through, &format!("depends_on: call, {NEXT}")), ["FLOW217 next"]);
}

#[test]
fn the_condition_of_a_loop_guards_its_body_and_an_item_only_itself() {
    let body = |when: &str, values: &str| {
        unsure(&format!(
            "triggers: [manual]\nsteps:\n  - id: call\n    type: api_call\n    url: https://x.example\n    expect: {{schema: {{type: object, properties: {{next: {{type: [string, 'null']}}}}, required: [next]}}}}\n  - id: each\n    type: foreach\n    depends_on: call\n    items: [{{n: 1}}, {{n: null}}]\n    {when}\n    steps:\n      - {{id: inner, type: set, when: \"{{{{ item.n is not none }}}}\", values: {values}}}\n"
        ))
    };
    assert_eq!(body(HAS_NEXT, "{x: \"{{ steps.call.output.body.next | upper }}\"}"), NONE);
    assert_eq!(body("", "{x: \"{{ steps.call.output.body.next | upper }}\"}"), ["FLOW217 next"]);
    assert_eq!(body("", "{x: \"{{ item.n + 1 }}\"}"), NONE);
}

/// One thing cannot be two words: such a world is no witness.
#[test]
fn one_thing_is_not_two_words_at_once() {
    let when = |word: &str| format!("when: \"{{{{ execution.process == '{word}' }}}}\", values: {{v: 1}}");
    let found = unsure(&format!(
        "triggers: [manual]\nsteps:\n  - {{id: a, type: set, {}}}\n  - {{id: b, type: set, when: \"{{{{ execution.process != 'x' }}}}\", values: {{v: 1}}}}\n  - {{id: c, type: set, depends_on: [a, b], when: \"{{{{ execution.process == 'y' }}}}\", values: {{v: \"{{{{ steps.b.output.v }}}}\"}}}}\n",
        when("x")
    ));
    assert_eq!(found, NONE);
}

/// A thousand steps that each ask the same and read it take no time that a person would notice.
#[test]
fn many_guards_about_one_thing() {
    use std::fmt::Write;
    let mut steps = String::new();
    for step in 0..900 {
        let _ = writeln!(
            steps,
            "  - {{id: s{step}, type: set, depends_on: {}, run_on: always, when: \"{{{{ steps.call.output.body.next is not none and {step} > 1 }}}}\", values: {{x: \"{{{{ steps.call.output.body.next | upper }}}}\"}}}}",
            if step == 0 { "call".to_owned() } else { format!("s{}", step - 1) }
        );
    }
    assert!(after_answer(&steps).iter().all(|found| !found.starts_with("FLOW217")));
}

#[test]
fn an_entry_of_a_written_list_is_known_for_itself() {
    let found = unsure(
        "triggers: [manual]\ncontext: {map: {k: {deep: [1, {x: 2}]}}}\nsteps:\n  - {id: a, type: set, values: {v: [1, {x: \"{{ context.map.k.deep[1].x }}\"}]}}\n  - {id: b, type: set, depends_on: a, values: {v: \"{{ steps.a.output.v[1].x + 1 }}\"}}\n",
    );
    assert_eq!(found, NONE);
    let found = unsure(
        "triggers: [manual]\ncontext: {list: [1, {x: 2}]}\nsteps:\n  - {id: a, type: set, values: {v: \"{{ context.list[0].x }}\"}}\n",
    );
    assert_eq!(found, ["FLOW202 x"]);
}

#[test]
fn the_deployment_of_a_protected_environment_always_comes() {
    let found = unsure(
        "triggers: [{deployment: {environments: [prod]}}]\nsteps:\n  - {id: a, type: set, values: {v: \"{{ trigger.payload.deployment.sha }} {{ trigger.payload.environment }}\"}}\n",
    );
    assert_eq!(found, NONE);
}
