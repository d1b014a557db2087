//! What each trigger brings, and what is said of processes that ask for more.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// The findings of a process with these triggers, a line each, and of one that ends before it.
fn found(triggers: &str, rest: &str) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: {triggers}\n{rest}");
    let other = "name: other\nversion: 1\ntriggers: [manual]\nsteps:\n  - {id: a, type: set, values: {b: 1}}\n";
    let files = [("processes/x.yaml", process.as_str()), ("processes/other.yaml", other)];
    let repository = Repository::read(files.map(|(path, text)| (format!(".flow/{path}"), text.to_owned())));
    for file in repository.files.values() {
        assert!(file.faults.is_empty() && file.structure.is_empty(), "{:?} {:?}", file.faults, file.structure);
    }
    let report = validate(&repository, &Options::default());
    let lines = report.findings.iter().map(|finding| format!("{} {}", finding.code, finding.message));
    lines.collect()
}

#[test]
fn a_required_input_is_given_by_who_starts_it_and_by_nothing_else() {
    let rest = "inputs: {who: {type: string, required: true}}\nsteps:\n  - {id: a, type: set, values: {b: '{{ inputs.who }}'}}\n";
    for (trigger, gives) in [
        ("manual", true),
        ("comment: /ship", true),
        ("pull_request: {actions: [opened]}", false),
        ("push: {branches: [main]}", false),
        ("schedule: {cron: '0 9 * * 1'}", false),
        ("webhook: {secret: '{{ secrets.SHOP }}'}", false),
        ("event: goods.arrived", false),
        ("repository_dispatch: deployed", false),
        ("process: {name: other, on: completed}", false),
        ("deployment: {environments: [production]}", false),
        ("merge_group", false),
    ] {
        let entry = if trigger.contains(':') { format!("[{{{trigger}}}]") } else { format!("[{trigger}]") };
        let key = trigger.split(':').next().unwrap();
        let told = format!("FLOW116 a start by `{key}` cannot give the input `who`");
        let expected = if gives { Vec::new() } else { vec![told] };
        assert_eq!(found(&entry, rest), expected, "{trigger}");
    }
}

#[test]
fn a_name_that_no_time_table_brings_is_told() {
    let look = |name: &str| {
        let steps = format!("steps:\n  - {{id: a, type: set, values: {{b: '{{{{ trigger.payload.{name} }}}}'}}}}\n");
        found("[{schedule: {cron: '0 9 * * 1'}}]", &steps)
    };
    assert_eq!([look("at"), look("timetable")], [Vec::<String>::new(), Vec::new()]);
    insta::assert_debug_snapshot!(look("att"), @r#"
    [
        "FLOW202 `trigger.payload` has no field `att`",
    ]
    "#);
}

const OWNERS: &str = "steps:\n  - {id: a, type: human_approval, timeout: 1d, approvers: {codeowners: union}}\n";
const COMMENT: &str = "steps:\n  - {id: a, type: notify, channel: comment, message: hello}\n";

#[test]
fn code_owners_and_comments_need_a_trigger_that_may_bring_a_pull_request() {
    for (triggers, may) in [
        ("[manual]", true),
        ("[{comment: /ship}]", true),
        ("[{pull_request: {actions: [opened]}}, {push: {branches: [main]}}]", true),
        ("[{push: {branches: [main]}}]", false),
        ("[{schedule: {cron: '0 9 * * 1'}}, {event: goods.arrived}]", false),
        ("[{webhook: {secret: '{{ secrets.SHOP }}'}}]", false),
        ("[{repository_dispatch: deployed}]", false),
        ("[{process: {name: other, on: completed}}]", false),
        ("[{deployment: {environments: [production]}}]", false),
        ("[merge_group]", false),
    ] {
        for (rest, code, message) in [
            (OWNERS, "FLOW316", "no trigger brings a pull request, and without one there are no code owners"),
            (COMMENT, "FLOW128", "no trigger brings a pull request or an issue, and there is nothing to comment on"),
        ] {
            let expected = if may { Vec::new() } else { vec![format!("{code} {message}")] };
            assert_eq!(found(triggers, rest), expected, "{triggers}");
        }
    }
}

#[test]
fn a_process_that_another_one_runs_may_belong_to_a_pull_request() {
    let child = format!("name: child\nversion: 1\ntriggers: [{{push: {{branches: [main]}}}}]\n{OWNERS}");
    let parent = "name: parent\nversion: 1\ntriggers: [manual]\nsteps:\n  - {id: a, type: process, process: child, timeout: 2d}\n";
    let told = |parent: &str| {
        let files = [(".flow/processes/child.yaml", child.as_str()), (".flow/processes/parent.yaml", parent)];
        let repository = Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let findings = validate(&repository, &Options::default()).findings;
        findings.iter().any(|finding| finding.code == "FLOW316")
    };
    assert!(!told(parent));
    assert!(told(&parent.replace("type: process, process: child, timeout: 2d", "type: set, values: {b: 1}")));
    let broken = parent.replace("type: process", "type: proces");
    assert!(!told(&broken), "a step that cannot be read runs it all the same");
}

#[test]
fn code_owners_are_missed_only_where_nobody_else_suffices() {
    let push = "[{push: {branches: [main]}}]";
    let asks = |who: &str| {
        let rest = format!("steps:\n  - {{id: a, type: human_approval, timeout: 1d, {who}}}\n");
        found(push, &rest).iter().any(|told| told.starts_with("FLOW316"))
    };
    for (who, expected) in [
        ("approvers: {any: [{codeowners: union}, {team: leads}]}", false),
        ("approvers: {any: [{codeowners: union}, {team: leads}], count: 2}", true),
        ("approvers: {any: [{codeowners: union}, {team: leads}, {role: admin}], count: 2}", false),
        ("approvers: {all: [{team: leads}, {any: [{codeowners: each_path}]}]}", true),
        ("approvers: {codeowners: union}, escalate: [{after: 4h, to: {team: leads}}]", false),
    ] {
        assert_eq!(asks(who), expected, "{who}");
    }
}
