//! Executions: lists and single ones.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use flowctl_core::execution::ExecutionStatus;
use utoipa::IntoParams;

use super::Api;
use super::problem::Problem;
use super::query::{PAGE_BYTES, Query};
use super::view::{ExecutionView, List, json_size};
use crate::store::{ExecutionFilter, Page};

/// Which executions to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ExecutionsQuery {
    /// Of this process: `owner/repo:name`, or `name` for every process of that name.
    process: Option<String>,
    /// With this status.
    #[param(inline)]
    status: Option<super::view::ExecutionStatusParameter>,
    /// Created at or after this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
    /// Created before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// With this text in their id, process or repository, whatever its case.
    #[param(max_length = 1000)]
    q: Option<String>,
    /// How many a page holds at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the page before, with the same filters.
    cursor: Option<String>,
}

const STATUSES: [ExecutionStatus; 6] = [
    ExecutionStatus::Pending,
    ExecutionStatus::Running,
    ExecutionStatus::Waiting,
    ExecutionStatus::Completed,
    ExecutionStatus::Failed,
    ExecutionStatus::Cancelled,
];

/// List executions
///
/// Newest first. A page may be short, or empty, and still have a next one: go on until `next` is null. In the place of
/// values with more than 8,192 bytes of JSON stand references; the execution itself shows them.
#[utoipa::path(get, path = "/executions", tag = "executions", operation_id = "list_executions", params(ExecutionsQuery),
    responses((status = 200, description = "A page of executions", body = List<ExecutionView>)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<ExecutionView>>, Problem> {
    let mut query = Query::of(query.as_deref());
    let process = query.text("process").filter(|process| !process.is_empty());
    let words: Vec<&str> = STATUSES.iter().map(|status| status.as_str()).collect();
    let named = |text: &str| STATUSES.into_iter().find(|status| status.as_str() == text);
    let status = query.value("status", &format!("one of {}", words.join(", ")), named);
    let (since, until) = (query.moment("since"), query.moment("until"));
    let text = query.text("q").filter(|text| !text.is_empty());
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.finish()?;
    let (repository, process) = match process.as_deref().map(|process| process.rsplit_once(':')) {
        Some(Some((repository, name))) => (Some(repository.to_owned()), Some(name.to_owned())),
        _ => (None, process),
    };
    let filter = ExecutionFilter { repository, process, status, since, until, text };
    let list = format!("executions?{filter:?}");
    let cursor = cursor.map(|cursor| api.cursors.read(&list, &cursor)).transpose()?;
    let Page { items, next } = page(&api, &filter, limit, cursor).await?;
    Ok(Json(List { items, next: next.map(|last| api.cursors.after(&list, &last)) }))
}

/// Executions that are read at once.
const AT_ONCE: u32 = 25;

/// A page of at most `limit` executions and of bounded size: what is read at once and what is shown stay so, however much
/// executions hold.
async fn page(
    api: &Api,
    filter: &ExecutionFilter,
    limit: u32,
    mut cursor: Option<String>,
) -> Result<Page<ExecutionView>, Problem> {
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let wanted = AT_ONCE.min(limit - u32::try_from(items.len()).unwrap_or(limit));
        let read = api.store.list(None, filter, wanted, cursor.as_deref()).await?;
        let is_short = read.items.len() < wanted as usize;
        let last = read.items.last().map(|execution| execution.id);
        for execution in read.items {
            let view = api.shown(&execution).in_list();
            bytes += json_size(&view);
            items.push(view);
            // Cursors are ids; what is behind this one comes with the next page.
            if bytes >= PAGE_BYTES && (last != Some(execution.id) || read.next.is_some()) {
                return Ok(Page { items, next: Some(execution.id.to_string()) });
            }
        }
        if is_short || read.next.is_none() || items.len() >= limit as usize {
            return Ok(Page { items, next: read.next });
        }
        cursor = read.next;
    }
}

/// Show an execution
#[utoipa::path(get, path = "/executions/{id}", tag = "executions", operation_id = "show_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")),
    responses((status = 200, description = "The execution", body = ExecutionView)))]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ExecutionView>, Problem> {
    Ok(Json(api.shown_with_reason(&api.load(&id).await?).await?))
}
