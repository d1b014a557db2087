//! The store of artifacts' archives, which lies outside of the API: its addresses are good without a token.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};

use crate::hub::Hub;
use crate::state::Id;

pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new().route("/_sandbox/archives/{id}", get(archive))
}

/// A request with a token beside the address's own signature is refused, as Azure Blob Storage does behind GitHub.
async fn archive(State(hub): State<Arc<Hub>>, Path(id): Path<Id>, headers: HeaderMap) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        return (StatusCode::BAD_REQUEST, "Authentication information is not given in the correct format\n")
            .into_response();
    }
    let found = hub.read(|view| view.world.artifact(id).map(|(_, artifact)| artifact.archive.clone()));
    match found {
        Some(archive) => ([(header::CONTENT_TYPE, "application/zip")], archive).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
