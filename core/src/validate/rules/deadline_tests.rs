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

/// What FLOW118 says of a process that runs this one, a line each.
fn inside(own: &str, shared: &str, child: &str, steps: &str) -> Vec<String> {
    let process = format!("name: x\nversion: 1\ntriggers: [manual]\n{own}\nsteps:\n{steps}");
    let child = format!("name: child\nversion: 1\ntriggers: [manual]\n{child}\n");
    let files =
        [("processes/x.yaml", process.as_str()), ("processes/child.yaml", child.as_str()), ("flow.yaml", shared)];
    let repository = Repository::read(files.map(|(path, text)| (format!(".flow/{path}"), text.to_owned())));
    let report = validate(&repository, &Options::default());
    let lines = report.findings.iter().filter(|finding| finding.code == "FLOW118").map(|finding| {
        let related = finding.related.iter().map(|it| format!(" | {}:{} {}", it.path, it.range.start.line, it.message));
        format!("{}:{} {}", finding.path, finding.range.start.line, finding.message) + &related.collect::<String>()
    });
    lines.collect()
}

/// A list with one step.
fn list(fields: &str, step: &str) -> String {
    format!("  - id: each\n    type: foreach\n    items: [a]\n{fields}    steps:\n      - {{id: inner, {step}}}\n")
}

const CHILD: &str = "  - {id: sub, type: process, process: child}\n";

#[test]
fn every_length_of_time_inside_a_list_is_seen() {
    let (default, none) = ("defaults: {timeout: 1h}", "steps: [{id: s, type: set, values: {v: 1}}]");
    let told = |fields: &str, step: &str| inside(default, "models: {}", none, &list(fields, step));
    for step in [
        "type: wait, for: 2h",
        "type: wait, event: {name: paid, timeout: 2h}",
        "type: wait, event: {name: paid, timeout: 3h}, timeout: 2h",
        "type: human_approval, approvers: {team: leads}, timeout: 2h",
    ] {
        let of_default = told("", step);
        assert_eq!(
            of_default,
            [".flow/processes/x.yaml:10 `each` ends after 1h, before these 2h | .flow/processes/x.yaml:4 around it"],
            "{step}"
        );
        let of_own = told("    timeout: 90m\n", step);
        assert_eq!(
            of_own,
            [".flow/processes/x.yaml:11 `each` ends after 1h30m, before these 2h | .flow/processes/x.yaml:9 around it"],
            "{step}"
        );
    }
    for step in [
        "type: wait, for: 1h",
        "type: wait, event: {name: paid, timeout: 30m}",
        "type: wait, event: {name: paid, timeout: 2h}, timeout: 1h",
        "type: wait, event: {name: paid}",
        "type: wait, until: '{{ inputs.at }}'",
        "type: human_approval, approvers: {team: leads}",
        "type: api_call, url: 'https://example.com'",
    ] {
        assert_eq!(told("", step), [""; 0], "{step}");
        assert_eq!(told("    timeout: 2h\n", step), [""; 0], "{step}");
    }
}

#[test]
fn every_length_of_time_of_a_process_that_is_waited_for_is_seen() {
    let told = |child: &str| inside("defaults: {timeout: 1h}", "defaults: {timeout: 5h}", child, CHILD);
    let ask = "{id: ask, type: human_approval, approvers: {team: leads}}";
    for child in [
        "steps: [{id: pause, type: wait, for: 2h}]".to_owned(),
        "steps: [{id: paid, type: wait, event: {name: paid, timeout: 2h}}]".to_owned(),
        format!("defaults: {{timeout: 2h}}\nsteps: [{ask}]"),
        format!("defaults: {{execution_timeout: 2h}}\nsteps: [{ask}]"),
    ] {
        let told = told(&child);
        assert_eq!(told.len(), 1, "{child}: {told:?}");
        assert!(told[0].starts_with(".flow/processes/x.yaml:6 `child` may take 2h, longer than this"), "{told:?}");
    }
    for child in [
        "steps: [{id: pause, type: wait, for: 1h}]".to_owned(),
        // A default that nothing follows, and one that others have as well.
        "defaults: {timeout: 2h}\nsteps: [{id: s, type: set, values: {v: 1}}, {id: pause, type: wait, for: 5m}]"
            .to_owned(),
        format!(
            "defaults: {{timeout: 2h}}\nsteps: [{{id: g, {}}}]",
            "type: human_approval, approvers: {team: leads}, timeout: 1h"
        ),
        format!("steps: [{ask}]"),
        format!("defaults: {{timeout: 2h, execution_timeout: 1h}}\nsteps: [{ask}]"),
    ] {
        assert_eq!(told(&child), [""; 0], "{child}");
    }
    // An end of all executions is not one that the process asks for, and ends what it does ask for.
    let whole = |length: &str| format!("defaults: {{timeout: 1h, execution_timeout: {length}}}");
    let long = "steps: [{id: pause, type: wait, for: 2h}]";
    assert_eq!(inside(NOTHING, &whole("30m"), long, CHILD), [""; 0]);
    assert_eq!(inside(NOTHING, &whole("9d"), "steps: [{id: s, type: set, values: {v: 1}}]", CHILD), [""; 0]);
    assert!(inside(NOTHING, &whole("90m"), long, CHILD)[0].contains("`child` may take 1h30m"));
}

const NOTHING: &str = "description: x";

#[test]
fn what_is_inside_a_list_in_a_list_is_told_once() {
    let nested = |outer: &str, inner: &str, step: &str| {
        let steps = format!(
            "  - id: each\n    type: foreach\n    items: [a]\n{outer}    steps:\n      - {{id: deep, type: foreach, items: [b], {inner}steps: [{{id: inner, {step}}}]}}\n"
        );
        inside("defaults: {timeout: 1h}", "models: {}", "steps: [{id: pause, type: wait, for: 2h}]", &steps).len()
    };
    let wait = |length: &str| format!("type: wait, for: {length}");
    assert_eq!(nested("", "", &wait("2h")), 1);
    assert_eq!(nested("    timeout: 30m\n", "", &wait("2h")), 1);
    assert_eq!(nested("    timeout: 30m\n", "", &wait("45m")), 1);
    assert_eq!(nested("    timeout: 30m\n", "timeout: 3h, ", &wait("45m")), 1);
    assert_eq!(nested("    timeout: 3h\n", "timeout: 2h, ", &wait("2h")), 0);
    assert_eq!(nested("    timeout: 3h\n", "timeout: 90m, ", "type: process, process: child"), 1);
}

#[test]
fn a_process_inside_a_list_is_seen_where_the_list_alone_has_a_deadline() {
    let steps = list("    timeout: 1h\n", "type: process, process: child");
    let long = "steps: [{id: pause, type: wait, for: 2h}]";
    assert_eq!(
        inside(NOTHING, "models: {}", long, &steps),
        [
            ".flow/processes/x.yaml:11 `child` may take 2h, longer than this | .flow/processes/child.yaml:4 inside | .flow/processes/x.yaml:9 the deadline"
        ]
    );
    assert_eq!(inside(NOTHING, "models: {}", &long.replace("2h", "1h"), &steps), [""; 0]);
}

#[test]
fn a_process_that_fits_the_default_and_not_the_list_around_it_is_told() {
    let steps = list("    timeout: 1h\n", "type: process, process: child");
    let told = |length: &str| {
        inside(
            "defaults: {timeout: 4h}",
            "models: {}",
            &format!("steps: [{{id: s, type: wait, for: {length}}}]"),
            &steps,
        )
    };
    assert_eq!(
        told("3h"),
        [
            ".flow/processes/x.yaml:11 `child` may take 3h, longer than this | .flow/processes/child.yaml:4 inside | .flow/processes/x.yaml:9 the deadline"
        ]
    );
    assert_eq!(told("1h"), [""; 0]);
    // What the step itself ends is told once, by its own deadline.
    assert_eq!(
        told("5h"),
        [
            ".flow/processes/x.yaml:11 `child` may take 5h, longer than this | .flow/processes/child.yaml:4 inside | .flow/processes/x.yaml:4 the deadline"
        ]
    );
}

#[test]
fn a_deadline_that_is_computed_may_be_any_and_ends_nothing_that_is_around() {
    let long = "steps: [{id: s, type: wait, for: 2h}]";
    let computed = "timeout: '{{ context.t }}'";
    let own = "context: {t: 1h}";
    assert_eq!(
        inside(own, "models: {}", long, &format!("  - {{id: sub, type: process, process: child, {computed}}}\n")),
        [""; 0]
    );
    // The place is the step: what is computed is not what is too short.
    let steps = list("    timeout: 1h\n", &format!("type: process, process: child, {computed}"));
    assert_eq!(
        inside(own, "models: {}", long, &steps),
        [
            ".flow/processes/x.yaml:11 `child` may take 2h, longer than this | .flow/processes/child.yaml:4 inside | .flow/processes/x.yaml:9 the deadline"
        ]
    );
    // A list whose deadline is computed is none of its own; of the two around it the inner one tells.
    let lists = "  - id: a\n    type: foreach\n    items: [x]\n    timeout: 30m\n    steps:\n      - {id: b, type: foreach, items: [x], steps: [{id: c, type: foreach, items: [x], TIMEOUT, steps: [{id: s, type: wait, for: 2h}]}]}\n";
    let told =
        inside(&format!("{own}\ndefaults: {{timeout: 1h}}"), "models: {}", long, &lists.replace("TIMEOUT", computed));
    assert_eq!(
        told,
        [".flow/processes/x.yaml:12 `b` ends after 1h, before these 2h | .flow/processes/x.yaml:5 around it"]
    );
}

#[test]
fn a_list_of_a_process_that_is_waited_for_says_how_long_it_takes_or_what_is_inside_does() {
    let told = |fields: &str, step: &str| {
        let child = format!("steps: [{{id: l, type: foreach, items: [x], {fields}steps: [{{id: i, {step}}}]}}]");
        inside("defaults: {timeout: 1h}", "models: {}", &child, CHILD)
    };
    let takes = |told: Vec<String>, length: &str| {
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("`child` may take {length}, longer than this")), "{told:?}");
    };
    takes(told("", "type: wait, for: 2h"), "2h");
    takes(told("", "type: foreach, items: [y], steps: [{id: j, type: wait, for: 3h}]"), "3h");
    takes(told("timeout: 90m, ", "type: wait, for: 80m"), "1h30m");
    assert_eq!(told("timeout: 45m, ", "type: wait, for: 40m"), [""; 0]);
    assert_eq!(told("", "type: wait, for: 45m"), [""; 0]);
}

/// What FLOW317 says of an approval that escalates at its deadline, with what it proposes.
fn without_effect(own: &str, fields: &str, more: &[(&str, &str)]) -> Vec<String> {
    let step = format!("{{id: a, type: human_approval, on_timeout: escalate, {fields}}}");
    let process = format!(
        "name: x\nversion: 1\ntriggers: [manual]\ninputs: {{t: {{type: string, default: 1h}}}}\n{own}\nsteps: [{step}]\n"
    );
    let more = more.iter().map(|(path, text)| (format!(".flow/{path}"), (*text).to_owned()));
    let files = more.chain([(".flow/processes/x.yaml".to_owned(), process)]);
    let report = validate(&Repository::read(files), &Options::default());
    let told = report.findings.iter().filter(|finding| finding.code == "FLOW317");
    told.map(|finding| {
        let edits = finding.fix.iter().flat_map(|fix| &fix.edits);
        let proposed: Vec<&str> = edits.map(|edit| edit.text.as_str()).collect();
        format!("{} [{}]", finding.message, proposed.join(", "))
    })
    .collect()
}

#[test]
fn who_is_added_before_the_deadline_is_not_added_at_it() {
    let asked = "approvers: {team: leads}, escalate: [{after: 30m, to: {team: heads}}, {after: 50m, to: {team: all}}]";
    let told = ["nobody is left to add after 1h: this rejects [reject]"];
    assert_eq!(without_effect("status: published", &format!("{asked}, timeout: 1h"), &[]), told);
    assert_eq!(without_effect("defaults: {timeout: 1h}", asked, &[]), told);
    // Who knows: a computed deadline may lie before, and without any nothing is added at it.
    for fields in [format!("{asked}, timeout: '{{{{ inputs.t }}}}'"), asked.to_owned()] {
        assert_eq!(without_effect("status: published", &fields, &[]), [""; 0], "{fields}");
    }
    // A level that comes too late is told for itself (FLOW303), and so are levels that are missing (FLOW302).
    assert_eq!(without_effect("status: published", &format!("{asked}, timeout: 40m"), &[]), [""; 0]);
    assert_eq!(without_effect("status: published", "approvers: {team: leads}, timeout: 40m", &[]), [""; 0]);
    let policy = "name: late\napprovers: {team: leads}\nescalate: [{after: 2h, to: {team: board}}]\n";
    let by_policy = format!("{asked}, timeout: 1h, policy: late");
    assert_eq!(without_effect("status: published", &by_policy, &[("policies/late.yaml", policy)]), [""; 0]);
    let silent = "name: late\napprovers: {team: leads}\n";
    assert_eq!(without_effect("status: published", &by_policy, &[("policies/late.yaml", silent)]), told);
}
