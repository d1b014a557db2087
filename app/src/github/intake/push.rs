//! Pushes to branches and tags: they start processes. The heads of pull requests move with `pull_request` events.

use std::collections::BTreeSet;

use flowctl_core::definition::{Process, Trigger};
use flowctl_core::execution::TriggerInfo;
use serde_json::{Map, json};

use super::payload::PushEvent;
use super::scope::Scope;
use super::source::Change;
use super::start::{At, Occasion};
use super::trigger::{Pushed, touches, triggers};
use super::{Handled, Trouble};
use crate::github::definitions::Push;
use crate::github::people::person;

/// Handles a delivery.
pub(super) async fn handle(scope: &Scope<'_>, event: PushEvent) -> Result<Handled, Trouble> {
    if event.deleted {
        return Ok(Handled::Ignored(format!("{} was deleted; executions go on at their commits", event.reference)));
    }
    let pushed = match (event.reference.strip_prefix("refs/heads/"), event.reference.strip_prefix("refs/tags/")) {
        (Some(branch), _) => Pushed::Branch(branch),
        (_, Some(tag)) => Pushed::Tag(tag),
        _ => return Ok(Handled::Ignored(format!("{} is neither a branch nor a tag", event.reference))),
    };
    if matches!(pushed, Pushed::Branch(branch) if event.repository.default_branch.as_deref() == Some(branch)) {
        note(scope, &event);
    }
    let mut changed = None;
    for process in &scope.published().await?.processes {
        if starts(scope, process, pushed, &event, &mut changed).await? {
            start(scope, process, pushed, &event).await?;
        }
    }
    Ok(Handled::Done)
}

/// Remembers who moved the default branch. One that was just made was moved from nowhere.
fn note(scope: &Scope<'_>, event: &PushEvent) {
    if is_new(event) {
        return;
    }
    let (before, after) = (Some(event.before.clone()), event.after.clone());
    scope
        .inner
        .source
        .pushed(&scope.tenant, Push { repository: scope.name(), before, after, by: person(&event.sender) });
}

/// Whether there is no commit before.
fn is_new(event: &PushEvent) -> bool {
    event.created || event.before.bytes().all(|digit| digit == b'0')
}

async fn starts(
    scope: &Scope<'_>,
    process: &Process,
    pushed: Pushed<'_>,
    event: &PushEvent,
    changed: &mut Option<BTreeSet<String>>,
) -> Result<bool, Trouble> {
    for trigger in triggers(process) {
        let Trigger::Push(trigger) = trigger else { continue };
        match pushed.matches(trigger) {
            None => {}
            Some(None) => return Ok(true),
            Some(Some(wanted)) => {
                if changed.is_none() {
                    *changed = Some(changed_paths(scope, event).await?);
                }
                if changed.as_ref().is_some_and(|changed| touches(wanted, changed)) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Of a new branch there is no commit before: then the paths of the commits that came with it.
async fn changed_paths(scope: &Scope<'_>, event: &PushEvent) -> Result<BTreeSet<String>, Trouble> {
    if is_new(event) {
        let commits = event.commits.iter();
        return Ok(commits.flat_map(|c| c.added.iter().chain(&c.removed).chain(&c.modified)).cloned().collect());
    }
    let change = Change::Push { before: event.before.clone(), after: event.after.clone() };
    Ok(scope.inner.source.changed_paths(&scope.tenant, &scope.name(), &change).await?)
}

async fn start(scope: &Scope<'_>, process: &Process, pushed: Pushed<'_>, event: &PushEvent) -> Result<(), Trouble> {
    let (branch, tag) = match pushed {
        Pushed::Branch(branch) => (Some(branch), None),
        Pushed::Tag(tag) => (None, Some(tag)),
    };
    let actor = person(&event.sender);
    let trigger = TriggerInfo {
        kind: "push".to_owned(),
        actor: Some(actor.clone()),
        payload: scope.payload(json!({
            "ref": event.reference,
            "branch": branch,
            "tag": tag,
            "before": event.before,
            "after": event.after,
            "sender": event.sender.login,
        })),
        pull_request: None,
    };
    let key = format!("delivery:{}", scope.delivery.0);
    match scope
        .start(
            process,
            Map::new(),
            Occasion { trigger, place: None, commit: None, author: None, key, done: Vec::new() },
        )
        .await?
    {
        Ok(()) => Ok(()),
        Err(refused) => scope.could_not_start(process, At::Commit(&event.after), &actor, refused).await,
    }
}
