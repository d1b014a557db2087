//! Issues, their labels and reactions. Source: REST documentation, "Issues", "Labels", "Reactions".

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, ApiError, Body, Need, Paging, Shared, created, no_content, ok};
use crate::auth::Caller;
use crate::hub::Hub;
use crate::state::{Change, Id, Subject, World};

/// Issues and pull requests share these endpoints; either permission will do.
pub(super) const READ: Need = Need::read(&["issues", "pull_requests"]);
/// As above, to write; people who can see the repository may speak.
pub(super) const SPEAK: Need = Need::write(&["issues", "pull_requests"]).open_to_readers();
const CHANGE: Need = Need::write(&["issues", "pull_requests"]);

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/repos/{owner}/{repo}/issues", get(list_issues).post(create_issue))
        .route("/repos/{owner}/{repo}/issues/{number}", get(get_issue).patch(update_issue))
        .route("/repos/{owner}/{repo}/issues/{number}/labels", get(list_labels).post(add_labels))
        .route("/repos/{owner}/{repo}/issues/{number}/labels/{name}", delete(remove_label))
        .route("/repos/{owner}/{repo}/issues/{number}/reactions", get(list_reactions).post(react))
        .route("/repos/{owner}/{repo}/issues/{number}/reactions/{reaction}", delete(delete_reaction))
}

pub(super) type OfIssue = Path<(String, String, u64)>;

async fn list_issues(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    paging: Paging,
) -> Answer {
    let state = paging.parameter("state").unwrap_or("open").to_owned();
    let issues = hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, READ)?;
        let issues = view.world.issues.values().rev().filter(|issue| issue.repository == id);
        let issues = issues.filter(|issue| state == "all" || issue.state() == state);
        Ok::<Vec<Value>, ApiError>(issues.map(|issue| view.issue(issue)).collect())
    })?;
    Ok(paging.list(issues))
}

#[derive(Deserialize)]
struct NewIssue {
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
}

async fn create_issue(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Body(new): Body<NewIssue>,
) -> Answer {
    hub.change(|change| {
        let id = caller.repository(change.world, &owner, &name, Need::write(&["issues"]).open_to_readers())?;
        let (actor, _) = caller.actor(change.world);
        let issue = change.open_issue(id, actor, &new.title, new.body.as_deref())?;
        for label in &new.labels {
            change.add_label(issue, actor, label)?;
        }
        Ok(created(shape(change, issue)))
    })
}

async fn get_issue(State(hub): Shared, caller: Caller, Path((owner, name, number)): OfIssue) -> Answer {
    hub.read(|view| {
        let id = caller.repository(view.world, &owner, &name, READ)?;
        Ok(ok(view.issue(view.world.issue(id, number)?)))
    })
}

#[derive(Deserialize)]
struct IssueChange {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    labels: Option<Vec<String>>,
}

async fn update_issue(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<IssueChange>,
) -> Answer {
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, CHANGE)?;
        let (actor, _) = caller.actor(change.world);
        change.edit_issue(issue, actor, new.title.as_deref(), new.body.as_deref())?;
        if let Some(labels) = &new.labels {
            replace_labels(change, issue, actor, labels)?;
        }
        let closed = change.world.issues.get(&issue).is_some_and(|issue| issue.closed.is_some());
        match new.state.as_deref() {
            Some("closed") if !closed => change.close_issue(issue, actor)?,
            Some("open") if closed => change.reopen_issue(issue, actor)?,
            _ => {}
        }
        Ok(ok(shape(change, issue)))
    })
}

fn replace_labels(change: &mut Change<'_>, issue: Id, actor: Id, wanted: &[String]) -> Result<(), ApiError> {
    let there = change.world.issues.get(&issue).map(|issue| issue.labels.clone()).unwrap_or_default();
    for label in there.iter().filter(|label| !wanted.iter().any(|name| name.eq_ignore_ascii_case(label))) {
        change.remove_label(issue, actor, label)?;
    }
    for label in wanted {
        change.add_label(issue, actor, label)?;
    }
    Ok(())
}

fn shape(change: &Change<'_>, issue: Id) -> Value {
    let view = change.view();
    view.world.issues.get(&issue).map_or(Value::Null, |issue| view.issue(issue))
}

pub(super) fn issue_of(
    world: &World,
    caller: &Caller,
    owner: &str,
    name: &str,
    number: u64,
    need: Need,
) -> Result<Id, ApiError> {
    let id = caller.repository(world, owner, name, need)?;
    Ok(world.issue(id, number)?.id)
}

async fn list_labels(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let labels = hub.read(|view| {
        let issue = issue_of(view.world, &caller, &owner, &name, number, READ)?;
        Ok::<Vec<Value>, ApiError>(labels_of(&view, issue))
    })?;
    Ok(paging.list(labels))
}

fn labels_of(view: &crate::shape::View<'_>, issue: Id) -> Vec<Value> {
    let labels = view.world.issues.get(&issue).map(|issue| view.labels(issue));
    match labels {
        Some(Value::Array(labels)) => labels,
        _ => Vec::new(),
    }
}

/// Both documented forms: `{"labels": ["bug"]}` and a plain list; entries are names or objects with one.
async fn add_labels(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<Value>,
) -> Answer {
    let list = new.get("labels").unwrap_or(&new).as_array().cloned().unwrap_or_default();
    let names: Vec<String> =
        list.iter().filter_map(|label| label.get("name").unwrap_or(label).as_str().map(str::to_owned)).collect();
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, CHANGE)?;
        let (actor, _) = caller.actor(change.world);
        for label in &names {
            change.add_label(issue, actor, label)?;
        }
        Ok(ok(Value::Array(labels_of(&change.view(), issue))))
    })
}

async fn remove_label(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number, label)): Path<(String, String, u64, String)>,
) -> Answer {
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, CHANGE)?;
        let (actor, _) = caller.actor(change.world);
        change.remove_label(issue, actor, &label)?;
        Ok(ok(Value::Array(labels_of(&change.view(), issue))))
    })
}

#[derive(Deserialize)]
pub(super) struct NewReaction {
    pub content: String,
}

async fn list_reactions(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    paging: Paging,
) -> Answer {
    let reactions = hub.read(|view| {
        let issue = issue_of(view.world, &caller, &owner, &name, number, READ)?;
        let reactions = view.world.reactions_on(Subject::Issue(issue));
        Ok::<Vec<Value>, ApiError>(reactions.map(|reaction| view.reaction(reaction)).collect())
    })?;
    Ok(paging.list(reactions))
}

async fn react(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number)): OfIssue,
    Body(new): Body<NewReaction>,
) -> Answer {
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, SPEAK)?;
        put_reaction(change, &caller, Subject::Issue(issue), &new.content)
    })
}

/// 201 for a new reaction, 200 for one that was there. Source: "Create reaction for an issue".
pub(super) fn put_reaction(change: &mut Change<'_>, caller: &Caller, subject: Subject, content: &str) -> Answer {
    let (actor, _) = caller.actor(change.world);
    let (id, new) = change.react(subject, actor, content)?;
    let view = change.view();
    let shape = view.world.reactions.get(&id).map_or(Value::Null, |reaction| view.reaction(reaction));
    Ok(if new { created(shape) } else { ok(shape) })
}

async fn delete_reaction(
    State(hub): Shared,
    caller: Caller,
    Path((owner, name, number, reaction)): Path<(String, String, u64, Id)>,
) -> Answer {
    hub.change(|change| {
        let issue = issue_of(change.world, &caller, &owner, &name, number, SPEAK)?;
        take_reaction(change, &caller, Subject::Issue(issue), reaction)
    })
}

pub(super) fn take_reaction(change: &mut Change<'_>, caller: &Caller, subject: Subject, id: Id) -> Answer {
    let (actor, _) = caller.actor(change.world);
    let there = change
        .world
        .reactions
        .get(&id)
        .filter(|reaction| reaction.subject == subject)
        .ok_or_else(ApiError::not_found)?;
    if there.person != actor {
        return Err(ApiError::not_accessible());
    }
    change.world.reactions.remove(&id);
    Ok(no_content())
}
