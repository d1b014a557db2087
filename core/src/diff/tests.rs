#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use super::*;

/// A process whose call is approved by two leads, with a policy and a secret.
const RELEASE: &str = r#"name: release
version: 1
description: Ships.
triggers: [manual, {comment: /release}]
inputs:
  audience: {type: string, default: public}
defaults: {timeout: 1h}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: |
      Write the notes.
      Be short.
    output_schema: {type: object}
    budget: {max_tokens: 1000}
  - id: leads
    type: human_approval
    depends_on: draft
    approvers:
      all:
        - {team: leads, count: 2}
        - {users: [octocat]}
    note_required: on_reject
    timeout: 24h
    on_timeout: reject
    escalate: [{after: 12h, to: {team: leads}}]
  - id: ship
    type: api_call
    depends_on: [leads]
    method: POST
    url: https://api.example/releases
    headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
    body: {notes: "{{ steps.draft.output.notes }}", tags: [a, b]}
    retry: {max_attempts: 2}
    timeout: 30s
outputs: {code: "{{ steps.ship.output.status }}"}
guarantees:
  - {every_path_to: ship, passes: {approval: {team: leads, count: 2}}}
"#;

const PATH: &str = ".flow/processes/release.yaml";

pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

fn read(files: Files<'_>) -> Repository {
    Repository::read(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
}

pub(super) fn between(before: Files<'_>, after: Files<'_>) -> Difference {
    compare(&read(before), &read(after))
}

/// The release process with replacements, against itself.
fn replaced(replacements: &[(&str, &str)]) -> Difference {
    let mut text = RELEASE.to_owned();
    for (from, to) in replacements {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    between(&[(PATH, RELEASE)], &[(PATH, &text)])
}

pub(super) fn kinds(difference: &Difference) -> Vec<&'static str> {
    difference.weakenings.iter().map(|one| one.kind.name()).collect()
}

/// What people would be told, a line each.
fn told(difference: &Difference) -> String {
    let mut text = String::new();
    for one in &difference.weakenings {
        let (place, step) = (&one.place, one.step.as_deref().unwrap_or("-"));
        let line = place.range.start.line;
        let _ =
            writeln!(text, "! {} {} {step} {}:{line}: {}", one.kind.name(), one.definition, place.path, one.message);
    }
    for definition in &difference.definitions {
        let _ = writeln!(text, "{} {} {:?}", definition.kind, definition.name, definition.status);
        for change in &definition.changes {
            let Change { kind, step, key, before, after, note, .. } = change;
            let step = step.as_deref().unwrap_or("-");
            let (before, after) = (before.as_deref().unwrap_or("·"), after.as_deref().unwrap_or("·"));
            let note = note.as_deref().unwrap_or("");
            let line = format!("  {kind:?} {step} {key}: {before} → {after} {note}");
            let _ = writeln!(text, "{}", line.trim_end());
            for line in &change.lines {
                let _ = writeln!(text, "    {:?} {}", line.kind, line.text);
            }
        }
    }
    text
}

#[test]
fn the_same_differs_in_nothing() {
    assert!(replaced(&[]).is_empty());
    assert!(replaced(&[]).definitions.is_empty());
}

#[test]
fn order_formatting_and_comments_make_no_difference() {
    let text = RELEASE
        .replace("description: Ships.\n", "")
        .replace("name: release", "# says what it is\ndescription: 'Ships.'\nname: release")
        .replace("depends_on: [leads]", "depends_on: leads")
        .replace(
            "- {team: leads, count: 2}\n        - {users: [octocat]}",
            "- users:\n            - octocat\n        - {count: 2, team: leads}",
        )
        .replace("[manual, {comment: /release}]", "[{comment: /release}, manual]");
    let difference = between(&[(PATH, RELEASE)], &[(PATH, &text)]);
    assert_eq!(told(&difference), "process release Formatting\n");
    assert!(difference.is_empty());
}

#[test]
fn every_change_is_told_in_the_authors_words() {
    let difference = replaced(&[
        ("Be short.", "Be long.\n      And kind."),
        ("default: public}", "default: internal, enum: [public, internal]}\n  size: {type: integer, required: true}"),
        ("tags: [a, b]", "tags: [b, a]"),
        ("id: ship", "id: deliver"),
        ("steps.ship.output", "steps.deliver.output"),
        ("every_path_to: ship", "every_path_to: deliver"),
        ("depends_on: [leads]", "depends_on: [leads, draft]"),
        ("outputs:", "  - {id: last, type: set, depends_on: deliver, values: {x: 1}}\noutputs:"),
    ]);
    insta::assert_snapshot!(told(&difference), @r"
    process release Changed
      Changed - inputs.audience.default: public → internal
      Added - inputs.audience.enum: · → [public, internal]
      Added - inputs.size: · → {type: integer, required: true}
      Changed draft prompt: · → ·
        Same Write the notes.
        Removed Be short.
        Added Be long.
        Added And kind.
      Renamed deliver : ship → deliver
      Reordered deliver body.tags: [a, b] → [b, a]
      Added last : · → {id: last, type: set, depends_on: deliver, values: {x: 1}}
      WaitsFor deliver depends_on: · → draft
    ");
}

#[test]
fn a_deadline_of_an_input_whose_default_rises_is_later() {
    let process = |default: &str| {
        format!(
            "name: release\nversion: 1\ninputs:\n  soon: {{type: string, default: {default}}}\n  hours: {{type: integer, default: 2}}\nsteps:\n  - {{id: call, type: api_call, url: https://example.com, timeout: '{{{{ inputs.soon }}}}'}}\n  - {{id: ask, type: api_call, url: https://example.com, timeout: '{{{{ inputs.hours }}}}h'}}\n"
        )
    };
    let difference = |before: &str, after: &str| between(&[(PATH, before)], &[(PATH, after)]);
    let risen = difference(&process("1h"), &process("90m").replace("default: 2", "default: 12"));
    insta::assert_snapshot!(told(&risen).lines().take(2).collect::<Vec<_>>().join("\n"), @r"
    ! timeout-longer process release call .flow/processes/release.yaml:7: `timeout`: `{{ inputs.soon }}`, by default `1h`, became by default `1h30m`
    ! timeout-longer process release ask .flow/processes/release.yaml:8: `timeout`: `{{ inputs.hours }}h`, by default `2h`, became by default `12h`
    ");
    assert!(kinds(&difference(&process("1h"), &process("30m"))).is_empty());
}

#[test]
fn each_weakening_of_an_approval_is_told_by_its_kind() {
    for (from, to, expected) in [
        ("{team: leads, count: 2}\n", "{team: leads}\n", "fewer-approvers"),
        ("all:", "any:", "any-instead-of-all"),
        ("{users: [octocat]}", "{users: [octocat, hubot]}", "wider-approvers"),
        ("- {team: leads, count: 2}\n", "- {team: staff, count: 2}\n", "other-approvers"),
        ("note_required: on_reject", "note_required: never", "note-not-required"),
        ("note_required: on_reject", "keep_on_push: always\n    note_required: always", "kept-on-push"),
        ("note_required: on_reject", "allow_author: true\n    note_required: always", "author-allowed"),
        ("on_timeout: reject", "on_timeout: approve", "timeout-approves"),
        ("on_timeout: reject", "on_timeout: continue", "timeout-approves"),
        ("on_timeout: reject", "on_reject: continue", "rejection-continues"),
        ("on_timeout: reject", "on_failure: continue", "rejection-continues"),
        ("timeout: 24h", "timeout: 48h", "timeout-longer"),
        ("timeout: 24h", "when: \"{{ inputs.audience == 'public' }}\"\n    timeout: 24h", "approval-conditional"),
        ("to: {team: leads}", "to: {team: everybody}", "escalation-wider"),
        ("    escalate: [{after: 12h", "    escalate: [{after: 1h", ""),
        ("depends_on: [leads]", "depends_on: [draft]", "approval-bypassed"),
        ("depends_on: [leads]", "depends_on: [leads, draft]\n    join: any", "approval-bypassed"),
        ("depends_on: [leads]", "depends_on: [leads, draft]", ""),
        ("on_timeout: reject", "on_timeout: fail", ""),
        ("note_required: on_reject", "note_required: always", ""),
        ("timeout: 24h", "timeout: 23h", ""),
    ] {
        let found = kinds(&replaced(&[(from, to)]));
        let expected: Vec<&str> = expected.split(' ').filter(|kind| !kind.is_empty()).collect();
        assert_eq!(found, expected, "{from} → {to}");
    }
}

#[test]
fn a_deadline_is_what_counts_when_the_step_runs_whoever_says_it() {
    let process = |steps: &str| format!("name: release\nversion: 1\nsteps:\n{steps}");
    let call = |more: &str| process(&format!("- {{id: a, type: api_call, url: 'https://example.com'{more}}}\n"));
    let wait = |fields: &str| process(&format!("- {{id: a, type: wait, {fields}}}\n"));
    for (before, after, expected) in [
        // 30 s where nothing is said.
        (call(", timeout: 10s"), call(""), "timeout-longer"),
        (call(", timeout: 1m"), call(""), ""),
        (call(""), call(", timeout: 1m"), "timeout-longer"),
        (wait("event: {name: x, timeout: 1h}"), wait("event: {name: x}, timeout: 1h"), ""),
        (wait("event: {name: x, timeout: 1h}"), wait("event: {name: x, timeout: 2h}, timeout: 1h"), ""),
        (wait("event: {name: x, timeout: 1h}"), wait("event: {name: x, timeout: 2h}"), "timeout-longer"),
        (wait("event: {name: x, timeout: 1h}"), wait("event: {name: x}"), "timeout-longer"),
    ] {
        let found = kinds(&between(&[(PATH, &before)], &[(PATH, &after)]));
        let expected: Vec<&str> = expected.split(' ').filter(|kind| !kind.is_empty()).collect();
        assert_eq!(found, expected, "{before} → {after}");
    }
}

#[test]
fn each_weakening_of_the_rest_is_told_by_its_kind() {
    for (from, to, expected) in [
        ("https://api.example/releases", "https://evil.example/releases", "secret-host-changed"),
        ("https://api.example/releases", "https://api.example/others", ""),
        ("retry: {max_attempts: 2}", "retry: {max_attempts: 5}", "retries-raised"),
        ("max_tokens: 1000", "max_tokens: 2000", "budget-raised"),
        ("    budget: {max_tokens: 1000}\n", "", "budget-raised"),
        ("timeout: 30s", "timeout: 10m", "timeout-longer"),
        ("    timeout: 30s\n", "", "timeout-longer"),
        ("defaults: {timeout: 1h}", "defaults: {timeout: 2h}", "timeout-longer"),
        ("defaults: {timeout: 1h}\n", "", "timeout-longer"),
        ("body: {notes", "body: {token: '{{ secrets.OTHER }}', notes", "secret-read"),
        ("body: {notes", "body: {token: ghp_000000000000000000000000000000000000, notes", "secret-in-plain-text"),
        ("passes: {approval: {team: leads, count: 2}}", "passes: {approval: {team: leads}}", "guarantee-weakened"),
        (
            "guarantees:\n  - {every_path_to: ship, passes: {approval: {team: leads, count: 2}}}\n",
            "",
            "guarantee-dropped",
        ),
        ("description: Ships.", "# flowctl: ignore[FLOW012] it is fine\ndescription: Ships.", "suppression-added"),
    ] {
        let found = kinds(&replaced(&[(from, to)]));
        let expected: Vec<&str> = expected.split(' ').filter(|kind| !kind.is_empty()).collect();
        assert_eq!(found, expected, "{from} → {to}");
    }
}

/// What another file says, beside the release process as it is.
fn beside(path: &str, before: &str, after: &str) -> Difference {
    between(&[(PATH, RELEASE), (path, before)], &[(PATH, RELEASE), (path, after)])
}

#[test]
fn each_weakening_of_other_files_is_told_by_its_kind() {
    let (policy, tool, agent, settings) =
        (".flow/policies/p.yaml", ".flow/tools/t.yaml", ".flow/agents/a.yaml", ".flow/flow.yaml");
    for (path, before, after, expected) in [
        (policy, "approvers: {team: a, count: 2}", "approvers: {team: a}", "fewer-approvers"),
        (policy, "approvers: {team: a}", "approvers: {team: a, count: 2}", ""),
        (
            policy,
            "windows: [{days: [mon], from: '09:00', to: '17:00'}]",
            "windows: [{days: [mon, tue], from: '09:00', to: '17:00'}]",
            "window-wider",
        ),
        (
            policy,
            "windows: [{days: [mon], from: '09:00', to: '17:00'}]",
            "windows: [{days: [mon], from: '10:00', to: '16:00'}]",
            "",
        ),
        (policy, "windows: [{days: [mon], from: '09:00', to: '17:00'}]", "description: x", "window-wider"),
        (
            policy,
            "freezes: [{from: 2026-12-20, to: 2027-01-03}]",
            "freezes: [{from: 2026-12-24, to: 2027-01-03}]",
            "freeze-removed",
        ),
        (policy, "freezes: [{from: 2026-12-20, to: 2027-01-03}]", "freezes: [{from: 2026-12-19, to: 2027-01-04}]", ""),
        (policy, "quotas: {executions_per_day: 5}", "quotas: {executions_per_day: 6}", "quota-raised"),
        (policy, "quotas: {cost_per_execution: 1 USD}", "quotas: {}", "quota-raised"),
        (
            policy,
            "applies_to: [release]\napprovers: {team: a}",
            "applies_to: [other]\napprovers: {team: a}",
            "fewer-approvers policy-removed",
        ),
        (policy, "guarantees: [{ends_within: 1h}]", "guarantees: [{ends_within: 2h}]", "guarantee-weakened"),
        (
            tool,
            "name: t\ntype: http\nurl: https://a\napproval: always",
            "name: t\ntype: http\nurl: https://a\napproval: writes",
            "tool-approval-lowered",
        ),
        (
            tool,
            "name: t\ntype: mcp\nurl: https://a\noperations: [read]",
            "name: t\ntype: mcp\nurl: https://a",
            "tool-wider",
        ),
        (
            tool,
            "name: t\ntype: http\nurl: https://a\nheaders: {x: '{{ secrets.T }}'}",
            "name: t\ntype: http\nurl: https://b\nheaders: {x: '{{ secrets.T }}'}",
            "secret-host-changed",
        ),
        (agent, "name: a\nmodel: mock\ntools: [t]", "name: a\nmodel: mock\ntools: [t, u]", "agent-tools-wider"),
        (
            agent,
            "name: a\nmodel: mock\napprovers: {team: a, count: 2}",
            "name: a\nmodel: mock\napprovers: {team: a}",
            "fewer-approvers",
        ),
        (agent, "name: a\nmodel: mock", "name: a\nmodel: mock\napprovers: {team: a}", "other-approvers"),
        (agent, "name: a\nmodel: mock", "name: a\nmodel: mock\napprovers: {users: [mallory]}", "other-approvers"),
        (agent, "name: a\nmodel: mock", "name: a\nmodel: mock\napprovers: {role: admin}", ""),
        (agent, "name: a\nmodel: mock", "name: a\nmodel: mock\napprovers: {codeowners: union}", ""),
        (agent, "name: a\nmodel: mock\napprovers: {codeowners: union}", "name: a\nmodel: mock", "wider-approvers"),
        (agent, "name: a\nmodel: mock", "name: a\nmodel: mock\napprovers: {role: write, count: 2}", ""),
        (
            agent,
            "name: a\nmodel: mock\nbudget: {max_cost: 1 USD}",
            "name: a\nmodel: mock\nbudget: {max_cost: 2 USD}",
            "budget-raised",
        ),
        (settings, "validate: {fail_on_weakening: true}", "validate: {fail_on_weakening: false}", "weakening-allowed"),
        (settings, "audit: {ref: refs/flowctl/audit}", "models: {a: mock}", "audit-elsewhere"),
        (settings, "audit: {ref: refs/flowctl/audit}", "audit: {ref: refs/flowctl/other}", "audit-elsewhere"),
        (settings, "models: {a: mock}", "audit: {ref: refs/flowctl/audit}", ""),
        (
            settings,
            "validate: {levels: {FLOW012: error}}",
            "validate: {levels: {unknown-dependency: 'off'}}",
            "level-lowered",
        ),
        (settings, "commands: {approve: {role: admin}}", "commands: {approve: {role: write}}", "command-role-lowered"),
        (settings, "commands: {approve: {role: admin}}", "models: {a: mock}", "command-role-lowered"),
        (settings, "models: {a: mock}", "commands: {override: {role: admin}}", "command-role-lowered"),
        (settings, "commands: {override: {role: admin}}", "models: {a: mock}", ""),
        (
            settings,
            "commands: {override: {role: admin}}",
            "commands: {override: {role: write}}",
            "command-role-lowered",
        ),
    ] {
        let difference = beside(path, before, after);
        let expected: Vec<&str> = expected.split(' ').filter(|kind| !kind.is_empty()).collect();
        assert_eq!(kinds(&difference), expected, "{before} → {after}\n{}", told(&difference));
        assert_eq!(difference.summary.changed, 1, "{before} → {after}");
    }
}

#[test]
fn a_task_whose_calls_others_allow_is_told_of() {
    let process =
        |task: &str| format!("name: p\nversion: 1\nsteps:\n  - {{id: act, type: agent_task, message: Hi, {task}}}\n");
    let agents = [
        (".flow/agents/strict.yaml", "name: strict\nmodel: mock\napprovers: {team: leads}"),
        (".flow/agents/lax.yaml", "name: lax\nmodel: mock"),
        (".flow/policies/empty.yaml", "name: empty"),
    ];
    for (before, after, expected) in [
        ("agent: lax, approvers: {team: a, count: 2}", "agent: lax, approvers: {team: a}", "fewer-approvers"),
        ("agent: strict, approvers: {role: admin}", "agent: strict", "fewer-approvers"),
        ("agent: lax", "agent: lax, approvers: {team: a}", "other-approvers"),
        ("agent: lax", "agent: lax, approvers: {role: maintain}", ""),
        ("agent: lax", "agent: strict", "other-approvers"),
        ("agent: strict", "agent: lax", "other-approvers"),
        // A policy that names nobody lets nobody allow a call.
        ("agent: lax", "agent: lax, policy: empty", ""),
        ("agent: lax, policy: empty", "agent: lax", "fewer-approvers"),
        ("agent: strict, policy: empty", "agent: strict", ""),
    ] {
        let (before, after) = (process(before), process(after));
        let path = ".flow/processes/p.yaml";
        let [one, other, third] = agents;
        let difference = between(&[(path, &before), one, other, third], &[(path, &after), one, other, third]);
        let expected: Vec<&str> = expected.split(' ').filter(|kind| !kind.is_empty()).collect();
        assert_eq!(kinds(&difference), expected, "{before} → {after}\n{}", told(&difference));
    }
}

#[test]
fn a_process_that_moves_or_is_renamed_hides_no_weakening() {
    let lax = RELEASE.replace("{team: leads, count: 2}\n        - {users", "{team: leads}\n        - {users");
    let moved = between(&[(PATH, RELEASE)], &[(".flow/processes/other/release.yml", &lax)]);
    assert_eq!(kinds(&moved), ["fewer-approvers"]);
    assert_eq!(moved.definitions[0].status, Status::Moved);
    let renamed = lax.replace("name: release", "name: delivery");
    let renamed = between(&[(PATH, RELEASE)], &[(".flow/processes/delivery.yaml", &renamed)]);
    assert_eq!(kinds(&renamed), ["fewer-approvers"]);
    assert_eq!((renamed.definitions.len(), renamed.definitions[0].status), (1, Status::Renamed));
}

#[test]
fn the_same_call_elsewhere_without_its_approval_is_told() {
    let bare = "name: fast\nversion: 1\nsteps:
  - {id: go, type: api_call, method: POST, url: 'https://api.example/releases'}\n";
    let added = between(&[(PATH, RELEASE)], &[(PATH, RELEASE), (".flow/processes/fast.yaml", bare)]);
    insta::assert_snapshot!(told(&added), @r"
    ! approval-bypassed process fast go .flow/processes/fast.yaml:4: `go` does without an approval what was done only after one before
    process fast Added
      Added go : · → {id: go, type: api_call, method: POST, url: 'https://api.example/releases'}
    ");
    // Nothing is alike any more but what it does.
    let replaced = between(&[(PATH, RELEASE)], &[(".flow/processes/fast.yaml", bare)]);
    assert_eq!(kinds(&replaced), ["approval-bypassed"]);
    let other = bare.replace("releases", "others");
    assert!(
        between(&[(PATH, RELEASE)], &[(PATH, RELEASE), (".flow/processes/fast.yaml", &other)]).weakenings.is_empty()
    );
}

#[test]
fn what_a_policy_edited_elsewhere_asks_is_told_once() {
    let process = "name: p\nversion: 1\nsteps:\n  - {id: ok, type: human_approval, policy: tight}\n";
    let files = |base: &'static str| {
        [
            (".flow/processes/p.yaml", process),
            (".flow/policies/tight.yaml", "extends: [base]\n"),
            (".flow/policies/base.yaml", base),
        ]
    };
    let difference = between(&files("approvers: {team: a, count: 2}\n"), &files("approvers: {team: a}\n"));
    insta::assert_snapshot!(told(&difference), @r"
    ! fewer-approvers policy base - .flow/policies/base.yaml:1: it asks less of approvers than before; it governs `p`
    policy base Changed
      Removed - approvers.count: 2 → ·
    ");
}

#[test]
fn a_policy_governs_also_those_who_allow_calls_of_agents() {
    let process =
        |task: &str| format!("name: p\nversion: 1\nsteps:\n  - {{id: act, type: agent_task, message: Hi, {task}}}\n");
    let agents = [
        (".flow/agents/bound.yaml", "name: bound\nmodel: mock\npolicy: base\n"),
        (".flow/agents/free.yaml", "name: free\nmodel: mock\n"),
    ];
    for (task, governs) in [("agent: bound", true), ("agent: free, policy: base", true), ("agent: free", false)] {
        let process = process(task);
        let files = |base: &'static str| {
            let [one, other] = agents;
            [(".flow/processes/p.yaml", process.as_str()), (".flow/policies/base.yaml", base), one, other]
        };
        let difference = between(&files("approvers: {team: a, count: 2}\n"), &files("approvers: {team: a}\n"));
        assert_eq!(kinds(&difference), ["fewer-approvers"], "{task}");
        assert_eq!(told(&difference).contains("it governs `p`"), governs, "{task}");
    }
}

#[test]
fn a_step_that_leaves_its_policy_is_told_unless_it_asks_as_much_itself() {
    let process =
        |approval: &str| format!("name: p\nversion: 1\nsteps:\n  - {{id: ok, type: human_approval, {approval}}}\n");
    let policy = (".flow/policies/two.yaml", "approvers: {team: a, count: 2}\n");
    let found = |before: &str, after: &str| {
        let (before, after) = (process(before), process(after));
        kinds(&between(&[(".flow/processes/p.yaml", &before), policy], &[(".flow/processes/p.yaml", &after), policy]))
    };
    assert_eq!(found("policy: two", "approvers: {team: a}"), ["fewer-approvers", "policy-removed"]);
    assert_eq!(found("policy: two", "approvers: {team: a, count: 2}"), ["policy-removed"]);
    assert_eq!(found("approvers: {team: a, count: 2}", "policy: two"), [""; 0]);
    assert_eq!(found("policy: two", "policy: two, approvers: {team: b}"), [""; 0]);
}

#[test]
fn a_branch_around_an_approval_is_told() {
    let process = |branches: &str| {
        format!(
            "name: p\nversion: 1\nsteps:
  - {{id: route, type: gateway, branches: [{branches}]}}
  - {{id: one, type: human_approval, approvers: {{team: a}}}}
  - {{id: two, type: human_approval, approvers: {{team: b}}}}
  - {{id: go, type: workflow, workflow: ship.yml, depends_on: [one, two]}}\n"
        )
    };
    let found = |before: &str, after: &str| {
        let (before, after) = (process(before), process(after));
        kinds(&between(&[(".flow/processes/p.yaml", &before)], &[(".flow/processes/p.yaml", &after)]))
    };
    let both = "{when: '{{ inputs.x }}', to: [one]}, {otherwise: true, to: [two]}";
    let around =
        "{when: '{{ inputs.x }}', to: [one]}, {when: '{{ inputs.y }}', to: [go]}, {otherwise: true, to: [two]}";
    assert_eq!(found(both, around), ["approval-bypassed", "approval-conditional"]);
    assert_eq!(found(around, both), ["approval-conditional"]);
    assert_eq!(found(both, both), [""; 0]);
}

#[test]
fn an_approval_in_a_sub_process_counts_on_the_way() {
    let main = |steps: &str| {
        format!(
            "name: main\nversion: 1\nsteps:\n{steps}  - {{id: go, type: workflow, workflow: ship.yml, depends_on: [DEP]}}\n"
        )
    };
    let asking = ("  - {id: ask, type: process, process: ask}\n", "ask");
    let sub = (
        ".flow/processes/ask.yaml",
        "name: ask\nversion: 1\nsteps:\n  - {id: ok, type: human_approval, approvers: {team: a}}\n",
    );
    let before = main(asking.0).replace("DEP", asking.1);
    let after = main("  - {id: ask, type: set, values: {x: 1}}\n").replace("DEP", "ask");
    let found = between(&[(".flow/processes/main.yaml", &before), sub], &[(".flow/processes/main.yaml", &after), sub]);
    assert_eq!(kinds(&found), ["approval-bypassed"], "{}", told(&found));
}

#[test]
fn a_removed_approval_is_told_where_it_was() {
    let without = RELEASE.split("  - id: leads").next().unwrap().to_owned()
        + "  - id: ship"
        + RELEASE.split("  - id: ship").nth(1).unwrap();
    let without = without.replace("depends_on: [leads]", "depends_on: [draft]");
    let difference = between(&[(PATH, RELEASE)], &[(PATH, &without)]);
    insta::assert_snapshot!(told(&difference), @r"
    ! approval-removed process release leads .flow/processes/release.yaml:17: the approval `leads` is gone
    ! approval-bypassed process release ship .flow/processes/release.yaml:19: there is a way to `ship` without an approval; every way to it passed one before
    process release Changed
      Removed leads : {id: leads, type: human_approval, depends_on: draft, approvers: {all: [{team: leads, count: 2}, {users: [octocat]}]}, note_required: on_reject, timeout: 24h, o… → ·
      WaitsFor ship depends_on: · → draft
      NoLongerWaitsFor ship depends_on: leads → ·
    ");
}

#[test]
fn what_cannot_be_read_is_told_line_by_line_and_never_as_no_change() {
    let broken = RELEASE.replace("steps:", "steps: [");
    let difference = between(&[(PATH, RELEASE)], &[(PATH, &broken)]);
    assert_eq!(difference.definitions[0].status, Status::Unreadable);
    assert!(!difference.is_empty() && !difference.definitions[0].changes[0].lines.is_empty());
}

#[test]
fn other_files_are_compared_key_by_key_and_prompts_by_lines() {
    let prompt = (".flow/prompts/p.md", "---\nvariables: {x: {type: string}}\n---\nOne.\nTwo.\n");
    let changed = (".flow/prompts/p.md", "---\nvariables: {x: {type: integer}}\n---\nOne.\nThree.\n");
    let schema = (".flow/schemas/s.json", "{\"type\": \"object\"}");
    let tight = (".flow/schemas/s.json", "{\"type\": \"object\", \"required\": [\"a\"]}");
    let difference = between(&[prompt, schema], &[changed, tight]);
    insta::assert_snapshot!(told(&difference), @r#"
    prompt p Changed
      Changed - variables.x.type: string → integer
      Changed - template: · → ·
        Same One.
        Removed Two.
        Added Three.
    schema s.json Changed
      Added - required: · → ["a"]
    "#);
}

#[test]
fn every_kind_of_weakening_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<&str> = WeakeningKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), WeakeningKind::ALL.len());
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
}

#[test]
fn a_secret_in_plain_text_is_not_repeated() {
    let token = "ghp_000000000000000000000000000000000000";
    let difference = replaced(&[("body: {notes", &format!("body: {{token: {token}, notes"))]);
    assert!(!serde_json::to_string(&difference).unwrap().contains(token));
}

/// `UPDATE_DOCS=1` writes the table.
#[test]
fn the_table_of_the_documentation_is_made_from_the_kinds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diff.md");
    let page = std::fs::read_to_string(path).unwrap();
    let start = page.find("| kind | what it means |").unwrap();
    let end = start + page[start..].find("\n\n").unwrap() + 1;
    let made = format!("{}{}{}", &page[..start], WeakeningKind::documentation(), &page[end..]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert_eq!(page, made, "UPDATE_DOCS=1 cargo test -p flowctl-core the_table_of_the_documentation");
}
