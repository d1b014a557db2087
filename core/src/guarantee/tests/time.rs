//! How long executions may take: what is tried again, and people whom agents ask.

use super::stories::told;

fn within(bound: &str, defaults: &str, step: &str, more: &[(&str, &str)]) -> String {
    let story = format!(
        "name: story\nversion: 1\ndefaults: {{{defaults}}}\nguarantees: [{{ends_within: {bound}}}]\nsteps:\n- {step}\n"
    );
    let mut files = vec![("processes/story.yaml", story.as_str())];
    files.extend(more);
    told(&files).remove(0)
}

#[test]
fn a_wait_for_an_event_is_tried_again() {
    let wait = |bound: &str, defaults: &str, retry: &str| {
        within(bound, defaults, &format!("{{id: w, type: wait, event: {{name: x, timeout: 1h}}{retry}}}"), &[])
    };
    insta::assert_debug_snapshot!(
        [
            wait("1h", "", ""),
            wait("1h", "retry: {}", ""),
            wait("3h3s", "retry: {}", ""),
            wait("2h", "", ", retry: {max_attempts: 2, initial: 1m, backoff: fixed}"),
            wait("2h1m", "", ", retry: {max_attempts: 2, initial: 1m, backoff: fixed}"),
            wait("1h", "", ", retry: {on: [network]}"),
        ],
        @r#"
        [
            "holds",
            "fails: `start` → `w` waits up to 1h for `x`, 3 times, with pauses of 3s = 3h3s, which is longer than 1h | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "fails: `start` → `w` waits up to 1h for `x`, 2 times, with pauses of 1m = 2h1m, which is longer than 2h | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "holds",
        ]
        "#,
    );
}

#[test]
fn people_whom_an_agent_asks_take_their_time() {
    let task = |bound: &str, defaults: &str, retry: &str, tool: &str| {
        let step = format!("{{id: t, type: agent_task, agent: helper, message: x, timeout: 10m{retry}}}");
        let tool = format!("name: hub\n{tool}\n");
        let agent = "name: helper\nmodel: mock\ntools: [hub]\n";
        within(bound, defaults, &step, &[("agents/helper.yaml", agent), ("tools/hub.yaml", &tool)])
    };
    let mcp = |approval: &str| format!("type: mcp\nurl: https://example.com/mcp\napproval: {approval}");
    let http = |method: &str, approval: &str| {
        format!("type: http\nurl: https://example.com\nmethod: {method}\napproval: {approval}")
    };
    let twice = ", retry: {max_attempts: 2, initial: 1s, on: [timeout]}";
    insta::assert_debug_snapshot!(
        [
            task("30d", "", "", &mcp("writes")),
            task("30d", "execution_timeout: 30d", "", &mcp("writes")),
            task("10m", "", "", &mcp("never")),
            task("1d", "", twice, &mcp("never")),
            task("25h", "", twice, &mcp("never")),
            task("10m", "", "", &http("GET", "writes")),
            task("30d", "", "", &http("GET", "always")),
            task("30d", "", "", &http("POST", "writes")),
            task("1h", "", twice, &http("GET", "never")),
        ],
        @r#"
        [
            "unproved: nothing says how often `t` asks people about calls of `hub`, up to a day each; give the tool `approval: never`, or set `defaults.execution_timeout`",
            "holds",
            "holds",
            "fails: `start` → `t` runs up to 10m, 2 times, with pauses of 30s where the other side asks for them, and people have a day to say whether an interrupted call is made again = 1d30m30s, which is longer than 1d | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "holds",
            "holds",
            "unproved: nothing says how often `t` asks people about calls of `hub`, up to a day each; give the tool `approval: never`, or set `defaults.execution_timeout`",
            "unproved: nothing says how often `t` asks people about calls of `hub`, up to a day each; give the tool `approval: never`, or set `defaults.execution_timeout`",
            "holds",
        ]
        "#,
    );
}

#[test]
fn a_pause_that_the_other_side_asks_for_is_as_long_as_the_engine_honours_it() {
    let call = |bound: &str, on: &str| {
        let retry = format!("retry: {{max_attempts: 3, backoff: fixed, initial: 1s, on: [{on}]}}");
        within(bound, "", &format!("{{id: c, type: api_call, url: 'https://example.com', timeout: 1m, {retry}}}"), &[])
    };
    for on in ["timeout", "network", "timeout, network"] {
        assert_eq!(call("4m", on), "holds", "{on}");
        assert_eq!(
            call("239s", on),
            "fails: `start` → `c` runs up to 1m, 3 times, with pauses of 1m where the other side asks for them = 4m, which is longer than 3m59s | shorten a timeout on this way, or set `defaults.execution_timeout`",
            "{on}"
        );
    }
    for on in ["rate_limited", "server_error", "any", "timeout, server_error"] {
        assert_eq!(call("51h", on), "holds", "{on}");
        assert!(call("48h", on).starts_with("fails"), "{on}");
    }
    assert_eq!(call("182s", "schema"), "holds");
    assert!(call("181s", "schema").starts_with("fails"));
}

#[test]
fn the_start_of_a_process_that_nobody_waits_for_is_tried_again() {
    let child = "name: child\nversion: 1\nsteps: [{id: s, type: wait, for: 9d}]\n";
    let start = |bound: &str, on: &str| {
        let retry = format!("retry: {{max_attempts: 2, backoff: fixed, initial: 2m, on: [{on}]}}");
        let step = format!("{{id: p, type: process, process: child, wait: false, {retry}}}");
        within(bound, "", &step, &[("processes/child.yaml", child)])
    };
    assert_eq!(start("1ms", "timeout, network"), "holds");
    assert_eq!(start("2m", "any"), "holds");
    assert_eq!(
        start("1m", "any"),
        "fails: `start` → `p` starts another process, 2 times, with pauses of 2m = 2m, which is longer than 1m | shorten a timeout on this way, or set `defaults.execution_timeout`"
    );
}
