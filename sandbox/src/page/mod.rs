//! Pages for people in a browser: what a newcomer sees first.

use std::sync::Arc;

use axum::Router;

use crate::hub::Hub;

pub(crate) fn router() -> Router<Arc<Hub>> {
    Router::new()
}
