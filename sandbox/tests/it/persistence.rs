//! A sandbox that is started again goes on where it was.

use flowctl_sandbox::{RateLimits, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stage::{PATIENCE, REPOSITORY, Stage, receiver, stage_with};

#[tokio::test]
async fn everything_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Sandbox::builder().rate_limits(RateLimits::off()).data_directory(folder.path());
    let stage = stage_with(builder()).await;
    let number = stage.pull_request();
    let (token, head, app) = (stage.token().await, stage.head(number), stage.sandbox.app());
    stage
        .repo(Method::POST, "/check-runs", &token, json!({"name": "ci", "head_sha": head, "conclusion": "success"}))
        .await;
    stage.sandbox.comment(REPOSITORY, "bob", number, "still here?").unwrap();
    stage.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    let deliveries = stage.sandbox.deliveries().len();
    let Stage { sandbox, installation, webhooks, .. } = stage;
    let address = sandbox.web_url().trim_start_matches("http://").parse().unwrap();
    sandbox.stop();

    let sandbox = builder().listen(address).start().unwrap();
    // A client of its own: the first one's kept connections ended with the first sandbox.
    let client = reqwest::Client::builder().user_agent("stage").no_proxy().build().unwrap();
    let stage = Stage { sandbox, installation, client, webhooks };
    assert_eq!(stage.sandbox.app(), app);
    assert_eq!(stage.head(number), head);
    assert_eq!(stage.sandbox.check_runs(REPOSITORY, &head).unwrap()[0].conclusion.as_deref(), Some("success"));
    assert_eq!(stage.sandbox.deliveries().len(), deliveries);
    let comments = stage.repo(Method::GET, &format!("/issues/{number}/comments"), &token, json!({})).await;
    assert_eq!((comments.status, comments.body[0]["body"].as_str()), (StatusCode::OK, Some("still here?")));
    let next = stage.sandbox.comment(REPOSITORY, "bob", number, "yes").unwrap();
    assert!(next > comments.body[0]["id"].as_u64().unwrap());
}

#[tokio::test]
async fn a_webhook_that_was_not_sent_before_the_end_is_sent_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let stage = stage_with(Sandbox::builder().data_directory(folder.path())).await;
    stage.sandbox.deliveries_settled(PATIENCE).await.unwrap();
    let (url, mut webhooks) = receiver().await;
    stage.sandbox.stop();
    // As a kill between the write and the delivery leaves it: recorded, not done.
    let path = folder.path().join("sandbox.json");
    let mut world: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for delivery in world["deliveries"].as_object_mut().unwrap().values_mut() {
        delivery["done"] = json!(false);
        delivery["url"] = json!(url);
    }
    std::fs::write(&path, world.to_string()).unwrap();
    let _sandbox = Sandbox::builder().data_directory(folder.path()).start().unwrap();
    let arrived = tokio::time::timeout(PATIENCE, webhooks.recv()).await.unwrap().unwrap();
    assert_eq!(arrived.event, "ping");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sandbox.json"), "{").unwrap();
    let error = Sandbox::builder().data_directory(folder.path()).start().unwrap_err().to_string();
    assert!(error.contains("sandbox.json") && error.contains("delete the folder"), "{error}");
}
