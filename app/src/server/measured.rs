//! How the server does, in Prometheus' format, and how long its answers take.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, histogram};

use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::{Exposition, names};

/// What metrics are made of.
#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) exposition: Exposition,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The version of the text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics. Nothing in them names a tenant, a repository, a process or a person.
pub(super) async fn metrics(State(metrics): State<Metrics>) -> ([(HeaderName, &'static str); 1], String) {
    let Metrics { exposition, store, clock } = metrics;
    ([(header::CONTENT_TYPE, FORMAT)], exposition.render(&*store, clock.now()).await)
}

/// Measures one answer, by the pattern of its route: what is in the path is not told.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    histogram!(names::HTTP_DURATION, "method" => method, "route" => route.clone()).record(began.elapsed());
    let status = response.status().as_u16().to_string();
    counter!(names::HTTP_REQUESTS, "method" => method, "route" => route, "status" => status).increment(1);
    response
}

/// Anybody can make methods up.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
