//! Deadlines by `defaults.timeout`: an approval that nobody gave in time lets nothing through that needs one, and bounds
//! the time that an execution takes.

use super::stories::{SHIP, told, verdicts};
use crate::definition::repository::Repository;

fn of(defaults: &str, shared: &str, guarantee: &str, steps: &str) -> String {
    let text = format!("name: story\nversion: 1\n{defaults}\nguarantees:\n- {guarantee}\nsteps:\n{steps}");
    told(&[("processes/story.yaml", &text), ("flow.yaml", shared)]).join("; ")
}

#[test]
fn an_approval_that_goes_on_at_the_deadline_of_the_defaults_lets_a_run_pass_unapproved() {
    let steps = format!(
        "- {{id: leads, type: human_approval, approvers: {{team: leads}}, on_timeout: continue}}\n- {{id: ship, depends_on: leads, {SHIP}}}"
    );
    let guarantee = "{every_path_to: ship, passes: {approval: {team: leads}}}";
    let without = of("description: x", "models: {}", guarantee, &steps);
    assert_eq!(without, "holds", "nobody ends it");
    let gives_in = |told: &str| told.starts_with("fails: `start` → `leads` gets no answer");
    let own = of("defaults: {timeout: 1h}", "models: {}", guarantee, &steps);
    assert!(gives_in(&own), "{own}");
    let shared = of("description: x", "defaults: {timeout: 1h}", guarantee, &steps);
    assert!(gives_in(&shared), "{shared}");
}

#[test]
fn defaults_bound_the_time_of_steps_that_say_none() {
    let steps = "- {id: leads, type: human_approval, approvers: {team: leads}}\n- {id: paid, type: wait, depends_on: leads, event: {name: paid}}\n- {id: call, type: api_call, url: 'https://example.com', depends_on: paid}\n- {id: each, type: foreach, depends_on: call, items: [1, 2], steps: [{id: pause, type: wait, for: 10m}]}\n";
    let judged = |bound: &str| of("defaults: {timeout: 1h}", "models: {}", &format!("{{ends_within: {bound}}}"), steps);
    assert_eq!(judged("3h10m"), "holds");
    assert_eq!(
        judged("3h"),
        "fails: `start` → `leads` waits 1h for people → `paid` waits up to 1h for `paid` → `call` runs up to 1h → `each` runs 2 items of up to 10m = 3h10m, which is longer than 3h | shorten a timeout on this way, or set `defaults.execution_timeout`"
    );
}

#[test]
fn a_wait_takes_no_longer_than_its_own_timeout() {
    for (fields, bound) in [
        ("for: '{{ inputs.pause }}', timeout: 1h", "1h"),
        ("until: '{{ inputs.pause }}', timeout: 1h", "1h"),
        ("for: 30m, timeout: 1h", "30m"),
        ("for: 2h, timeout: 1h", "1h"),
        ("event: {name: paid, timeout: 2h}, timeout: 1h", "1h"),
    ] {
        let steps = format!("- {{id: pause, type: wait, {fields}}}\n");
        let judged = |bound: &str| {
            of("inputs: {pause: {type: string}}", "models: {}", &format!("{{ends_within: {bound}}}"), &steps)
        };
        assert_eq!(judged(bound), "holds", "{fields}");
        assert!(judged("29m").starts_with("fails"), "{fields}");
    }
}

/// What is wrong with `flow.yaml` is told there: nothing that may rest on it is said to hold, or not to.
#[test]
fn of_defaults_that_cannot_be_read_nothing_is_said() {
    let judged = |shared: &str| {
        let process = "name: story\nversion: 1\nguarantees: [{ends_within: 2h}]\nsteps:\n- {id: leads, type: human_approval, approvers: {team: leads}}\n";
        let files = [(".flow/processes/story.yaml", process), (".flow/flow.yaml", shared)];
        verdicts(&Repository::read(files.map(|(path, text)| (path.to_owned(), text.to_owned())))).join("; ")
    };
    for shared in [
        "defaults: {timeout: 1h",
        "defaults: {timeout: soon}",
        "defaults: {timeuot: 1h}",
        "presets: {timeout: 1h}",
        "defaults: {timeout: 1h}\ndefaults: {timeout: 3h}",
        "- defaults",
        "defaults",
    ] {
        assert_eq!(judged(shared), "faulty", "{shared}");
    }
    // What was meant is what is judged.
    assert_eq!(judged("defualts: {timeout: 1h}"), "holds");
    assert_eq!(judged("defaults: {timeout: 1h}\nmodles: {fast: mock}"), "holds");
    assert!(judged("models: {fast: mock}").starts_with("fails"));
}
