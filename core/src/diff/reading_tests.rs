//! Texts that are the same in both commits and mean something else: by constants, defaults, `set` steps and loops that they
//! read.

use super::tests::between;
use super::{Weakening, compare};
use crate::definition::repository::Repository;

/// What is told where a process becomes another, a line each.
fn becomes(before: &str, after: &str) -> Vec<String> {
    let process = |rest: &str| format!("name: p\nversion: 1\ntriggers: [manual]\n{rest}");
    let path = ".flow/processes/p.yaml";
    let difference = between(&[(path, &process(before))], &[(path, &process(after))]);
    let line = |one: &Weakening| format!("{} {}", one.kind.name(), one.message);
    difference.weakenings.iter().map(line).collect()
}

const PAY: &str = "
  - id: pay
    type: api_call
    depends_on: gate
    method: POST
    url: https://x.example/pay
    headers: {a: '{{ secrets.T }}'}
";

/// A gateway that leads to an approval where a condition holds, and the call behind it.
fn gateway(head: &str, first: &str, when: &str) -> String {
    format!(
        "{head}
inputs: {{amount: {{type: integer, required: true}}, urgent: {{type: boolean, default: true}}}}
steps:
{first}
  - {{id: route, type: gateway, branches: [{{when: '{{{{ {when} }}}}', to: [gate]}}, {{otherwise: true, to: [pay]}}]}}
  - {{id: gate, type: human_approval, approvers: {{team: leads}}, timeout: 1d}}{PAY}"
    )
}

#[test]
fn a_constant_beside_an_input_in_a_gateway_before_an_approval_is_told() {
    let with = |limit: u32| gateway(&format!("context: {{limit: {limit}}}"), "", "inputs.amount > context.limit");
    assert_eq!(
        becomes(&with(100), &with(1_000_000)),
        [
            "approval-conditional the branches that decide about `gate` changed: `context.limit` was `100` and is `1000000`"
        ]
    );
    let other = |unread: u32| {
        gateway(&format!("context: {{limit: 100, other: {unread}}}"), "", "inputs.amount > context.limit")
    };
    assert_eq!(becomes(&other(1), &other(2)), [""; 0], "no condition reads it");
}

#[test]
fn a_value_that_a_gateway_before_an_approval_reads_is_told() {
    let with = |head: &str, big: &str| {
        let facts = format!(
            "  - {{id: facts, type: set, values: {{big: {big}, other: 1}}}}\n  - {{id: more, type: set, values: {{big: '{{{{ steps.facts.output.big }}}}'}}, depends_on: facts}}"
        );
        gateway(head, &facts, "steps.more.output.big").replace("type: gateway,", "type: gateway, depends_on: more,")
    };
    let computed = "'{{ inputs.amount > context.limit }}'";
    let head = "context: {limit: 100}";
    assert_eq!(
        [
            becomes(&with(head, computed), &with(head, "false")),
            becomes(&with(head, computed), &with("context: {limit: 900}", computed)),
            becomes(
                &with(head, "'{{ context.limit > 3 }}'"),
                &with("context: {limit: 900}", "'{{ context.limit > 3 }}'")
            ),
        ]
        .concat(),
        [
            "approval-conditional the branches that decide about `gate` changed: `steps.facts.output.big` was `\"{{ inputs.amount > context.limit }}\"` and is `false`",
            "approval-conditional the branches that decide about `gate` changed: `context.limit` was `100` and is `900`",
        ]
    );
}

#[test]
fn a_default_that_a_gateway_before_an_approval_reads_is_told() {
    let with = |default: bool| {
        gateway("description: x", "", "inputs.urgent").replace("default: true", &format!("default: {default}"))
    };
    assert_eq!(
        becomes(&with(true), &with(false)),
        [
            "approval-conditional the branches that decide about `gate` changed: the default of `inputs.urgent` was `true` and is `false`"
        ]
    );
}

#[test]
fn a_gateway_in_a_loop_and_one_before_a_loop_decide_about_approvals_too() {
    let ask = "{id: gate, type: human_approval, approvers: {team: leads}, timeout: 1d}";
    let around = format!("{{id: gate, type: foreach, items: [a], steps: [{}]}}", ask.replace("gate", "inner"));
    let route = |limit: u32, gate: &str, indent: &str| {
        format!(
            "{indent}- {{id: route, type: gateway, branches: [{{when: '{{{{ inputs.amount > {limit} }}}}', to: [gate]}}, {{otherwise: true, to: [rest]}}]}}\n{indent}- {gate}\n{indent}- {{id: rest, type: set, values: {{a: 1}}}}\n"
        )
    };
    let head = "inputs: {amount: {type: integer, required: true}}\nsteps:\n";
    let inside = |limit: u32| {
        format!("{head}  - id: each\n    type: foreach\n    items: [a]\n    steps:\n{}", route(limit, ask, "      "))
    };
    let before = |limit: u32| format!("{head}{}", route(limit, &around, "  "));
    let told = "approval-conditional the branches that decide about `gate` changed";
    assert_eq!(becomes(&inside(1), &inside(9)), [told]);
    assert_eq!(becomes(&before(1), &before(9)), [told]);
}

/// An approval with a condition.
fn approval(constants: &str, when: &str) -> String {
    format!(
        "context: {{{constants}}}
inputs: {{amount: {{type: integer, required: true}}}}
steps:
  - {{id: gate, type: human_approval, approvers: {{team: leads}}, timeout: 1d, when: \"{when}\"}}{PAY}"
    )
}

#[test]
fn what_a_condition_of_constants_came_to_is_shown() {
    let with = |gated: bool| approval(&format!("gated: {gated}"), "{{ context.gated }}");
    assert_eq!(
        becomes(&with(true), &with(false)),
        ["approval-conditional `when`: `\"{{ context.gated }}\"`: it came to `true` and comes to `false`"]
    );
    let beside = |limit: u32| approval(&format!("limit: {limit}"), "{{ inputs.amount > context.limit }}");
    assert_eq!(
        becomes(&beside(1), &beside(9)),
        ["approval-conditional `when`: `\"{{ inputs.amount > context.limit }}\"`: `context.limit` was `1` and is `9`"]
    );
}

#[test]
fn a_long_condition_is_compared_to_its_end() {
    let with =
        |end: u32| approval("x: 1", &format!("{{{{ {}inputs.amount > {end} }}}}", "inputs.amount > 0 and ".repeat(20)));
    assert_eq!(becomes(&with(1), &with(2)).len(), 1);
    assert_eq!(becomes(&with(1), &with(1)).len(), 0);
}

#[test]
fn the_items_of_a_loop_around_an_approval_are_told_by_what_they_read() {
    let with = |regions: &str, items: &str, when: &str| {
        format!(
            "context: {{regions: {regions}}}
inputs: {{more: {{type: list, items: {{type: string}}, required: true}}}}
steps:
  - id: each
    type: foreach
    items: '{items}'
    as: region
    steps: [{{id: ok, type: human_approval, approvers: {{team: a}}, timeout: 1d, when: '{when}'}}]
"
        )
    };
    let alone = |regions: &str| with(regions, "{{ context.regions }}", "{{ inputs.more | length > 1 }}");
    let beside = |regions: &str| with(regions, "{{ context.regions + inputs.more }}", "{{ inputs.more | length > 1 }}");
    let inner = |regions: &str| with(regions, "{{ context.regions }}", "{{ region.gated }}");
    insta::assert_debug_snapshot!(
        [
            becomes(&alone("[eu, us]"), &alone("[]")),
            becomes(&alone("[eu, us]"), &alone("[us, eu, asia]")),
            becomes(&beside("[eu]"), &beside("[]")),
            becomes(&inner("[{gated: true}]"), &inner("[{gated: false}]")),
        ],
        @r#"
    [
        [
            "approval-conditional `items`: `'{{ context.regions }}'`: it came to `[\"eu\",\"us\"]` and comes to `[]`; the approvals inside are asked for once per item",
        ],
        [],
        [
            "approval-conditional `items`: `'{{ context.regions + inputs.more }}'`: `context.regions` was `[\"eu\"]` and is `[]`; the approvals inside are asked for once per item",
        ],
        [
            "approval-conditional `when`: `'{{ region.gated }}'`: `region` was `[{\"gated\":true}]` and is `[{\"gated\":false}]`",
        ],
    ]
    "#
    );
}

#[test]
fn people_whose_names_are_computed_are_others_where_the_constant_changes() {
    let with = |team: &str| {
        format!(
            "context: {{team: {team}}}
steps:
  - id: gate
    type: human_approval
    approvers: {{team: '{{{{ context.team }}}}'}}
    timeout: 1d
    escalate: [{{after: 1h, to: {{team: 'x-{{{{ context.team }}}}'}}}}]
  - id: ask
    type: form
    fields: {{a: {{type: string}}}}
    assignees: {{team: '{{{{ context.team }}}}'}}
    timeout: 1d
"
        )
    };
    insta::assert_debug_snapshot!(becomes(&with("leads"), &with("interns")), @r#"
    [
        "other-approvers `approvers`: `{team: '{{ context.team }}'}`: it came to `\"leads\"` and comes to `\"interns\"`",
        "escalation-wider `escalate`: `[{after: 1h, to: {team: 'x-{{ context.team }}'}}]`: it came to `\"x-leads\"` and comes to `\"x-interns\"`",
        "assignees-wider `assignees`: `{team: '{{ context.team }}'}`: it came to `\"leads\"` and comes to `\"interns\"`",
    ]
    "#);
}

#[test]
fn a_deadline_that_is_computed_from_more_than_constants_is_told_by_what_it_reads() {
    let with = |long: &str| {
        format!(
            "context: {{long: {long}}}
inputs: {{calm: {{type: boolean, required: true}}}}
steps:
  - {{id: gate, type: human_approval, approvers: {{team: a}}, timeout: \"{{{{ context.long if inputs.calm else '1d' }}}}\"}}
"
        )
    };
    insta::assert_debug_snapshot!(becomes(&with("2d"), &with("90d")), @r#"
    [
        "timeout-longer `timeout`: `{{ context.long if inputs.calm else '1d' }}` became another one: `context.long` was `\"2d\"` and is `\"90d\"`",
    ]
    "#);
}

#[test]
fn a_secret_whose_host_is_inside_an_expression_is_told_when_the_expression_changes() {
    let with = |constant: &str, default: &str, url: &str| {
        format!(
            "context: {{base: {constant}}}
inputs: {{x: {{type: string, default: {default}}}}}
steps:
  - {{id: call, type: api_call, method: POST, url: \"{url}\", headers: {{a: '{{{{ secrets.T }}}}'}}}}
"
        )
    };
    let choice =
        |other: &str| with("b", "a", &format!("{{{{ 'https://a.example' if inputs.x == 'a' else '{other}' }}}}"));
    let beside = |base: &str| with(base, "a", "{{ context.base if inputs.x == 'a' else 'https://a.example' }}/b");
    let input = |default: &str| with("b", default, "https://{{ inputs.x }}/b");
    insta::assert_debug_snapshot!(
        [
            becomes(&choice("https://a.example/b"), &choice("https://evil.example/b")),
            becomes(&beside("https://a.example"), &beside("https://evil.example")),
            becomes(&input("a.example"), &input("evil.example")),
            becomes(&input("a.example"), &input("a.example").replace("}}/b", "}}/c")),
        ],
        @r#"
    [
        [
            "secret-host-changed `secrets.T` went to `{{ 'https://a.example' if inputs.x == 'a' else 'https://a.example/b' }}` and goes to `{{ 'https://a.example' if inputs.x == 'a' else 'https://evil.example/b' }}`",
        ],
        [
            "secret-host-changed `secrets.T` goes to `{{ context.base if inputs.x == 'a' else 'https://a.example' }}`: `context.base` was `\"https://a.example\"` and is `\"https://evil.example\"`",
        ],
        [
            "secret-host-changed `secrets.T` goes to `{{ inputs.x }}`: the default of `inputs.x` was `\"a.example\"` and is `\"evil.example\"`",
        ],
        [],
    ]
    "#
    );
}

/// Kind, step and message of each weakening between two commits that differ in one file.
fn changed(path: &str, (was, is): (&str, &str), others: &[(&str, &str)]) -> Vec<String> {
    let with = |text: &str| -> Vec<(String, String)> {
        let files = others.iter().copied().chain([(path, text)]);
        files.map(|(path, text)| (format!(".flow/{path}"), text.to_owned())).collect()
    };
    let difference = compare(&Repository::read(with(was)), &Repository::read(with(is)));
    let line = |one: &Weakening| {
        format!("{} {} {}: {}", one.kind.name(), one.definition, one.step.as_deref().unwrap_or("-"), one.message)
    };
    difference.weakenings.iter().map(line).collect()
}

#[test]
fn a_policy_whose_people_a_process_computes_asks_others_where_the_constant_changes() {
    let process = |team: &str, policy: &str| {
        format!(
            "name: x\nversion: 1\ncontext: {{team: {team}}}\nsteps:\n  - {{id: gate, type: human_approval, approvers: {{team: all}}{policy}}}\n"
        )
    };
    let told = |policy: &str, applies: &str| {
        let text = format!("name: four-eyes\n{applies}approvers: {{team: '{{{{ context.team }}}}'}}\n");
        let base = "name: strict\nextends: [four-eyes]\n";
        let (was, is) = (process("leads", policy), process("interns", policy));
        changed("processes/x.yaml", (&was, &is), &[("policies/four-eyes.yaml", &text), ("policies/strict.yaml", base)])
    };
    let others = [
        "other-approvers process x gate: the `approvers` of policy `four-eyes`: it came to `\"leads\"` and comes to `\"interns\"`",
    ];
    assert_eq!(told(", policy: four-eyes", ""), others);
    assert_eq!(told(", policy: strict", ""), others);
    assert_eq!(told("", "applies_to: [x]\n"), others);
    assert_eq!(told("", ""), [""; 0]);
}

#[test]
fn a_login_that_means_another_account_is_told() {
    let settings = |people: &str| format!("models: {{fast: mock}}\npeople: {{{people}}}\n");
    let told = |was: &str, is: &str| changed("flow.yaml", (&settings(was), &settings(is)), &[]);
    insta::assert_debug_snapshot!(
        [
            told("alice: 1, bob: 2", "alice: 3, bob: 2"),
            told("", "alice: 3"),
            told("alice: 1", ""),
            told("Alice: 1", "alice: 1"),
        ],
        @r#"
    [
        [
            "other-approvers settings flow.yaml -: `@alice`: the account 1 became the account 3",
        ],
        [
            "other-approvers settings flow.yaml -: `@alice`: whoever has the login became the account 3",
        ],
        [
            "other-approvers settings flow.yaml -: `@alice`: the account 1 became whoever has the login",
        ],
        [],
    ]
    "#
    );
}

#[test]
fn of_very_many_approvals_that_another_process_waits_for_it_is_said_that_some_were_not_compared() {
    let asks = |last: &str| {
        let step = |n: usize| {
            let before = if n == 0 { String::new() } else { format!(", depends_on: a{}", n - 1) };
            let team = if n == 69 { last.to_owned() } else { format!("t{n}") };
            format!("  - {{id: a{n}, type: human_approval, approvers: {{team: {team}}}{before}}}\n")
        };
        format!("name: asks\nversion: 1\nsteps:\n{}", (0..70).map(step).collect::<String>())
    };
    let caller = "name: caller\nversion: 1\nsteps:\n  - {id: sub, type: process, process: asks}\n";
    let (was, is) = (asks("leads"), asks("interns"));
    let told = |others: &[(&str, &str)]| changed("processes/asks.yaml", (&was, &is), others);
    let of_step = "other-approvers process asks a69: `approvers`: `{team: leads}` became `{team: interns}`";
    let of_callers = "approval-bypassed process asks -: it asks for more than 64 approvals; whoever waits for it was compared by the first of them, and others changed";
    assert_eq!(told(&[("processes/caller.yaml", caller)]), [of_callers, of_step]);
    assert_eq!(told(&[]), [of_step]);
}
