//! Whether the server is alive and ready, for whoever watches over it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::store::Store;

/// What is at the root: who this is.
pub(super) async fn root() -> &'static str {
    concat!("flowctl ", env!("CARGO_PKG_VERSION"), "\n")
}

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// The database answers; its schema was brought up to date before the server began to listen.
pub(super) async fn ready(State(store): State<Arc<dyn Store>>) -> (StatusCode, String) {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n".to_owned())
        }
    }
}
