//! Runs of workflows: what was dispatched, and a form that lets one go on or end, since nothing runs here.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::model::{ChosenPerson, Frame};
use super::render::page;
use super::views::missing;
use crate::clock::stamp;
use crate::error::SandboxError;
use crate::hub::Hub;
use crate::state::{Id, WorkflowRun};

type Shared = State<Arc<Hub>>;

/// How a run shall go on.
#[derive(Debug, Deserialize)]
pub(super) struct Fields {
    run: Id,
    /// A conclusion, or `in_progress`.
    end: String,
    #[serde(default)]
    output: String,
}

/// A run's own address leads to the list.
pub(super) async fn one(Path((owner, name, id)): Path<(String, String, Id)>) -> Response {
    Redirect::to(&format!("/{owner}/{name}/actions#run-{id}")).into_response()
}

/// All runs of a repository, newest first.
pub(super) async fn list(
    State(hub): Shared,
    Path((owner, name)): Path<(String, String)>,
    chosen: ChosenPerson,
) -> Response {
    show(&hub, &format!("{owner}/{name}"), &chosen, StatusCode::OK, None)
}

fn show(hub: &Hub, full_name: &str, chosen: &ChosenPerson, status: StatusCode, alert: Option<String>) -> Response {
    let found = hub.read(|view| {
        let repository = view.world.repository(full_name).ok()?;
        let here = format!("/{full_name}/actions");
        let frame = Frame::new(view, format!("Workflow runs · {full_name}"), here, chosen, Some(repository));
        let frame = Frame { alert, ..frame };
        let mut runs: Vec<&WorkflowRun> = view.world.workflow_runs_of(repository.id).collect();
        runs.reverse();
        let rows = runs.into_iter().map(|run| {
            let actor = view.world.accounts.get(&run.actor).map_or("ghost", |account| account.login.as_str());
            let inputs: Vec<String> = run.inputs.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let waits: Vec<String> = run
                .deployments
                .iter()
                .map(|it| format!("{}: {}", it.environment, it.state.as_deref().unwrap_or("waits for the App")))
                .collect();
            json!({
                "id": run.id.to_string(),
                "title": run.title,
                "file": run.file,
                "branch": run.head_branch,
                "event": run.event,
                "actor": actor,
                "at": stamp(run.created_at),
                "status": run.conclusion.as_deref().unwrap_or(&run.status),
                "tone": tone(run),
                "open": !run.is_completed(),
                "inputs": inputs,
                "deployments": waits,
            })
        });
        let rows: Vec<_> = rows.collect();
        Some(page(status, "runs.html", json!({"frame": frame, "name": full_name, "rows": rows})))
    });
    found.unwrap_or_else(|| missing(hub, chosen))
}

fn tone(run: &WorkflowRun) -> &'static str {
    match run.conclusion.as_deref() {
        None => "busy",
        Some("success" | "neutral" | "skipped") => "good",
        Some(_) => "bad",
    }
}

/// Lets a run go on or end.
pub(super) async fn go_on(
    State(hub): Shared,
    Path((owner, name)): Path<(String, String)>,
    chosen: ChosenPerson,
    Form(fields): Form<Fields>,
) -> Response {
    let full_name = format!("{owner}/{name}");
    match ended(&hub, &fields) {
        Ok(()) => Redirect::to(&format!("/{full_name}/actions#run-{}", fields.run)).into_response(),
        Err(error) => show(&hub, &full_name, &chosen, StatusCode::UNPROCESSABLE_ENTITY, Some(error.to_string())),
    }
}

fn ended(hub: &Hub, fields: &Fields) -> Result<(), SandboxError> {
    if fields.end == "in_progress" {
        return hub.start_workflow_run(fields.run);
    }
    if !fields.output.trim().is_empty() {
        hub.keep_artifact(fields.run, "flowctl-output", &[("output.json", fields.output.trim())])?;
    }
    hub.end_workflow_run(fields.run, &fields.end)
}
