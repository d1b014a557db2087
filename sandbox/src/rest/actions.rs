//! GitHub Actions. Source: REST documentation, "Workflows", "Workflow runs", "Artifacts", "Repositories: Create a
//! repository dispatch event". Archives lie outside of the API, as GitHub's do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::{StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, ApiError, Body, Need, Paging, Shared, accepted, no_content, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::state::{Id, WorkflowRun, World};

const READ: Need = Need::read(&["actions"]);
const WRITE: Need = Need::write(&["actions"]);
/// Source: "Permissions required for GitHub Apps", "Repository permissions for Deployments".
const DEPLOYMENTS: Need = Need::write(&["deployments"]);
/// Source: "Permissions required for GitHub Apps", "Repository permissions for Contents".
const CONTENTS: Need = Need::write(&["contents"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches", post(dispatch_workflow))
        .route("/repos/{owner}/{repo}/actions/workflows/{workflow}/runs", get(list_runs))
        .route("/repos/{owner}/{repo}/actions/runs/{id}", get(get_run))
        .route("/repos/{owner}/{repo}/actions/runs/{id}/cancel", post(cancel_run))
        .route("/repos/{owner}/{repo}/actions/runs/{id}/artifacts", get(list_artifacts))
        .route("/repos/{owner}/{repo}/actions/runs/{id}/deployment_protection_rule", post(review_deployment))
        .route("/repos/{owner}/{repo}/actions/artifacts/{id}/{format}", get(download_artifact))
        .route("/repos/{owner}/{repo}/dispatches", post(dispatch_repository))
}

#[derive(Deserialize)]
struct Dispatch {
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    #[serde(default)]
    return_run_details: bool,
}

type ByName = Path<(String, String, String)>;
type ById = Path<(String, String, Id)>;

async fn dispatch_workflow(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, workflow)): ByName,
    Body(asked): Body<Dispatch>,
) -> Answer {
    hub.change(|change| {
        let repository = caller.repository(change.world, &owner, &name, WRITE)?;
        let missing = || ApiError::unprocessable("Invalid request.\n\n\"ref\" wasn't supplied.");
        let reference = asked.reference.as_deref().ok_or_else(missing)?;
        let (actor, _) = caller.actor(change.world);
        let id = change.dispatch_workflow(repository, actor, &workflow, reference, &asked.inputs)?;
        if !asked.return_run_details {
            return Ok(no_content());
        }
        let view = change.view();
        let page = view.world.workflow_runs.get(&id).map(|run| view.workflow_run_page(run));
        let api = format!("{}/actions/runs/{id}", view.repository_api(repository));
        Ok(ok(json!({"workflow_run_id": id, "run_url": api, "html_url": page})))
    })
}

/// Newest first. Source: "List workflow runs for a workflow".
async fn list_runs(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, workflow)): ByName,
    paging: Paging,
) -> Answer {
    hub.read(|view| {
        let repository = caller.repository(view.world, &owner, &name, READ)?;
        let created = paging.parameter("created").and_then(|created| created.strip_prefix(">="));
        let since = created.and_then(|since| since.parse::<Timestamp>().ok());
        let event = paging.parameter("event");
        let runs = view.world.workflow_runs_of(repository).filter(|run| {
            run.file == workflow
                && event.is_none_or(|event| run.event == event)
                && since.is_none_or(|since| run.created_at >= since)
        });
        let mut shapes: Vec<Value> = runs.map(|run| view.workflow_run(run)).collect();
        shapes.reverse();
        Ok(paging.wrapped(shapes, |total, runs| json!({"total_count": total, "workflow_runs": runs})))
    })
}

fn run_of<'a>(
    world: &'a World,
    caller: &Caller,
    (owner, name, id): &(String, String, Id),
    need: Need,
) -> Result<&'a WorkflowRun, ApiError> {
    let repository = caller.repository(world, owner, name, need)?;
    world.workflow_runs.get(id).filter(|run| run.repository == repository).ok_or_else(ApiError::not_found)
}

async fn get_run(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.read(|view| Ok(ok(view.workflow_run(run_of(view.world, &caller, &path, READ)?))))
}

/// 202; a run that has ended is a conflict. Source: "Cancel a workflow run".
async fn cancel_run(State(hub): Shared, caller: Caller, Path(path): ById) -> Answer {
    hub.change(|change| {
        let run = run_of(change.world, &caller, &path, WRITE)?;
        if run.is_completed() {
            let words = "Cannot cancel a workflow run that is completed.";
            return Err(ApiError::new(StatusCode::CONFLICT, words));
        }
        let id = run.id;
        change.end_workflow_run(id, "cancelled")?;
        Ok(accepted())
    })
}

async fn list_artifacts(State(hub): Shared, caller: Caller, Path(path): ById, paging: Paging) -> Answer {
    hub.read(|view| {
        let run = run_of(view.world, &caller, &path, READ)?;
        let name = paging.parameter("name");
        let artifacts = run.artifacts.iter().filter(|artifact| name.is_none_or(|name| artifact.name == name));
        let mut shapes: Vec<Value> = artifacts.map(|artifact| view.artifact(run, artifact)).collect();
        shapes.reverse();
        Ok(paging.wrapped(shapes, |total, items| json!({"total_count": total, "artifacts": items})))
    })
}

/// A redirect to the archive; 410 once it is deleted. Source: "Download an artifact".
async fn download_artifact(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, id, format)): Path<(String, String, Id, String)>,
) -> Answer {
    hub.read(|view| {
        let repository = caller.repository(view.world, &owner, &name, READ)?;
        let (run, artifact) = view.world.artifact(id).ok_or_else(ApiError::not_found)?;
        if run.repository != repository || format != "zip" {
            return Err(ApiError::not_found());
        }
        if artifact.expired {
            return Err(ApiError::new(StatusCode::GONE, "Artifact has expired"));
        }
        let place = format!("{}/_sandbox/archives/{id}", view.urls.web());
        Ok((StatusCode::FOUND, [(header::LOCATION, place)]).into_response())
    })
}

#[derive(Deserialize)]
struct Review {
    environment_name: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    comment: Option<String>,
}

async fn review_deployment(State(hub): Shared, caller: Caller, Path(path): ById, Body(asked): Body<Review>) -> Answer {
    hub.change(|change| {
        let id = run_of(change.world, &caller, &path, DEPLOYMENTS)?.id;
        if matches!(caller, Caller::Person { .. }) {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "You must authenticate via a GitHub App."));
        }
        let missing = |what: &str| ApiError::unprocessable(format!("Invalid request.\n\n\"{what}\" wasn't supplied."));
        let environment = asked.environment_name.as_deref().ok_or_else(|| missing("environment_name"))?;
        if asked.state.is_none() && asked.comment.is_none() {
            return Err(missing("comment"));
        }
        let comment = asked.comment.as_deref().unwrap_or_default();
        change.review_deployment(id, environment, asked.state.as_deref(), comment)?;
        Ok(no_content())
    })
}

#[derive(Deserialize)]
struct RepositoryDispatch {
    event_type: Option<String>,
    #[serde(default)]
    client_payload: Value,
}

async fn dispatch_repository(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Body(asked): Body<RepositoryDispatch>,
) -> Answer {
    hub.change(|change| {
        let repository = caller.repository(change.world, &owner, &name, CONTENTS)?;
        let missing = || ApiError::unprocessable("Invalid request.\n\n\"event_type\" wasn't supplied.");
        let event_type = asked.event_type.as_deref().ok_or_else(missing)?;
        let (actor, _) = caller.actor(change.world);
        change.dispatch_repository(repository, actor, event_type, &asked.client_payload)?;
        Ok(no_content())
    })
}
