//! The trace of an execution: what its models were told and answered, which tools were called, and what people allowed.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use flowctl_core::execution::LargeOutput;
use flowctl_core::execution::journal::recorded;
use utoipa::IntoParams;

use super::Api;
use super::problem::Problem;
use super::query::{PAGE_BYTES, Query};
use super::view::{List, TraceView, json_size};
use crate::engine::outputs::read;

/// Which entries to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct TraceQuery {
    /// Only of this step.
    step: Option<String>,
    /// How many events a page looks at.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Show the trace of an execution
///
/// Every message, answer of a model and call of a tool, oldest first and whole, with tokens, cost and latency. A page may be
/// short or empty and still have a next one: go on until `next` is null.
#[utoipa::path(get, path = "/executions/{id}/trace", tag = "executions", operation_id = "show_trace",
    params(("id" = uuid::Uuid, Path, description = "The execution"), TraceQuery),
    responses((status = 200, description = "A page of the trace", body = List<TraceView>)))]
pub(super) async fn show(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<TraceView>>, Problem> {
    let mut query = Query::of(query.as_deref());
    let (limit, cursor, step) = (query.limit(), query.text("cursor"), query.text("step"));
    query.finish()?;
    let execution = api.load(&id).await?;
    let list = format!("trace?{}&{}", execution.id, step.as_deref().unwrap_or_default());
    let after = match cursor {
        Some(cursor) => api.cursors.read(&list, &cursor)?.parse().unwrap_or(0),
        None => 0,
    };
    let stored = api.store.events(&execution.tenant, execution.id, after, limit + 1).await?;
    let more = stored.len() > limit as usize;
    let (mut items, mut bytes, mut reached) = (Vec::new(), 0, 0);
    let shown = stored.iter().take(limit as usize);
    let mut left = shown.len();
    for stored in shown {
        (reached, left) = (stored.seq, left - 1);
        let event = &stored.event;
        let (Some(of), Some(attempt), Some(entry)) = (&event.step, event.attempt, recorded(event)) else { continue };
        if step.as_ref().is_some_and(|step| step != of) {
            continue;
        }
        let entry = match LargeOutput::of(&entry) {
            Some(large) => read(&*api.store, &execution.tenant, &large).await?,
            None => entry,
        };
        let view = TraceView { seq: stored.seq, at: event.at, step: of.clone(), attempt, entry };
        bytes += json_size(&view);
        items.push(view);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    let next = (more || left > 0).then(|| api.cursors.after(&list, &reached.to_string()));
    Ok(Json(List { items, next }))
}
