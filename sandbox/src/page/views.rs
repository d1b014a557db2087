//! Pages to read.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::model::{
    Author, Check, ChosenPerson, Entry, FileChange, Frame, author, checks, conversation, file_changes, pull_state,
    short,
};
use super::render::page;
use crate::clock::stamp;
use crate::error::SandboxError;
use crate::git::{ChangedFile, Content};
use crate::hub::Hub;
use crate::shape::View;
use crate::state::{Id, Issue, Permission, PullRequest, Repository};

type Shared = State<Arc<Hub>>;

/// A row of a list of pull requests.
#[derive(Debug, Serialize)]
struct Row {
    number: u64,
    url: String,
    title: String,
    state: &'static str,
    tone: &'static str,
    author: String,
    at: String,
    labels: Vec<String>,
    comments: usize,
    checks: Vec<Dot>,
}

/// A check in short.
#[derive(Debug, Serialize)]
struct Dot {
    tone: &'static str,
    words: String,
}

pub(super) async fn index(State(hub): Shared, chosen: ChosenPerson) -> Response {
    hub.read(|view| {
        let frame = Frame::new(view, "Sandbox".to_owned(), "/".to_owned(), &chosen, None);
        let repositories: Vec<_> = view
            .world
            .repositories
            .values()
            .map(|repository| {
                let name = view.world.full_name(repository);
                json!({"name": name, "branch": repository.default_branch, "rows": rows(view, repository, 5)})
            })
            .collect();
        let app = &view.world.app;
        let model = json!({
            "frame": frame,
            "repositories": repositories,
            "app": {"id": app.id, "name": app.name, "webhook": app.webhook_url},
            "api": view.urls.api(),
        });
        page(StatusCode::OK, "index.html", model)
    })
}

fn rows(view: View<'_>, repository: &Repository, most: usize) -> Vec<Row> {
    let issues = view.world.issues.values().rev().filter(|issue| issue.repository == repository.id);
    issues.take(most).map(|issue| row(view, repository, issue)).collect()
}

fn row(view: View<'_>, repository: &Repository, issue: &Issue) -> Row {
    let (state, tone) = pull_state(issue);
    let kind = if issue.pull_request.is_some() { "pull" } else { "issues" };
    let head = issue.pull_request.as_ref().map(|side| side.head_sha.as_str());
    let checks = head.map(|head| checks(view, repository.id, head)).unwrap_or_default();
    Row {
        number: issue.number,
        url: format!("/{}/{kind}/{}", view.world.full_name(repository), issue.number),
        title: issue.title.clone(),
        state,
        tone,
        author: author(view, issue.author).login,
        at: stamp(issue.created_at),
        labels: issue.labels.clone(),
        comments: view.world.comments_of(issue.id).count(),
        checks: checks
            .into_iter()
            .map(|check| Dot { tone: check.tone, words: format!("{}: {}", check.name, check.state) })
            .collect(),
    }
}

pub(super) async fn repository(
    State(hub): Shared,
    Path((owner, name)): Path<(String, String)>,
    chosen: ChosenPerson,
) -> Response {
    repository_page(&hub, &format!("{owner}/{name}"), &chosen, StatusCode::OK, None)
}

/// The repository's page, with an alert when a deed failed.
pub(super) fn repository_page(
    hub: &Hub,
    full_name: &str,
    chosen: &ChosenPerson,
    status: StatusCode,
    alert: Option<String>,
) -> Response {
    let found = hub.read(|view| {
        let repository = view.world.repository(full_name).ok()?;
        let full_name = view.world.full_name(repository);
        let mut frame = Frame::new(view, full_name.clone(), format!("/{full_name}"), chosen, Some(repository));
        frame.alert = alert;
        let branches: Vec<_> =
            repository.branches().map(|(name, sha)| json!({"name": name, "sha": short(sha)})).collect();
        let may_push = frame.you.as_ref().is_some_and(|you| you.permission >= Permission::Write);
        let labels: Vec<_> = repository.labels.values().map(|label| label.name.clone()).collect();
        Some(json!({
            "frame": frame,
            "name": full_name,
            "default_branch": repository.default_branch,
            "list": rows(view, repository, 100),
            "branches": branches,
            "labels": labels,
            "may_push": may_push,
            "next": repository.next_number,
            "clone": format!("{}.git", view.repository_web(repository.id)),
        }))
    });
    match found {
        Some(model) => page(status, "repository.html", model),
        None => missing(hub, chosen),
    }
}

pub(super) async fn pull_request(
    State(hub): Shared,
    Path((owner, name, number)): Path<(String, String, u64)>,
    chosen: ChosenPerson,
) -> Response {
    pull_page(&hub, &format!("{owner}/{name}"), number, &chosen, StatusCode::OK, Draft::default())
}

/// What a form held when its deed failed, so that no word is lost, and why it failed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Draft {
    pub alert: Option<String>,
    pub body: String,
}

/// The pull request's page.
pub(super) fn pull_page(
    hub: &Hub,
    full_name: &str,
    number: u64,
    chosen: &ChosenPerson,
    status: StatusCode,
    draft: Draft,
) -> Response {
    match hub.read(|view| pull_model(view, full_name, number, chosen, draft)) {
        Ok(model) => page(status, "pull.html", model),
        Err(_) => missing(hub, chosen),
    }
}

/// Everything that a pull request's page shows.
#[derive(Debug, Serialize)]
struct PullModel {
    frame: Frame,
    repository: String,
    here: String,
    number: u64,
    title: String,
    state: &'static str,
    tone: &'static str,
    open: bool,
    is_pull: bool,
    is_draft: bool,
    conflict: bool,
    author: Author,
    head: Option<String>,
    base: Option<String>,
    head_sha: Option<String>,
    full_sha: Option<String>,
    commits: usize,
    entries: Vec<Entry>,
    checks: Vec<Check>,
    files: Vec<FileChange>,
    labels: Vec<String>,
    known_labels: Vec<String>,
    /// A file to start an edit from.
    edit_path: String,
    edit_content: String,
    /// Words that a form held when its deed failed.
    draft_body: String,
    /// Whether the reader opened it.
    own: bool,
    may_write: bool,
    may_triage: bool,
    may_merge: bool,
}

fn pull_model(
    view: View<'_>,
    full_name: &str,
    number: u64,
    chosen: &ChosenPerson,
    draft: Draft,
) -> Result<PullModel, SandboxError> {
    let repository = view.world.repository(full_name)?;
    let full_name = view.world.full_name(repository);
    let issue = view.world.issue(repository.id, number)?;
    let here = format!("/{full_name}/pull/{number}");
    let mut frame = Frame::new(view, format!("{} · #{number}", issue.title), here.clone(), chosen, Some(repository))
        .about(issue, chosen);
    frame.alert = draft.alert;
    let permission = frame.you.as_ref().map_or(Permission::None, |you| you.permission);
    let own = frame.you.as_ref().is_some_and(|you| you.id == issue.author);
    let (state, tone) = pull_state(issue);
    let side = issue.pull_request.as_ref();
    let comparison = side.map(|side| view.git.compare(repository.id, &side.base_sha, &side.head_sha)).transpose()?;
    let changed = comparison.as_ref().map_or(&[][..], |comparison| &comparison.files);
    let conflict =
        side.is_some_and(|side| view.git.merges_cleanly(repository.id, &side.base_sha, &side.head_sha) == Some(false));
    let (edit_path, edit_content) = start_of_edit(view, repository, side, changed);
    let open = issue.closed.is_none();
    let may_write = permission >= Permission::Write;
    let is_draft = side.is_some_and(|side| side.draft);
    Ok(PullModel {
        frame,
        repository: full_name,
        here,
        number,
        title: issue.title.clone(),
        state,
        tone,
        open,
        is_pull: side.is_some(),
        is_draft,
        conflict,
        author: author(view, issue.author),
        head: side.map(|side| side.head_ref.clone()),
        base: side.map(|side| side.base_ref.clone()),
        head_sha: side.map(|side| short(&side.head_sha).to_owned()),
        full_sha: side.map(|side| side.head_sha.clone()),
        commits: comparison.as_ref().map_or(0, |comparison| comparison.commits.len()),
        entries: conversation(view, issue),
        checks: side.map(|side| checks(view, repository.id, &side.head_sha)).unwrap_or_default(),
        files: file_changes(changed),
        labels: issue.labels.clone(),
        known_labels: repository.labels.values().map(|label| label.name.clone()).collect(),
        edit_path,
        edit_content,
        draft_body: draft.body,
        own,
        may_write,
        may_triage: permission >= Permission::Triage || own,
        may_merge: may_write && open && !conflict && side.is_some() && !is_draft,
    })
}

/// A file of the pull request, as it is at the head, for the form that pushes a commit.
fn start_of_edit(
    view: View<'_>,
    repository: &Repository,
    side: Option<&PullRequest>,
    changed: &[ChangedFile],
) -> (String, String) {
    let path = changed.iter().find(|file| file.status != "removed").map_or("README.md", |file| file.path.as_str());
    let content = side.map(|side| view.git.content(repository.id, &side.head_sha, path));
    let text = match content {
        Some(Ok(Content::File { bytes, .. })) => String::from_utf8(bytes).unwrap_or_default(),
        _ => String::new(),
    };
    (path.to_owned(), text)
}

/// A check run's own address leads to its pull request.
pub(super) async fn check_run(
    State(hub): Shared,
    Path((owner, name, id)): Path<(String, String, Id)>,
    chosen: ChosenPerson,
) -> Response {
    let place = hub.read(|view| {
        let run = view.world.check_runs.get(&id)?;
        let here = |issue: &&Issue| {
            issue.repository == run.repository
                && issue.pull_request.as_ref().is_some_and(|side| side.head_sha == run.head_sha)
        };
        let number = view.world.issues.values().find(here).map(|issue| issue.number);
        Some(match number {
            Some(number) => format!("/{owner}/{name}/pull/{number}#check-{id}"),
            None => format!("/{owner}/{name}/commit/{}#check-{id}", run.head_sha),
        })
    });
    match place {
        Some(place) => Redirect::to(&place).into_response(),
        None => missing(&hub, &chosen),
    }
}

/// What was sent to the webhook address, newest first.
pub(super) async fn deliveries(State(hub): Shared, chosen: ChosenPerson) -> Response {
    hub.read(|view| {
        let frame = Frame::new(view, "Webhook deliveries".to_owned(), "/_sandbox/deliveries".to_owned(), &chosen, None);
        let rows = view.world.deliveries.values().rev().take(200).map(|delivery| {
            let name = delivery
                .action
                .as_ref()
                .map_or_else(|| delivery.event.clone(), |action| format!("{}.{action}", delivery.event));
            let tone = match delivery.status_code {
                0 => "busy",
                200..=299 => "good",
                _ => "bad",
            };
            let payload = serde_json::from_str::<serde_json::Value>(&delivery.payload)
                .and_then(|payload| serde_json::to_string_pretty(&payload));
            json!({
                "id": delivery.id.to_string(),
                "guid": delivery.guid,
                "at": stamp(delivery.delivered_at),
                "name": name,
                "status": if delivery.done { delivery.status.as_str() } else { "on its way" },
                "code": delivery.status_code,
                "tone": tone,
                "again": delivery.redelivery,
                "payload": payload.unwrap_or_default(),
                "answer": delivery.response_body,
            })
        });
        let rows: Vec<_> = rows.collect();
        page(
            StatusCode::OK,
            "deliveries.html",
            json!({"frame": frame, "url": view.world.app.webhook_url, "rows": rows}),
        )
    })
}

/// There is nothing at this address.
pub(super) fn missing(hub: &Hub, chosen: &ChosenPerson) -> Response {
    hub.read(|view| {
        let frame = Frame::new(view, "Not found".to_owned(), "/".to_owned(), chosen, None);
        page(StatusCode::NOT_FOUND, "problem.html", json!({"frame": frame}))
    })
}
