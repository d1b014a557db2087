//! Steps of an execution: what they gave, and answers to forms.

use axum::Json;
use axum::extract::{Path, State};
use flowctl_core::approval::{Source, SourceKind};
use flowctl_core::execution::LargeOutput;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::body::{Given, body};
use super::problem::Problem;
use super::view::ExecutionView;
use crate::engine::Along;
use crate::engine::outputs::read;
use crate::github::intake::Source as _;
use crate::identity::{About, Hearing, Word, form};

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
#[utoipa::path(post, path = "/executions/{id}/steps/{step}/answers", tag = "executions", operation_id = "answer_form",
    params(("id" = uuid::Uuid, Path, description = "The execution"), ("step" = String, Path, description = "The step")),
    request_body = Answers,
    responses((status = 200, description = "The execution as it is then", body = ExecutionView)))]
pub(super) async fn answer(
    State(api): State<Api>,
    Path((id, step)): Path<(String, String)>,
    Given(answers): Given<Answers>,
) -> Result<Json<ExecutionView>, Problem> {
    let execution = api.load(&id).await?;
    if !execution.steps.contains_key(&step) {
        return Err(Problem::not_found(format!("the execution has no step `{step}`")));
    }
    if form(&execution, &step).is_none() {
        return Err(Problem::new("not-waiting", format!("`{step}` does not wait for answers.")));
    }
    let neighbourhood = api.neighbourhood(&execution.tenant, &execution.repository).await?;
    let person = api.must_be_named(&neighbourhood, answers.acting.as_deref()).await?;
    let published = api.repositories.published(&execution.tenant, &execution.repository).await?;
    let hearing =
        Hearing { engine: &api.engine, tenant: &execution.tenant, directory: &neighbourhood, published: &published };
    let word = api.word(person, "answer", SourceKind::Api);
    hearing.answer(&execution, &step, &word, answers.values, Along::default()).await??;
    Ok(Json(api.shown(&api.load_of(&execution.tenant, execution.id).await?)))
}

impl Api {
    /// Something that a person says now, about what stands now.
    pub(super) fn word(&self, person: flowctl_core::approval::Person, verb: &'static str, kind: SourceKind) -> Word {
        let now = self.now();
        let source = Source { kind, id: Uuid::now_v7().to_string(), url: None };
        Word { person, at: now, heard_at: now, source, about: About::Shown, verb }
    }
}
