//! What holds for every answer: it comes within a time, and a fault of ours leaves as a problem too.

use std::any::Any;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api;
use crate::api::problem::Problem;

/// Answers within a time, or says that it took too long; what asks models has a longer one. A stream has answered once it
/// begins; what it sends after is not limited.
pub(super) async fn within(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let limit = api::patience(request.uri().path()).unwrap_or(limit);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new("unavailable", "It took too long; try again later.").into_response(),
    }
}

/// What is answered where an answer broke down.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn broken(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(&text.unwrap_or("a panic without words")).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;

    use crate::server::limited;

    #[tokio::test]
    async fn a_model_that_thinks_for_longer_than_others_answer_was_not_waited_for() {
        let thinking = || async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            "done"
        };
        let router = Router::new().route("/api/v1/ai/interpret", get(thinking));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1/ai/interpret", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, limited(router, Duration::from_millis(20))).await });
        assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "done");
    }

    async fn broken() {
        panic!("out of order")
    }

    #[tokio::test]
    async fn what_took_too_long_or_broke_down_was_no_problem_document() {
        let router = Router::new().route("/slow", get(std::future::pending::<()>)).route("/broken", get(broken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, limited(router, Duration::from_millis(20))).await });
        for (path, status, kind) in [("/slow", 503, "unavailable"), ("/broken", 500, "internal")] {
            let response = reqwest::get(format!("{url}{path}")).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let headers = response.headers().clone();
            assert_eq!(headers["content-type"], "application/problem+json", "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
            assert!(headers.contains_key("content-security-policy") && headers.contains_key("x-request-id"), "{path}");
            let problem: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
            assert_eq!(problem["type"], format!("urn:flowctl:problem:{kind}"));
        }
    }
}
