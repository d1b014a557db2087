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
