//! Git's own objects: blobs, trees, commits, and references that are made, moved and deleted.
//! Source: REST documentation, "Git blobs", "Git trees", "Git commits", "Git references".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, patch, post};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::repositories::CONTENTS;
use super::{Answer, ApiError, Body, Need, Shared, created, no_content, ok};
use crate::auth::Caller;
use crate::git::{Author, NewObject, TreeChange};
use crate::hub::Hub;
use crate::state::{Change, Id};

/// Source: "Permissions required for GitHub Apps", "Repository permissions for Contents".
const WRITE: Need = Need::write(&["contents"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/git/blobs", post(create_blob))
        .route("/repos/{owner}/{repo}/git/trees", post(create_tree))
        .route("/repos/{owner}/{repo}/git/commits", post(create_commit))
        .route("/repos/{owner}/{repo}/git/commits/{sha}", get(get_commit))
        .route("/repos/{owner}/{repo}/git/refs", post(create_reference))
        .route("/repos/{owner}/{repo}/git/refs/{*reference}", patch(move_reference).delete(delete_reference))
}

type Names = Path<(String, String)>;
type NamesAnd = Path<(String, String, String)>;

#[derive(Deserialize)]
struct NewBlob {
    content: String,
    encoding: Option<String>,
}

async fn create_blob(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Names,
    Body(new): Body<NewBlob>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let bytes = match new.encoding.as_deref() {
            None | Some("utf-8") => new.content.clone().into_bytes(),
            Some("base64") => base64::engine::general_purpose::STANDARD
                .decode(new.content.replace(['\n', '\r'], ""))
                .map_err(|_| ApiError::unprocessable("content is not valid Base64"))?,
            Some(other) => return Err(ApiError::unprocessable(format!("unsupported encoding: {other}"))),
        };
        let sha = change.git.write_blob(id, &bytes)?;
        let url = format!("{}/git/blobs/{sha}", change.view().repository_api(id));
        Ok(created(json!({"sha": sha, "url": url})))
    })
}

#[derive(Deserialize)]
struct NewTree {
    base_tree: Option<String>,
    tree: Vec<NewEntry>,
}

#[derive(Deserialize)]
struct NewEntry {
    path: Option<String>,
    mode: Option<String>,
    content: Option<String>,
    /// Null deletes the file.
    #[serde(default, deserialize_with = "present")]
    sha: Option<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

async fn create_tree(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Names,
    Body(new): Body<NewTree>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        // Source: "Create a tree", 409 on a repository without a commit.
        if change.git.references(id)?.is_empty() {
            return Err(ApiError::new(http::StatusCode::CONFLICT, "Git Repository is empty."));
        }
        let changes = new.tree.into_iter().map(tree_change).collect::<Result<Vec<_>, _>>()?;
        let made = change.git.write_tree(id, new.base_tree.as_deref(), &changes);
        let sha = made.map_err(|_| ApiError::unprocessable("GitRPC::BadObjectState"))?;
        let entries: Vec<Value> = change
            .git
            .tree_entries(id, &sha)?
            .into_iter()
            .map(|entry| {
                let (mode, kind) = if entry.folder { ("040000", "tree") } else { ("100644", "blob") };
                json!({"path": entry.name, "mode": mode, "type": kind, "sha": entry.id})
            })
            .collect();
        let url = format!("{}/git/trees/{sha}", change.view().repository_api(id));
        Ok(created(json!({"sha": sha, "url": url, "tree": entries, "truncated": false})))
    })
}

fn tree_change(entry: NewEntry) -> Result<TreeChange, ApiError> {
    let path = entry.path.filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| ApiError::unprocessable("tree.path is required"))?;
    if path.starts_with('/') || path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(ApiError::unprocessable("tree.path contains a malformed path component"));
    }
    let object = match (entry.content, entry.sha) {
        (Some(content), None) => NewObject::Content(content.into_bytes()),
        (None, Some(Some(sha))) => NewObject::Blob(sha),
        (None, Some(None)) => NewObject::Gone,
        _ => return Err(ApiError::unprocessable("Must supply either tree.sha or tree.content")),
    };
    Ok(TreeChange { path, object, executable: entry.mode.as_deref() == Some("100755") })
}

#[derive(Deserialize)]
struct NewCommit {
    message: String,
    tree: String,
    #[serde(default)]
    parents: Vec<String>,
    author: Option<Named>,
    committer: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    email: String,
}

/// What an App commits without naming anybody bears the App's own name and GitHub's signature. Source: "About commit
/// signature verification", "Signature verification for bots".
async fn create_commit(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Names,
    Body(new): Body<NewCommit>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let own = author_of(change, &caller);
        let named = |named: &Named| Author { name: named.name.clone(), email: named.email.clone() };
        let is_signed =
            matches!(caller, Caller::Installation { .. }) && new.author.is_none() && new.committer.is_none();
        let author = new.author.as_ref().map_or_else(|| own.clone(), named);
        let made = change.git.write_loose_commit(id, (&new.tree, &new.parents), &new.message, &author, change.now);
        let sha = made.map_err(|_| ApiError::unprocessable("Tree SHA does not exist or a parent is no commit"))?;
        if is_signed {
            change.world.signed_commits.insert(sha.clone());
        }
        change.touch();
        Ok(created(commit_object(change, id, &sha)?))
    })
}

fn author_of(change: &Change<'_>, caller: &Caller) -> Author {
    let (actor, _) = caller.actor(change.world);
    match change.world.accounts.get(&actor) {
        Some(account) => Author { name: account.login.clone(), email: account.email() },
        None => Author { name: "ghost".to_owned(), email: "ghost@users.noreply.github.com".to_owned() },
    }
}

async fn get_commit(State(hub): Shared, caller: Caller, Path((owner, name, sha)): NamesAnd) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, CONTENTS)?;
        Ok(ok(commit_object(change, id, &sha)?))
    })
}

fn commit_object(change: &Change<'_>, id: Id, sha: &str) -> Result<Value, ApiError> {
    let facts = change.git.commit_facts(id, sha).map_err(|_| ApiError::not_found())?;
    let view = change.view();
    let mut shape = view.commit(id, &facts);
    let mut commit = shape["commit"].take();
    if let Some(commit) = commit.as_object_mut() {
        commit.remove("comment_count");
    }
    for key in ["sha", "node_id", "html_url", "parents"] {
        commit[key] = shape[key].take();
    }
    commit["url"] = Value::from(format!("{}/git/commits/{sha}", view.repository_api(id)));
    Ok(commit)
}

#[derive(Deserialize)]
struct NewReference {
    #[serde(rename = "ref")]
    name: Option<String>,
    sha: Option<String>,
}

async fn create_reference(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Names,
    Body(new): Body<NewReference>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let full = new.name.ok_or_else(|| ApiError::unprocessable("Invalid request.\n\n\"ref\" wasn't supplied."))?;
        let sha = new.sha.ok_or_else(|| ApiError::unprocessable("Invalid request.\n\n\"sha\" wasn't supplied."))?;
        // Source: "Create a reference", `ref`: it begins with `refs` and has at least two slashes.
        if !full.starts_with("refs/") || full.matches('/').count() < 2 || !git2::Reference::is_valid_name(&full) {
            return Err(ApiError::unprocessable(format!("Reference name '{full}' is not valid")));
        }
        if change.git.references(id)?.contains_key(&full) {
            return Err(ApiError::unprocessable("Reference already exists"));
        }
        set(change, &caller, id, &full, &sha)?;
        Ok(created(change.view().git_reference(id, &full, &sha)))
    })
}

#[derive(Deserialize)]
struct MovedReference {
    sha: Option<String>,
    #[serde(default)]
    force: bool,
}

async fn move_reference(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, reference)): NamesAnd,
    Body(moved): Body<MovedReference>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let full = format!("refs/{reference}");
        let sha = moved.sha.ok_or_else(|| ApiError::unprocessable("Invalid request.\n\n\"sha\" wasn't supplied."))?;
        let references = change.git.references(id)?;
        let stands = references.get(&full).ok_or_else(|| ApiError::unprocessable("Reference does not exist"))?;
        if change.git.commit_facts(id, &sha).is_err() {
            return Err(ApiError::unprocessable("Object does not exist"));
        }
        if !moved.force && stands != &sha && !change.git.is_ancestor(id, stands, &sha) {
            return Err(ApiError::unprocessable("Update is not a fast forward"));
        }
        set(change, &caller, id, &full, &sha)?;
        Ok(ok(change.view().git_reference(id, &full, &sha)))
    })
}

async fn delete_reference(State(hub): Shared, caller: Caller, Path((owner, name, reference)): NamesAnd) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let full = format!("refs/{reference}");
        if !change.git.references(id)?.contains_key(&full) {
            return Err(ApiError::unprocessable("Reference does not exist"));
        }
        change.git.delete_reference(id, &full)?;
        let (actor, _) = caller.actor(change.world);
        change.observe_references(id, actor)?;
        Ok(no_content())
    })
}

fn set(change: &mut Change<'_>, caller: &Caller, id: Id, full: &str, sha: &str) -> Result<(), ApiError> {
    if change.git.commit_facts(id, sha).is_err() {
        return Err(ApiError::unprocessable("Object does not exist"));
    }
    change.git.set_reference(id, full, sha)?;
    let (actor, _) = caller.actor(change.world);
    Ok(change.observe_references(id, actor)?)
}
