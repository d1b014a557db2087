//! The OpenAPI document: every address that CONTRACT promises is in it, every answer is as it says, what is checked in
//! is what the code says; and a stranger's program that reads it finds nothing wrong.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, TOKEN, answer};

/// What CONTRACT promises, and what was added to it.
const OPERATIONS: [&str; 28] = [
    "get /api/v1/ai/capabilities",
    "get /api/v1/approvals",
    "get /api/v1/approvals/{id}",
    "get /api/v1/executions",
    "get /api/v1/executions/{id}",
    "get /api/v1/executions/{id}/events",
    "get /api/v1/executions/{id}/events/stream",
    "get /api/v1/executions/{id}/steps/{step}/output",
    "get /api/v1/executions/{id}/trace",
    "get /api/v1/processes",
    "get /api/v1/processes/{id}",
    "post /api/v1/ai/interpret",
    "post /api/v1/ai/test",
    "post /api/v1/ai/validate",
    "post /api/v1/approvals/{id}/decisions",
    "post /api/v1/approvals/{id}/delegations",
    "post /api/v1/events",
    "post /api/v1/executions",
    "post /api/v1/executions/{id}/cancel",
    "post /api/v1/executions/{id}/hold",
    "post /api/v1/executions/{id}/rerun",
    "post /api/v1/executions/{id}/resume",
    "post /api/v1/executions/{id}/retry",
    "post /api/v1/executions/{id}/steps/{step}/answers",
    "post /api/v1/executions/{id}/unhold",
    "post /api/v1/processes/{id}/pause",
    "post /api/v1/processes/{id}/resume",
    "post /api/v1/validate",
];

pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(flowctl_app::api::Api::openapi()).unwrap())
}

#[test]
fn the_document_has_every_address_and_each_is_there() {
    let mut found = BTreeSet::new();
    for (path, operations) in document()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap().iter().filter(|(_, it)| it.is_object()) {
            assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{method} {path}");
            found.insert(format!("{method} {path}"));
        }
    }
    let promised = OPERATIONS.into_iter().map(str::to_owned).collect();
    assert_eq!(found, promised);
    assert_eq!(document()["openapi"], "3.1.0");
}

#[tokio::test]
async fn the_server_shows_the_document_and_its_pages_without_help_from_elsewhere() {
    let stage = Stage::set();
    let shown = answer(stage.anonymous(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(shown, *document());
    let page = answer(stage.anonymous(Method::GET, "/docs/")).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'self'"), "{policy}");
    let text = page.expect(200);
    let text = text.as_str().unwrap();
    for outside in ["src=\"http", "href=\"http", "//cdn", "unpkg"] {
        assert!(!text.contains(outside), "{outside}");
    }
    for (operation, path) in OPERATIONS.iter().filter_map(|it| it.split_once(' ')) {
        let path = path.replace("{id}", "01900000-0000-7000-8000-000000000001").replace("{step}", "none");
        let method: Method = operation.to_uppercase().parse().unwrap();
        let answered = answer(stage.anonymous(method, &path).bearer_auth(TOKEN)).await;
        let is_route = answered.body["type"] != "urn:flowctl:problem:unknown-route" && answered.status != 405;
        assert!(is_route, "{operation} {path}: {:#}", answered.body);
    }
}

#[test]
fn the_document_that_is_checked_in_is_not_stale() {
    let path = flowctl_tests::root().join("docs/openapi.json");
    let text = serde_json::to_string_pretty(document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stale = "docs/openapi.json is stale: run this test with UPDATE_DOCS=1";
    assert!(std::fs::read_to_string(path).unwrap_or_default() == text, "{stale}");
}

/// What is wrong with an answer by the document; nothing where it is as described.
pub fn faults(method: &str, path: &str, status: u16, kind: &str, body: &Value) -> Vec<String> {
    let Some(operation) = operation(method, path) else { return Vec::new() };
    let responses = &operation["responses"];
    let described = responses.get(status.to_string()).or_else(|| responses.get("default"));
    let Some(described) = described else { return vec![format!("{method} {path}: {status} is not described")] };
    let Some(content) = described["content"].as_object() else { return Vec::new() };
    let Some(content) = content.get(kind.split(';').next().unwrap_or_default()) else {
        return vec![format!("{method} {path}: {status} with {kind} is not described")];
    };
    if kind.starts_with("text/") {
        return Vec::new();
    }
    let mut schema = content["schema"].clone();
    schema["components"] = document()["components"].clone();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(body).map(|error| format!("{method} {path}: {}: {error}", error.instance_path())).collect()
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next()?;
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == parts.len()
            && template.iter().zip(&parts).all(|(wanted, found)| wanted.starts_with('{') || wanted == found)
    };
    let (_, operations) = document()["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
    operations.get(method.to_lowercase()).filter(|operation| operation.is_object())
}

/// Schemathesis makes requests from the document, right and wrong ones, and holds the answers against it.
/// <https://schemathesis.readthedocs.io>
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_reads_the_document_finds_nothing_wrong() {
    let Some(program) = std::env::var_os("FLOWCTL_SCHEMATHESIS") else {
        assert_ne!(
            std::env::var("CI").as_deref(),
            Ok("true"),
            "FLOWCTL_SCHEMATHESIS must name the program `schemathesis`"
        );
        println!("not run: schemathesis is not there; tests/run installs it");
        return;
    };
    let stage = Stage::set();
    let waiting = stage.start("release", json!({})).await;
    stage.until(&waiting["id"], "waiting").await;
    let work = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .arg("run")
        .arg(stage.url("/openapi.json"))
        .args(["--url", &stage.url("")])
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--max-examples", "25", "--seed", "1", "--workers", "1", "--request-timeout", "10", "--no-color"])
        // Streams that wait have no end; they have tests of their own.
        .args(["--exclude-operation-id", "follow_execution"])
        // A schema cannot say which processes there are, nor which cursors were given: those are refused with 422.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .current_dir(work.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&output.stderr), stage.server.log());
}
