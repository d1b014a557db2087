//! Deadlines that are written elsewhere than in the step: in `defaults` of its process, and in `flow.yaml`.

use crate::definition::repository::Repository;
use crate::validate::{Options, validate};

/// What is said of a process with these defaults, its own and the repository's, a line each with what belongs to it.
fn found(own: &str, shared: &str, steps: &str) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: [manual]\n{own}\nsteps:\n{steps}");
    let child = "name: child\nversion: 1\ntriggers: [manual]\nsteps:\n  - {id: sign, type: human_approval, approvers: {team: leads}, timeout: 3d}\n";
    let files = [("processes/x.yaml", process.as_str()), ("processes/child.yaml", child), ("flow.yaml", shared)];
    let repository = Repository::read(files.map(|(path, text)| (format!(".flow/{path}"), text.to_owned())));
    let report = validate(&repository, &Options::default());
    let lines = report.findings.iter().map(|finding| {
        let related = finding.related.iter().map(|it| format!(" | {}:{} {}", it.path, it.range.start.line, it.message));
        format!("{}:{} {}{}", finding.range.start.line, finding.code, finding.message, related.collect::<String>())
    });
    lines.collect()
}

const LATE: &str = "  - id: review\n    type: human_approval\n    approvers: {team: leads}\n    escalate: [{after: 12h, to: {team: directors}}]\n    on_timeout: fail\n";

#[test]
fn a_default_timeout_is_the_deadline_of_an_approval_that_says_none() {
    insta::assert_debug_snapshot!(
        [
            found("defaults: {timeout: 1d}", "models: {}", LATE),
            found("defaults: {timeout: 10m}", "models: {}", LATE),
            found("description: x", "defaults: {timeout: 10m}", LATE),
            found("description: x", "models: {}", LATE),
        ],
        @r#"
    [
        [],
        [
            "9:FLOW303 nobody is added after 12h: the deadline is at 10m | .flow/processes/x.yaml:4 the deadline",
        ],
        [
            "9:FLOW303 nobody is added after 12h: the deadline is at 10m | .flow/flow.yaml:1 the deadline",
        ],
        [
            "10:FLOW305 there is no deadline",
        ],
    ]
    "#
    );
}

#[test]
fn a_wait_that_says_how_long_it_takes_is_not_cut_short_by_a_default() {
    let steps = "  - {id: pause, type: wait, for: 2d}\n  - {id: until, type: wait, until: '2030-01-01'}\n";
    assert_eq!(found("defaults: {timeout: 1h}", "models: {}", steps), Vec::<String>::new());
}

#[test]
fn a_default_that_ends_what_is_inside_before_its_own_deadline_is_told() {
    let steps = "  - id: each\n    type: foreach\n    items: [a]\n    steps:\n      - {id: sign, type: human_approval, approvers: {team: leads}, timeout: 4h}\n  - {id: sub, type: process, process: child}\n";
    insta::assert_debug_snapshot!(found("description: x", "defaults: {timeout: 1h}", steps), @r#"
    [
        "10:FLOW118 `each` ends after 1h, before these 4h | .flow/flow.yaml:1 around it",
        "11:FLOW118 `child` may take 3d, longer than this | .flow/processes/child.yaml:5 inside | .flow/flow.yaml:1 the deadline",
    ]
    "#);
}
