//! Whether the server is alive and ready, for whoever watches over it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use crate::store::{Migrations, Store, StoreError};

/// Whoever asks wants to know soon; a database that takes longer does not answer.
const WITHIN: Duration = Duration::from_secs(3);

/// What is at the root: who this is.
pub(super) async fn root() -> &'static str {
    concat!("flowctl ", env!("CARGO_PKG_VERSION"), "\n")
}

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// Whether the database answers, and whether its schema is as this version needs it.
pub(super) async fn ready(State(store): State<Arc<dyn Store>>) -> (StatusCode, String) {
    match tokio::time::timeout(WITHIN, state(&store)).await {
        Ok(Ok(Migrations { applied, known })) => {
            let ready = applied >= known;
            let (status, word) =
                if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
            (status, format!("{word}\ndatabase: answers\nmigrations: {applied} of {known}\n"))
        }
        Ok(Err(error)) => away(Some(&error)),
        Err(_) => away(None),
    }
}

async fn state(store: &Arc<dyn Store>) -> Result<Migrations, StoreError> {
    store.ping().await?;
    store.migrations().await
}

fn away(error: Option<&StoreError>) -> (StatusCode, String) {
    tracing::warn!(error = error.map(tracing::field::display), "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\ndatabase: does not answer\nmigrations: unknown\n".to_owned())
}
