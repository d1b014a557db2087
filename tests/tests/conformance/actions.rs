//! GitHub Actions: workflows, their runs and artifacts, deployments that wait, dispatches.

use serde_json::json;

use crate::world::{REPOSITORY, Who, World};

pub async fn drive(world: &World) {
    let dispatch = "/actions/workflows/release.yml/dispatches";
    let asked = |tag: &str| json!({"ref": "main", "inputs": {"tag": tag}});
    world.repo("POST", dispatch, Some(asked("v1")), 204).await;
    let details = json!({"ref": "main", "inputs": {"tag": "v2"}, "return_run_details": true});
    let made = world.repo("POST", dispatch, Some(details), 200).await;
    let run = made["workflow_run_id"].as_u64().unwrap_or_default();
    world.repo("POST", "/actions/workflows/nowhere.yml/dispatches", Some(asked("v1")), 404).await;
    world.repo("POST", dispatch, Some(json!({"ref": "main", "inputs": {"tga": "v1"}})), 422).await;
    let since = "2020-01-01T00:00:00Z";
    let runs = format!("/actions/workflows/release.yml/runs?event=workflow_dispatch&created=%3E%3D{since}&per_page=1");
    world.repo("GET", &runs, None, 200).await;
    let of_run = format!("/actions/runs/{run}");
    world.repo("GET", &of_run, None, 200).await;
    world.repo("GET", "/actions/runs/1", None, 404).await;
    world.sandbox.start_workflow_run(run).unwrap();
    let artifact = world.sandbox.keep_artifact(run, "flowctl-output", &[("output.json", "{}")]).unwrap();
    world.repo("GET", &format!("{of_run}/artifacts?name=flowctl-output"), None, 200).await;
    world.repo("GET", &format!("/actions/artifacts/{artifact}/zip"), None, 302).await;
    world.repo("GET", &format!("/actions/artifacts/{artifact}/tar"), None, 404).await;
    world.repo("POST", &format!("{of_run}/cancel"), None, 202).await;
    world.repo("POST", &format!("{of_run}/cancel"), None, 409).await;
    deployments(world).await;
    let dispatched = Some(json!({"event_type": "sample.collected", "client_payload": {"where": "production"}}));
    world.send(Who::Person("alice"), "POST", &format!("/repos/{REPOSITORY}/dispatches"), dispatched.clone(), 204).await;
    world.repo("POST", "/dispatches", dispatched, 403).await;
    let many: serde_json::Map<String, serde_json::Value> =
        (0..11).map(|index| (format!("k{index}"), json!(index))).collect();
    let many = Some(json!({"event_type": "sample.collected", "client_payload": many}));
    world.send(Who::Person("alice"), "POST", &format!("/repos/{REPOSITORY}/dispatches"), many, 422).await;
}

async fn deployments(world: &World) {
    let run = world.sandbox.request_deployment(REPOSITORY, "alice", "production", "main").unwrap();
    let review = format!("/actions/runs/{run}/deployment_protection_rule");
    let news = json!({"environment_name": "production", "comment": "Two people are asked."});
    world.repo("POST", &review, Some(news), 204).await;
    let approved = json!({"environment_name": "production", "state": "approved", "comment": "They agree."});
    world.repo("POST", &review, Some(approved), 204).await;
}
