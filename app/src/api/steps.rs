//! Steps of an execution: what they gave, and answers to forms.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use flowctl_core::approval::SourceKind;
use flowctl_core::execution::{EventKind, Execution, LargeOutput};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::body::{Given, body};
use super::heard::{Spoken, source};
use super::idempotency::{Keyed, canonical, optional, used_otherwise};
use super::problem::Problem;
use super::query::MAX_LIMIT;
use super::view::ExecutionView;
use crate::engine::Along;
use crate::engine::outputs::read;
use crate::github::intake::Source as _;
use crate::identity::{Hearing, form};
use crate::store::StoredEvent;

/// Answers to a form.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// The values, by field.
    #[schema(value_type = Object, additional_properties = true)]
    values: Map<String, Value>,
    /// Whose answers these are. Outside tenant `local` only with `FLOWCTL_API_ACT_AS`.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Answers);

/// Show a step's output
#[utoipa::path(get, path = "/executions/{id}/steps/{step}/output", tag = "executions", operation_id = "show_output",
    params(("id" = uuid::Uuid, Path, description = "The execution"), ("step" = String, Path, description = "The step")),
    responses((status = 200, description = "The output as it is", body = Value)))]
pub(super) async fn output(
    State(api): State<Api>,
    Path((id, step)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let execution = api.load(&id).await?;
    let state = execution.steps.get(&step);
    let state = state.ok_or_else(|| Problem::not_found(format!("the execution has no step `{step}`")))?;
    match &state.output {
        Some(output) => match LargeOutput::of(output) {
            Some(large) => Ok(Json(read(&**api.engine.store(), &execution.tenant, &large).await?)),
            None => Ok(Json(output.clone())),
        },
        None => {
            let detail = format!("`{step}` is {} and has no output", state.status.as_str());
            Err(Problem::new("no-output", detail))
        }
    }
}

/// Answer a form
///
/// With `Idempotency-Key` the same request counts once; another one under the same key is refused.
#[utoipa::path(post, path = "/executions/{id}/steps/{step}/answers", tag = "executions", operation_id = "answer_form",
    params(("id" = uuid::Uuid, Path, description = "The execution"), ("step" = String, Path, description = "The step"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key, at most 200 characters")),
    request_body = Answers,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn answer(
    State(api): State<Api>,
    Path((id, step)): Path<(String, String)>,
    headers: HeaderMap,
    Given(answers): Given<Answers>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    if !execution.steps.contains_key(&step) {
        return Err(Problem::not_found(format!("the execution has no step `{step}`")));
    }
    let said = [canonical(&answers.values), optional(answers.acting.as_deref())];
    let about = format!("answers:{}:{step}", execution.id);
    let keyed = Keyed::of(&headers, &about, &said.each_ref().map(String::as_str))?;
    if let Some(before) = answered_before(&api, &execution, keyed.as_ref()).await? {
        return Ok(before);
    }
    if let Err(problem) = say(&api, &execution, &step, answers, keyed.as_ref()).await {
        // The same request may have come at the same time, and have been faster.
        return answered_before(&api, &execution, keyed.as_ref()).await?.ok_or(problem);
    }
    Ok(Json(api.shown(&api.load_of(&execution.tenant, execution.id).await?)))
}

/// What a key's answers led to, where they were recorded before; refused where those were others.
async fn answered_before(
    api: &Api,
    execution: &Execution,
    keyed: Option<&Keyed>,
) -> Result<Option<Json<ExecutionView>>, Problem> {
    let Some(keyed) = keyed else { return Ok(None) };
    if !api.store.knows_word(&execution.tenant, &keyed.word).await? {
        return Ok(None);
    }
    let mut after = 0;
    loop {
        let page = api.store.events(&execution.tenant, execution.id, after, MAX_LIMIT).await?;
        let Some(last) = page.last() else { return Err(used_otherwise(execution.id)) };
        after = last.seq;
        let is_this = |event: &StoredEvent| match &event.event.kind {
            EventKind::FormAnswered { source, .. } => source.id == keyed.fingerprint,
            _ => false,
        };
        if page.iter().any(is_this) {
            return Ok(Some(Json(api.shown(&api.load_of(&execution.tenant, execution.id).await?))));
        }
    }
}

async fn say(
    api: &Api,
    execution: &Execution,
    step: &str,
    answers: Answers,
    keyed: Option<&Keyed>,
) -> Result<(), Problem> {
    if form(execution, step).is_none() {
        return Err(Problem::new("not-waiting", format!("`{step}` does not wait for answers.")));
    }
    let repository = api.repository_of(execution).await?;
    let neighbourhood = api.neighbourhood(&execution.tenant, &repository).await?;
    let person = api.must_be_named(&neighbourhood, answers.acting.as_deref()).await?;
    let published = api.repositories.published(&execution.tenant, &repository).await?;
    let hearing =
        Hearing { engine: &api.engine, tenant: &execution.tenant, directory: &neighbourhood, published: &published };
    let source = source(SourceKind::Api, keyed);
    let spoken = Spoken {
        execution: Some(execution),
        named: Some(step),
        once: keyed.map(|keyed| keyed.word.as_str()),
        ..Spoken::new((&execution.tenant, &repository), &person, &source, "answer")
    };
    let word = api.word(spoken, "answer");
    let along = Along { word: keyed.map(|keyed| keyed.word.clone()), ..Along::default() };
    api.settled(spoken, hearing.answer(execution, step, &word, answers.values, along).await).await
}
