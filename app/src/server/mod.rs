//! The web server: which address answers what, within which limits. Webhooks are stored here and handled elsewhere.

mod health;
mod limits;
mod measured;
mod open;
mod role;
mod serve;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use secrecy::SecretString;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;

pub use open::{existing, migrate};
pub use role::Role;
pub use serve::{ServeError, Server};

use crate::api::{Api, no_such_route};
use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::Exposition;

/// GitHub sends no webhook above 25 MB ("Webhook events and payloads", payload cap).
pub const MAX_DELIVERY: usize = 25 * 1024 * 1024;
/// GitHub waits 10 seconds for an answer ("Best practices for using webhooks").
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What answers. Without a webhook secret there is no GitHub side, without an API there is none.
pub fn router(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    webhook_secret: Option<&SecretString>,
    api: Option<&Api>,
    exposition: &Exposition,
    setup: Option<Router>,
) -> Router {
    let mut router = Router::new()
        .route("/", get(health::root))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready).with_state(Arc::clone(store)))
        .route(
            "/metrics",
            get(measured::metrics).with_state(measured::Metrics {
                exposition: exposition.clone(),
                store: Arc::clone(store),
                clock: Arc::clone(clock),
            }),
        );
    if let Some(secret) = webhook_secret {
        let inbox = webhook::Inbox { store: Arc::clone(store), clock: Arc::clone(clock), secret: secret.clone() };
        let receive = post(webhook::receive).with_state(inbox).layer(DefaultBodyLimit::max(MAX_DELIVERY));
        router = router.route("/webhooks/github", receive);
    }
    if let Some(api) = api {
        router = router.merge(api.router());
    }
    if let Some(setup) = setup {
        router = router.merge(setup);
    }
    limited(router.fallback(no_such_route), ANSWER_WITHIN)
}

/// What every answer passes on its way out, the ones that are made here included: a limit that lies outside of the
/// headers would answer without them.
fn limited(router: Router, answer_within: Duration) -> Router {
    let plain = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    router
        .layer(from_fn_with_state(answer_within, limits::within))
        .layer(CatchPanicLayer::custom(limits::broken))
        .layer(map_response(told_when_to_come_back))
        .layer(from_fn(measured::measure))
        .layer(plain(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(plain(header::REFERRER_POLICY, "no-referrer"))
        .layer(plain(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        // Whoever reports a failed call can name it; an id that the caller gave stays.
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// Whoever is told that something cannot be done now is told when to try again, whatever has told so.
async fn told_when_to_come_back(mut response: Response) -> Response {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests;
