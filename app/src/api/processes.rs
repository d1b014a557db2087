//! Processes as they stand on the default branches; pausing one and letting it go on.

use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use utoipa::IntoParams;

use super::Api;
use super::catalogue::Found;
use super::problem::Problem;
use super::query::Query;
use super::view::{List, ProcessView};
use crate::github::outbox::commit_soon;
use crate::store::PausedProcess;

/// Which processes to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct ProcessesQuery {
    /// Of this repository.
    repository: Option<String>,
    /// With this text in their id or description, whatever its case.
    #[param(max_length = 1000)]
    q: Option<String>,
    /// How many a page holds at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next` of the page before, with the same filters.
    cursor: Option<String>,
}

/// List processes
///
/// Every process of every repository that is served, as it stands on the default branch, by id.
#[utoipa::path(get, path = "/processes", tag = "processes", operation_id = "list_processes", params(ProcessesQuery),
    responses((status = 200, description = "A page of processes", body = List<ProcessView>)))]
pub(super) async fn list(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<ProcessView>>, Problem> {
    let mut query = Query::of(query.as_deref());
    let repository = query.text("repository").filter(|text| !text.is_empty());
    let text = query.text("q").map(|text| text.to_lowercase());
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    query.finish()?;
    let list = format!("processes?{repository:?}{text:?}");
    let after = cursor.map(|cursor| api.cursors.read(&list, &cursor)).transpose()?;
    let (processes, _) = api.catalogue.processes().await?;
    let paused = api.store.paused().await?;
    let wanted = processes
        .iter()
        .filter(|found| repository.as_ref().is_none_or(|repository| found.repository.eq_ignore_ascii_case(repository)))
        .filter(|found| text.as_ref().is_none_or(|text| matches(found, text)))
        .filter(|found| after.as_ref().is_none_or(|after| found.id() > *after));
    let mut page: Vec<&Found> = wanted.take(limit as usize + 1).collect();
    let more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let next = page.last().filter(|_| more).map(|last| api.cursors.after(&list, &last.id()));
    Ok(Json(List { items: page.into_iter().map(|found| view(found, &paused)).collect(), next }))
}

fn matches(found: &Found, text: &str) -> bool {
    let description = found.process.header.description.as_ref().map_or("", |text| text.value.as_str());
    found.id().to_lowercase().contains(text) || description.to_lowercase().contains(text)
}

/// Show a process
#[utoipa::path(get, path = "/processes/{id}", tag = "processes", operation_id = "show_process",
    params(("id" = String, Path, description = "`owner/repo:name`, or `name` where it is unique; a slash as it is or as `%2F`")),
    responses((status = 200, description = "The process", body = ProcessView)))]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ProcessView>, Problem> {
    let found = find(&api, &id).await?;
    Ok(Json(view(&found, &api.store.paused().await?)))
}

/// Pause a process
///
/// Nothing starts it from now on, neither people nor triggers; what is under way goes on. What a trigger would have
/// started is not made up for later.
#[utoipa::path(post, path = "/processes/{id}/pause", tag = "processes", operation_id = "pause_process",
    params(("id" = String, Path, description = "`owner/repo:name`, or `name` where it is unique; a slash as it is or as `%2F`")),
    responses((status = 200, description = "The process as it is then", body = ProcessView)))]
pub(super) async fn pause(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ProcessView>, Problem> {
    steer(&api, &id, true).await
}

/// Let a paused process go on
#[utoipa::path(post, path = "/processes/{id}/resume", tag = "processes", operation_id = "resume_process",
    params(("id" = String, Path, description = "`owner/repo:name`, or `name` where it is unique; a slash as it is or as `%2F`")),
    responses((status = 200, description = "The process as it is then", body = ProcessView)))]
pub(super) async fn resume(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ProcessView>, Problem> {
    steer(&api, &id, false).await
}

/// The same addresses with the slash of `owner/repo:name` as it is.
pub(super) fn plain_routes() -> Router<Api> {
    let whole = |owner: &str, name: &str| format!("{owner}/{name}");
    Router::new()
        .route(
            "/processes/{id}/{name}",
            get(move |State(api): State<Api>, Path((owner, name)): Path<(String, String)>| {
                show(State(api), Path(whole(&owner, &name)))
            }),
        )
        .route(
            "/processes/{id}/{name}/pause",
            post(move |State(api): State<Api>, Path((owner, name)): Path<(String, String)>| {
                pause(State(api), Path(whole(&owner, &name)))
            }),
        )
        .route(
            "/processes/{id}/{name}/resume",
            post(move |State(api): State<Api>, Path((owner, name)): Path<(String, String)>| {
                resume(State(api), Path(whole(&owner, &name)))
            }),
        )
}

async fn find(api: &Api, id: &str) -> Result<Found, Problem> {
    api.catalogue.find(id).await.map_err(|unfound| unfound.in_address(id))
}

async fn steer(api: &Api, id: &str, pause: bool) -> Result<Json<ProcessView>, Problem> {
    let found = find(api, id).await?;
    let process = PausedProcess {
        tenant: found.tenant.clone(),
        repository: found.repository.clone(),
        process: found.process.header.name.as_str().to_owned(),
        since: api.now(),
    };
    let name = found.id();
    let changed = api.engine.pause(process, pause).await?;
    if changed {
        commit_soon(&*api.store, &found.tenant, &found.repository, api.now()).await?;
    }
    tracing::info!(process = name, pause, changed, "a process was paused or let go on");
    Ok(Json(view(&found, &api.store.paused().await?)))
}

fn view(found: &Found, paused: &[PausedProcess]) -> ProcessView {
    let name = found.process.header.name.as_str();
    let since = paused_since(paused, &found.tenant, &found.repository, name);
    let fault = found.definitions.plan(name).err().map(|error| error.to_string());
    let revision = &found.definitions.revision;
    ProcessView::of(found.tenant.as_str(), &found.repository, revision, &found.process, since, fault)
}

fn paused_since(paused: &[PausedProcess], tenant: &TenantId, repository: &str, process: &str) -> Option<Timestamp> {
    let is_it = |it: &&PausedProcess| it.tenant == *tenant && it.repository == repository && it.process == process;
    paused.iter().find(is_it).map(|paused| paused.since)
}
