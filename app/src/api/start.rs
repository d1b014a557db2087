//! Starts: a process by its name and inputs, once per idempotency key; and an execution over again.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flowctl_core::approval::Person;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::execution::{Execution, Subject, TriggerInfo};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::catalogue::Found;
use super::problem::Problem;
use super::view::ExecutionView;
use crate::engine::{Along, StartRequest};
use crate::github::mirror::{MirrorError, Reference};

/// The header that makes a start unique.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of a key at most.
const MAX_KEY: usize = 200;

/// What is to be started.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    /// `owner/repo:name`, or `name` where it is unique.
    #[schema(min_length = 1, max_length = 300)]
    process: String,
    /// Its inputs; defaults are filled in.
    #[serde(default)]
    #[schema(value_type = Object, additional_properties = true)]
    inputs: Map<String, Value>,
    /// A commit of the default branch whose definition runs; without it: its head.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{40}$", nullable = false)]
    revision: Option<String>,
    /// In whose name it is started. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Start);

/// Start a process
///
/// Each call starts a new execution, unless `Idempotency-Key` says otherwise: the same key again gives the execution
/// that it started, with status 200; with another body it is refused. `auto` makes a key from process and inputs.
#[utoipa::path(post, path = "/executions", tag = "executions", operation_id = "start_execution",
    params(("Idempotency-Key" = Option<String>, Header, description = "A key, at most 200 characters; or `auto`")),
    request_body = Start,
    responses(
        (status = 202, description = "It was accepted", body = ExecutionView, headers(("Location" = String, description = "Its address"))),
        (status = 200, description = "The key was known: the execution that it started", body = ExecutionView),
    ))]
pub(super) async fn start(
    State(api): State<Api>,
    headers: HeaderMap,
    Given(start): Given<Start>,
) -> Result<Response, Problem> {
    let found = api.catalogue.find(&start.process).await.map_err(|unfound| unfound.in_field("process"))?;
    startable(&found)?;
    let neighbourhood = api.neighbourhood(&found.tenant, &found.repository).await?;
    let actor = api.named(&neighbourhood, start.acting.as_deref()).await?;
    let revision = match &start.revision {
        Some(revision) => of_default_branch(&api, &found, revision).await?,
        None => found.definitions.revision.clone(),
    };
    let key = key(&headers, &found, &start)?;
    let request = StartRequest {
        tenant: found.tenant.clone(),
        repository: found.repository.clone(),
        subject: Some(subject(&revision)),
        revision,
        process: found.process.header.name.as_str().to_owned(),
        trigger: by_hand(actor),
        inputs: start.inputs.clone(),
        start_key: key.as_ref().map(|key| format!("api:{key}")),
        url: None,
    };
    let word = key.as_ref().map(|key| format!("api-start:{key}:{}", fingerprint(&found, &start)));
    let along = Along { word: word.clone(), ..Along::default() };
    let started = api.engine.start_along(request, along).await?;
    if !started.is_new
        && let Some(word) = &word
        && !api.store.knows_word(&found.tenant, word).await?
    {
        return Err(Problem::new("key-used-otherwise", "Another request with this Idempotency-Key came before.")
            .with_execution(started.execution.id));
    }
    let status = if started.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = accepted(&api, status, &started.execution);
    if let Some(key) = key.and_then(|key| HeaderValue::from_str(&key).ok()) {
        response.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
    Ok(response)
}

/// Start an execution over again
///
/// A new execution with the inputs of this one, by the definition as it stands now. `retry` goes on with the same one
/// instead.
#[utoipa::path(post, path = "/executions/{id}/rerun", tag = "executions", operation_id = "rerun_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution")),
    responses((status = 202, description = "The new execution", body = ExecutionView, headers(("Location" = String, description = "Its address")))))]
pub(super) async fn rerun(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, Problem> {
    let before = api.load(&id).await?;
    let definitions = api.catalogue.at_head(&before.tenant, &before.repository).await?;
    let Some((_, process)) = definitions.repository.process(&before.process) else {
        let (process, repository) = (&before.process, &before.repository);
        return Err(Problem::new(
            "definition-unsound",
            format!("There is no process `{process}` in {repository} any more."),
        ));
    };
    if process.header.status == ProcessStatus::Archived {
        return Err(archived(&before.process));
    }
    let revision = definitions.revision.clone();
    let subject = before.subject.clone().or_else(|| Some(subject(&revision)));
    let request = StartRequest {
        tenant: before.tenant.clone(),
        repository: before.repository.clone(),
        revision,
        process: before.process.clone(),
        trigger: before.trigger.clone(),
        subject,
        inputs: before.inputs.clone(),
        start_key: None,
        url: None,
    };
    let started = api.engine.start(request).await?;
    Ok(accepted(&api, StatusCode::ACCEPTED, &started.execution))
}

fn accepted(api: &Api, status: StatusCode, execution: &Execution) -> Response {
    let mut response = (status, Json(api.shown(execution))).into_response();
    if let Ok(address) = HeaderValue::from_str(&format!("{}/executions/{}", super::BASE, execution.id)) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

fn by_hand(actor: Option<Person>) -> TriggerInfo {
    TriggerInfo { kind: "manual".to_owned(), actor, payload: Value::Null, pull_request: None }
}

/// What belongs to no pull request is shown on the commit of its definition.
fn subject(revision: &str) -> Subject {
    Subject { number: None, is_pull_request: false, head_sha: revision.to_owned(), author: None }
}

/// Whether a process may be started by hand.
fn startable(found: &Found) -> Result<(), Problem> {
    let id = found.id();
    if found.process.header.status == ProcessStatus::Archived {
        return Err(archived(&id));
    }
    if !found.process.starts_by_hand() {
        let detail = format!("`{id}` is not started by hand: its `triggers` do not list `manual`.");
        return Err(Problem::new("not-by-hand", detail));
    }
    Ok(())
}

fn archived(id: &str) -> Problem {
    Problem::new("not-by-hand", format!("`{id}` is archived: nothing starts it any more."))
}

/// Only what stands on the default branch runs, now or as it stood there before.
async fn of_default_branch(api: &Api, found: &Found, revision: &str) -> Result<String, Problem> {
    let foreign = || Problem::field("revision", "is no commit of the default branch");
    let mirror = api.repositories.mirror(&found.tenant, &found.repository).await?;
    let head = found.definitions.revision.as_str();
    let failed = |error: MirrorError| match error {
        MirrorError::UnknownCommit { .. } => foreign(),
        error => Problem::unavailable(&error),
    };
    if !mirror.contains(revision).await.map_err(failed)? {
        mirror.fetch(&[Reference::Commit(revision.to_owned())]).await.map_err(failed)?;
        if !mirror.contains(revision).await.map_err(failed)? {
            return Err(foreign());
        }
    }
    let common = mirror.merge_base(revision, head).await.map_err(failed)?;
    if common.as_deref() == Some(revision) { Ok(revision.to_owned()) } else { Err(foreign()) }
}

/// The key of a start, where it has one.
fn key(headers: &HeaderMap, found: &Found, start: &Start) -> Result<Option<String>, Problem> {
    let given = given_key(headers)?;
    Ok(given.map(|key| match key.as_str() {
        "auto" => format!("auto-{}", digest(&[&found.id(), &canonical(&start.inputs)])),
        _ => key,
    }))
}

/// The idempotency key of a request, where it has one.
pub(super) fn given_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(given) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let given = given.to_str().ok().map(str::trim).filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    let wrong = || Problem::field("Idempotency-Key", format!("must have 1 to {MAX_KEY} visible characters"));
    given.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// What tells one request from another under the same key.
fn fingerprint(found: &Found, start: &Start) -> String {
    let none = || "";
    let (revision, acting) =
        (start.revision.as_deref().unwrap_or_else(none), start.acting.as_deref().unwrap_or_else(none));
    digest(&[&found.id(), &canonical(&start.inputs), revision, acting])
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    hex::encode(digest.finalize())
}

/// JSON whose members are in order: the same inputs in another order are the same inputs.
fn canonical(inputs: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<(&String, &Value)> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    sorted(&Value::Object(inputs.clone())).to_string()
}
