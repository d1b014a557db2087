//! Steering: cancel an execution, hold it, or have it go on.

use axum::Json;
use axum::extract::{Path, State};
use flowctl_core::approval::Person;
use flowctl_core::execution::{Execution, Signal};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::person::Command;
use super::problem::Problem;
use super::view::ExecutionView;
use crate::engine::Along;
use crate::github::intake::Source as _;

/// Why it is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    /// Why, for people.
    #[serde(default)]
    #[schema(max_length = 1000, nullable = false)]
    reason: Option<String>,
    /// In whose name. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Cancel, Self::default());

/// What is done again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// Only this step and what follows from it.
    #[serde(default)]
    #[schema(max_length = 200, nullable = false)]
    step: Option<String>,
    /// In whose name. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Retry, Self::default());

/// Why it is held, or goes on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldGiven {
    /// Why, for people.
    #[serde(default)]
    #[schema(max_length = 1000, nullable = false)]
    note: Option<String>,
    /// In whose name. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(HoldGiven, Self::default());

/// Hold an execution
///
/// Nothing new starts in it, and deadlines rest; what runs goes on, and people may answer. With `as` it is done with that
/// person's rights, as cancelling is.
#[utoipa::path(post, path = "/executions/{id}/hold", tag = "executions", operation_id = "hold_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")), request_body = Option<HoldGiven>,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn hold(
    State(api): State<Api>,
    Path(id): Path<String>,
    Given(given): Given<HoldGiven>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    let actor = actor(&api, &execution, "hold", given.acting.as_deref()).await?;
    steer(&api, &execution, Signal::Hold { actor, note: given.note }).await
}

/// Let a held execution go on
///
/// Deadlines have as much time left as they had. With `as` it is done with that person's rights, as cancelling is.
#[utoipa::path(post, path = "/executions/{id}/unhold", tag = "executions", operation_id = "unhold_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")), request_body = Option<HoldGiven>,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn unhold(
    State(api): State<Api>,
    Path(id): Path<String>,
    Given(given): Given<HoldGiven>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    let actor = actor(&api, &execution, "unhold", given.acting.as_deref()).await?;
    steer(&api, &execution, Signal::Unhold { actor, note: given.note }).await
}

/// Cancel an execution
///
/// What runs is interrupted; compensations and steps with `run_on: always` still run. With `as` it is done with that
/// person's rights: who started the execution may, and who may write to its repository.
#[utoipa::path(post, path = "/executions/{id}/cancel", tag = "executions", operation_id = "cancel_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")), request_body = Option<Cancel>,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Path(id): Path<String>,
    Given(cancel): Given<Cancel>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    let actor = actor(&api, &execution, "cancel", cancel.acting.as_deref()).await?;
    let by = actor.as_ref().map_or("the administrator", |actor| actor.login.as_str());
    let reason = cancel.reason.unwrap_or_else(|| format!("cancelled by {by}"));
    steer(&api, &execution, Signal::Cancel { actor, reason }).await
}

/// Retry an execution
///
/// The same execution goes on from what failed or was cancelled. With `as` it is done with that person's rights: who
/// started the execution may, and who may write to its repository.
#[utoipa::path(post, path = "/executions/{id}/retry", tag = "executions", operation_id = "retry_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")), request_body = Option<Retry>,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn retry(
    State(api): State<Api>,
    Path(id): Path<String>,
    Given(retry): Given<Retry>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    let actor = actor(&api, &execution, "retry", retry.acting.as_deref()).await?;
    steer(&api, &execution, Signal::Retry { actor, step: retry.step }).await
}

/// The person in whose name it is done, where one is named: then with that person's rights and no others. Who started
/// an execution may, and who may write to its repository.
async fn actor(
    api: &Api,
    execution: &Execution,
    verb: &'static str,
    login: Option<&str>,
) -> Result<Option<Person>, Problem> {
    if login.is_none() {
        return Ok(None);
    }
    let repository = api.repository_of(execution).await?;
    let neighbourhood = api.neighbourhood(&execution.tenant, &repository).await?;
    let actor = api.named(&neighbourhood, login).await?;
    if let Some(actor) = &actor {
        let started_it = execution.trigger.actor.as_ref().is_some_and(|starter| starter.is(actor));
        let published = api.repositories.published(&execution.tenant, &repository).await?;
        let command = Command { verb, by: actor, started_it, execution: Some(execution), process: None };
        api.permits((&execution.tenant, &repository), &neighbourhood, &published, command).await?;
    }
    Ok(actor)
}

async fn steer(api: &Api, execution: &Execution, signal: Signal) -> Result<Json<ExecutionView>, Problem> {
    let moved = api.engine.signal(&execution.tenant, execution.id, signal, Along::default()).await?;
    Ok(Json(api.shown_with_reason(&moved).await?))
}
