//! The events of an execution, page by page.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use utoipa::IntoParams;

use super::Api;
use super::problem::Problem;
use super::query::{PAGE_BYTES, Query};
use super::view::{EventView, List, json_size};

/// Which events to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct EventsQuery {
    /// Only events with a higher `seq`.
    #[param(minimum = 0, maximum = 9007199254740991u64)]
    after: Option<u64>,
    /// How many a page holds at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the page before, instead of `after`.
    cursor: Option<String>,
}

/// The largest whole number that JSON's readers agree on (RFC 8259, section 6).
const MAX_SEQ: u64 = 9_007_199_254_740_991;

/// List the events of an execution
///
/// Oldest first. Folding them gives the execution; none is ever changed or left out. A page may be short and still have
/// a next one: go on until `next` is null.
#[utoipa::path(get, path = "/executions/{id}/events", tag = "executions", operation_id = "list_events",
    params(("id" = uuid::Uuid, Path, description = "The execution"), EventsQuery),
    responses((status = 200, description = "A page of events", body = List<EventView>)))]
pub(super) async fn list(
    State(api): State<Api>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<EventView>>, Problem> {
    let mut query = Query::of(query.as_deref());
    let after = sequence(&mut query, "after");
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    if after.is_some() && cursor.is_some() {
        query.fault("cursor", "is given beside `after`; one of both says where to go on");
    }
    query.finish()?;
    let execution = api.load(&id).await?;
    let list = format!("events?{}", execution.id);
    let after = match cursor {
        Some(cursor) => api.cursors.read(&list, &cursor)?.parse().unwrap_or(0),
        None => after.unwrap_or(0),
    };
    let mut stored = api.store.events(&execution.tenant, execution.id, after, limit + 1).await?;
    let more = stored.len() > limit as usize;
    stored.truncate(limit as usize);
    let (mut items, mut bytes, mut after) = (Vec::new(), 0, None);
    let mut stored = stored.iter().peekable();
    while let Some(event) = stored.next() {
        let view = EventView::of(execution.id, event);
        bytes += json_size(&view);
        items.push(view);
        let is_last = stored.peek().is_none();
        if (is_last && more) || (!is_last && bytes >= PAGE_BYTES) {
            after = Some(event.seq);
            break;
        }
    }
    Ok(Json(List { items, next: after.map(|seq| api.cursors.after(&list, &seq.to_string())) }))
}

/// A sequence number of a query.
pub(super) fn sequence(query: &mut Query, name: &'static str) -> Option<u64> {
    query.value(name, "a whole number from 0", |text| text.parse().ok().filter(|seq| *seq <= MAX_SEQ))
}
