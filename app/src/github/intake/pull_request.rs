//! Pull requests: a new head moves their executions, and what happens to them starts processes.

use std::collections::BTreeSet;

use flowctl_core::definition::trigger::PullRequestAction;
use flowctl_core::definition::{Process, Trigger};
use flowctl_core::execution::TriggerInfo;
use jiff::Timestamp;
use serde_json::{Map, json};

use super::payload::PullRequestEvent;
use super::scope::Scope;
use super::source::Change;
use super::start::{At, Occasion, Place};
use super::trigger::{PullRequestHappening, pull_request_action, touches, triggers};
use super::validation::{self, Looked};
use super::{Handled, Trouble};
use crate::github::client::PullRequest;
use crate::github::definitions::Push;
use crate::github::people::person;
use crate::github::reconcile::{is_reconciled, of_head, of_pull_request};

/// Handles a delivery, unless all that it tells of was found by looking before it came.
pub(super) async fn handle(scope: &Scope<'_>, event: PullRequestEvent) -> Result<Handled, Trouble> {
    let marks = marks(scope, &event);
    if was_found(scope, &marks, event.pull_request.updated_at).await? {
        return Ok(Handled::Ignored("it was heard of in another way before".to_owned()));
    }
    let handled = take(scope, event).await?;
    for mark in marks {
        scope.hear(mark).await?;
    }
    Ok(handled)
}

/// What is recorded once such a delivery has been dealt with.
fn marks(scope: &Scope<'_>, event: &PullRequestEvent) -> Vec<String> {
    let Some(repository) = scope.repository_id else { return Vec::new() };
    let head = event.pull_request.head.as_ref().map(|head| of_head(repository, event.number, &head.sha));
    match event.action.as_str() {
        "opened" => head.into_iter().chain([of_pull_request(repository, event.number, "opened")]).collect(),
        "reopened" | "synchronize" => head.into_iter().collect(),
        "closed" => {
            let closed_at = event.pull_request.closed_at.map_or(0, |at| at.as_second());
            vec![of_pull_request(repository, event.number, &format!("closed:{closed_at}"))]
        }
        _ => Vec::new(),
    }
}

/// Whether nothing of it is new. A head may come back: then what GitHub tells is newer than what was found.
async fn was_found(scope: &Scope<'_>, marks: &[String], updated_at: Timestamp) -> Result<bool, Trouble> {
    let found_this = is_reconciled(&scope.delivery.0);
    for mark in marks {
        let Some(heard) = scope.inner.store.heard(&scope.tenant, mark).await? else { return Ok(false) };
        let is_other = heard.delivery != scope.delivery;
        let was_found = is_reconciled(&heard.delivery.0) && heard.at >= updated_at;
        if !(is_other && (found_this || was_found)) {
            return Ok(false);
        }
    }
    Ok(!marks.is_empty())
}

/// Handles a delivery. What the pull request is like is asked of GitHub; only what happened is taken from the payload.
async fn take(scope: &Scope<'_>, event: PullRequestEvent) -> Result<Handled, Trouble> {
    let (pull_request, _) = scope.pull_request_as_of(event.number, event.pull_request.updated_at).await?;
    // Whatever name stands in the commits: who pushed them made the change, too. A program is told of where people decide.
    if event.action == "synchronize" {
        scope.pushed(event.number, &person(&event.sender)).await?;
    }
    note_merge(scope, &event, &pull_request);
    // On another base the same commit is another change: what was said of it counts no more.
    let other_base = event.changes.as_ref().is_some_and(|changes| changes.base.is_some());
    if other_base {
        scope.ended_on_other_base(&pull_request).await?;
    }
    let Some(action) = pull_request_action(&event.action) else {
        return Ok(Handled::Ignored(format!("no process starts when a pull request is {}", event.action)));
    };
    let labels = pull_request.labels.iter().map(|label| label.name.as_str()).collect();
    let happening = PullRequestHappening {
        action,
        base: &pull_request.base.branch,
        draft: pull_request.draft,
        labels,
        label: event.label.as_ref().map(|label| label.name.as_str()),
    };
    let mut paths = Changed::default();
    for process in &scope.published().await?.processes {
        if starts(scope, process, &happening, &pull_request, &mut paths).await? {
            start(scope, process, &event, &pull_request).await?;
        }
    }
    if brings_commits(action) {
        let changed = paths.of(scope, &pull_request).await?;
        let again = other_base.then(|| scope.delivery.0.clone());
        let change = change(&pull_request);
        let looked = Looked { change: &change, head_sha: &pull_request.head.sha, again };
        validation::show_if_wanted(scope, &looked, changed).await?;
    }
    Ok(Handled::Done)
}

/// Remembers who merged into the default branch: GitHub tells of it twice, and the push may come later. Who does anything to
/// a pull request that is merged already has merged nothing, and what was found by looking names nobody.
fn note_merge(scope: &Scope<'_>, event: &PullRequestEvent, pull_request: &PullRequest) {
    let merged = event.action == "closed" && event.pull_request.merged == Some(true);
    let base = &pull_request.base;
    let is_default = base.repo.as_ref().is_some_and(|repository| repository.default_branch == base.branch);
    if !merged || !is_default || is_reconciled(&scope.delivery.0) {
        return;
    }
    let Some(after) = event.pull_request.merge_commit_sha.clone() else { return };
    let push = Push { repository: scope.name(), before: None, after, by: person(&event.sender) };
    scope.inner.source.pushed(&scope.tenant, push);
}

/// Whether there may be commits that were not looked at yet.
fn brings_commits(action: PullRequestAction) -> bool {
    use PullRequestAction::{Edited, Opened, Reopened, Synchronize};
    matches!(action, Opened | Reopened | Synchronize | Edited)
}

/// The changed paths, asked for once and only if somebody wants to know.
#[derive(Default)]
struct Changed(Option<BTreeSet<String>>);

impl Changed {
    async fn of(&mut self, scope: &Scope<'_>, pull_request: &PullRequest) -> Result<&BTreeSet<String>, Trouble> {
        let changed = match self.0.take() {
            Some(changed) => changed,
            None => scope.inner.source.changed_paths(&scope.tenant, &scope.name(), &change(pull_request)).await?,
        };
        Ok(self.0.insert(changed))
    }
}

/// What a pull request brings.
pub(super) fn change(pull_request: &PullRequest) -> Change {
    Change::PullRequest {
        number: pull_request.number,
        base: pull_request.base.sha.clone(),
        head: pull_request.head.sha.clone(),
    }
}

async fn starts(
    scope: &Scope<'_>,
    process: &Process,
    happening: &PullRequestHappening<'_>,
    pull_request: &PullRequest,
    changed: &mut Changed,
) -> Result<bool, Trouble> {
    for trigger in triggers(process) {
        let Trigger::PullRequest(trigger) = trigger else { continue };
        let takes = match happening.matches(trigger) {
            None => false,
            Some(None) => true,
            Some(Some(wanted)) => touches(wanted, changed.of(scope, pull_request).await?),
        };
        if takes {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn start(
    scope: &Scope<'_>,
    process: &Process,
    event: &PullRequestEvent,
    pull_request: &PullRequest,
) -> Result<(), Trouble> {
    let place = Place { number: event.number, pull_request: Some(pull_request.clone()) };
    let actor = person(&event.sender);
    let trigger = TriggerInfo {
        kind: "pull_request".to_owned(),
        actor: Some(actor.clone()),
        payload: scope.payload(json!({
            "action": event.action,
            "number": event.number,
            "label": event.label.as_ref().map(|label| &label.name),
            "sender": event.sender.login,
            "draft": pull_request.draft,
            "merged": pull_request.merged,
            "body": pull_request.body,
        })),
        pull_request: place.info(),
    };
    let key = format!("delivery:{}", scope.delivery.0);
    let place_of = Some(place.clone());
    let occasion = Occasion { trigger, place: place_of, commit: None, author: None, key, done: Vec::new() };
    match scope.start(process, Map::new(), occasion).await? {
        Ok(()) => Ok(()),
        Err(refused) => scope.could_not_start(process, At::Place(&place), &actor, refused).await,
    }
}
