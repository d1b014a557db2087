//! Events given to the API: told to every execution that waits for one, and to processes that they start.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::problem::Problem;
use crate::engine::PublishedEvent;
use crate::store::Receipt;

/// An event from outside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEvent {
    /// Its name, as triggers and `wait` steps have it.
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\u0000]+$")]
    name: String,
    /// What comes with it: `trigger.payload`, or the payload that a step's `match` reads.
    #[serde(default)]
    #[schema(value_type = Value)]
    payload: Value,
    /// An id of the sender's: two events with one id are one.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, pattern = "^[^\\u0000]+$", nullable = false)]
    id: Option<String>,
    /// Whose processes it is for; without it: tenant `local`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", nullable = false)]
    tenant: Option<String>,
}
body!(NewEvent);

/// An event as it is recorded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishedEvent)]
pub(super) struct PublishedView {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Whose processes it is for.
    tenant: String,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Whether one with this id came before; then this one was dropped.
    repeated: bool,
}

/// Publish an event
///
/// Recorded once per `id`, then told to every execution that waits for it and to every process with the trigger
/// `event: NAME`.
#[utoipa::path(post, path = "/events", tag = "events", operation_id = "publish_event", request_body = NewEvent,
    responses(
        (status = 202, description = "It is recorded", body = PublishedView),
        (status = 200, description = "One with this id came before", body = PublishedView),
    ))]
pub(super) async fn publish(State(api): State<Api>, Given(new): Given<NewEvent>) -> Result<Response, Problem> {
    let tenant = new.tenant.map_or_else(TenantId::local, TenantId);
    if tenant != TenantId::local() && !api.store.tenants().await?.contains(&tenant) {
        return Err(Problem::field("tenant", "names nobody that is served here"));
    }
    let event = PublishedEvent { name: new.name, payload: new.payload, id: new.id };
    let (event, receipt) = api.engine.publish(&tenant, event).await?;
    let (status, repeated) = match receipt {
        Receipt::Stored => (StatusCode::ACCEPTED, false),
        Receipt::Duplicate => (StatusCode::OK, true),
    };
    let view = PublishedView { id: event.id, name: event.name, tenant: tenant.0, at: event.at, repeated };
    Ok((status, Json(view)).into_response())
}
