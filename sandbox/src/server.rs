//! One HTTP server for everything: REST below `/api/v3`, git and pages on the web address, knobs below `/_sandbox`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use tokio::net::TcpListener;

use crate::connection::{Connection, Door};
use crate::faults::FaultRule;
use crate::hub::Hub;
use crate::{archives, gate, git_http, page, rest};

/// REST bodies may be this large.
const BODY_BYTES: usize = 32 * 1024 * 1024;

/// Serves until it is dropped.
pub(crate) async fn serve(hub: Arc<Hub>, listener: TcpListener) -> std::io::Result<()> {
    let app = router(hub).into_make_service_with_connect_info::<Connection>();
    axum::serve(Door(listener), app).await
}

fn router(hub: Arc<Hub>) -> Router {
    let api =
        rest::router().layer(DefaultBodyLimit::max(BODY_BYTES)).layer(from_fn_with_state(Arc::clone(&hub), gate::rest));
    Router::new()
        .nest(rest::PREFIX, api)
        // A nested router does not see its own root with a slash.
        .route(&format!("{}/", rest::PREFIX), get(rest::root).layer(from_fn_with_state(Arc::clone(&hub), gate::rest)))
        .route("/_sandbox/faults", post(add_fault).get(list_faults).delete(clear_faults))
        .merge(git_http::router(&hub))
        .merge(archives::router())
        .merge(page::router())
        .merge(page::registration())
        .with_state(hub)
}

/// Turns a knob: a [`FaultRule`] in JSON, such as `{"fault": {"kind": "reset_after"}, "method": "POST", "count": 1}`.
async fn add_fault(State(hub): State<Arc<Hub>>, body: bytes::Bytes) -> Response {
    match serde_json::from_slice::<FaultRule>(&body) {
        Ok(rule) => {
            hub.faults.add(rule);
            StatusCode::CREATED.into_response()
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, format!("this is no fault rule: {error}\n")).into_response(),
    }
}

async fn list_faults(State(hub): State<Arc<Hub>>) -> Response {
    axum::Json(hub.faults.pending()).into_response()
}

async fn clear_faults(State(hub): State<Arc<Hub>>) -> Response {
    hub.faults.clear();
    StatusCode::NO_CONTENT.into_response()
}
