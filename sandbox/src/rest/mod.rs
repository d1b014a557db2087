//! GitHub's REST API below `/api/v3`: one file for each family of endpoints.
//! Handlers find out who asks and what for, call the state's acts, and answer in GitHub's shapes.

mod access;
mod app;
mod checks;
mod comments;
mod error;
mod issues;
mod people;
mod pulls;
mod repositories;
mod request;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use access::{METADATA, Need};
pub(crate) use error::ApiError;
pub(crate) use request::{Body, Paging};

use crate::hub::Hub;

/// Every handler's state.
pub(crate) type Shared = State<Arc<Hub>>;
/// Every handler's answer.
pub(crate) type Answer = Result<Response, ApiError>;

/// All REST endpoints, without prefix.
pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .merge(app::router())
        .merge(people::router())
        .merge(repositories::router())
        .merge(issues::router())
        .merge(comments::router())
        .merge(pulls::router())
        .merge(checks::router())
        .route("/", axum::routing::get(root))
        .route("/meta", axum::routing::get(meta))
        .route("/rate_limit", axum::routing::get(rate_limit))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
}

/// Paths that do not exist, and methods that a path does not have, are both 404 on GitHub.
async fn nothing_here() -> ApiError {
    ApiError::not_found()
}

async fn root(State(hub): Shared) -> Response {
    axum::Json(json!({
        "current_user_url": format!("{}/user", hub.urls.api()),
        "rate_limit_url": format!("{}/rate_limit", hub.urls.api()),
        "repository_url": format!("{}/repos/{{owner}}/{{repo}}", hub.urls.api()),
    }))
    .into_response()
}

async fn meta() -> Response {
    ok(json!({"verifiable_password_authentication": false, "installed_version": "sandbox"}))
}

/// Source: REST documentation, "Get rate limit status for the authenticated user".
async fn rate_limit(State(hub): Shared, caller: crate::auth::Caller) -> Response {
    let standing = hub.pace.standing(&caller.name(), hub.clock.now());
    let rate = json!({
        "limit": standing.limit,
        "used": standing.used,
        "remaining": standing.limit.saturating_sub(standing.used),
        "reset": standing.reset,
        "resource": "core",
    });
    ok(json!({"resources": {"core": rate, "search": rate}, "rate": rate}))
}

pub(crate) fn ok(value: Value) -> Response {
    axum::Json(value).into_response()
}

pub(crate) fn created(value: Value) -> Response {
    (StatusCode::CREATED, axum::Json(value)).into_response()
}

pub(crate) fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({}))).into_response()
}

pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
