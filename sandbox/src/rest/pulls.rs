//! Pull requests and their reviews. Source: REST documentation, "Pull requests", "Pull request reviews".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::issues::OfIssue;
use super::{Answer, ApiError, Body, Need, Paging, Shared, created, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::limits;
use crate::shape::View;
use crate::state::{Change, Id, Issue, NewPullRequest, PullRequest, Review, ReviewState};

const READ: Need = Need::read(&["pull_requests"]);
const WRITE: Need = Need::write(&["pull_requests"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/pulls", get(list_pulls).post(create_pull))
        .route("/repos/{owner}/{repo}/pulls/{number}", get(get_pull).patch(update_pull))
        .route("/repos/{owner}/{repo}/pulls/{number}/files", get(list_files))
        .route("/repos/{owner}/{repo}/pulls/{number}/commits", get(list_commits))
        .route("/repos/{owner}/{repo}/pulls/{number}/merge", put(merge))
        .route("/repos/{owner}/{repo}/pulls/{number}/requested_reviewers", get(requested_reviewers))
        .route("/repos/{owner}/{repo}/pulls/{number}/reviews", get(list_reviews).post(create_review))
        .route("/repos/{owner}/{repo}/pulls/{number}/reviews/{id}", get(get_review).put(update_review))
        .route("/repos/{owner}/{repo}/pulls/{number}/reviews/{id}/dismissals", put(dismiss_review))
}

async fn list_pulls(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    paging: Paging,
) -> Answer {
    let state = paging.parameter("state").unwrap_or("open").to_owned();
    let (base, head) = (paging.parameter("base"), paging.parameter("head"));
    // "direction: desc when sort is created or sort is not specified, otherwise asc" (REST documentation, as above).
    let by_update = paging.parameter("sort") == Some("updated");
    let newest_first = paging.parameter("direction").map_or(!by_update, |direction| direction == "desc");
    let pulls = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, READ)?;
        let here = view.world.issues.values().filter(|issue| issue.repository == id);
        let here = here.filter(|issue| {
            let Some(side) = &issue.pull_request else { return false };
            let base_fits = base.is_none_or(|base| side.base_ref == base);
            let head_fits = head.is_none_or(|head| head.rsplit(':').next() == Some(side.head_ref.as_str()));
            (state == "all" || issue.state() == state) && base_fits && head_fits
        });
        let mut here: Vec<&Issue> = here.collect();
        if by_update {
            here.sort_by_key(|issue| issue.updated_at);
        }
        if newest_first {
            here.reverse();
        }
        Ok::<Vec<Value>, ApiError>(here.into_iter().map(|issue| view.pull_request_simple(issue)).collect())
    })?;
    Ok(paging.list(pulls))
}

#[derive(Deserialize)]
struct NewPull {
    title: String,
    head: String,
    base: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    draft: bool,
}

async fn create_pull(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Body(new): Body<NewPull>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, WRITE)?;
        let (actor, _) = caller.actor(change.world);
        let head = new.head.rsplit(':').next().unwrap_or(&new.head).to_owned();
        let new = NewPullRequest { title: new.title, body: new.body, head, base: new.base, draft: new.draft };
        let issue = change.open_pull_request(id, actor, &new)?;
        Ok(created(shape(change, issue)))
    })
}

fn shape(change: &Change<'_>, issue: Id) -> Value {
    let view = change.view();
    view.world.issues.get(&issue).map_or(Value::Null, |issue| view.pull_request(issue))
}

/// The pull request, when the caller may reach it.
fn find<'a>(
    view: &View<'a>,
    caller: &Caller,
    owner: &str,
    name: &str,
    number: u64,
    need: Need,
) -> Result<(&'a Issue, &'a PullRequest), ApiError> {
    let id = caller.repository(view.world, owner, name, need)?;
    Ok(view.world.pull_request(id, number)?)
}

async fn get_pull(State(hub): Shared, caller: Caller, Path((owner, name, number)): OfIssue) -> Answer {
    hub.read(|view| Ok(ok(view.pull_request(find(&view, &caller, &owner, &name, number, READ)?.0))))
}

#[derive(Deserialize)]
struct PullChange {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    base: Option<String>,
}

async fn update_pull(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<PullChange>,
) -> Answer {
    hub.change(|change| {
        let (issue, _) = find(&change.view(), &caller, &owner, &name, number, WRITE)?;
        let (issue, closed) = (issue.id, issue.closed.is_some());
        let (actor, _) = caller.actor(change.world);
        change.edit_issue(issue, actor, new.title.as_deref(), new.body.as_deref())?;
        if let Some(base) = &new.base {
            change.retarget(issue, actor, base)?;
        }
        match new.state.as_deref() {
            Some("closed") if !closed => change.close_issue(issue, actor)?,
            Some("open") if closed => change.reopen_issue(issue, actor)?,
            _ => {}
        }
        Ok(ok(shape(change, issue)))
    })
}

async fn list_files(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let files = hub.read(|view| {
        let (issue, side) = find(&view, &caller, &owner, &name, number, READ)?;
        let comparison = view.git.compare(issue.repository, &side.base_sha, &side.head_sha)?;
        let listed = comparison.files.iter().take(limits::LISTED_FILES);
        let files = listed.map(|file| view.diff_entry(issue.repository, &side.head_sha, file));
        Ok::<Vec<Value>, ApiError>(files.collect())
    })?;
    Ok(paging.list(files))
}

async fn list_commits(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let commits = hub.read(|view| {
        let (issue, side) = find(&view, &caller, &owner, &name, number, READ)?;
        let comparison = view.git.compare(issue.repository, &side.base_sha, &side.head_sha)?;
        let listed = comparison.commits.iter().take(limits::LISTED_COMMITS);
        Ok::<Vec<Value>, ApiError>(listed.map(|commit| view.commit(issue.repository, commit)).collect())
    })?;
    Ok(paging.list(commits))
}

#[derive(Deserialize)]
struct Merge {
    #[serde(default)]
    merge_method: Option<String>,
    #[serde(default)]
    sha: Option<String>,
}

async fn merge(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(how): Body<Merge>,
) -> Answer {
    hub.change(|change| {
        let (issue, side) = find(&change.view(), &caller, &owner, &name, number, Need::write(&["contents"]))?;
        if how.sha.as_ref().is_some_and(|sha| *sha != side.head_sha) {
            return Err(ApiError::new(
                http::StatusCode::CONFLICT,
                "Head branch was modified. Review and try the merge again.",
            ));
        }
        let issue = issue.id;
        let (actor, _) = caller.actor(change.world);
        let sha = change.merge_pull_request(issue, actor, how.merge_method.as_deref() == Some("squash"))?;
        Ok(ok(json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"})))
    })
}

async fn requested_reviewers(State(hub): Shared, caller: Caller, Path((owner, name, number)): OfIssue) -> Answer {
    hub.read(|view| {
        find(&view, &caller, &owner, &name, number, READ)?;
        Ok(ok(json!({"users": [], "teams": []})))
    })
}

async fn list_reviews(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let reviews = hub.read(|view| {
        let (issue, _) = find(&view, &caller, &owner, &name, number, READ)?;
        Ok::<Vec<Value>, ApiError>(view.world.reviews_of(issue.id).map(|review| view.review(review)).collect())
    })?;
    Ok(paging.list(reviews))
}

type OfReview = Path<(String, String, u64, Id)>;

fn review_of<'a>(
    view: &View<'a>,
    caller: &Caller,
    path: &(String, String, u64, Id),
    need: Need,
) -> Result<&'a Review, ApiError> {
    let (owner, name, number, id) = path;
    let (issue, _) = find(view, caller, owner, name, *number, need)?;
    view.world.reviews.get(id).filter(|review| review.issue == issue.id).ok_or_else(ApiError::not_found)
}

async fn get_review(State(hub): Shared, caller: Caller, Path(path): OfReview) -> Answer {
    hub.read(|view| Ok(ok(view.review(review_of(&view, &caller, &path, READ)?))))
}

#[derive(Deserialize)]
struct NewReview {
    #[serde(default)]
    body: String,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    commit_id: Option<String>,
}

async fn create_review(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<NewReview>,
) -> Answer {
    let state = match new.event.as_deref() {
        Some("APPROVE") => ReviewState::Approved,
        Some("REQUEST_CHANGES") => ReviewState::ChangesRequested,
        Some("COMMENT") => ReviewState::Commented,
        _ => {
            return Err(ApiError::unprocessable(
                "Invalid request.\n\nThe sandbox keeps no pending reviews: `event` must be APPROVE, REQUEST_CHANGES or COMMENT.",
            ));
        }
    };
    hub.change(|change| {
        let (issue, _) = find(&change.view(), &caller, &owner, &name, number, WRITE.open_to_readers())?;
        let issue = issue.id;
        let (actor, _) = caller.actor(change.world);
        let id = change.submit_review(issue, actor, state, &new.body, new.commit_id.as_deref())?;
        Ok(ok(review_shape(change, id)))
    })
}

fn review_shape(change: &Change<'_>, id: Id) -> Value {
    let view = change.view();
    view.world.reviews.get(&id).map_or(Value::Null, |review| view.review(review))
}

#[derive(Deserialize)]
struct ReviewBody {
    body: String,
}

async fn update_review(
    State(hub): Shared,
    caller: Caller,
    Path(path): OfReview,
    Body(new): Body<ReviewBody>,
) -> Answer {
    hub.change(|change| {
        let review = review_of(&change.view(), &caller, &path, WRITE.open_to_readers())?;
        let (id, author) = (review.id, review.author);
        let (actor, _) = caller.actor(change.world);
        if author != actor {
            return Err(ApiError::not_accessible());
        }
        change.edit_review(id, actor, &new.body)?;
        Ok(ok(review_shape(change, id)))
    })
}

#[derive(Deserialize)]
struct Dismissal {
    message: String,
}

async fn dismiss_review(
    State(hub): Shared,
    caller: Caller,
    Path(path): OfReview,
    Body(new): Body<Dismissal>,
) -> Answer {
    hub.change(|change| {
        let id = review_of(&change.view(), &caller, &path, WRITE)?.id;
        let (actor, _) = caller.actor(change.world);
        change.dismiss_review(id, actor, &new.message)?;
        Ok(ok(review_shape(change, id)))
    })
}
