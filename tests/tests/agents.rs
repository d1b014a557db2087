//! flowctl as a server for AI agents, over standard input and output as clients start it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use flowctl_tests::program;
use serde_json::{Value, json};

/// Asks `flowctl mcp` over its input, one line a message, as clients do.
fn ask(messages: &[Value]) -> Vec<Value> {
    let mut child = Command::new(program())
        .arg("mcp")
        .env_remove("FLOWCTL_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let mut answers = Vec::new();
    let mut send = |message: &Value| writeln!(input, "{message}").unwrap();
    send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
    answers.push(serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for message in messages {
        send(message);
        answers.push(serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    answers
}

#[test]
fn agents_are_served_validation_and_nothing_that_decides() {
    let call = |id: u32, name: &str, arguments: Value| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
    let broken = "name: a\nversion: 1\nsteps:\n  - {id: one, type: set, vaules: {x: 1}}\n";
    let answers = ask(&[
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        call(2, "validate", json!({"files": {".flow/processes/a.yaml": broken}})),
        call(3, "explain", json!({"code": "FLOW101"})),
        call(4, "approve", json!({"id": "x"})),
    ]);
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "flowctl");
    let tools = answers[1]["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["validate", "explain", "schema"]);
    let text = answers[2]["result"]["content"][0]["text"].as_str().unwrap();
    let found: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&found["summary"]["errors"], &found["findings"][0]["range"]["start"]["line"]), (&json!(1), &json!(4)));
    assert!(answers[3]["result"]["content"][0]["text"].as_str().unwrap().starts_with("# FLOW101"));
    assert_eq!(answers[4]["error"]["message"], "there is no tool `approve`");
}
