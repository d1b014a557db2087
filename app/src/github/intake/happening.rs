//! What happens to a repository beside pull requests and pushes, and starts processes: `repository_dispatch`, groups of
//! the merge queue, deployments that wait for a protection rule. Whatever no trigger names is left alone.

use flowctl_core::approval::Person;
use flowctl_core::definition::{Process, Trigger};
use flowctl_core::execution::{Execution, ExecutionId, Refusal, Signal, TriggerInfo};
use serde_json::{Map, Value, json};

use super::payload::{DeploymentEvent, MergeGroupEvent, RepositoryDispatchEvent, WorkflowRunEvent};
use super::scope::Scope;
use super::source::Change;
use super::start::{At, Occasion};
use super::trigger::triggers;
use super::validation::{self, Looked};
use super::{Handled, Trouble};
use crate::engine::{Along, SignalFailure};
use crate::github::client::{DeploymentReview, User};
use crate::github::outbox::{DeploymentOf, Effect};
use crate::github::people::person;
use crate::github::wording::{Refused, deployment};

/// `repository_dispatch`: the processes that name its type.
pub(super) async fn repository_dispatch(scope: &Scope<'_>, event: RepositoryDispatchEvent) -> Result<Handled, Trouble> {
    let wants = |trigger: &Trigger| matches!(trigger, Trigger::RepositoryDispatch(of) if of.value == event.action);
    let mut started = false;
    let published = scope.published().await?;
    for process in &published.processes {
        if triggers(process).any(wants) {
            let beginning = Beginning::by(&event.sender, "repository_dispatch");
            if let Err(refused) = start(scope, process, &beginning).await? {
                let at = At::Commit(&published.revision);
                scope.could_not_start(process, at, &person(&event.sender), refused).await?;
            }
            started = true;
        }
    }
    Ok(handled(started, || format!("no process starts from `repository_dispatch` of type {}", event.action)))
}

/// `merge_group`: what the queue waits for has to be said on the group's head. One that came to nothing is left.
pub(super) async fn merge_group(scope: &Scope<'_>, event: MergeGroupEvent) -> Result<Handled, Trouble> {
    let head = event.merge_group.head_sha.as_str();
    match event.action.as_str() {
        "checks_requested" => {}
        // What was merged was judged; whatever else still runs there may come to its end.
        "destroyed" if event.reason.as_deref() == Some("merged") => return Ok(Handled::Done),
        "destroyed" => {
            let of_group = |execution: &Execution| {
                execution.trigger.kind == "merge_group"
                    && execution.subject.as_ref().is_some_and(|subject| subject.head_sha == head)
            };
            cancel(scope, of_group, "the merge queue has dropped this group").await?;
            return Ok(Handled::Done);
        }
        other => return Ok(Handled::Ignored(format!("nothing follows from a merge group that is {other}"))),
    }
    for process in &scope.published().await?.processes {
        if triggers(process).any(|trigger| *trigger == Trigger::MergeGroup) {
            let beginning = Beginning { commit: Some(head.to_owned()), ..Beginning::by(&event.sender, "merge_group") };
            if let Err(refused) = start(scope, process, &beginning).await? {
                scope.could_not_start(process, At::Commit(head), &person(&event.sender), refused).await?;
            }
        }
    }
    // Where the check is required, the queue waits for it too.
    let change = Change::Push { before: event.merge_group.base_sha.clone(), after: head.to_owned() };
    let changed = scope.inner.source.changed_paths(&scope.tenant, &scope.name(), &change).await?;
    validation::show_if_wanted(scope, &Looked { change: &change, head_sha: head, again: None }, &changed).await?;
    Ok(Handled::Done)
}

/// `deployment_protection_rule`: the processes that name the environment decide by their end.
pub(super) async fn deployment(scope: &Scope<'_>, event: DeploymentEvent) -> Result<Handled, Trouble> {
    if event.action != "requested" {
        return Ok(Handled::Ignored(format!("nothing follows from a protection rule that is {}", event.action)));
    }
    let Some(of) = DeploymentOf::callback(&event.deployment_callback_url, &event.environment) else {
        return Err(Trouble::Lasting("the callback of the protection rule names no workflow run".to_owned()));
    };
    let wants = |trigger: &Trigger| match trigger {
        Trigger::Deployment(deployment) => {
            // GitHub tells environments apart without regard to case.
            deployment.environments.iter().any(|name| name.value.eq_ignore_ascii_case(&event.environment))
        }
        _ => false,
    };
    let published = scope.published().await?;
    let all = published.processes.iter().map(|process| &**process);
    let guarding: Vec<&Process> = all.filter(|process| triggers(process).any(wants)).collect();
    if guarding.is_empty() {
        return Ok(Handled::Ignored(format!("no process decides about deployments to {}", event.environment)));
    }
    // Whether a definition that cannot be read names the environment nobody knows: nothing goes on without it.
    let unreadable = published.unreadable.iter().map(|(name, _)| name.as_str());
    let guards: Vec<&str> = guarding.iter().map(|process| process.header.name.as_str()).chain(unreadable).collect();
    let key = start_key(scope);
    for process in guarding {
        let beginning = Beginning {
            commit: event.sha.clone(),
            author: Some(person(&event.sender)).filter(|_| !event.sender.is_bot()),
            payload: json!({"guarded_by": {"processes": guards, "key": key}}),
            ..Beginning::by(&event.sender, "deployment")
        };
        if let Err(refused) = start(scope, process, &beginning).await? {
            undecided(scope, &of, process.header.name.as_str(), &refused).await?;
            let at = At::Commit(event.sha.as_deref().unwrap_or(&published.revision));
            scope.could_not_start(process, at, &person(&event.sender), refused).await?;
        }
    }
    for (name, reason) in &published.unreadable {
        undecided(scope, &of, name, &Refused::Definition { reason: reason.clone() }).await?;
    }
    Ok(Handled::Done)
}

/// What the start keys of all that one delivery starts begin with.
fn start_key(scope: &Scope<'_>) -> String {
    format!("delivery:{}", scope.delivery.0)
}

/// Where a process should decide and cannot, the deployment goes on to wait, and says why.
async fn undecided(scope: &Scope<'_>, of: &DeploymentOf, process: &str, refused: &Refused) -> Result<(), Trouble> {
    let comment = deployment::undecided(process, &refused.words());
    let review = DeploymentReview { environment_name: of.environment.clone(), state: None, comment };
    let repository = scope.address();
    let effect = Effect::ReviewDeployment { repository, run: of.run, review, execution: ExecutionId::nil() };
    scope.tell(vec![scope.show(&effect)]).await
}

/// A run of a workflow that ended: whoever waits for it looks at once. Where somebody cancelled it, nobody needs to
/// decide about its deployments any more. What GitHub's API says of it is what counts.
pub(super) async fn workflow_run(scope: &Scope<'_>, event: WorkflowRunEvent) -> Result<Handled, Trouble> {
    if event.action != "completed" {
        return Ok(Handled::Ignored(format!("nothing follows from a workflow run that is {}", event.action)));
    }
    let run = event.workflow_run.id;
    let awaited = scope.inner.store.hasten_effect(&scope.tenant, &Effect::watch_key(run), scope.now()).await?;
    if event.workflow_run.conclusion.as_deref() == Some("cancelled") {
        let of_run = |execution: &Execution| DeploymentOf::execution(execution).is_some_and(|of| of.run == run);
        cancel(scope, of_run, "its workflow run was cancelled on GitHub").await?;
    }
    Ok(handled(awaited, || "no step waits for this workflow run".to_owned()))
}

fn handled(led_to_something: bool, otherwise: impl FnOnce() -> String) -> Handled {
    if led_to_something { Handled::Done } else { Handled::Ignored(otherwise()) }
}

/// What a process begins with.
struct Beginning<'a> {
    kind: &'static str,
    sender: &'a User,
    /// Where it is shown, if not on the commit of its definition.
    commit: Option<String>,
    /// Who asked for what it is about.
    author: Option<Person>,
    /// What is laid over GitHub's payload.
    payload: Value,
}

impl<'a> Beginning<'a> {
    fn by(sender: &'a User, kind: &'static str) -> Self {
        Self { kind, sender, commit: None, author: None, payload: json!({}) }
    }
}

async fn start(
    scope: &Scope<'_>,
    process: &Process,
    beginning: &Beginning<'_>,
) -> Result<Result<(), Refused>, Trouble> {
    let trigger = TriggerInfo {
        kind: beginning.kind.to_owned(),
        actor: Some(person(beginning.sender)),
        payload: scope.payload(beginning.payload.clone()),
        pull_request: None,
    };
    let (commit, author) = (beginning.commit.clone(), beginning.author.clone());
    let occasion = Occasion { trigger, place: None, commit, author, key: start_key(scope), done: Vec::new() };
    scope.start(process, Map::new(), occasion).await
}

/// Cancels open executions of the repository that came to be for nothing.
async fn cancel(scope: &Scope<'_>, which: impl Fn(&Execution) -> bool, reason: &str) -> Result<(), Trouble> {
    let open = scope.open().await?;
    for execution in open.iter().filter(|execution| which(execution)) {
        let signal = Signal::Cancel { actor: None, reason: reason.to_owned() };
        let along = Along { delivery: Some(scope.delivery.clone()), ..Along::default() };
        match scope.inner.engine.signal(&scope.tenant, execution.id, signal, along).await {
            Ok(_) | Err(SignalFailure::Refused(Refusal::Ended { .. })) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}
