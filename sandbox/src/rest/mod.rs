//! GitHub's REST API below `/api/v3`: one file for each family of endpoints.
//! Handlers find out who asks and what for, call the state's acts, and answer in GitHub's shapes.

mod access;
mod actions;
mod app;
mod checks;
mod comments;
mod error;
mod git_data;
mod issues;
pub(crate) mod manifest;
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

/// Where REST lies, as on GitHub Enterprise Server.
pub(crate) const PREFIX: &str = "/api/v3";

/// What the root tells: names (without `_url`) and paths.
const ROOT: [(&str, &str); 32] = [
    ("authorizations", "/authorizations"),
    ("code_search", "/search/code?q={query}{&page,per_page,sort,order}"),
    ("commit_search", "/search/commits?q={query}{&page,per_page,sort,order}"),
    ("current_user", "/user"),
    ("current_user_repositories", "/user/repos{?type,page,per_page,sort}"),
    ("emails", "/user/emails"),
    ("emojis", "/emojis"),
    ("events", "/events"),
    ("feeds", "/feeds"),
    ("followers", "/user/followers"),
    ("following", "/user/following{/target}"),
    ("gists", "/gists{/gist_id}"),
    ("hub", "/hub"),
    ("issue_search", "/search/issues?q={query}{&page,per_page,sort,order}"),
    ("issues", "/issues"),
    ("keys", "/user/keys"),
    ("label_search", "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}"),
    ("notifications", "/notifications"),
    ("organization", "/orgs/{org}"),
    ("organization_repositories", "/orgs/{org}/repos{?type,page,per_page,sort}"),
    ("organization_teams", "/orgs/{org}/teams"),
    ("public_gists", "/gists/public"),
    ("rate_limit", "/rate_limit"),
    ("repository", "/repos/{owner}/{repo}"),
    ("repository_search", "/search/repositories?q={query}{&page,per_page,sort,order}"),
    ("starred", "/user/starred{/owner}{/repo}"),
    ("starred_gists", "/gists/starred"),
    ("topic_search", "/search/topics?q={query}{&page,per_page}"),
    ("user", "/users/{user}"),
    ("user_organizations", "/user/orgs"),
    ("user_repositories", "/users/{user}/repos{?type,page,per_page,sort}"),
    ("user_search", "/search/users?q={query}{&page,per_page,sort,order}"),
];

/// All REST endpoints, without prefix.
pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .merge(app::router())
        .merge(people::router())
        .merge(repositories::router())
        .merge(git_data::router())
        .merge(issues::router())
        .merge(comments::router())
        .merge(pulls::router())
        .merge(checks::router())
        .merge(actions::router())
        .merge(manifest::router())
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

/// Source: REST documentation, "GitHub API Root".
pub(crate) async fn root(State(hub): Shared) -> Response {
    let addresses = ROOT.map(|(name, path)| (format!("{name}_url"), Value::from(format!("{}{path}", hub.urls.api()))));
    let mut root = serde_json::Map::from_iter(addresses);
    let settings = format!("{}/settings/connections/applications{{/client_id}}", hub.urls.web());
    root.insert("current_user_authorizations_html_url".to_owned(), Value::from(settings));
    ok(Value::Object(root))
}

async fn meta() -> Response {
    ok(json!({"verifiable_password_authentication": false}))
}

/// Source: REST documentation, "Get rate limit status for the authenticated user".
async fn rate_limit(State(hub): Shared, caller: crate::auth::Caller) -> Response {
    let standing = hub.pace.standing(&caller.name(), hub.clock.now());
    let rate = json!({
        "limit": standing.limit,
        "used": standing.used,
        "remaining": standing.limit.saturating_sub(standing.used),
        "reset": standing.reset,
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
