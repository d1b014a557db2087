//! Check runs, their annotations, and suites.

use serde_json::json;

use crate::world::{EARLY, REPOSITORY, Who, World, id};

pub async fn drive(world: &World) {
    let number = world.pull_request("checks");
    let head = world.head(number);
    let queued = world.repo("POST", "/check-runs", Some(json!({"name": "flowctl / a", "head_sha": head})), 201).await;
    let full = json!({
        "name": "flowctl / b",
        "head_sha": head,
        "external_id": "execution-1",
        "details_url": "http://127.0.0.1:8080/executions/1",
        "status": "in_progress",
        "started_at": "2024-02-29T12:00:00Z",
        "output": {"title": "1 of 2", "summary": "Goes on.", "text": "| a | b |", "annotations": [{
            "path": "README.md", "start_line": 1, "end_line": 1, "start_column": 1, "end_column": 2,
            "annotation_level": "warning", "message": "Hm", "title": "A remark", "raw_details": "None",
        }]},
    });
    let run = world.repo("POST", "/check-runs", Some(full), 201).await;
    let of_run = format!("/check-runs/{}", id(&run));
    world.repo("GET", &of_run, None, 200).await;
    let done = json!({
        "conclusion": "action_required",
        "completed_at": "2024-02-29T12:30:00Z",
        "output": {"title": "Waits", "summary": "For a person."},
        "actions": [{"label": "Approve", "identifier": "approve", "description": "Lets it go on"}],
    });
    world.repo("PATCH", &of_run, Some(done), 200).await;
    world
        .repo(
            "PATCH",
            &format!("/check-runs/{}", id(&queued)),
            Some(json!({"status": "completed", "conclusion": "success"})),
            200,
        )
        .await;
    world.repo("GET", &format!("{of_run}/annotations?per_page=50"), None, 200).await;
    world.repo("POST", &format!("{of_run}/rerequest"), None, 201).await;
    lists(world, &head).await;
    refused(world, &head, &of_run).await;
    suites(world, &head).await;
}

async fn lists(world: &World, head: &str) {
    let app = world.sandbox.app().id;
    world.sandbox.create_foreign_check_run(REPOSITORY, head, "elsewhere").unwrap();
    world
        .repo(
            "GET",
            &format!("/commits/{head}/check-runs?filter=all&app_id={app}&check_name=flowctl%20%2F%20a"),
            None,
            200,
        )
        .await;
    world.repo("GET", "/commits/checks/check-runs?status=completed&per_page=1&page=1", None, 200).await;
    world.repo("GET", "/commits/nothing/check-runs", None, 422).await;
    world.repo("GET", &format!("/commits/{head}/check-suites?app_id={app}"), None, 200).await;
    world.repo("GET", "/commits/checks/check-suites", None, 200).await;
}

async fn refused(world: &World, head: &str, of_run: &str) {
    world.repo("POST", "/check-runs", Some(json!({"head_sha": head})), 422).await;
    world.repo("POST", "/check-runs", Some(json!({"name": "a", "head_sha": "0000000"})), 422).await;
    let buttons = vec![json!({"label": "a", "identifier": "a", "description": "a"}); 4];
    world.repo("PATCH", of_run, Some(json!({"actions": buttons})), 422).await;
    world.repo("GET", "/check-runs/1", None, 404).await;
    world.repo("PATCH", "/check-runs/1", Some(json!({"name": "b"})), 404).await;
    world.repo("POST", "/check-runs/1/rerequest", None, 404).await;
    let path = format!("/repos/{REPOSITORY}/check-runs");
    world.send(Who::Person("alice"), "POST", &path, Some(json!({"name": "mine", "head_sha": head})), 403).await;
    let foreign = world.sandbox.create_foreign_check_run(REPOSITORY, head, "theirs").unwrap();
    world.repo("PATCH", &format!("/check-runs/{foreign}"), Some(json!({"name": "ours"})), 403).await;
}

async fn suites(world: &World, head: &str) {
    let there = world.repo("POST", "/check-suites", Some(json!({"head_sha": head})), 200).await;
    let early = world.sandbox.branch(EARLY, "main").unwrap();
    let path = format!("/repos/{EARLY}/check-suites");
    world.send(Who::Installation, "POST", &path, Some(json!({"head_sha": early})), 201).await;
    world.repo("POST", "/check-suites", Some(json!({"head_sha": "0000000"})), 422).await;
    let of_suite = format!("/check-suites/{}", id(&there));
    world.repo("GET", &of_suite, None, 200).await;
    world.repo("GET", "/check-suites/1", None, 404).await;
    world.repo("GET", &format!("{of_suite}/check-runs?filter=latest&per_page=1"), None, 200).await;
    world.repo("POST", &format!("{of_suite}/rerequest"), None, 201).await;
}
