//! Gates that look closed and are not, and such as are: what the rules about approvals say of whole processes.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// The findings with one of these codes, a line each.
fn found(codes: &[&str], files: &[(&str, &str)]) -> Vec<String> {
    let repository = Repository::read(files.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    let report = validate(&repository, &Options::default());
    let wanted = report.findings.iter().filter(|finding| codes.contains(&&*finding.code.to_string()));
    wanted.map(|finding| format!("{} {} {}", finding.range.start.line, finding.code, finding.message)).collect()
}

/// What is said of an agent with a tool that asks nobody and reads a title, behind these steps.
fn agent(steps: &str) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: [{{pull_request: {{actions: [opened]}}}}]\nsteps:\n{steps}");
    let bot = "name: bot\nmodel: mock\ninstructions: x\ntools: [tk]\nbudget: {max_cost: 1 USD}\n";
    let tool = "name: tk\ntype: mcp\nurl: https://t.example\noperations: [close]\napproval: never\n";
    found(&["FLOW512"], &[("processes/x.yaml", &process), ("agents/bot.yaml", bot), ("tools/tk.yaml", tool)])
}

const TITLE: &str = "{{ trigger.pull_request.title }}";

/// An approval that shows the title, and an agent behind it.
fn approved(approval: &str, task: &str) -> Vec<String> {
    agent(&format!(
        "  - {{id: w, type: wait, for: 1s}}\n  - {{id: ap, type: human_approval, title: '{TITLE}', approvers: {{team: leads}}, timeout: 1d, {approval}}}\n  - {{id: ag, type: agent_task, agent: bot, message: '{TITLE}', depends_on: ap, {task}}}\n"
    ))
}

#[test]
fn an_approval_that_can_be_gone_around_guards_no_agent() {
    let around = agent(&format!(
        "  - {{id: g, type: gateway, branches: [{{when: '{{{{ trigger.pull_request.number > 3 }}}}', to: [ap]}}, {{otherwise: true, to: [ag]}}]}}\n  - {{id: ap, type: human_approval, title: '{TITLE}', approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: ag, type: agent_task, agent: bot, message: '{TITLE}', depends_on: ap}}\n"
    ));
    insta::assert_debug_snapshot!(
        [
            around,
            approved("on_failure: continue", ""),
            approved("on_timeout: continue", ""),
            approved("on_timeout: approve", ""),
            approved("on_reject: continue", ""),
            approved("allow_author: true", ""),
            approved("when: '{{ trigger.pull_request.number > 3 }}'", "run_on: always"),
            approved("", "run_on: always"),
            approved("", "join: any").into_iter().chain(agent(&format!(
                "  - {{id: w, type: wait, for: 1s}}\n  - {{id: ap, type: human_approval, title: '{TITLE}', approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: ag, type: agent_task, agent: bot, message: '{TITLE}', depends_on: [ap, w], join: any}}\n"
            ))).collect(),
        ],
        @r#"
        [
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `g` takes `ag` (otherwise) → `ag` starts; `ap` was skipped",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` fails, which is tolerated → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` gets no answer and goes on (`on_timeout: continue`) → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` gets no answer and counts as approved (`on_timeout: approve`) → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` is rejected and goes on (`on_reject: continue`) → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` is approved → `ag` starts; `ap` lets the author approve (`allow_author`)",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` is skipped → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `ap` fails → `ag` starts",
            ],
            [
                "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; nobody need have approved it: `start` → `w` → `ag` starts; `ap` has not ended",
            ],
        ]
        "#
    );
}

#[test]
fn an_approval_without_a_way_around_guards_the_agent() {
    let closed = "when: \"{{ steps.ap.output.decision == 'approved' }}\"";
    let completed = "run_on: always, when: \"{{ steps.ap.status == 'completed' }}\"";
    for (approval, task) in [
        ("", ""),
        ("when: '{{ trigger.pull_request.number > 3 }}'", ""),
        ("on_reject: continue", closed),
        ("on_timeout: continue, on_reject: continue", closed),
        ("", completed),
        ("on_timeout: escalate, escalate: [{after: 2h, to: {team: heads}}]", ""),
    ] {
        assert_eq!(approved(approval, task), Vec::<String>::new(), "{approval} / {task}");
    }
    // Data that is only made behind the approval is not there on the way around it.
    let made_behind = agent(&format!(
        "  - {{id: g, type: gateway, branches: [{{when: '{{{{ trigger.pull_request.number > 3 }}}}', to: [ap]}}, {{otherwise: true, to: [ag]}}]}}\n  - {{id: ap, type: human_approval, title: '{TITLE}', approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: sum, type: set, values: {{t: '{TITLE}'}}, depends_on: ap}}\n  - {{id: ag, type: agent_task, agent: bot, message: \"{{{{ steps.sum.output.t | default('nothing') }}}}\", depends_on: sum}}\n"
    ));
    assert_eq!(made_behind, Vec::<String>::new());
    // Each item is approved before the agent looks at it.
    let each = agent(
        "  - id: each\n    type: foreach\n    items: '{{ trigger.payload.commits }}'\n    steps:\n      - {id: ap, type: human_approval, title: '{{ item.message }}', approvers: {team: leads}, timeout: 1d}\n      - {id: ag, type: agent_task, agent: bot, message: '{{ item.message }}', depends_on: ap}\n",
    );
    assert_eq!(each, Vec::<String>::new());
}

#[test]
fn an_approval_that_shows_another_text_is_no_review_of_this_one() {
    let behind = |shown: &str, message: &str| {
        agent(&format!(
            "  - {{id: ok, type: human_approval, title: '{shown}', approvers: {{team: leads}}, timeout: 1d}}\n  - {{id: ag, type: agent_task, agent: bot, message: \"{message}\", depends_on: ok}}\n"
        ))
    };
    let body = "{{ trigger.payload.body | default('') }}";
    let both = format!("{TITLE} {body}");
    let told = ["6 FLOW512 `trigger.payload.body` tells an agent what to do, and anybody may have written it"];
    assert_eq!(behind(TITLE, body), told);
    assert_eq!(behind(TITLE, &both), told);
    assert_eq!(behind("{{ trigger.payload.body | length }}", body), told);
    assert_eq!(behind("{{ trigger.payload.body }}", body), Vec::<String>::new());
    assert_eq!(
        behind("{{ trigger.payload.body }} {{ trigger.pull_request.title }}", &format!("{TITLE} {body}")),
        Vec::<String>::new()
    );
}

#[test]
fn an_agent_behind_a_condition_that_is_not_followed_is_not_taken_to_be_approved() {
    let told = agent(&format!(
        "  - {{id: ap, type: human_approval, title: '{TITLE}', approvers: {{team: leads}}, timeout: 1d, on_reject: continue}}\n  - {{id: s, type: set, depends_on: ap, values: {{d: \"{{{{ [steps.ap.output.decision, trigger.type] }}}}\"}}}}\n  - {{id: ag, type: agent_task, agent: bot, message: '{TITLE}', depends_on: s, when: \"{{{{ steps.s.output.d == ['approved', 'pull_request'] }}}}\"}}\n"
    ));
    assert_eq!(
        told,
        [
            "7 FLOW512 `trigger.pull_request.title` tells an agent what to do, and anybody may have written it; whether somebody approved it is not known: what is asked on the way to `ag` could not be followed"
        ]
    );
}

#[test]
fn what_can_carry_no_words_tells_an_agent_nothing() {
    let reads = |message: &str| {
        agent(&format!(
            "  - id: s\n    type: ai_generate\n    model: mock\n    prompt: '{TITLE} {{{{ trigger.payload.body }}}}'\n    output_schema: {{type: object, required: [n, b, l, t, k], properties: {{n: {{type: integer}}, b: {{type: boolean}}, l: {{type: array, items: {{type: integer}}}}, t: {{type: string}}, k: {{enum: [x, y]}}}}}}\n  - {{id: c, type: set, depends_on: s, values: {{n: '{{{{ steps.s.output.n }}}}'}}}}\n  - {{id: ag, type: agent_task, agent: bot, depends_on: c, message: \"{message}\"}}\n"
        ))
    };
    for wordless in [
        "{{ steps.s.output.n }}",
        "{{ steps.s.output.b }}",
        "{{ steps.s.output.l }}",
        "{{ steps.s.output.k }}",
        "{{ steps.c.output.n + 1 }}",
        "{{ 'yes' if steps.s.output.b else 'no' }}",
        "{{ 'yes' if steps.s.output.t == 'x' else 'no' }}",
        "{% if steps.s.output.t == 'x' %}yes{% endif %}",
        "{{ trigger.pull_request.title | length }}",
        "{{ trigger.pull_request.labels | length }}",
        "{{ trigger.pull_request.title == 'x' }}",
        "{{ 'bug' in trigger.pull_request.labels }}",
    ] {
        assert_eq!(reads(wordless), Vec::<String>::new(), "{wordless}");
    }
    for words in [
        "{{ steps.s.output.t }}",
        "{{ steps.s.output }}",
        "{{ steps.s.output.t if steps.s.output.b else 'no' }}",
        "{{ 'yes' if steps.s.output.b else trigger.pull_request.title }}",
        "{{ trigger.pull_request.title or 'none' }}",
        "{{ trigger.pull_request.title | upper }}",
        "{{ trigger.pull_request.labels | join(', ') }}",
        "{% for one in trigger.pull_request.labels %}{{ one }}{% endfor %}",
        "{% set t = trigger.pull_request.title %}{{ t }}",
    ] {
        assert_eq!(reads(words).len(), 1, "{words}");
    }
}

/// What is said of the gates of a process with these steps, started by a comment.
fn gates(steps: &str) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: [{{comment: /go}}]\nsteps:\n{steps}");
    found(&["FLOW306", "FLOW307", "FLOW308", "FLOW309"], &[("processes/x.yaml", &process)])
}

const SHIP: &str = "{id: ship, type: api_call, method: POST, url: 'https://x.example', depends_on";

fn gate(approval: &str, ship: &str) -> Vec<String> {
    gates(&format!(
        "  - {{id: ap, type: human_approval, title: ok, approvers: {{team: leads}}, timeout: 1d, {approval}}}\n  - {SHIP}: ap, {ship}}}\n"
    ))
}

#[test]
fn a_decision_that_changes_nothing_is_told_however_it_is_ignored() {
    let each = |more: &str, ship: &str| {
        gates(&format!(
            "  - id: each\n    type: foreach\n    items: [1, 2]\n    {more}\n    steps: [{{id: ap, type: human_approval, title: ok, approvers: {{team: leads}}, timeout: 1d}}]\n  - {SHIP}: each, {ship}}}\n"
        ))
    };
    insta::assert_debug_snapshot!(
        [
            gate("on_reject: continue", ""),
            gate("on_failure: continue", ""),
            gate("on_timeout: continue", ""),
            each("on_item_failure: continue", ""),
            each("on_failure: continue", ""),
        ],
        @r#"
        [
            [
                "5 FLOW308 nothing reads how `ap` was decided",
            ],
            [
                "5 FLOW308 `ship` also runs when `ap` is rejected, and nothing reads how it was decided",
            ],
            [
                "5 FLOW308 `ship` also runs when `ap` gets no answer, and nothing reads how it was decided",
            ],
            [
                "8 FLOW308 `ship` also runs when `ap` is rejected, and nothing reads what came of `each`",
            ],
            [
                "8 FLOW308 `ship` also runs when `ap` is rejected, and nothing reads what came of `each`",
            ],
        ]
        "#
    );
    let read = "when: \"{{ steps.ap.status == 'completed' }}\"";
    for (approval, ship) in [
        ("", ""),
        ("on_failure: continue", read),
        ("on_timeout: continue", "when: \"{{ steps.ap.output.decision == 'approved' }}\""),
    ] {
        assert_eq!(gate(approval, ship), Vec::<String>::new(), "{approval} / {ship}");
    }
    assert_eq!(each("", ""), Vec::<String>::new());
    assert_eq!(each("on_item_failure: continue", "body: {all: '{{ steps.each.output }}'}"), Vec::<String>::new());
}

#[test]
fn an_approval_that_nothing_with_effects_waits_for_may_fail() {
    let steps = "  - {id: ap, type: human_approval, title: ok, approvers: {team: leads}, timeout: 1d, on_failure: continue}\n  - {id: note, type: set, depends_on: ap, values: {v: 1}}\n";
    assert_eq!(gates(steps), Vec::<String>::new());
    // Another approval lies between.
    let steps = format!(
        "{steps}  - {{id: again, type: human_approval, title: ok, approvers: {{team: leads}}, timeout: 1d, depends_on: note}}\n  - {SHIP}: again}}\n"
    );
    assert_eq!(gates(&steps), Vec::<String>::new());
    // Each item ships by itself, and only what comes after all of them goes on.
    let each = format!(
        "  - id: each\n    type: foreach\n    items: [1, 2]\n    on_item_failure: continue\n    steps: [{{id: ap, type: human_approval, title: ok, approvers: {{team: leads}}, timeout: 1d}}, {SHIP}: ap}}]\n  - {{id: done, type: api_call, method: POST, url: 'https://x.example', depends_on: each}}\n"
    );
    assert_eq!(gates(&each), Vec::<String>::new());
}

#[test]
fn a_name_that_a_set_hands_on_is_still_the_own_one() {
    let by = |who: &str| {
        gates(&format!(
            "  - {{id: s, type: set, values: {{who: \"{{{{ {who} }}}}\"}}}}\n  - {{id: t, type: set, depends_on: s, values: {{who: '{{{{ steps.s.output.who }}}}'}}}}\n  - {{id: ap, type: human_approval, title: ok, approvers: {{users: ['{{{{ steps.t.output.who }}}}']}}, timeout: 1d, depends_on: t}}\n"
        ))
    };
    assert_eq!(by("trigger.actor"), ["7 FLOW309 `ap` is approved by whoever asks for it"]);
    assert_eq!(by("trigger.payload.sender.login"), Vec::<String>::new());
}

#[test]
fn an_approval_is_never_decided_in_words_that_its_author_does_not_let_it_complete_with() {
    let asks = |approval: &str, word: &str| {
        let steps = format!(
            "  - {{id: ap, type: human_approval, title: ok, approvers: {{team: leads}}, timeout: 1d, {approval}}}\n  - {{id: s, type: set, depends_on: ap, when: \"{{{{ steps.ap.output.decision == '{word}' }}}}\", values: {{v: 1}}}}\n"
        );
        let process = format!("name: x\nversion: 1\ntriggers: [{{comment: /go}}]\nsteps:\n{steps}");
        found(&["FLOW208"], &[("processes/x.yaml", &process)])
    };
    assert_eq!(asks("", "rejected"), ["6 FLOW208 `steps.ap.output.decision` is never `rejected`"]);
    assert_eq!(asks("on_reject: continue", "expired"), ["6 FLOW208 `steps.ap.output.decision` is never `expired`"]);
    for (approval, word) in [("", "approved"), ("on_reject: continue", "rejected"), ("on_timeout: continue", "expired")]
    {
        assert_eq!(asks(approval, word), Vec::<String>::new(), "{approval} {word}");
    }
}
