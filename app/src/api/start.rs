//! Starts: a process by its name and inputs, once per idempotency key; and an execution over again.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flowctl_core::approval::Person;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::execution::{Execution, Subject, TenantId, TriggerInfo};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::catalogue::Found;
use super::idempotency::{IDEMPOTENCY_KEY, canonical, digest, given_key, used_otherwise};
use super::person::Command;
use super::problem::Problem;
use super::view::ExecutionView;
use crate::engine::{Along, StartRequest};
use crate::github::intake::Source as _;
use crate::github::mirror::{MirrorError, Reference};

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
    /// In whose name it is started: somebody who may write to the repository. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Start);

/// Nothing is said beside what is started over.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rerun {}
body!(Rerun, Self::default());

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
    let given = given_key(&headers)?;
    let found = match (api.catalogue.find(&start.process).await, &given) {
        (Ok(found), _) => found,
        (Err(unfound), None) => return Err(unfound.in_field("process")),
        (Err(unfound), Some(given)) => {
            return match started_where_it_was(&api, given, &start).await? {
                Some(before) => Ok(before),
                None => Err(unfound.in_field("process")),
            };
        }
    };
    let keyed = given.map(|given| StartKey::of(&given, &found.id(), &start));
    // Whatever became of the process since: what the key started is what it started.
    if let Some(keyed) = &keyed
        && let Some(before) = started_before(&api, &found.tenant, keyed).await?
    {
        return Ok(before);
    }
    startable(&found)?;
    let neighbourhood = api.neighbourhood(&found.tenant, &found.repository).await?;
    let actor = api.named(&neighbourhood, start.acting.as_deref()).await?;
    if let Some(by) = &actor {
        let published = api.repositories.published(&found.tenant, &found.repository).await?;
        let process = Some(found.process.header.name.as_str());
        let command = Command { verb: "run", by, started_it: false, execution: None, process };
        api.permits((&found.tenant, &found.repository), &neighbourhood, &published, command).await?;
    }
    let revision = match &start.revision {
        Some(revision) => of_default_branch(&api, &found, revision).await?,
        None => found.definitions.revision.clone(),
    };
    let request = StartRequest {
        tenant: found.tenant.clone(),
        repository: found.repository.clone(),
        repository_id: None,
        subject: Some(subject(&revision)),
        revision,
        process: found.process.header.name.as_str().to_owned(),
        trigger: by_hand(actor),
        inputs: start.inputs,
        start_key: None,
        url: None,
    };
    begin(&api, request, keyed).await
}

/// A start's key.
struct StartKey {
    /// As it was given, or made of what is started.
    key: String,
    /// What is recorded with the start, and tells its request from others under the same key.
    word: String,
}

impl StartKey {
    /// That of a start of the process with this id.
    fn of(given: &str, id: &str, start: &Start) -> Self {
        let inputs = canonical(&start.inputs);
        let none = || "";
        let (revision, acting) =
            (start.revision.as_deref().unwrap_or_else(none), start.acting.as_deref().unwrap_or_else(none));
        Self::new(given, &[id, &inputs], &[id, &inputs, revision, acting])
    }

    /// That of starting this execution over.
    fn of_rerun(given: &str, execution: &Execution) -> Self {
        let said = ["rerun", &execution.id.to_string()];
        Self::new(given, &said, &said)
    }

    fn new(given: &str, started: &[&str], said: &[&str]) -> Self {
        let key = if given == "auto" { format!("auto-{}", digest(started)) } else { given.to_owned() };
        let word = format!("api-start:{key}:{}", digest(said));
        Self { key, word }
    }

    fn start_key(&self) -> String {
        format!("api:{}", self.key)
    }
}

/// Starts what is asked for, once per key.
async fn begin(api: &Api, request: StartRequest, keyed: Option<StartKey>) -> Result<Response, Problem> {
    has_what_it_reads(api, &request).await?;
    let tenant = request.tenant.clone();
    let request = StartRequest { start_key: keyed.as_ref().map(StartKey::start_key), ..request };
    let along = Along { word: keyed.as_ref().map(|keyed| keyed.word.clone()), ..Along::default() };
    let started = api.engine.start_along(request, along).await?;
    if !started.is_new
        && let Some(keyed) = &keyed
        && !api.store.knows_word(&tenant, &keyed.word).await?
    {
        return Err(used_otherwise(started.execution.id));
    }
    let status = if started.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(accepted(api, status, &started.execution, keyed.as_ref()))
}

/// What a key started; refused where another request had it.
async fn started_before(api: &Api, tenant: &TenantId, keyed: &StartKey) -> Result<Option<Response>, Problem> {
    let Some(id) = api.store.by_start_key(tenant, &keyed.start_key()).await? else { return Ok(None) };
    if !api.store.knows_word(tenant, &keyed.word).await? {
        return Err(used_otherwise(id));
    }
    let execution = api.load_of(tenant, id).await?;
    Ok(Some(accepted(api, StatusCode::OK, &execution, Some(keyed))))
}

/// What a key started, where its process cannot be found any more.
async fn started_where_it_was(api: &Api, given: &str, start: &Start) -> Result<Option<Response>, Problem> {
    for (tenant, repository) in api.catalogue.repositories().await? {
        let id = match start.process.rsplit_once(':') {
            Some((named, name)) if named.eq_ignore_ascii_case(&repository) => format!("{repository}:{name}"),
            Some(_) => continue,
            None => format!("{repository}:{}", start.process),
        };
        let keyed = StartKey::of(given, &id, start);
        // The key may be another repository's of the same tenant: then the word is not known here.
        if api.store.knows_word(&tenant, &keyed.word).await?
            && let Some(before) = started_before(api, &tenant, &keyed).await?
        {
            return Ok(Some(before));
        }
    }
    Ok(None)
}

/// Start an execution over again
///
/// A new execution with the inputs of this one, by the definition as it stands now. `retry` goes on with the same one
/// instead. `Idempotency-Key` serves as with a start; `auto` starts an execution over once.
#[utoipa::path(post, path = "/executions/{id}/rerun", tag = "executions", operation_id = "rerun_execution",
    params(("id" = uuid::Uuid, Path, description = "The execution"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key, at most 200 characters; or `auto`")),
    request_body = Option<Rerun>,
    responses(
        (status = 202, description = "The new execution", body = ExecutionView, headers(("Location" = String, description = "Its address"))),
        (status = 200, description = "The key was known: the execution that it started", body = ExecutionView),
    ))]
pub(super) async fn rerun(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Given(Rerun {}): Given<Rerun>,
) -> Result<Response, Problem> {
    let before = api.load(&id).await?;
    let keyed = given_key(&headers)?.map(|given| StartKey::of_rerun(&given, &before));
    if let Some(keyed) = &keyed
        && let Some(started) = started_before(&api, &before.tenant, keyed).await?
    {
        return Ok(started);
    }
    let repository = api.repository_of(&before).await?;
    let definitions = api.catalogue.at_head(&before.tenant, &repository).await?;
    let Some((_, process)) = definitions.repository.process(&before.process) else {
        let process = &before.process;
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
        repository,
        repository_id: before.repository_id,
        revision,
        process: before.process.clone(),
        trigger: before.trigger.clone(),
        subject,
        inputs: before.inputs.clone(),
        start_key: None,
        url: None,
    };
    begin(&api, request, keyed).await
}

fn accepted(api: &Api, status: StatusCode, execution: &Execution, keyed: Option<&StartKey>) -> Response {
    let mut response = (status, Json(api.shown(execution))).into_response();
    if let Ok(address) = HeaderValue::from_str(&format!("{}/executions/{}", super::BASE, execution.id)) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    if let Some(key) = keyed.and_then(|keyed| HeaderValue::from_str(&keyed.key).ok()) {
        response.headers_mut().insert(IDEMPOTENCY_KEY, key);
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

/// Refuses to start by hand what would fail half-way, since it reads a pull request that is not there.
async fn has_what_it_reads(api: &Api, request: &StartRequest) -> Result<(), Problem> {
    let StartRequest { tenant, repository, revision, process, trigger, .. } = request;
    if trigger.kind != "manual" || trigger.pull_request.is_some() {
        return Ok(());
    }
    // What cannot be read now the engine says.
    let Ok(definitions) = api.repositories.at(tenant, repository, revision).await else { return Ok(()) };
    let Some(reader) = definitions.reads_pull_request(process) else { return Ok(()) };
    let with_one = if *tenant == TenantId::local() {
        "`flowctl test` plays it with one".to_owned()
    } else {
        format!("`/run {process}` in a comment on a pull request has one")
    };
    let detail = format!(
        "`{reader}` reads `trigger.pull_request`, which a start by hand does not have: {with_one}. Where it should do without, \
         write `trigger.pull_request.title | default('none')`."
    );
    Err(Problem::new("not-by-hand", detail))
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
