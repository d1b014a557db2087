//! What the pages' forms do: one deed each, then back to the page, or the page again with what went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::model::{ChosenPerson, Frame};
use super::views::{Draft, pull_page, repository_page};
use crate::deeds::OpenPullRequest;
use crate::error::SandboxError;
use crate::hub::Hub;
use crate::state::{Id, ReviewState};

type Shared = State<Arc<Hub>>;

/// The fields of all forms on a pull request's page; each form sends some.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    body: String,
    verdict: String,
    label: String,
    run: Option<Id>,
    button: String,
    path: String,
    content: String,
    message: String,
    title: String,
    branch: String,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    login: String,
    here: String,
}

/// Remembers who the reader is, in a cookie.
pub(super) async fn choose_person(Form(choice): Form<Choice>) -> Response {
    let local = choice.here.starts_with('/') && !choice.here.starts_with("//") && !choice.here.contains('\\');
    let here = if local { choice.here.as_str() } else { "/" };
    let plain = choice.login.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    let cookie = format!("sandbox_person={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000", choice.login);
    let mut response = Redirect::to(here).into_response();
    if plain && let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Who the reader is on pages about this repository, or about one of its pull requests.
fn reader(hub: &Hub, full_name: &str, number: Option<u64>, chosen: &ChosenPerson) -> Result<String, SandboxError> {
    hub.read(|view| {
        let repository = view.world.repository(full_name)?;
        let frame = Frame::new(view, String::new(), String::new(), chosen, Some(repository));
        let you = match number {
            Some(number) => frame.about(view.world.issue(repository.id, number)?, chosen).you,
            None => frame.you,
        };
        you.map(|you| you.login).ok_or_else(|| SandboxError::Forbidden("nobody can see this repository yet".to_owned()))
    })
}

/// A form of a pull request's page.
pub(super) async fn act(
    State(hub): Shared,
    Path((owner, name, number, deed)): Path<(String, String, u64, String)>,
    chosen: ChosenPerson,
    Form(fields): Form<Fields>,
) -> Response {
    let full_name = format!("{owner}/{name}");
    let done = reader(&hub, &full_name, Some(number), &chosen)
        .and_then(|by| perform(&hub, &full_name, number, &by, &deed, &fields));
    match done {
        Ok(anchor) => Redirect::to(&format!("/{full_name}/pull/{number}{anchor}")).into_response(),
        Err(error) => {
            let draft = Draft { alert: Some(words(&error)), body: fields.body };
            pull_page(&hub, &full_name, number, &chosen, StatusCode::UNPROCESSABLE_ENTITY, draft)
        }
    }
}

/// A refusal with its reasons, for a person.
fn words(error: &SandboxError) -> String {
    match error {
        SandboxError::Invalid { message, errors } if !errors.is_empty() => {
            let reasons: Vec<_> = errors.iter().filter_map(|fault| fault.message.as_deref()).collect();
            if reasons.is_empty() { message.clone() } else { reasons.join("; ") }
        }
        other => other.to_string(),
    }
}

/// Does it; returns where on the page to look.
fn perform(
    hub: &Hub,
    repository: &str,
    number: u64,
    by: &str,
    deed: &str,
    fields: &Fields,
) -> Result<String, SandboxError> {
    let run = || fields.run.ok_or_else(|| SandboxError::invalid("the form names no check run"));
    match deed {
        "speak" => return speak(hub, repository, number, by, fields),
        "press" => {
            let run = run()?;
            hub.press(by, run, &fields.button)?;
            return Ok(format!("#check-{run}"));
        }
        "rerequest" => {
            let run = run()?;
            hub.rerequest(by, run)?;
            return Ok(format!("#check-{run}"));
        }
        "label" => hub.label(repository, by, number, fields.label.trim())?,
        "unlabel" => hub.unlabel(repository, by, number, &fields.label)?,
        "push" => push(hub, repository, number, by, fields)?,
        "merge" => drop(hub.merge(repository, by, number)?),
        "close" => hub.close(repository, by, number)?,
        "reopen" => hub.reopen(repository, by, number)?,
        "ready" => hub.mark_ready(repository, by, number)?,
        other => return Err(SandboxError::NotFound(format!("the deed `{other}`"))),
    }
    Ok(String::new())
}

/// A comment, or a review with a verdict.
fn speak(hub: &Hub, repository: &str, number: u64, by: &str, fields: &Fields) -> Result<String, SandboxError> {
    // Browsers send line ends as the HTTP form encoding wants them.
    let body = fields.body.replace("\r\n", "\n");
    let state = match fields.verdict.as_str() {
        "approve" => ReviewState::Approved,
        "request_changes" => ReviewState::ChangesRequested,
        _ => return Ok(format!("#issuecomment-{}", hub.comment(repository, by, number, &body)?)),
    };
    Ok(format!("#pullrequestreview-{}", hub.review(repository, by, number, state, &body)?))
}

fn push(hub: &Hub, repository: &str, number: u64, by: &str, fields: &Fields) -> Result<(), SandboxError> {
    let side = hub.issue(repository, number)?.pull_request;
    let branch = side.ok_or_else(|| SandboxError::invalid("an issue has no branch"))?.head_ref;
    let files = one_file(fields)?;
    let message =
        if fields.message.trim().is_empty() { format!("Update {}", fields.path) } else { fields.message.clone() };
    hub.push(repository, by, &branch, &message, &files).map(drop)
}

fn one_file(fields: &Fields) -> Result<BTreeMap<String, Option<String>>, SandboxError> {
    let path = fields.path.trim().trim_start_matches('/');
    if path.is_empty() {
        return Err(SandboxError::invalid("name the file to commit"));
    }
    Ok(BTreeMap::from([(path.to_owned(), Some(fields.content.replace("\r\n", "\n")))]))
}

/// The form for a new pull request.
pub(super) async fn open_pull_request(
    State(hub): Shared,
    Path((owner, name)): Path<(String, String)>,
    chosen: ChosenPerson,
    Form(fields): Form<Fields>,
) -> Response {
    let full_name = format!("{owner}/{name}");
    let opened = reader(&hub, &full_name, None, &chosen).and_then(|by| {
        let labels = fields.label.split(',').map(str::trim).filter(|label| !label.is_empty());
        let new = OpenPullRequest {
            title: fields.title.clone(),
            body: (!fields.body.trim().is_empty()).then(|| fields.body.replace("\r\n", "\n")),
            head: fields.branch.trim().to_owned(),
            labels: labels.map(str::to_owned).collect(),
            files: one_file(&fields)?,
            ..OpenPullRequest::default()
        };
        hub.open_pull_request(&full_name, &by, &new)
    });
    match opened {
        Ok(number) => Redirect::to(&format!("/{full_name}/pull/{number}")).into_response(),
        Err(error) => repository_page(&hub, &full_name, &chosen, StatusCode::UNPROCESSABLE_ENTITY, Some(words(&error))),
    }
}

#[derive(Deserialize)]
pub(super) struct Again {
    id: Id,
}

/// Sends a delivery again.
pub(super) async fn redeliver(State(hub): Shared, Form(again): Form<Again>) -> Response {
    match hub.redeliver(again.id) {
        Ok(_) => Redirect::to("/_sandbox/deliveries").into_response(),
        Err(error) => (StatusCode::NOT_FOUND, format!("{error}\n")).into_response(),
    }
}
