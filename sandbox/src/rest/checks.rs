//! Check runs, annotations, suites. Source: REST documentation, "Check runs", "Check suites".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Body, Need, Paging, Shared, created, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::state::{Annotation, Change, CheckAction, CheckRun, CheckRunChange, CheckSuite, Id, OutputChange, World};

const READ: Need = Need::read(&["checks"]);
const WRITE: Need = Need::write(&["checks"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/check-runs", post(create_run))
        .route("/repos/{owner}/{repo}/check-runs/{id}", get(get_run).patch(update_run))
        .route("/repos/{owner}/{repo}/check-runs/{id}/annotations", get(list_annotations))
        .route("/repos/{owner}/{repo}/check-runs/{id}/rerequest", post(rerequest_run))
        .route("/repos/{owner}/{repo}/check-suites", post(create_suite))
        .route("/repos/{owner}/{repo}/check-suites/{id}", get(get_suite))
        .route("/repos/{owner}/{repo}/check-suites/{id}/check-runs", get(runs_of_suite))
        .route("/repos/{owner}/{repo}/check-suites/{id}/rerequest", post(rerequest_suite))
}

#[derive(Deserialize)]
struct RunRequest {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    head_sha: Option<String>,
    #[serde(default)]
    details_url: Option<String>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    completed_at: Option<Timestamp>,
    #[serde(default)]
    output: Option<OutputRequest>,
    #[serde(default)]
    actions: Option<Vec<CheckAction>>,
}

#[derive(Deserialize)]
struct OutputRequest {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    images: Vec<Value>,
}

impl From<RunRequest> for CheckRunChange {
    fn from(asked: RunRequest) -> Self {
        Self {
            name: asked.name,
            details_url: asked.details_url,
            external_id: asked.external_id,
            status: asked.status,
            conclusion: asked.conclusion,
            started_at: asked.started_at,
            completed_at: asked.completed_at,
            output: asked.output.map(|output| OutputChange {
                title: output.title,
                summary: output.summary,
                text: output.text,
                annotations: output.annotations,
                images: output.images,
            }),
            actions: asked.actions,
        }
    }
}

/// Only Apps write checks. Source: "Check runs": "Write permission for the REST API to interact with checks is only available to GitHub Apps".
fn only_apps(caller: &Caller) -> Result<(), ApiError> {
    match caller {
        Caller::Person { .. } => {
            Err(ApiError::new(http::StatusCode::FORBIDDEN, "You must authenticate via a GitHub App."))
        }
        _ => Ok(()),
    }
}

async fn create_run(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<RunRequest>,
) -> Answer {
    hub.change(|change| {
        let repository = caller.repository(change.world, &owner, &name, WRITE)?;
        only_apps(&caller)?;
        let head_sha = asked.head_sha.clone();
        let head_sha =
            head_sha.ok_or_else(|| ApiError::unprocessable("Invalid request.\n\n\"head_sha\" wasn't supplied."))?;
        let app = change.world.app.id;
        let id = change.create_check_run(repository, app, &head_sha, asked.into())?;
        Ok(created(shape(change, id)))
    })
}

fn shape(change: &Change<'_>, id: Id) -> Value {
    let view = change.view();
    view.world.check_runs.get(&id).map_or(Value::Null, |run| view.check_run(run))
}

type ById = Path<(String, String, Id)>;

fn run_of<'a>(
    world: &'a World,
    caller: &Caller,
    path: &(String, String, Id),
    need: Need,
) -> Result<&'a CheckRun, ApiError> {
    let repository = caller.repository(world, &path.0, &path.1, need)?;
    world.check_runs.get(&path.2).filter(|run| run.repository == repository).ok_or_else(ApiError::not_found)
}

fn suite_of<'a>(
    world: &'a World,
    caller: &Caller,
    path: &(String, String, Id),
    need: Need,
) -> Result<&'a CheckSuite, ApiError> {
    let repository = caller.repository(world, &path.0, &path.1, need)?;
    world.suites.get(&path.2).filter(|suite| suite.repository == repository).ok_or_else(ApiError::not_found)
}

async fn get_run(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.read(|view| Ok(ok(view.check_run(run_of(view.world, &caller, &path, READ)?))))
}

async fn update_run(State(hub): Shared, caller: Caller, Path(path): ById, Body(asked): Body<RunRequest>) -> Answer {
    hub.change(|change| {
        let id = run_of(change.world, &caller, &path, WRITE)?.id;
        only_apps(&caller)?;
        change.update_check_run(id, change.world.app.id, asked.into())?;
        Ok(ok(shape(change, id)))
    })
}

async fn list_annotations(State(hub): Shared, caller: Caller, Path(path): ById, paging: Paging) -> Answer {
    let annotations = hub.read(|view| {
        let run = run_of(view.world, &caller, &path, READ)?;
        Ok::<Vec<Value>, ApiError>(run.annotations.iter().map(|annotation| view.annotation(run, annotation)).collect())
    })?;
    Ok(paging.list(annotations))
}

async fn rerequest_run(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.change(|change| {
        let run = run_of(change.world, &caller, &path, WRITE)?;
        let (id, app) = (run.id, run.app);
        if matches!(caller, Caller::Installation { .. }) && app != change.world.app.id {
            return Err(ApiError::not_accessible());
        }
        let (actor, _) = caller.actor(change.world);
        change.rerequest_check_run(id, actor)?;
        Ok(created(json!({})))
    })
}

#[derive(Deserialize)]
struct NewSuite {
    head_sha: String,
}

/// 201 for a new suite, 200 for the one there is. Source: "Create a check suite".
async fn create_suite(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Body(new): Body<NewSuite>,
) -> Answer {
    hub.change(|change| {
        let repository = caller.repository(change.world, &owner, &name, WRITE)?;
        only_apps(&caller)?;
        let unknown = |_| ApiError::unprocessable(format!("No commit found for SHA: {}", new.head_sha));
        change.git.commit_facts(repository, &new.head_sha).map_err(unknown)?;
        let app = change.world.app.id;
        let (id, fresh) = change.ensure_suite(repository, app, &new.head_sha, None, None);
        let view = change.view();
        let shape = view.world.suites.get(&id).map_or(Value::Null, |suite| view.check_suite_with_repository(suite));
        Ok(if fresh { created(shape) } else { ok(shape) })
    })
}

async fn get_suite(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.read(|view| Ok(ok(view.check_suite_with_repository(suite_of(view.world, &caller, &path, READ)?))))
}

async fn rerequest_suite(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.change(|change| {
        let id = suite_of(change.world, &caller, &path, WRITE)?.id;
        let (actor, _) = caller.actor(change.world);
        change.rerequest_suite(id, actor)?;
        Ok(created(json!({})))
    })
}

async fn runs_of_suite(State(hub): Shared, caller: Caller, Path(path): ById, paging: Paging) -> Answer {
    hub.read(|view| {
        let suite = suite_of(view.world, &caller, &path, READ)?;
        let runs = filtered(view.world, view.world.runs_of_suite(suite.id), &paging);
        Ok(page_of_runs(&paging, runs.iter().map(|run| view.check_run(run)).collect()))
    })
}

/// Source: "List check runs for a Git reference".
pub(super) fn runs_of_commit(
    hub: &Hub,
    caller: &Caller,
    owner: &str,
    name: &str,
    reference: &str,
    paging: &Paging,
) -> Answer {
    hub.read(|view| {
        let repository = caller.repository(view.world, owner, name, READ)?;
        let unknown = |_| ApiError::unprocessable(format!("No commit found for SHA: {reference}"));
        let sha = view.git.resolve(repository, reference).map_err(unknown)?;
        let runs = filtered(view.world, view.world.check_runs_of(repository, &sha), paging);
        Ok(page_of_runs(paging, runs.iter().map(|run| view.check_run(run)).collect()))
    })
}

/// Newest first; `filter=latest` (the default) keeps the newest of each name and App.
fn filtered<'a>(world: &World, runs: impl Iterator<Item = &'a CheckRun>, paging: &Paging) -> Vec<&'a CheckRun> {
    let name = paging.parameter("check_name");
    let status = paging.parameter("status");
    let app = paging.parameter("app_id").and_then(|id| id.parse::<Id>().ok());
    let wanted = runs.filter(|run| name.is_none_or(|name| run.name == name) && app.is_none_or(|app| run.app == app));
    let mut kept = if paging.parameter("filter") == Some("all") { wanted.collect() } else { world.latest_runs(wanted) };
    kept.retain(|run| status.is_none_or(|status| run.status == status));
    kept.reverse();
    kept
}

fn page_of_runs(paging: &Paging, runs: Vec<Value>) -> Response {
    paging.wrapped(runs, |total, runs| json!({"total_count": total, "check_runs": runs}))
}

pub(super) fn suites_of_commit(
    hub: &Hub,
    caller: &Caller,
    owner: &str,
    name: &str,
    reference: &str,
    paging: &Paging,
) -> Answer {
    hub.read(|view| {
        let repository = caller.repository(view.world, owner, name, READ)?;
        let unknown = |_| ApiError::unprocessable(format!("No commit found for SHA: {reference}"));
        let sha = view.git.resolve(repository, reference).map_err(unknown)?;
        let app = paging.parameter("app_id").and_then(|id| id.parse::<Id>().ok());
        let here = view.world.suites.values().filter(|suite| suite.repository == repository && suite.head_sha == sha);
        let here = here.filter(|suite| app.is_none_or(|app| suite.app == app));
        let shapes = here.map(|suite| view.check_suite_with_repository(suite)).collect();
        Ok(paging.wrapped(shapes, |total, suites| json!({"total_count": total, "check_suites": suites})))
    })
}
