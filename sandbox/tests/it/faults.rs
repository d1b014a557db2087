//! What goes wrong on purpose goes wrong as told, and no more.

use flowctl_sandbox::{Fault, FaultRule};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stage::{REPOSITORY, stage};

#[tokio::test]
async fn before_the_write_nothing_is_done_and_after_it_all_is() {
    let stage = stage().await;
    let number = stage.pull_request();
    let token = stage.token().await;
    let path = format!("/issues/{number}/comments");
    let table = [
        (Fault::ErrorBefore { status: 502 }, Some(502), 0),
        (Fault::RateLimited { status: 429, retry_after: Some(7) }, Some(429), 0),
        (Fault::ResetBefore, None, 0),
        (Fault::ErrorAfter { status: 500 }, Some(500), 1),
        (Fault::ResetAfter, None, 1),
    ];
    for (fault, status, written) in table {
        let before = stage.sandbox.comments(REPOSITORY, number).unwrap().len();
        stage.sandbox.faults.add(FaultRule::new(fault.clone()).method("POST").path("*/comments"));
        let url = format!("/repos/{REPOSITORY}{path}");
        let answer = stage.try_ask(Method::POST, &url, &token, Some(json!({"body": "once"}))).await;
        assert_eq!(answer.ok().map(|answer| answer.status.as_u16()), status, "{fault:?}");
        assert_eq!(stage.sandbox.comments(REPOSITORY, number).unwrap().len() - before, written, "{fault:?}");
        assert_eq!(stage.repo(Method::POST, &path, &token, json!({"body": "again"})).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn retry_after_is_told_and_a_fault_leaves_others_alone() {
    let stage = stage().await;
    let token = stage.token().await;
    stage.sandbox.faults.add(FaultRule::new(Fault::RateLimited { status: 403, retry_after: Some(3) }).path("/repos/*"));
    assert_eq!(stage.get("/installation/repositories", &token).await.status, StatusCode::OK);
    let refused = stage.get(&format!("/repos/{REPOSITORY}"), &token).await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].to_str().unwrap()), (403, "3"));
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn faults_can_be_turned_over_http() {
    let stage = stage().await;
    let token = stage.token().await;
    let knobs = format!("{}/_sandbox/faults", stage.sandbox.web_url());
    let rule = json!({"fault": {"kind": "error_before", "status": 503}, "path": "/repos/*", "count": 2});
    assert_eq!(stage.ask(Method::POST, &knobs, "", Some(rule)).await.status, StatusCode::CREATED);
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(stage.get(&knobs, "").await.body[0]["count"], 1);
    assert_eq!(stage.ask(Method::DELETE, &knobs, "", None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(stage.get(&format!("/repos/{REPOSITORY}"), &token).await.status, StatusCode::OK);
    let wrong = stage.ask(Method::POST, &knobs, "", Some(json!({"fault": "boom"}))).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}
