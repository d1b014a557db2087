//! Resume tokens at work: whoever holds one answers the one question that it names, once. In tenant `local` the token is the
//! authority. Elsewhere words are people's, and a token names nobody: there only the administrator says whose word it is.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use flowctl_core::approval::{Person, SourceKind};
use flowctl_core::execution::{Execution, Waiting};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Api;
use super::access::is_administrators;
use super::approvals::Said;
use super::body::{Given, body};
use super::heard::{Spoken, source};
use super::person::Neighbourhood;
use super::problem::Problem;
use crate::engine::Along;
use crate::github::intake::Source as _;
use crate::identity::resume::{Claims, TokenError};
use crate::identity::{Bearer, Directory, Hearing};

/// What the holder of a token says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    /// The token, as it was given.
    #[schema(min_length = 1, max_length = 2048)]
    token: String,
    /// The answers to a form, by field.
    #[serde(default)]
    #[schema(value_type = Option<Object>, additional_properties = true, nullable = false)]
    answer: Option<Map<String, Value>>,
    // The decision on an approval; a description here would make it two types in the document.
    #[serde(default)]
    #[schema(inline, nullable = false)]
    decision: Option<Said>,
    /// Why, for people.
    #[serde(default)]
    #[schema(max_length = 10000, nullable = false)]
    note: Option<String>,
    /// Whose word this is. Outside tenant `local` it is needed, and only the administrator says it: with their bearer token, where
    /// `FLOWCTL_API_ACT_AS` is set.
    #[serde(default, rename = "as")]
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length = 64, nullable = false)]
    acting: Option<String>,
}
body!(Resume);

/// Answer with a resume token
///
/// In tenant `local` the token is the authority: no bearer token is needed. It serves one answer, to the step and attempt that it
/// was made for, until the step's deadline or for seven days.
#[utoipa::path(post, path = "/executions/{id}/resume", tag = "executions", operation_id = "resume_execution", security(()),
    params(("id" = uuid::Uuid, Path, description = "The execution")), request_body = Resume,
    responses((status = 200, description = "The execution as it is then", body = Resumed)))]
pub(super) async fn resume(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Given(given): Given<Resume>,
) -> Result<Json<Resumed>, Problem> {
    let claims = api.tokens.read(&given.token, api.now()).map_err(refused)?;
    if claims.execution.to_string() != id.to_ascii_lowercase() {
        return Err(Problem::new("resume-token-refused", "The token is for another execution."));
    }
    let is_administrators = is_administrators(&api, &headers);
    let execution = resumed(&api, &claims, given, is_administrators).await?;
    let url = api.shown(&execution).url;
    Ok(Json(Resumed { id: execution.id, status: execution.status, url }))
}

/// What a token is for and the execution that asks, as long as the token has not been used and nobody has gone on.
pub(super) async fn asked(api: &Api, token: &str) -> Result<(Claims, Execution), Problem> {
    let claims = api.tokens.read(token, api.now()).map_err(refused)?;
    let execution = unused(api, &claims).await?;
    match execution.steps.get(&claims.step) {
        Some(state) if state.attempt == claims.attempt && state.waiting.is_some() => Ok((claims, execution)),
        _ => Err(gone_on(&claims.step)),
    }
}

/// Does what the holder of a token says, once; gives the execution as it is then.
pub(super) async fn resumed(
    api: &Api,
    claims: &Claims,
    given: Resume,
    is_administrators: bool,
) -> Result<Execution, Problem> {
    let execution = unused(api, claims).await?;
    if let Err(problem) = say(api, &execution, claims, given, is_administrators).await {
        // The token may have been used at the same time, and have been faster there.
        let late = api.store.knows_word(&execution.tenant, &claims.word()).await?;
        return Err(if late { used() } else { problem });
    }
    api.load_of(&execution.tenant, execution.id).await
}

/// The execution of a token that nobody has used.
async fn unused(api: &Api, claims: &Claims) -> Result<Execution, Problem> {
    let execution = api.load(&claims.execution.to_string()).await?;
    if api.store.knows_word(&execution.tenant, &claims.word()).await? {
        return Err(used());
    }
    Ok(execution)
}

fn used() -> Problem {
    Problem::new("resume-token-used", "A token serves once, and this one has.")
}

fn gone_on(step: &str) -> Problem {
    Problem::new("not-waiting", format!("`{step}` has gone on since."))
}

async fn say(
    api: &Api,
    execution: &Execution,
    claims: &Claims,
    given: Resume,
    is_administrators: bool,
) -> Result<(), Problem> {
    let Some(state) = execution.steps.get(&claims.step).filter(|state| state.attempt == claims.attempt) else {
        return Err(gone_on(&claims.step));
    };
    let repository = api.repository_of(execution).await?;
    let neighbourhood = api.neighbourhood(&execution.tenant, &repository).await?;
    let acting = given.acting.as_deref();
    let Holder { person, directory, kind } = holder(api, &neighbourhood, claims, acting, is_administrators).await?;
    let published = api.repositories.published(&execution.tenant, &repository).await?;
    let hearing = Hearing { engine: &api.engine, tenant: &execution.tenant, directory, published: &published };
    let (step, token, source) = (claims.step.as_str(), claims.word(), source(kind, None));
    let verb = given.decision.map_or("answer", Said::word);
    let spoken = Spoken {
        execution: Some(execution),
        named: Some(step),
        once: Some(&token),
        // Outside tenant `local` the administrator says whose word it is.
        link: (kind == SourceKind::Web).then_some(token.as_str()),
        ..Spoken::new((&execution.tenant, &repository), &person, &source, verb)
    };
    let along = Along { word: Some(token.clone()), ..Along::default() };
    match (&state.waiting, given.decision, given.answer) {
        (_, Some(_), Some(_)) => Err(Problem::field("answer", "is given beside `decision`; a step wants one of both")),
        (_, None, None) => Err(Problem::field("decision", "or `answer` is required")),
        (Some(Waiting::Approval(_)), Some(said), None) => {
            let word = api.word(spoken, said.verb());
            let execution = &api.at_head(&execution.tenant, &neighbourhood, execution.clone()).await?;
            if execution.steps.get(step).is_none_or(|state| state.attempt != claims.attempt) {
                return Err(gone_on(step));
            }
            let heard = hearing.decide(execution, step, &word, (said.kind(), given.note), along).await;
            api.settled(spoken, heard).await
        }
        (Some(Waiting::Form(_)), None, Some(values)) => {
            let word = api.word(spoken, "answer");
            api.settled(spoken, hearing.answer(execution, step, &word, values, along).await).await
        }
        (Some(Waiting::Approval(_)), ..) => Err(Problem::field("answer", "is for forms; this step wants a `decision`")),
        (Some(Waiting::Form(_)), ..) => {
            Err(Problem::field("decision", "is for approvals; this step wants an `answer`"))
        }
        _ => Err(Problem::new("not-waiting", format!("`{step}` does not wait for anybody."))),
    }
}

/// What the holder of a token is told: how things stand, and nothing more.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(super) struct Resumed {
    /// The execution.
    id: uuid::Uuid,
    /// How it stands.
    #[schema(value_type = super::view::ExecutionStatusSchema)]
    status: flowctl_core::execution::ExecutionStatus,
    /// Its page.
    url: Option<String>,
}

fn refused(error: TokenError) -> Problem {
    match error {
        TokenError::Forged => {
            Problem::new("resume-token-refused", "It is none that this server made for this execution.")
        }
        TokenError::Ended { .. } => Problem::new("resume-token-ended", format!("{error}.")),
    }
}

/// Who speaks, what is known of them, and how their word came.
struct Holder<'n> {
    person: Person,
    directory: &'n dyn Directory,
    kind: SourceKind,
}

/// Who speaks. In tenant `local` whoever holds the token stands in for one of those asked: the one whom it was sent to, so that
/// nobody counts twice. Elsewhere people have accounts, and a
/// message goes to addresses: who holds it may be anybody, also the author. There the word is whose the administrator says.
async fn holder<'n>(
    api: &Api,
    neighbourhood: &'n Neighbourhood,
    claims: &Claims,
    acting: Option<&str>,
    is_administrators: bool,
) -> Result<Holder<'n>, Problem> {
    match neighbourhood {
        Neighbourhood::GitHub { .. } if acting.is_some() && !is_administrators => Err(Problem::new(
            "acting-forbidden",
            "A resume token does not say who holds it, and `as` is for the administrator: send `Authorization: Bearer TOKEN`, \
             too. People decide on GitHub.",
        )),
        Neighbourhood::GitHub { .. } => {
            let person = api.must_be_named(neighbourhood, acting).await?;
            Ok(Holder { person, directory: neighbourhood, kind: SourceKind::Api })
        }
        Neighbourhood::Local if acting.is_some() && claims.receiver.is_some() && !is_administrators => Err(
            Problem::new("acting-forbidden", format!("This token was sent to {}, whose word it is.", claims.login())),
        ),
        Neighbourhood::Local => match api.named(neighbourhood, acting).await? {
            Some(person) => Ok(Holder { person, directory: neighbourhood, kind: SourceKind::Web }),
            None => {
                let person = Person { login: claims.login(), id: 0 };
                Ok(Holder { person, directory: &Bearer, kind: SourceKind::Web })
            }
        },
    }
}
