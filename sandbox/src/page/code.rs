//! A commit, and a file at a commit: small pages for the links that others carry.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::model::{Check, ChosenPerson, FileChange, Frame, checks, file_changes, short};
use super::render::page;
use super::views::missing;
use crate::clock::stamp;
use crate::error::SandboxError;
use crate::git::Content;
use crate::hub::Hub;

/// What both pages show; a file has lines, a commit has files and checks.
#[derive(Debug, Serialize)]
struct CodeModel {
    frame: Frame,
    repository: String,
    heading: String,
    note: String,
    at: Option<String>,
    lines: Option<Vec<String>>,
    files: Vec<FileChange>,
    checks: Vec<Check>,
    may_write: bool,
}

pub(super) async fn commit(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, sha)): Path<(String, String, String)>,
    chosen: ChosenPerson,
) -> Response {
    let model = hub.read(|view| {
        let repository = view.world.repository(&format!("{owner}/{name}"))?;
        let sha = view.git.resolve(repository.id, &sha)?;
        let facts = view.git.commit_facts(repository.id, &sha)?;
        let files = file_changes(&view.git.commit_files(repository.id, &sha)?);
        let here = format!("/{owner}/{name}/commit/{sha}");
        let frame = Frame::new(view, format!("Commit {}", short(&sha)), here, &chosen, Some(repository));
        Ok::<_, SandboxError>(CodeModel {
            frame,
            repository: format!("{owner}/{name}"),
            heading: facts.message.lines().next().unwrap_or_default().to_owned(),
            note: format!("{} · {}", facts.author.name, short(&sha)),
            at: Some(stamp(facts.committed_at)),
            lines: None,
            files,
            checks: checks(view, repository.id, &sha),
            may_write: false,
        })
    });
    model.map_or_else(|_| missing(&hub, &chosen), |model| page(StatusCode::OK, "code.html", model))
}

pub(super) async fn file(
    State(hub): State<Arc<Hub>>,
    Path((owner, name, sha, path)): Path<(String, String, String, String)>,
    chosen: ChosenPerson,
) -> Response {
    let model = hub.read(|view| {
        let repository = view.world.repository(&format!("{owner}/{name}"))?;
        let sha = view.git.resolve(repository.id, &sha)?;
        let text = match view.git.content(repository.id, &sha, &path)? {
            Content::File { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
            Content::Folder(entries) => entries.iter().map(|entry| format!("{}\n", entry.name)).collect(),
        };
        let here = format!("/{owner}/{name}/blob/{sha}/{path}");
        let frame = Frame::new(view, path.clone(), here, &chosen, Some(repository));
        Ok::<_, SandboxError>(CodeModel {
            frame,
            repository: format!("{owner}/{name}"),
            heading: path.clone(),
            note: format!("at {}", short(&sha)),
            at: None,
            lines: Some(text.lines().map(str::to_owned).collect()),
            files: Vec::new(),
            checks: Vec::new(),
            may_write: false,
        })
    });
    model.map_or_else(|_| missing(&hub, &chosen), |model| page(StatusCode::OK, "code.html", model))
}
