//! GitHub's documented limits, one by one.

use std::time::Duration;

use flowctl_sandbox::{Fault, FaultRule, RateLimits, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::{Answer, REPOSITORY, Stage, stage, stage_with};

async fn run(stage: &Stage, token: &str, more: Value) -> Answer {
    let head = stage.sandbox.branch(REPOSITORY, "main").unwrap();
    let mut body = json!({"name": "ci", "head_sha": head});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    stage.repo(Method::POST, "/check-runs", token, body).await
}

fn annotation(line: usize) -> Value {
    json!({"path": "README.md", "start_line": line, "end_line": line, "annotation_level": "warning", "message": "look"})
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused() {
    let stage = stage().await;
    let token = stage.token().await;
    let long = "ä".repeat(65_536);
    let button =
        |label: &str, description: &str| json!({"label": label, "identifier": "x", "description": description});
    let output = |more: Value| {
        let mut output = json!({"title": "t", "summary": "s"});
        output.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"output": output})
    };
    let table = [
        (output(json!({"summary": long})), "Only 65535 characters are allowed; 65536 were supplied."),
        (output(json!({"text": long})), "Only 65535 characters are allowed; 65536 were supplied."),
        (
            output(json!({"annotations": (1..=51).map(annotation).collect::<Vec<_>>()})),
            "No more than 50 items are allowed; 51 were supplied.",
        ),
        (json!({"actions": vec![button("a", "b"); 4]}), "No more than 3 items are allowed; 4 were supplied."),
        (json!({"actions": [button(&"a".repeat(21), "b")]}), "Only 20 characters are allowed; 21 were supplied."),
        (json!({"actions": [button("a", &"b".repeat(41))]}), "Only 40 characters are allowed; 41 were supplied."),
        (json!({"conclusion": "stale"}), "`stale` is not a possible value for `conclusion`"),
        (json!({"status": "completed"}), "A conclusion is required"),
        (json!({"output": {"title": "t"}}), "\"summary\" wasn't supplied."),
        (json!({"head_sha": "0123456789012345678901234567890123456789"}), "No commit found for SHA"),
    ];
    for (more, expected) in table {
        let answer = run(&stage, &token, more).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{expected}");
        assert!(answer.body["message"].as_str().unwrap().contains(expected), "{} for {expected}", answer.body);
    }
    let fits = run(&stage, &token, output(json!({"summary": "ä".repeat(65_535)}))).await;
    assert_eq!(fits.status, StatusCode::CREATED);
    let number = stage.pull_request();
    let comment = stage
        .repo(Method::POST, &format!("/issues/{number}/comments"), &token, json!({"body": "x".repeat(65_537)}))
        .await;
    assert_eq!(comment.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(comment.body["errors"][0]["message"].as_str().unwrap().contains("maximum is 65536"), "{}", comment.body);
}

#[tokio::test]
async fn annotations_are_appended() {
    let stage = stage().await;
    let token = stage.token().await;
    let fifty: Vec<_> = (1..=50).map(annotation).collect();
    let made = run(&stage, &token, json!({"output": {"title": "t", "summary": "s", "annotations": fifty}})).await;
    let id = made.body["id"].as_u64().unwrap();
    let more = json!({"output": {"title": "t", "summary": "s", "annotations": [annotation(51)]}});
    let updated = stage.repo(Method::PATCH, &format!("/check-runs/{id}"), &token, more).await;
    assert_eq!(updated.body["output"]["annotations_count"], 51);
    let page = stage.get(&format!("/repos/{REPOSITORY}/check-runs/{id}/annotations?per_page=50&page=2"), &token).await;
    assert_eq!(page.body[0]["start_line"], 51);
    assert!(page.headers["link"].to_str().unwrap().contains("rel=\"prev\""));
}

#[tokio::test]
async fn a_completed_run_never_reopens_and_belongs_to_its_app() {
    let stage = stage().await;
    let token = stage.token().await;
    let made = run(&stage, &token, json!({"conclusion": "success"})).await;
    assert_eq!((made.body["status"].as_str(), made.body["completed_at"].is_string()), (Some("completed"), true));
    let path = format!("/check-runs/{}", made.body["id"]);
    let reopened = stage.repo(Method::PATCH, &path, &token, json!({"status": "in_progress"})).await;
    assert_eq!(reopened.status, StatusCode::UNPROCESSABLE_ENTITY);
    let head = stage.sandbox.branch(REPOSITORY, "main").unwrap();
    let foreign = stage.sandbox.create_foreign_check_run(REPOSITORY, &head, "build").unwrap();
    let changed =
        stage.repo(Method::PATCH, &format!("/check-runs/{foreign}"), &token, json!({"conclusion": "success"})).await;
    assert_eq!(changed.status, StatusCode::FORBIDDEN);
    let person = stage.sandbox.token_of("alice").unwrap();
    assert_eq!(run(&stage, &person, json!({})).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_one_name_a_thousand_runs_stay() {
    let stage = stage().await;
    let token = stage.token().await;
    let first = run(&stage, &token, json!({})).await.body["id"].clone();
    for _ in 0..1_000 {
        run(&stage, &token, json!({})).await;
    }
    let head = stage.sandbox.branch(REPOSITORY, "main").unwrap();
    assert_eq!(stage.sandbox.check_runs(REPOSITORY, &head).unwrap().len(), 1_000);
    assert_eq!(
        stage.get(&format!("/repos/{REPOSITORY}/check-runs/{first}"), &token).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_stays_incomplete_for_fourteen_days_is_stale() {
    let mut stage = stage().await;
    let token = stage.token().await;
    let id = run(&stage, &token, json!({"status": "in_progress"})).await.body["id"].clone();
    stage.sandbox.advance_clock(Duration::from_hours(24 * 14 - 1)).unwrap();
    let token = stage.token().await;
    let path = format!("/repos/{REPOSITORY}/check-runs/{id}");
    assert_eq!(stage.get(&path, &token).await.body["status"], "in_progress");
    stage.sandbox.advance_clock(Duration::from_hours(2)).unwrap();
    let token = stage.token().await;
    let stale = stage.get(&path, &token).await.body;
    assert_eq!((stale["status"].as_str(), stale["conclusion"].as_str()), (Some("completed"), Some("stale")));
    assert_eq!(stage.webhook_named("check_run.completed").await.payload()["check_run"]["conclusion"], "stale");
}

#[tokio::test]
async fn too_much_content_in_a_minute_waits() {
    let stage = stage_with(Sandbox::builder()).await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let path = format!("/issues/{number}/comments");
    for index in 0..80 {
        let comment = stage.repo(Method::POST, &path, &token, json!({"body": format!("{index}")})).await;
        assert_eq!(comment.status, StatusCode::CREATED);
    }
    let refused = stage.repo(Method::POST, &path, &token, json!({"body": "81"})).await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].to_str().unwrap()), (403, "60"));
    assert!(refused.body["message"].as_str().unwrap().contains("secondary rate limit"));
    assert_eq!(stage.sandbox.comments(REPOSITORY, number).unwrap().len(), 80);
    stage.sandbox.advance_clock(Duration::from_secs(61)).unwrap();
    assert_eq!(stage.repo(Method::POST, &path, &token, json!({"body": "81"})).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn points_of_a_minute_and_requests_of_an_hour() {
    let limits = RateLimits { points_per_minute: 12, requests_per_hour: 5, ..RateLimits::default() };
    let stage = stage_with(Sandbox::builder().rate_limits(limits)).await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let path = format!("/issues/{number}/comments");
    for _ in 0..2 {
        assert_eq!(stage.repo(Method::POST, &path, &token, json!({"body": "x"})).await.status, StatusCode::CREATED);
    }
    assert_eq!(stage.repo(Method::POST, &path, &token, json!({"body": "x"})).await.status, StatusCode::FORBIDDEN);
    let limit = stage.get("/rate_limit", &token).await.body;
    assert_eq!((limit["rate"]["limit"].as_u64(), limit["rate"]["remaining"].as_u64()), (Some(5), Some(3)));
    stage.sandbox.advance_clock(Duration::from_secs(61)).unwrap();
    for _ in 0..3 {
        assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::OK);
    }
    let over = stage.get(&format!("/repos/{REPOSITORY}"), &token).await;
    assert_eq!((over.status.as_u16(), over.headers["x-ratelimit-remaining"].to_str().unwrap()), (403, "0"));
}

#[tokio::test]
async fn too_many_at_once_are_refused() {
    let stage = std::sync::Arc::new(
        stage_with(Sandbox::builder().rate_limits(RateLimits { concurrent: 1, ..RateLimits::off() })).await,
    );
    let token = stage.token().await;
    let slow = Fault::Latency { milliseconds: 60_000 };
    stage.sandbox.faults.add(FaultRule::new(slow).path("/installation/repositories"));
    let (other, others_token) = (std::sync::Arc::clone(&stage), token.clone());
    let waiting = tokio::spawn(async move { other.get("/installation/repositories", &others_token).await });
    while stage.sandbox.pace.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = stage.get(&format!("/repos/{REPOSITORY}"), &token).await;
    assert!(refused.body["message"].as_str().unwrap().contains("secondary rate limit"), "{}", refused.body);
    waiting.abort();
}
