//! Repositories, branches, commits, comparisons, contents, labels, collaborators.
//! Source: REST documentation, "Repositories", "Branches", "Commits", "Git references", "Repository contents".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::{Answer, ApiError, METADATA, Need, Paging, Shared, checks, no_content, ok};
use crate::auth::Caller;
use crate::git::Content;
use crate::hub::Hub;
use crate::limits;
use crate::shape::View;
use crate::state::{Id, Permission};

/// What reading code needs.
pub(super) const CONTENTS: Need = Need::read(&["contents"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}", get(get_repository))
        .route("/repositories/{id}", get(get_repository_by_id))
        .route("/repos/{owner}/{repo}/branches", get(list_branches))
        .route("/repos/{owner}/{repo}/branches/{*branch}", get(get_branch))
        .route("/repos/{owner}/{repo}/git/ref/{*reference}", get(get_reference))
        .route("/repos/{owner}/{repo}/git/matching-refs/{*reference}", get(matching_references))
        .route("/repos/{owner}/{repo}/commits", get(list_commits))
        .route("/repos/{owner}/{repo}/commits/{*rest}", get(below_commit))
        .route("/repos/{owner}/{repo}/compare/{*span}", get(compare))
        .route("/repos/{owner}/{repo}/contents", get(get_root))
        .route("/repos/{owner}/{repo}/contents/", get(get_root))
        .route("/repos/{owner}/{repo}/contents/{*path}", get(get_contents))
        .route("/repos/{owner}/{repo}/labels", get(list_labels))
        .route("/repos/{owner}/{repo}/labels/{name}", get(get_label))
        .route("/repos/{owner}/{repo}/teams", get(list_teams))
        .route("/repos/{owner}/{repo}/collaborators", get(list_collaborators))
        .route("/repos/{owner}/{repo}/collaborators/{login}", get(is_collaborator))
        .route("/repos/{owner}/{repo}/collaborators/{login}/permission", get(get_permission))
}

type Names = Path<(String, String)>;
type NamesAnd = Path<(String, String, String)>;

async fn get_repository(State(hub): Shared, caller: Caller, Path((owner, name)): Names) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, METADATA)?;
        one_repository(view, id)
    })
}

async fn get_repository_by_id(State(hub): Shared, caller: Caller, Path(id): Path<Id>) -> Answer {
    hub.read(|view| {
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let full_name = view.world.full_name(repository);
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        let id = caller.repository(view.world, owner, name, METADATA)?;
        one_repository(view, id)
    })
}

fn one_repository(view: View<'_>, id: Id) -> Answer {
    let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
    Ok(ok(view.repository_full(repository)))
}

async fn list_branches(State(hub): Shared, caller: Caller, Path((owner, name)): Names, paging: Paging) -> Answer {
    let branches = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let shapes = repository.branches().map(|(branch, sha)| view.branch_short(id, branch, sha));
        Ok::<Vec<Value>, ApiError>(shapes.collect())
    })?;
    Ok(paging.list(branches))
}

async fn get_branch(State(hub): Shared, caller: Caller, Path((owner, name, branch)): NamesAnd) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let missing = || ApiError::new(http::StatusCode::NOT_FOUND, "Branch not found");
        let sha = repository.branch(&branch).ok_or_else(missing)?;
        let commit = view.git.commit_facts(id, sha)?;
        let api = format!("{}/branches/{branch}", view.repository_api(id));
        Ok(ok(json!({
            "name": branch,
            "commit": view.commit(id, &commit),
            "_links": {"self": api, "html": format!("{}/tree/{branch}", view.repository_web(id))},
            "protected": false,
            "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}},
            "protection_url": format!("{api}/protection"),
        })))
    })
}

async fn get_reference(State(hub): Shared, caller: Caller, Path((owner, name, reference)): NamesAnd) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let full = format!("refs/{reference}");
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let sha = repository.references.get(&full).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.git_reference(id, &full, sha)))
    })
}

async fn matching_references(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, reference)): NamesAnd,
    paging: Paging,
) -> Answer {
    let found = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let start = format!("refs/{reference}");
        let matching = repository.references.iter().filter(|(name, _)| name.starts_with(&start));
        Ok::<Vec<Value>, ApiError>(matching.map(|(name, sha)| view.git_reference(id, name, sha)).collect())
    })?;
    Ok(paging.list(found))
}

/// How many commits a list may reach back.
const LOG: usize = 10_000;

async fn list_commits(State(hub): Shared, caller: Caller, Path((owner, name)): Names, paging: Paging) -> Answer {
    let commits = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let from = paging.parameter("sha").unwrap_or(&repository.default_branch);
        let sha = view.git.resolve(id, from)?;
        let commits = view.git.log(id, &sha, LOG)?;
        Ok::<Vec<Value>, ApiError>(commits.iter().map(|commit| view.commit(id, commit)).collect())
    })?;
    Ok(paging.list(commits))
}

/// References may contain slashes, so what is asked about a commit is told from the path's end.
async fn below_commit(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, rest)): NamesAnd,
    paging: Paging,
) -> Answer {
    if let Some(reference) = rest.strip_suffix("/check-runs") {
        return checks::runs_of_commit(&hub, &caller, &owner, &name, reference, &paging);
    }
    if let Some(reference) = rest.strip_suffix("/check-suites") {
        return checks::suites_of_commit(&hub, &caller, &owner, &name, reference, &paging);
    }
    if let Some(reference) = rest.strip_suffix("/pulls") {
        return pulls_of_commit(&hub, &caller, &owner, &name, reference, &paging);
    }
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let unknown = |_| ApiError::unprocessable(format!("No commit found for SHA: {rest}"));
        let sha = view.git.resolve(id, &rest).map_err(unknown)?;
        let commit = view.git.commit_facts(id, &sha)?;
        let files = view.git.commit_files(id, &sha)?;
        Ok(ok(view.commit_full(id, &commit, &files)))
    })
}

fn pulls_of_commit(hub: &Hub, caller: &Caller, owner: &str, name: &str, reference: &str, paging: &Paging) -> Answer {
    let pulls = hub.read(|view| {
        let id = caller.repository(view.world, owner, name, Need::read(&["pull_requests"]))?;
        let sha = view.git.resolve(id, reference)?;
        let here = view.world.issues.values().filter(|issue| issue.repository == id);
        let here = here.filter(|issue| {
            let side = issue.pull_request.as_ref();
            side.is_some_and(|side| {
                side.head_sha == sha || side.merged.as_ref().is_some_and(|(_, _, merge)| *merge == sha)
            })
        });
        Ok::<Vec<Value>, ApiError>(here.map(|issue| view.pull_request_simple(issue)).collect())
    })?;
    Ok(paging.list(pulls))
}

/// Commits come in pages when asked for so, else the newest 250; files only on the first page.
/// Source: "Compare two commits".
async fn compare(State(hub): Shared, caller: Caller, Path((owner, name, span)): NamesAnd, paging: Paging) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let (base, head) = span.split_once("...").ok_or_else(ApiError::not_found)?;
        let own = |reference: &str| reference.strip_prefix(&format!("{owner}:")).unwrap_or(reference).to_owned();
        let (base, head) = (view.git.resolve(id, &own(base))?, view.git.resolve(id, &own(head))?);
        let comparison = view.git.compare(id, &base, &head)?;
        let base = view.git.commit_facts(id, &base)?;
        let merge_base = view.git.commit_facts(id, &comparison.merge_base)?;
        let mut shape = view.comparison(id, &base, &merge_base, &head, &comparison);
        let mut commits: Vec<Value> = comparison.commits.iter().map(|commit| view.commit(id, commit)).collect();
        if !paging.is_asked_for() {
            commits.drain(..commits.len().saturating_sub(limits::LISTED_COMMITS));
            shape["commits"] = Value::Array(commits);
            return Ok(ok(shape));
        }
        if !paging.is_first() {
            shape["files"] = json!([]);
        }
        Ok(paging.wrapped(commits, |_, page| {
            shape["commits"] = Value::Array(page);
            shape
        }))
    })
}

async fn get_root(
    hub: Shared,
    caller: Caller,
    Path((owner, name)): Names,
    headers: HeaderMap,
    paging: Paging,
) -> Answer {
    get_contents(hub, caller, Path((owner, name, String::new())), headers, paging).await
}

async fn get_contents(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, path)): NamesAnd,
    headers: HeaderMap,
    paging: Paging,
) -> Answer {
    let raw = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("raw"));
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, CONTENTS)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let reference = paging.parameter("ref").unwrap_or(&repository.default_branch);
        let missing =
            |_| ApiError::new(http::StatusCode::NOT_FOUND, format!("No commit found for the ref {reference}"));
        let sha = view.git.resolve(id, reference).map_err(missing)?;
        let content = view.git.content(id, &sha, &path)?;
        match content {
            Content::File { bytes, .. } if raw => Ok(plain(bytes)),
            content => Ok(ok(view.content(id, path.trim_matches('/'), reference, &content))),
        }
    })
}

fn plain(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/vnd.github.raw; charset=utf-8")], bytes).into_response()
}

async fn list_labels(State(hub): Shared, caller: Caller, Path((owner, name)): Names, paging: Paging) -> Answer {
    let labels = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, Need::read(&["issues", "pull_requests"]))?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        Ok::<Vec<Value>, ApiError>(repository.labels.values().map(|label| view.label(id, label)).collect())
    })?;
    Ok(paging.list(labels))
}

async fn get_label(State(hub): Shared, caller: Caller, Path((owner, name, label)): NamesAnd) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, Need::read(&["issues", "pull_requests"]))?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let label = repository.labels.get(&label.to_lowercase()).ok_or_else(ApiError::not_found)?;
        Ok(ok(view.label(id, label)))
    })
}

async fn list_teams(State(hub): Shared, caller: Caller, Path((owner, name)): Names, paging: Paging) -> Answer {
    let teams = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, METADATA)?;
        let repository = view.world.repositories.get(&id).ok_or_else(ApiError::not_found)?;
        let teams = repository.teams.keys().filter_map(|team| view.world.teams.get(team));
        Ok::<Vec<Value>, ApiError>(teams.map(|team| view.team(team)).collect())
    })?;
    Ok(paging.list(teams))
}

async fn list_collaborators(State(hub): Shared, caller: Caller, Path((owner, name)): Names, paging: Paging) -> Answer {
    let people = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, METADATA)?;
        let people = view.world.accounts.values().filter(|account| account.kind == crate::state::AccountKind::User);
        let people = people.filter(|account| view.world.permission(id, account.id) > Permission::None);
        Ok::<Vec<Value>, ApiError>(
            people.map(|account| view.collaborator_permission(id, account)["user"].clone()).collect(),
        )
    })?;
    Ok(paging.list(people))
}

/// 204 for a collaborator, 404 otherwise. Source: "Check if a user is a repository collaborator".
async fn is_collaborator(State(hub): Shared, caller: Caller, Path((owner, name, login)): NamesAnd) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, METADATA)?;
        let person = view.world.account(&login)?.id;
        if view.world.permission(id, person) > Permission::None { Ok(no_content()) } else { Err(ApiError::not_found()) }
    })
}

/// Source: "Get repository permissions for a user".
async fn get_permission(State(hub): Shared, caller: Caller, Path((owner, name, login)): NamesAnd) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, METADATA)?;
        let person = view.world.account(&login)?;
        Ok(ok(view.collaborator_permission(id, person)))
    })
}
