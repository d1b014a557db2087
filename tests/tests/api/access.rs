//! Who comes in, and what is answered to those who do not, or who ask for what is not there.

use reqwest::Method;
use serde_json::json;

use crate::stage::{SUM, Stage, TOKEN, answer};

#[tokio::test]
async fn nobody_comes_in_without_the_token() {
    let stage = Stage::set();
    let get = |path: &'static str| stage.anonymous(Method::GET, path);
    for path in ["/api/v1/executions", "/api/v1/approvals", "/api/v1/processes", "/api/v1/processes/a/b:c"] {
        assert_eq!(answer(get(path)).await.problem(401), "token-missing", "{path}");
        for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x")] {
            let answered = answer(get(path).bearer_auth(wrong)).await;
            assert_eq!(answered.problem(401), "token-wrong", "{path} {wrong}");
            assert_eq!(answered.headers["www-authenticate"], "Bearer");
        }
        let basic = get(path).basic_auth("admin", Some(TOKEN));
        assert_eq!(answer(basic).await.problem(401), "token-wrong");
    }
    assert_eq!(answer(get("/api/v1/executions").header("Authorization", format!("bearer {TOKEN}"))).await.status, 200);
    for open in ["/openapi.json", "/docs/", "/healthz"] {
        assert_eq!(answer(get(open)).await.status, 200, "{open}");
    }
}

#[tokio::test]
async fn without_a_token_set_up_the_api_is_closed() {
    let stage = Stage::with(&[("sum", SUM)], vec![]);
    for request in [
        stage.request(Method::GET, "/executions"),
        stage
            .request(Method::POST, "/executions/01900000-0000-7000-8000-000000000001/resume")
            .json(&json!({"token": "x"})),
    ] {
        let answered = answer(request).await;
        assert_eq!(answered.problem(401), "api-closed");
        assert!(answered.body["detail"].as_str().unwrap().contains("FLOWCTL_API_TOKEN"));
    }
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let stage = Stage::set();
    let post = |path: &str| stage.request(Method::POST, path);
    let json = |body: &'static str| post("/executions").header("Content-Type", "application/json").body(body);
    for (request, status, problem) in [
        (stage.anonymous(Method::GET, "/nowhere"), 404, "unknown-route"),
        (stage.request(Method::GET, "/nowhere"), 404, "unknown-route"),
        (stage.request(Method::DELETE, "/executions"), 405, "method-not-allowed"),
        (stage.request(Method::PUT, "/approvals"), 405, "method-not-allowed"),
        (stage.request(Method::GET, "/executions/12"), 404, "not-found"),
        (stage.request(Method::GET, "/executions/%FF"), 400, "malformed"),
        (stage.request(Method::GET, "/approvals/12"), 404, "not-found"),
        (stage.request(Method::GET, "/processes/shop:none"), 404, "not-found"),
        (post("/executions").body("{}"), 415, "unsupported-media-type"),
        (post("/executions").header("Content-Type", "text/plain").body("{}"), 415, "unsupported-media-type"),
        (json("{}"), 422, "wrong-fields"),
        (json("[]"), 422, "wrong-fields"),
        (json(""), 400, "malformed"),
        (json("{\"process\": \"sum\", }"), 400, "malformed"),
        (json("\u{feff}{}"), 400, "malformed"),
    ] {
        let shown = format!("{request:?}");
        let answered = answer(request).await;
        assert_eq!(answered.status, status, "{shown}: {:#}", answered.body);
        assert_eq!(answered.problem(status), problem, "{shown}");
    }
    let answered = answer(json("{\n  \"process\": \"sum\",\n}")).await;
    assert_eq!((&answered.body["line"], &answered.body["column"]), (&json!(3), &json!(1)));
    let answered = answer(stage.request(Method::DELETE, "/executions")).await;
    assert!(answered.headers["allow"].to_str().unwrap().contains("POST"));
    let large = format!("{{\"process\": \"{}\"}}", "x".repeat(1024 * 1024));
    let request = post("/executions").header("Content-Type", "application/json").body(large);
    assert_eq!(answer(request).await.problem(413), "too-large");
}
