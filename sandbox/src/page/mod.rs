//! Pages for people in a browser: what a newcomer sees first. Reading, and the deeds of [`Hub`] behind forms.
//! No asset comes from elsewhere, and a strict policy tells the browser so.

mod actions;
mod assets;
mod code;
mod live;
mod markdown;
mod model;
mod render;
mod runs;
mod views;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::hub::Hub;
use crate::rest::manifest;

/// Only what this server sends, and nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A form may be this large; a comment has at most 65,536 characters.
const FORM_BYTES: usize = 2 * 1024 * 1024;

pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/", get(views::index))
        .route("/{owner}/{repo}", get(views::repository).post(actions::open_pull_request))
        .route("/{owner}/{repo}/pull/{number}", get(views::pull_request))
        .route("/{owner}/{repo}/issues/{number}", get(views::pull_request))
        .route("/{owner}/{repo}/pull/{number}/{deed}", post(actions::act))
        .route("/{owner}/{repo}/runs/{id}", get(views::check_run))
        .route("/{owner}/{repo}/actions", get(runs::list).post(runs::go_on))
        .route("/{owner}/{repo}/actions/runs/{id}", get(runs::one))
        .route("/{owner}/{repo}/commit/{sha}", get(code::commit))
        .route("/{owner}/{repo}/blob/{sha}/{*path}", get(code::file))
        .route("/_sandbox/deliveries", get(views::deliveries).post(actions::redeliver))
        .route("/_sandbox/person", post(actions::choose_person))
        .route("/_sandbox/changes", get(live::changes))
        .route("/_sandbox/page.css", get(assets::style))
        .route("/_sandbox/page.js", get(assets::script))
        .route("/_sandbox/icon.svg", get(assets::icon))
        .route("/_sandbox/avatars/{id}", get(assets::avatar))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(from_fn(guard))
}

/// What a browser posts an App's manifest to. For other sites' forms, unlike all other pages.
pub(crate) fn registration() -> Router<Arc<Hub>> {
    Router::new()
        .route("/settings/apps/new", post(manifest::register))
        .route("/organizations/{login}/settings/apps/new", post(manifest::register_for))
}

/// Refuses forms that another site sends, and puts the policy on every answer.
async fn guard(request: Request, next: Next) -> Response {
    let foreign = request.method() == Method::POST && !from_here(&request);
    let mut response = match foreign {
        true => (StatusCode::FORBIDDEN, "This form was sent from another site.\n").into_response(),
        false => next.run(request).await,
    };
    let policies = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        // Not `no-referrer`: with it browsers send forms from nowhere (`Origin: null`).
        ("referrer-policy", "same-origin"),
    ];
    for (name, value) in policies {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Browsers name the page that a form stands on; other programs name none.
fn from_here(request: &Request) -> bool {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("http://").is_some_and(|origin| origin == host),
        _ => true,
    }
}
