//! Comments of issues and pull requests, and reactions on them. A comment is changed with PATCH;
//! POST to a comment's address is 404. Source: REST documentation, "Issue comments".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::issues::{NewReaction, OfIssue, READ, SPEAK, issue_of, put_reaction, take_reaction};
use super::{Answer, ApiError, Body, Need, Paging, Shared, created, no_content, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::state::{Change, Comment, Id, Permission, Subject, World};

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/issues/{number}/comments", get(list_comments).post(create_comment))
        .route("/repos/{owner}/{repo}/issues/comments", get(list_all_comments))
        .route(
            "/repos/{owner}/{repo}/issues/comments/{id}",
            get(get_comment).patch(update_comment).delete(delete_comment),
        )
        .route("/repos/{owner}/{repo}/issues/comments/{id}/reactions", get(list_reactions).post(react))
        .route("/repos/{owner}/{repo}/issues/comments/{id}/reactions/{reaction}", delete(delete_reaction))
}

type OfComment = Path<(String, String, Id)>;

#[derive(Deserialize)]
struct NewComment {
    body: String,
}

async fn create_comment(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<NewComment>,
) -> Answer {
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, SPEAK)?;
        let (actor, app) = caller.actor(change.world);
        let id = change.create_comment(issue, actor, app, &new.body)?;
        Ok(created(shape(change, id)))
    })
}

fn shape(change: &Change<'_>, id: Id) -> Value {
    let view = change.view();
    view.world.comments.get(&id).map_or(Value::Null, |comment| view.comment(comment))
}

/// `since` keeps what was updated at or after that moment.
fn since(paging: &Paging) -> Option<Timestamp> {
    paging.parameter("since").and_then(|text| text.parse().ok())
}

async fn list_comments(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let since = since(&paging);
    let comments = hub.read(|view| {
        let issue = issue_of(view.world, &caller, &owner, &name, number, READ)?;
        let comments =
            view.world.comments_of(issue).filter(|comment| since.is_none_or(|since| comment.updated_at >= since));
        Ok::<Vec<Value>, ApiError>(comments.map(|comment| view.comment(comment)).collect())
    })?;
    Ok(paging.list(comments))
}

async fn list_all_comments(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    paging: Paging,
) -> Answer {
    let since = since(&paging);
    let newest_first = paging.parameter("direction") == Some("desc");
    let mut comments = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, READ)?;
        let here = view.world.comments.values().filter(|comment| repository_of(view.world, comment) == Some(id));
        let here = here.filter(|comment| since.is_none_or(|since| comment.updated_at >= since));
        Ok::<Vec<Value>, ApiError>(here.map(|comment| view.comment(comment)).collect())
    })?;
    if newest_first {
        comments.reverse();
    }
    Ok(paging.list(comments))
}

fn repository_of(world: &World, comment: &Comment) -> Option<Id> {
    world.issues.get(&comment.issue).map(|issue| issue.repository)
}

/// The comment, when the caller may reach it and it belongs to the repository.
fn comment_of<'a>(
    world: &'a World,
    caller: &Caller,
    owner: &str,
    name: &str,
    id: Id,
    need: Need,
) -> Result<&'a Comment, ApiError> {
    let repository = caller.repository(world, owner, name, need)?;
    let comment = world.comments.get(&id).ok_or_else(ApiError::not_found)?;
    if repository_of(world, comment) == Some(repository) { Ok(comment) } else { Err(ApiError::not_found()) }
}

/// The comment, when the caller may change it: its author, or somebody with write access.
fn own_comment(world: &World, caller: &Caller, owner: &str, name: &str, id: Id) -> Result<Id, ApiError> {
    let comment = comment_of(world, caller, owner, name, id, SPEAK)?;
    let (actor, app) = caller.actor(world);
    let repository = repository_of(world, comment).unwrap_or_default();
    let may = comment.author == actor || app.is_some() || world.permission(repository, actor) >= Permission::Write;
    if may {
        Ok(actor)
    } else {
        Err(ApiError::new(http::StatusCode::FORBIDDEN, "Must have admin rights to Repository."))
    }
}

async fn get_comment(State(hub): Shared, caller: Caller, Path((owner, name, id)): OfComment) -> Answer {
    hub.read(|view| Ok(ok(view.comment(comment_of(view.world, &caller, &owner, &name, id, READ)?))))
}

async fn update_comment(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, id)): OfComment,
    Body(new): Body<NewComment>,
) -> Answer {
    hub.change(|change| {
        let actor = own_comment(change.world, &caller, &owner, &name, id)?;
        change.edit_comment(id, actor, &new.body)?;
        Ok(ok(shape(change, id)))
    })
}

async fn delete_comment(State(hub): Shared, caller: Caller, Path((owner, name, id)): OfComment) -> Answer {
    hub.change(|change| {
        let actor = own_comment(change.world, &caller, &owner, &name, id)?;
        change.delete_comment(id, actor)?;
        Ok(no_content())
    })
}

async fn list_reactions(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, id)): OfComment,
    paging: Paging,
) -> Answer {
    let content = paging.parameter("content").map(str::to_owned);
    let reactions = hub.read(|view| {
        let comment = comment_of(view.world, &caller, &owner, &name, id, READ)?.id;
        let reactions = view.world.reactions_on(Subject::Comment(comment));
        let reactions =
            reactions.filter(|reaction| content.as_ref().is_none_or(|content| *content == reaction.content));
        Ok::<Vec<Value>, ApiError>(reactions.map(|reaction| view.reaction(reaction)).collect())
    })?;
    Ok(paging.list(reactions))
}

async fn react(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, id)): OfComment,
    Body(new): Body<NewReaction>,
) -> Answer {
    hub.change(|change| {
        let comment = comment_of(change.world, &caller, &owner, &name, id, SPEAK)?.id;
        put_reaction(change, &caller, Subject::Comment(comment), &new.content)
    })
}

async fn delete_reaction(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, id, reaction)): Path<(String, String, Id, Id)>,
) -> Answer {
    hub.change(|change| {
        let comment = comment_of(change.world, &caller, &owner, &name, id, SPEAK)?.id;
        take_reaction(change, &caller, Subject::Comment(comment), reaction)
    })
}
