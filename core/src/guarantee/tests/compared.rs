//! What conditions compare, and what is only asked: no run is told in which one thing is two things at once.

use super::stories::{LEADS, SHIP, of, told};

#[test]
fn what_is_only_asked_moves_no_data() {
    let body = |value: &str| {
        let steps = format!(
            "
- {{id: log, type: set, values: {{title: '{{{{ trigger.pull_request.title }}}}'}}}}
- {{id: ship, {SHIP}, method: POST, depends_on: log, body: {{v: \"{value}\"}}}}"
        );
        of("- {no_data_from: trigger, to: [ship]}", &steps).remove(0)
    };
    assert_eq!(body("{{ 'a' if trigger.pull_request.title == 'x' else 'b' }}"), "holds");
    assert_eq!(body("{% if trigger.pull_request.title == 'x' %}a{% endif %}"), "holds");
    for moves in ["{{ trigger.pull_request.title if true else 'b' }}", "{{ trigger.pull_request.title or 'b' }}"] {
        assert!(body(moves).starts_with("fails: `trigger.pull_request.title`"), "{moves}: {}", body(moves));
    }
}

/// A gateway that leads to `dev` where `first` holds and to an approval where `second` does, and a step behind both that
/// runs only where `last` holds.
fn branched(inputs: &str, first: &str, second: &str, last: &str) -> String {
    let text = format!(
        "name: story\nversion: 1\ntriggers: [manual]\ninputs: {{{inputs}}}\nguarantees:\n{LEADS}\nsteps:
- {{id: r, type: gateway, branches: [{{when: \"{{{{ {first} }}}}\", to: [dev]}}, {{when: \"{{{{ {second} }}}}\", to: [ask]}}]}}
- {{id: ask, type: human_approval, approvers: {{team: leads}}}}
- {{id: dev, type: set, values: {{a: 1}}}}
- {{id: ship, depends_on: [ask, dev], when: \"{{{{ {last} }}}}\", {SHIP}}}"
    );
    told(&[("processes/story.yaml", &text)]).remove(0)
}

#[test]
fn an_input_is_not_two_words_at_once() {
    let env = "env: {type: string, enum: [dev, prod], default: dev}";
    for (first, second, last) in [
        ("inputs.env == 'dev'", "inputs.env == 'prod'", "inputs.env == 'prod'"),
        ("inputs.env != 'prod'", "inputs.env == 'prod'", "inputs.env == 'prod'"),
        ("inputs.env == 'dev'", "inputs.env == 'prod'", "inputs.env != 'dev'"),
        ("inputs.env in ['dev', 'test']", "inputs.env == 'prod'", "inputs.env in ['prod', 'stage']"),
        ("inputs.env == 'dev'", "inputs.env == 'prod'", "'prod' == inputs.env"),
    ] {
        assert_eq!(branched(env, first, second, last), "holds", "{first} / {last}");
    }
    let env = "env: {type: string, default: dev}";
    assert_eq!(branched(env, "inputs.env == 'dev'", "inputs.env == 'prod'", "inputs.env == 'prod'"), "holds");
    // Any other text is neither of them.
    let other = branched(env, "inputs.env != 'prod'", "inputs.env == 'prod'", "inputs.env != 'dev'");
    assert!(other.starts_with("fails: `start` → `r` takes `dev`"), "{other}");
}

#[test]
fn a_number_above_a_thousand_is_above_a_hundred() {
    let amount = "amount: {type: integer, default: 1}";
    for (first, second, last) in [
        ("inputs.amount <= 100", "inputs.amount > 100", "inputs.amount > 1000"),
        ("inputs.amount <= 100", "inputs.amount > 100", "inputs.amount == 101"),
        ("inputs.amount < 101", "inputs.amount > 100", "inputs.amount | default(0) > 100"),
    ] {
        assert_eq!(branched(amount, first, second, last), "holds", "{first} / {last}");
    }
    let between = branched(amount, "inputs.amount <= 1000", "inputs.amount > 1000", "inputs.amount > 100");
    assert!(between.starts_with("fails: `start` → `r` takes `dev`"), "{between}");
}

#[test]
fn what_a_model_must_give_is_one_of_its_words() {
    let steps = format!(
        "
- {{id: s, type: ai_generate, model: mock, prompt: x, output_schema: {{type: object, required: [risk], properties: {{risk: {{enum: [low, high]}}}}}}}}
- {{id: r, type: gateway, depends_on: s, branches: [{{when: \"{{{{ steps.s.output.risk == 'low' }}}}\", to: [plain]}}, {{otherwise: true, to: [ask]}}]}}
- {{id: ask, type: human_approval, approvers: {{team: leads}}}}
- {{id: plain, type: set, values: {{a: 1}}}}
- {{id: ship, depends_on: [ask, plain], when: \"{{{{ steps.s.output.risk != 'low' }}}}\", {SHIP}}}"
    );
    assert_eq!(of(LEADS, &steps), ["holds"]);
    let exhaustive = steps.replace("!= 'low'", "== 'high'");
    assert_eq!(of(LEADS, &exhaustive), ["holds"]);
}

#[test]
fn what_nobody_can_tell_apart_is_not_refuted_by_a_run_that_may_not_happen() {
    let unknown = branched(
        "env: {type: string, default: dev}",
        "inputs.env == 'dev'",
        "inputs.env != 'dev'",
        "inputs.env | upper == 'PROD'",
    );
    assert_eq!(unknown, "unproved: whether what `ship` asks may hold together with what other steps ask is not known");
    // What is in a list says nothing about what else is in it.
    let list = "names: {type: list, default: []}";
    let free = branched(list, "'a' in inputs.names", "'a' not in inputs.names", "'b' in inputs.names");
    assert!(free.starts_with("fails: `start` → `r` takes `dev`"), "{free}");
}

#[test]
fn the_first_that_surely_ends_starts_what_waits_for_any() {
    let within = |bound: &str, join: &str, other: &str| {
        let steps = format!(
            "
- {{id: slow, type: wait, for: 90m}}
- {{id: fast, type: wait, for: 60m{other}}}
- {{id: last, type: wait, for: 40m, depends_on: [slow, fast]{join}}}"
        );
        of(&format!("- {{ends_within: {bound}}}"), &steps).remove(0)
    };
    assert_eq!(within("100m", ", join: any", ""), "holds");
    assert_eq!(
        within("99m", ", join: any", ""),
        "fails: `start` → `fast` waits 1h → `last` waits 40m = 1h40m, which is longer than 1h39m | shorten a timeout on this way, or set `defaults.execution_timeout`"
    );
    assert!(within("129m", "", "").contains("`slow` waits 1h30m → `last` waits 40m = 2h10m"));
    // What may be skipped does not start it.
    let skipped = within("129m", ", join: any", ", when: '{{ inputs.risk > 3 }}'");
    assert!(skipped.contains("`slow` waits 1h30m → `last` waits 40m = 2h10m"), "{skipped}");
}

#[test]
fn nobody_is_told_to_close_the_way_on_which_others_approve() {
    let other = format!(
        "
- {{id: route, type: gateway, branches: [{{when: '{{{{ inputs.risk > 5 }}}}', to: [leads]}}, {{otherwise: true, to: [heads]}}]}}
- {{id: leads, type: human_approval, approvers: {{team: leads}}}}
- {{id: heads, type: human_approval, approvers: {{team: heads}}}}
- {{id: ship, depends_on: [leads, heads], {SHIP}}}"
    );
    let told = of(LEADS, &other).remove(0);
    assert!(
        told.ends_with("`heads` asks for other or fewer approvers | ask for the demanded approvers in `heads`"),
        "{told}"
    );
    let escalated = format!(
        "
- {{id: leads, type: human_approval, approvers: {{team: leads}}, timeout: 1d, on_failure: continue}}
- {{id: heads, type: human_approval, approvers: {{team: heads}}, depends_on: leads, when: \"{{{{ steps.leads.status == 'failed' }}}}\"}}
- {{id: ship, depends_on: [leads, heads], {SHIP}, when: \"{{{{ steps.leads.status == 'completed' or steps.heads.status == 'completed' }}}}\"}}"
    );
    let told = of(LEADS, &escalated).remove(0);
    assert!(told.ends_with("ask for the demanded approvers in `heads`"), "{told}");
}
