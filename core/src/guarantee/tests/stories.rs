//! Guarantees of whole repositories, and what people are told of them.

use super::super::{Verdict, judge};
use crate::definition::repository::Repository;
use crate::validate::{Elsewhere, Options, Scope};

/// What the prover says of every guarantee: a line each.
pub(super) fn told(files: &[(&str, &str)]) -> Vec<String> {
    let repository = Repository::read(files.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    verdicts(&repository)
}

/// The same of files that need not be sound.
pub(super) fn verdicts(repository: &Repository) -> Vec<String> {
    let options = Options::default();
    let nothing = Elsewhere::default();
    let scope = Scope::beside(repository, &options, &nothing, false);
    let judged = judge(&scope);
    judged
        .iter()
        .map(|one| match &one.verdict {
            None => format!("{:?}", one.nameless.iter().map(|nameless| &nameless.name).collect::<Vec<_>>()),
            Some(Verdict::Holds) => "holds".to_owned(),
            Some(Verdict::Idle(why)) => format!("idle: {why}"),
            Some(Verdict::Unproved(why)) => format!("unproved: {why}"),
            Some(Verdict::Faulty) => "faulty".to_owned(),
            Some(Verdict::Fails(against)) => {
                let help = against.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
                format!("fails: {}{help}", against.in_words())
            }
        })
        .collect()
}

/// The same of one process with these guarantees and steps.
pub(super) fn of(guarantees: &str, steps: &str) -> Vec<String> {
    let text = format!(
        "name: story\nversion: 1\ntriggers: [{{pull_request: {{}}}}, manual]\ninputs: {{risk: {{type: integer, default: 0}}, names: {{type: list, max_items: 3, default: []}}}}\nguarantees:\n{guarantees}\nsteps:\n{steps}"
    );
    told(&[("processes/story.yaml", &text)])
}

pub(super) const LEADS: &str = "- {every_path_to: ship, passes: {approval: {team: leads}}}";
pub(super) const SHIP: &str = "type: api_call, url: https://example.com";

#[test]
fn a_gateway_that_goes_around_is_told_with_its_condition() {
    let steps = format!(
        "
- {{id: route, type: gateway, branches: [{{when: '{{{{ inputs.risk > 5 }}}}', to: [leads]}}, {{otherwise: true, to: [ship]}}]}}
- {{id: leads, type: human_approval, approvers: {{team: leads}}}}
- {{id: ship, depends_on: leads, {SHIP}}}"
    );
    insta::assert_debug_snapshot!(of(LEADS, &steps), @r#"
    [
        "fails: `start` → `route` takes `ship` (otherwise) → `ship` starts; `leads` was skipped | lead `route` to `leads` instead of `ship`, or give `ship` `when: \"{{ steps.leads.status == 'completed' }}\"`",
    ]
    "#);
}

#[test]
fn an_approval_before_it_holds_also_behind_a_merge() {
    let steps = format!(
        "
- {{id: leads, type: human_approval, approvers: {{team: leads, count: 2}}}}
- {{id: route, type: gateway, depends_on: leads, branches: [{{when: '{{{{ inputs.risk > 5 }}}}', to: [one]}}, {{otherwise: true, to: [two]}}]}}
- {{id: one, type: set, values: {{x: 1}}}}
- {{id: two, {SHIP}, on_failure: continue}}
- {{id: ship, depends_on: [one, two], {SHIP}}}
- {{id: undo, run_on: compensation, {SHIP}}}"
    );
    assert_eq!(of(LEADS, &steps), ["holds"]);
}

#[test]
fn every_way_past_people_is_told() {
    let approval = |more: &str| {
        let steps = format!(
            "
- {{id: leads, type: human_approval, timeout: 1d, {more}}}
- {{id: ship, depends_on: leads, {SHIP}}}"
        );
        of(LEADS, &steps).remove(0)
    };
    insta::assert_debug_snapshot!(
        [
            approval("approvers: {team: leads}"),
            approval("approvers: {team: leads}, on_timeout: approve"),
            approval("approvers: {team: leads}, on_timeout: continue"),
            approval("approvers: {team: leads}, on_reject: continue"),
            approval("approvers: {team: leads}, on_failure: continue"),
            approval("approvers: {team: leads}, allow_author: true"),
            approval("approvers: {any: [{team: leads}, {users: [ann]}]}"),
            approval("approvers: {team: leads}, on_timeout: escalate, escalate: [{after: 12h, to: {team: directors}}]"),
            approval("approvers: {team: leads}, on_timeout: escalate, escalate: [{after: 12h, to: {all: [{team: directors}, {team: leads}]}}]"),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `leads` gets no answer and counts as approved (`on_timeout: approve`) → `ship` starts | let `leads` end with `on_timeout: reject`",
            "fails: `start` → `leads` gets no answer and goes on (`on_timeout: continue`) → `ship` starts | let `leads` end with `on_timeout: reject`, or give `ship` `when: \"{{ steps.leads.output.decision == 'approved' }}\"`",
            "fails: `start` → `leads` is rejected and goes on (`on_reject: continue`) → `ship` starts | remove `on_reject: continue` of `leads`, or give `ship` `when: \"{{ steps.leads.output.decision == 'approved' }}\"`",
            "fails: `start` → `leads` fails, which is tolerated → `ship` starts | give `ship` `when: \"{{ steps.leads.status == 'completed' }}\"`",
            "fails: `start` → `leads` is approved → `ship` starts; `leads` lets the author approve (`allow_author`) | remove `allow_author` of `leads`",
            "fails: `start` → `leads` is approved → `ship` starts; `leads` asks for other or fewer approvers | ask for the demanded approvers in `leads`",
            "fails: `start` → `leads` is approved → `ship` starts; `leads` lets others approve after it escalates | let `leads` escalate only to people who are demanded",
            "holds",
        ]
        "#
    );
}

#[test]
fn who_runs_whatever_happens_runs_without_approval_too() {
    let target = |more: &str| {
        let steps = format!(
            "
- {{id: leads, type: human_approval, approvers: {{team: leads}}}}
- {{id: build, depends_on: leads, {SHIP}, compensate_with: undo}}
- {{id: undo, run_on: compensation, {SHIP}}}
- {{id: ship, depends_on: build, {more} {SHIP}}}"
        );
        of(LEADS, &steps).remove(0)
    };
    insta::assert_debug_snapshot!(
        [
            target(""),
            target("run_on: always,"),
            target("run_on: failure,"),
            target("run_on: always, when: \"{{ steps.build.status == 'completed' }}\","),
            target("run_on: always, when: \"{{ steps.leads.output.decision == 'approved' }}\","),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `build` is skipped → `ship` starts; `leads` was not approved | give `ship` `when: \"{{ steps.leads.status == 'completed' }}\"`",
            "fails: `start` → the execution is cancelled before `build` ends → somebody retries from there alone → `ship` starts; `leads` was cancelled | give `ship` `when: \"{{ steps.leads.status == 'completed' }}\"`",
            "holds",
            "holds",
        ]
        "#
    );
    let undo = "- {every_path_to: undo, passes: {approval: {team: leads}}}";
    let steps = |before: &str| {
        format!(
            "
- {{id: leads, type: human_approval, approvers: {{team: leads}}}}
- {{id: build, {before} {SHIP}, compensate_with: undo}}
- {{id: undo, run_on: compensation, {SHIP}}}"
        )
    };
    insta::assert_debug_snapshot!([of(undo, &steps("depends_on: leads,")), of(undo, &steps(""))], @r#"
    [
        [
            "holds",
        ],
        [
            "fails: `start` → `build` → the execution fails or is cancelled → `undo` starts; `leads` is not on the way | let `build` run only after `leads`: it is undone whenever the execution fails",
        ],
    ]
    "#);
}

#[test]
fn a_decision_that_is_asked_for_closes_the_way() {
    let steps = format!(
        "
- {{id: leads, type: human_approval, timeout: 1d, on_timeout: continue, on_reject: continue, approvers: {{team: leads}}}}
- {{id: route, type: gateway, depends_on: leads, branches: [{{when: \"{{{{ steps.leads.output.decision == 'approved' }}}}\", to: [ship]}}, {{otherwise: true, to: [stop]}}]}}
- {{id: ship, {SHIP}}}
- {{id: stop, type: set, values: {{x: 1}}}}"
    );
    assert_eq!(of(LEADS, &steps), ["holds"]);
    let step = "- {every_path_to: stop, passes: leads}";
    insta::assert_debug_snapshot!(of(step, &steps), @r#"
    [
        "fails: `start` → `leads` gets no answer and goes on (`on_timeout: continue`) → `route` takes `stop` (otherwise) → `stop` starts | let `leads` end with `on_timeout: reject`, or give `stop` `when: \"{{ steps.leads.output.decision == 'approved' }}\"`",
    ]
    "#);
}

#[test]
fn the_same_condition_is_the_same_everywhere() {
    let steps = format!(
        "
- {{id: leads, when: '{{{{ inputs.risk > 5 }}}}', type: human_approval, approvers: {{team: leads}}}}
- {{id: small, when: '{{{{ inputs.risk <= 5 }}}}', type: set, values: {{x: 1}}}}
- {{id: ship, depends_on: [leads, small], when: '{{{{ not inputs.risk <= 5 }}}}', {SHIP}}}"
    );
    assert_eq!(of(LEADS, &steps), ["holds"]);
}

#[test]
fn a_failure_before_the_approval_skips_it_and_what_merges_behind_runs() {
    let steps = format!(
        "
- {{id: draft, {SHIP}}}
- {{id: build, {SHIP}}}
- {{id: leads, depends_on: draft, type: human_approval, approvers: {{team: leads}}}}
- {{id: ship, depends_on: [leads, build], {SHIP}}}"
    );
    insta::assert_debug_snapshot!(of(LEADS, &steps), @r#"
    [
        "fails: `start` → `build` → `ship` starts; `leads` was skipped, for `draft` failed | give `ship` `when: \"{{ steps.leads.status == 'completed' }}\"`",
    ]
    "#);
}

const CHILD: &str = "name: child\nversion: 1\ntriggers: []\nsteps:\n- {id: ask, type: human_approval, approvers: {team: leads}}\n- {id: call, depends_on: ask, type: workflow, workflow: ship.yml}\n";

#[test]
fn bodies_and_sub_processes_count_with_their_targets_and_approvals() {
    let every = |steps: &str, child: &str| {
        let guarantee = "{every_path_to: workflow, passes: {approval: {team: leads}}}";
        let parent = format!("name: parent\nversion: 1\nguarantees: [{guarantee}]\nsteps:\n{steps}");
        told(&[("processes/parent.yaml", &parent), ("processes/child.yaml", child)]).remove(0)
    };
    let open = CHILD.replace("depends_on: ask, ", "");
    let call =
        "- {id: run, type: process, process: child}\n- {id: ship, depends_on: run, type: workflow, workflow: ship.yml}";
    let each = "- {id: each, type: foreach, items: [1, 2], steps: [{id: leads, type: human_approval, approvers: {team: leads}}, {id: one, depends_on: leads, type: workflow, workflow: ship.yml}]}\n- {id: ship, depends_on: each, type: workflow, workflow: ship.yml}";
    insta::assert_debug_snapshot!(
        [
            every(call, CHILD),
            every(call, &open),
            every(&call.replace("process: child", "process: child, wait: false"), CHILD),
            every(each, CHILD),
            every(&each.replace("[1, 2]", "'{{ inputs.names }}'"), CHILD),
            every(&each.replace("depends_on: leads, ", ""), CHILD),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `run` starts → `call` starts; `ask` is not on the way | add `ask` to `depends_on` of `call`",
            "fails: `start` → `run` → `ship` starts | put such a step before `ship`, on every way to it",
            "holds",
            "fails: `start` → `each` → `ship` starts | put such a step before `ship`, on every way to it",
            "fails: `start` → `each` starts → `one` starts; `leads` is not on the way | add `leads` to `depends_on` of `one`",
        ]
        "#
    );
}

#[test]
fn policies_govern_by_glob_by_name_and_by_what_they_extend() {
    let process = |name: &str, approvers: &str| {
        format!(
            "name: {name}\nversion: 1\nsteps:\n- {{id: ask, type: human_approval, {approvers}}}\n- {{id: ship, depends_on: ask, {SHIP}}}\n"
        )
    };
    let base = "name: base\nguarantees: [{every_path_to: api_call, passes: {approval: {team: leads}}}]\n";
    let releases =
        "name: releases\nextends: [base]\napplies_to: ['release-*', '!release-notes']\napprovers: {team: leads}\n";
    let files = [
        ("policies/base.yaml", base.to_owned()),
        ("policies/releases.yaml", releases.to_owned()),
        ("processes/release-app.yaml", process("release-app", "approvers: {team: others}")),
        ("processes/release-notes.yaml", process("release-notes", "approvers: {team: others}")),
        ("processes/other.yaml", process("other", "policy: releases")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    insta::assert_debug_snapshot!(told(&files), @r#"
    [
        "holds",
        "fails: `start` → `ask` is approved → `ship` starts; `ask` asks for other or fewer approvers | ask for the demanded approvers in `ask`",
    ]
    "#);
}

#[test]
fn data_of_the_trigger_needs_to_be_shown_where_it_passes() {
    let guarantee = "- {no_data_from: trigger, to: [ship], unless: {reviewed_by: {team: leads}}}";
    let flow = |description: &str, more: &str, body: &str| {
        let steps = format!(
            "
- {{id: draft, type: ai_generate, model: mock, prompt: '{{{{ trigger.pull_request.title }}}}', output_schema: {{type: object}}}}
- {{id: leads, depends_on: draft, type: human_approval, approvers: {{team: leads}}, {more} description: '{description}'}}
- {{id: ship, depends_on: leads, {SHIP}, body: {{notes: '{body}'}}}}"
        );
        of(guarantee, &steps).remove(0)
    };
    let notes = "{{ steps.draft.output.notes }}";
    insta::assert_debug_snapshot!(
        [
            flow("Ship this? {{ steps.draft.output.notes | trim }}", "", notes),
            flow("Ship {{ trigger.pull_request.title }}?", "", notes),
            flow("Ship this? {{ steps.draft.output }}", "", notes),
            flow("Ship it?", "", notes),
            flow("{{ steps.draft.output.notes | length }} letters", "", notes),
            flow("{% if steps.draft.output.notes %}{{ steps.draft.output.notes }}{% endif %}", "", notes),
            flow("{{ steps.draft.output.notes }}", "", "{{ steps.draft.output }}"),
            flow("{{ steps.draft.output.notes }}", "timeout: 1d, on_timeout: continue,", notes),
            flow("{{ steps.draft.output.notes }}", "", "fixed"),
            flow("Ship it?", "", "{{ trigger.pull_request.number }}"),
        ],
        @r#"
        [
            "holds",
            "holds",
            "holds",
            "fails: `trigger.pull_request.title` → `draft` reads `trigger.pull_request.title` in `prompt` → `ship` reads `steps.draft.output.notes` in `body`; `leads` does not show it | print `{{ steps.draft.output.notes }}` in the `description` of an approval that `ship` waits for",
            "fails: `trigger.pull_request.title` → `draft` reads `trigger.pull_request.title` in `prompt` → `ship` reads `steps.draft.output.notes` in `body`; `leads` does not show it | print `{{ steps.draft.output.notes }}` in the `description` of an approval that `ship` waits for",
            "fails: `trigger.pull_request.title` → `draft` reads `trigger.pull_request.title` in `prompt` → `ship` reads `steps.draft.output.notes` in `body`; `leads` does not show it | print `{{ steps.draft.output.notes }}` in the `description` of an approval that `ship` waits for",
            "fails: `trigger.pull_request.title` → `draft` reads `trigger.pull_request.title` in `prompt` → `ship` reads `steps.draft.output` in `body`; `leads` does not show it | print `{{ steps.draft.output }}` in the `description` of an approval that `ship` waits for",
            "fails: `trigger.pull_request.title` → `draft` reads `trigger.pull_request.title` in `prompt` → `ship` reads `steps.draft.output.notes` in `body`; `start` → `draft` → `leads` gets no answer and goes on (`on_timeout: continue`) → `ship` starts | let `leads` end with `on_timeout: reject`, or give `ship` `when: \"{{ steps.leads.output.decision == 'approved' }}\"`",
            "holds",
            "fails: `trigger.pull_request.number` → `ship` reads `trigger.pull_request.number` in `body`; `leads` does not show it | print `{{ trigger.pull_request.number }}` in the `description` of an approval that `ship` waits for",
        ]
        "#
    );
}

#[test]
fn without_an_exception_no_data_may_pass_at_all() {
    let steps = format!(
        "
- {{id: fetch, {SHIP}}}
- {{id: pick, depends_on: fetch, type: set, values: {{name: '{{{{ steps.fetch.output.body.name }}}}', fixed: 1}}}}
- {{id: ship, depends_on: pick, {SHIP}, body: {{name: '{{{{ steps.pick.output.name }}}}'}}}}
- {{id: other, depends_on: pick, {SHIP}, body: {{name: '{{{{ steps.pick.output.fixed }}}}'}}}}"
    );
    let guarantees = "- {no_data_from: fetch, to: [other]}\n- {no_data_from: fetch, to: [other, ship]}\n- {no_data_from: other, to: [ship]}";
    insta::assert_debug_snapshot!(of(guarantees, &steps), @r#"
    [
        "holds",
        "fails: `steps.fetch.output` → `pick` reads `steps.fetch.output.body.name` in `values.name` → `ship` reads `steps.pick.output.name` in `body` | do not read `steps.pick.output.name` in `ship`, or allow it with `unless: {reviewed_by: …}`",
        "idle: nothing of `other` is read anywhere",
    ]
    "#);
}

#[test]
fn time_is_bounded_by_every_deadline_and_pause() {
    let within = |bound: &str, steps: &str| of(&format!("- {{ends_within: {bound}}}"), steps).remove(0);
    insta::assert_debug_snapshot!(
        [
            within("1m", "- {id: a, type: wait, for: 30s}\n- {id: b, type: wait, for: 30s}\n- {id: c, depends_on: a, type: wait, for: 30s}"),
            within("59s", "- {id: a, type: wait, for: 30s}\n- {id: c, depends_on: a, type: wait, for: 30s}"),
            within("1h", &format!("- {{id: a, {SHIP}, timeout: 10s, retry: {{max_attempts: 3, initial: 5s, on: [network, timeout]}}}}")),
            within("1h", &format!("- {{id: a, {SHIP}, retry: {{max_attempts: 2}}}}")),
            within("1d", "- {id: a, type: human_approval, approvers: {role: write}}"),
            within("2d", "- {id: a, type: human_approval, approvers: {role: write}, timeout: 1d, on_timeout: escalate, escalate: [{after: 12h, to: {role: admin}}, {after: 36h, to: {users: [ann]}}]}"),
            within("1h", "- {id: a, type: wait, until: '2026-03-02T09:00:00Z'}"),
            within("5m", "- {id: a, type: foreach, items: '{{ inputs.names }}', max_parallel: 2, steps: [{id: b, type: wait, for: 2m}]}"),
            within("5m", "- {id: a, type: foreach, items: '{{ trigger.pull_request.labels }}', steps: [{id: b, type: wait, for: 2m}]}"),
            within("1h", &format!("- {{id: a, {SHIP}, compensate_with: u}}\n- {{id: b, depends_on: a, {SHIP}}}\n- {{id: u, run_on: compensation, timeout: 2h, {SHIP}}}")),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `a` waits 30s → `c` waits 30s = 1m, which is longer than 59s | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "fails: `start` → `a` runs up to 30s, 2 times, with pauses of 1d where the other side asks for them = 1d1m, which is longer than 1h | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "fails: `a` has no `timeout`: `start` → `a` | give `a` a `timeout`",
            "holds",
            "fails: `a` waits for a moment: `start` → `a` | wait a length of time in `a`: `for`",
            "holds",
            "fails: `a` has no bound on its items: `start` → `a` | give the list a `max_items`, or `a` a `timeout`",
            "fails: `start` → `a` runs up to 30s → `b` runs up to 30s → `u` runs up to 2h = 2h1m, which is longer than 1h | shorten a timeout on this way, or set `defaults.execution_timeout`",
        ]
        "#
    );
    let limited = "name: story\nversion: 1\ndefaults: {execution_timeout: 1h}\nguarantees: [{ends_within: 1h}, {ends_within: 59m}]\nsteps:\n- {id: a, type: human_approval, approvers: {role: write}}\n";
    insta::assert_debug_snapshot!(told(&[("processes/story.yaml", limited)]), @r#"
    [
        "holds",
        "fails: `start` → the execution of `story` is ended after 1h = 1h, which is longer than 59m | shorten a timeout on this way, or set `defaults.execution_timeout`",
    ]
    "#);
}

/// The verdicts of processes that end within an hour but for what is undone.
fn undone_within(bound: &str, items: &str, more: &str) -> String {
    let undo = "{id: c, type: api_call, url: https://example.com, run_on: compensation, timeout: 10m, retry: {max_attempts: 1}}";
    let text = format!(
        "name: story\nversion: 1\ninputs: {{names: {{type: list, max_items: 3, default: []}}, any: {{type: list, default: []}}}}\ndefaults: {{execution_timeout: 1h}}\nguarantees: [{{ends_within: {bound}}}]\nsteps:\n- id: each\n  type: foreach\n  items: {items}\n  steps: [{{id: a, type: set, values: {{v: 1}}, compensate_with: c}}, {undo}{more}]\n- {{id: q, type: form, title: t, fields: {{a: {{type: string}}}}, timeout: 50m, depends_on: each}}\n"
    );
    told(&[("processes/story.yaml", &text)]).remove(0)
}

#[test]
fn what_is_undone_inside_a_body_takes_its_time_for_each_item() {
    insta::assert_debug_snapshot!(
        [
            undone_within("1h", "[1]", ""),
            undone_within("1h", "[1, 2]", ""),
            undone_within("1h10m", "[1, 2]", ""),
            undone_within("1h19m", "'{{ inputs.names }}'", ""),
            undone_within("1h20m", "'{{ inputs.names }}'", ""),
            undone_within("90d", "'{{ inputs.any }}'", ""),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `each` runs 2 items of up to 0s → `q` waits 50m for people → 2 items of `each` are undone one after the other, each up to 10m = 1h10m, which is longer than 1h | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "fails: `start` → `each` runs 3 items of up to 0s → `q` waits 50m for people → 3 items of `each` are undone one after the other, each up to 10m = 1h20m, which is longer than 1h19m | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "unproved: nothing says how many items of `each` have to be undone; give its list a `max_items`",
        ]
        "#
    );
}

#[test]
fn what_runs_whatever_happens_inside_a_body_runs_after_the_time_of_the_execution() {
    let late = ", {id: tidy, type: wait, for: 30m, depends_on: a, run_on: always}";
    insta::assert_debug_snapshot!(
        [undone_within("1h30m", "[1, 2]", late), undone_within("1h50m", "[1, 2]", late)],
        @r#"
        [
            "fails: `start` → the execution of `story` is ended after 1h → `tidy` waits 30m → 2 items of `each` are undone one after the other, each up to 10m = 1h50m, which is longer than 1h30m | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
        ]
        "#
    );
}

#[test]
fn decisions_of_several_approvals_on_a_path_count_together() {
    let judged = |required: &str, first: &str, second: &str| {
        let steps = format!(
            "- {{id: one, type: human_approval, approvers: {first}}}\n- {{id: two, depends_on: one, type: human_approval, approvers: {second}}}\n- {{id: ship, depends_on: two, {SHIP}}}"
        );
        of(&format!("- {{every_path_to: ship, passes: {{approval: {required}}}}}"), &steps).remove(0)
    };
    insta::assert_debug_snapshot!(
        [
            judged("{all: [{team: leads}, {team: legal}]}", "{team: leads}", "{team: legal}"),
            judged("{any: [{team: leads}, {team: legal}], count: 2}", "{team: leads}", "{team: legal}"),
            judged("{users: [ann, ben], count: 2}", "{users: [ann]}", "{users: [ben]}"),
            judged("{any: [{all: [{team: leads}, {team: legal}]}, {role: admin}]}", "{team: leads}", "{team: legal}"),
            judged("{all: [{team: leads}, {team: legal}]}", "{team: leads}", "{team: others}"),
            judged("{team: leads, count: 2}", "{team: leads}", "{team: leads}"),
        ],
        @r#"
        [
            "holds",
            "holds",
            "holds",
            "holds",
            "fails: `start` → `one` is approved → `two` is approved → `ship` starts; `one` asks for other or fewer approvers, `two` asks for other or fewer approvers | ask for the demanded approvers in `one`",
            "fails: `start` → `one` is approved → `two` is approved → `ship` starts; `one` asks for other or fewer approvers, `two` asks for other or fewer approvers | ask for the demanded approvers in `one`",
        ]
        "#
    );
}

#[test]
fn each_part_may_be_reviewed_in_an_approval_of_its_own() {
    let flow = "- {no_data_from: trigger, to: [ship], unless: {reviewed_by: {all: [{team: leads}, {team: legal}]}}}";
    let steps = |second: &str| {
        format!(
            "- {{id: one, type: human_approval, title: '{{{{ trigger.pull_request.title }}}}', approvers: {{team: leads}}}}\n- {{id: two, depends_on: one, type: human_approval, title: '{second}', approvers: {{team: legal}}}}\n- {{id: ship, depends_on: two, {SHIP}, body: {{t: '{{{{ trigger.pull_request.title }}}}'}}}}"
        )
    };
    assert_eq!(of(flow, &steps("{{ trigger.pull_request.title }}")), ["holds"]);
    assert!(of(flow, &steps("ok"))[0].starts_with("fails: "));
}

#[test]
fn a_list_that_has_an_item_passes_what_each_item_passes() {
    let judged = |field: &str| {
        let text = format!(
            "name: story\nversion: 1\ninputs: {{names: {{type: list, {field}}}}}\nguarantees:\n{LEADS}\nsteps:\n- {{id: each, type: foreach, items: '{{{{ inputs.names }}}}', steps: [{{id: leads, type: human_approval, approvers: {{team: leads}}}}]}}\n- {{id: ship, depends_on: each, {SHIP}}}\n"
        );
        told(&[("processes/story.yaml", &text)]).remove(0)
    };
    assert_eq!(judged("required: true, min_items: 1"), "holds");
    assert!(judged("required: true").starts_with("fails: "));
}

#[test]
fn how_an_approval_ended_may_be_asked_in_other_words() {
    let judged = |when: &str| {
        let steps = format!(
            "- {{id: leads, type: human_approval, approvers: {{team: leads}}}}\n- {{id: ship, depends_on: leads, run_on: always, when: \"{{{{ {when} }}}}\", {SHIP}}}"
        );
        of(LEADS, &steps).remove(0)
    };
    for when in [
        "steps.leads.status in ['completed']",
        "steps.leads.output is defined",
        "(steps.leads.output.decision | default('x')) == 'approved'",
    ] {
        assert_eq!(judged(when), "holds", "{when}");
    }
    for when in ["steps.leads.status in ['completed', 'failed']", "steps.leads.output is not defined"] {
        assert!(judged(when).starts_with("fails: "), "{when}");
    }
}

#[test]
fn whom_a_policy_adds_may_approve_as_well() {
    let judged = |escalate: &str, timeout: &str| {
        let process = format!(
            "name: story\nversion: 1\nguarantees:\n{LEADS}\nsteps:\n- {{id: ask, type: human_approval, approvers: {{team: leads}}, policy: late, timeout: {timeout}}}\n- {{id: ship, depends_on: ask, {SHIP}}}\n"
        );
        let base = format!("name: base\nescalate: [{escalate}]\n");
        told(&[
            ("policies/base.yaml", &base),
            ("policies/late.yaml", "name: late\nextends: [base]\n"),
            ("processes/story.yaml", &process),
        ])
        .remove(0)
    };
    insta::assert_debug_snapshot!(
        [
            judged("{after: 1h, to: {team: heads}}", "1d"),
            judged("{after: 1h, to: {team: leads, count: 2}}", "1d"),
            judged("{after: 2d, to: {team: heads}}", "1d"),
        ],
        @r#"
        [
            "fails: `start` → `ask` is approved → `ship` starts; `ask` lets others approve after it escalates | let `ask` escalate only to people who are demanded",
            "holds",
            "holds",
        ]
        "#
    );
}

#[test]
fn money_is_bounded_by_budgets_over_the_dearest_run() {
    let most = |bound: &str, steps: &str| of(&format!("- {{at_most: {bound}}}"), steps).remove(0);
    let ask = |id: &str, more: &str| {
        format!(
            "- {{id: {id}, type: ai_generate, model: openai/b, prompt: hello, output_schema: {{type: object}}, {more}}}\n"
        )
    };
    let both = "- {id: route, type: gateway, branches: [{when: '{{ inputs.risk > 5 }}', to: [a]}, {otherwise: true, to: [b]}]}\n";
    let budget = "budget: {max_cost: 1 USD}";
    insta::assert_debug_snapshot!(
        [
            most("1 USD", &ask("a", budget)),
            most("1 USD", &format!("{both}{}{}", ask("a", budget), ask("b", budget))),
            most("1.50 USD", &format!("{}{}", ask("a", budget), ask("b", budget))),
            most("1 USD", &ask("a", &format!("{budget}, retry: {{max_attempts: 3}}"))),
            most("1 USD", &ask("a", "temperature: 1")),
            most("1 EUR", &ask("a", budget)),
            most("3 USD", &format!("- {{id: each, type: foreach, items: '{{{{ inputs.names }}}}', steps: [{}]}}", ask("a", budget).trim().trim_start_matches("- "))),
            most("3 USD", &format!("- {{id: each, type: foreach, items: '{{{{ trigger.pull_request.labels }}}}', steps: [{}]}}", ask("a", budget).trim().trim_start_matches("- "))),
            most("0 USD", &ask("a", "temperature: 1").replace("openai/b", "mock")),
        ],
        @r#"
        [
            "holds",
            "holds",
            "fails: 1 USD for `a` + 1 USD for `b` = 2 USD, which is more than 1.50 USD | lower a budget, or the number of items or sub-processes",
            "holds",
            "fails: no bound: `a` has no `budget` with `max_cost` | give `a` a `budget` with `max_cost` in USD",
            "fails: no bound: the budget of `a` is 1 USD, and the guarantee is in EUR | give `a` a `budget` with `max_cost` in EUR",
            "holds",
            "fails: no bound: `each` has no bound on its items, and each may cost 1 USD | give the list of `each` a `max_items`",
            "holds",
        ]
        "#
    );
}

#[test]
fn what_never_happens_is_said_and_what_is_not_there_is_named() {
    let guarantees = "- {every_path_to: workflow, passes: leads}\n- {every_path_to: shop, passes: leader}\n- {no_data_from: trigger, to: [ship]}";
    let steps = format!(
        "- {{id: leads, type: human_approval, approvers: {{team: leads}}}}\n- {{id: ship, depends_on: leads, {SHIP}}}"
    );
    insta::assert_debug_snapshot!(of(guarantees, &steps), @r#"
    [
        "idle: no run ever starts a step of type `workflow`",
        "[\"shop\", \"leader\"]",
        "idle: nothing of `trigger` is read anywhere",
    ]
    "#);
}

#[test]
fn a_thousand_steps_are_proved_in_one_walk() {
    let mut steps = "- {id: leads, type: human_approval, approvers: {team: leads}}\n- {id: s0, depends_on: leads, type: set, values: {x: 1}}\n".to_owned();
    steps.push_str(&format!("- {{id: s1, depends_on: s0, {SHIP}}}\n"));
    for index in 2..997 {
        let before = index - 1;
        steps.push_str(&format!("- {{id: s{index}, depends_on: [s{before}, s{}], {SHIP}}}\n", before / 2));
    }
    steps.push_str(&format!("- {{id: ship, depends_on: s996, {SHIP}}}\n"));
    let guarantees = format!(
        "{LEADS}\n- {{every_path_to: api_call, passes: leads}}\n- {{every_path_to: s500, passes: {{approval: {{team: others}}}}}}"
    );
    let found = of(&guarantees, &steps);
    assert_eq!(found[..2], ["holds", "holds"]);
    assert!(found[2].starts_with("fails: `start` → `leads` is approved → `s0` → "), "{}", found[2]);
}
