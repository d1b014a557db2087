//! Git over HTTP at `/{owner}/{repo}.git/…`: who may fetch and push, and what a push causes.
//! Source: "Authenticating as a GitHub App installation" (`x-access-token:TOKEN@`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::auth::{self, Caller};
use crate::git::{SmartRequest, serve};
use crate::hub::Hub;
use crate::rest::{ApiError, Need};
use crate::state::Id;

/// A pack may be this large.
const PACK_BYTES: usize = 512 * 1024 * 1024;

pub(crate) fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    Router::new()
        .route("/{owner}/{repo}/info/refs", get(advertise))
        .route("/{owner}/{repo}/git-upload-pack", post(upload_pack))
        .route("/{owner}/{repo}/git-receive-pack", post(receive_pack))
        .layer(DefaultBodyLimit::max(PACK_BYTES))
        .layer(from_fn_with_state(Arc::clone(hub), crate::gate::git))
}

async fn advertise(
    State(hub): State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let pushes = query.contains("service=git-receive-pack");
    if !pushes && !query.contains("service=git-upload-pack") {
        return (StatusCode::FORBIDDEN, "Please upgrade your git client: the dumb protocol is not served.\n")
            .into_response();
    }
    let (id, user) = match admit(&hub, &owner, &name, &headers, pushes) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(&refusal),
    };
    run(&hub, id, smart("GET", "/info/refs", query, &user, &headers, Bytes::new())).await
}

async fn upload_pack(
    State(hub): State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match admit(&hub, &owner, &name, &headers, false) {
        Ok((id, user)) => run(&hub, id, smart("POST", "/git-upload-pack", String::new(), &user, &headers, body)).await,
        Err(refusal) => refuse(&refusal),
    }
}

async fn receive_pack(
    State(hub): State<Arc<Hub>>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (id, user) = match admit(&hub, &owner, &name, &headers, true) {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(&refusal),
    };
    let _one_push_at_a_time = hub.pushes.lock().await;
    let response = run(&hub, id, smart("POST", "/git-receive-pack", String::new(), &user, &headers, body)).await;
    let observed = hub.change(|change| {
        let pusher = change.world.account(&user)?.id;
        change.observe_references(id, pusher)
    });
    match observed {
        Ok(()) => response,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// The repository and the login of whoever may use it so.
fn admit(hub: &Hub, owner: &str, name: &str, headers: &HeaderMap, pushes: bool) -> Result<(Id, String), ApiError> {
    let need = if pushes { Need::write(&["contents"]) } else { Need::read(&["contents"]) };
    let name = name.strip_suffix(".git").unwrap_or(name);
    let now = hub.clock.now();
    hub.read(|view| {
        let caller = auth::identify(view.world, headers, now)?;
        let id = caller.repository(view.world, owner, name, need).map_err(|error| match caller {
            Caller::Anonymous => ApiError::new(StatusCode::UNAUTHORIZED, "Repository not found."),
            _ => error,
        })?;
        let (actor, _) = caller.actor(view.world);
        let login = view.world.accounts.get(&actor).map_or_else(String::new, |account| account.login.clone());
        Ok((id, login))
    })
}

/// Git shows plain text to people, and asks for a password after a 401.
fn refuse(error: &ApiError) -> Response {
    let message = format!("{}\n", error.message);
    match error.status {
        StatusCode::UNAUTHORIZED => {
            (error.status, [(header::WWW_AUTHENTICATE, "Basic realm=\"GitHub\"")], message).into_response()
        }
        status => (status, message).into_response(),
    }
}

fn smart(method: &str, path: &str, query: String, user: &str, headers: &HeaderMap, body: Bytes) -> SmartRequest {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    SmartRequest {
        method: method.to_owned(),
        service_path: path.to_owned(),
        query,
        content_type: text("content-type"),
        content_encoding: text("content-encoding"),
        protocol: text("git-protocol"),
        user: user.to_owned(),
        body,
    }
}

async fn run(hub: &Hub, id: Id, request: SmartRequest) -> Response {
    match serve(&hub.git.path(id), request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "git could not be run");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("the `git` program could not be run: {error}\n"))
                .into_response()
        }
    }
}
