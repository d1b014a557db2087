//! Workflows that steps wait for: dispatched once for each attempt, watched until they end, cancelled when nobody waits
//! any more. What GitHub says of a run is the truth; webhooks only have it asked sooner.
//!
//! A dispatch whose answer was lost is looked for before it is made again: a run counts as ours where its headline tells
//! the execution, or where it is the only one that a program started on that branch since, and no step has it already.

use std::collections::BTreeSet;
use std::time::Duration;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::workflow::{AwaitedWorkflow, WorkflowRun, awaited_by, bad_conclusion};
use flowctl_core::execution::{Execution, ExecutionId, Refusal, Signal, StepError, Waiting};
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::address::Address;
use super::artifact;
use super::effect::{Effect, Sender, priority};
use super::failure::Failure;
use super::write::Writing;
use crate::crash::crash_point;
use crate::engine::{Along, SignalFailure};
use crate::github::client::pace::Kind;
use crate::github::client::{self, GitHubError, Holds, InstallationClient, RepositoryName, WorkflowDispatch};
use crate::github::whose::{Whose, all_names, whose};

/// How far GitHub's clock may be behind ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(60);
/// How long a run may be unknown to GitHub's lists after it was made, and to its API after we were told of it.
const API_LAG: SignedDuration = SignedDuration::from_secs(60);
/// Pauses between the looks for a run that may have been dispatched. After them GitHub knows of none.
const LOOKS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];
/// How long to leave a run alone that is not in GitHub's list yet.
const UNLISTED: SignedDuration = SignedDuration::from_secs(3);
/// How long an execution rests whose definition cannot be read.
const UNREADABLE: SignedDuration = SignedDuration::from_secs(30);

/// The attempt of a step that waits for a workflow.
pub(super) struct Awaiting {
    pub(super) execution: ExecutionId,
    pub(super) step: String,
    pub(super) attempt: u32,
}

/// What was looked for.
enum Found {
    Nothing,
    One(WorkflowRun),
    Several(usize),
}

/// Dispatches the workflow that an attempt waits for, where that was not done before.
pub(super) async fn dispatch(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    awaiting: &Awaiting,
) -> Result<(), Failure> {
    let Some(execution) = awaiting.load(writing).await? else {
        return Err(Failure::Nothing(format!("there is no execution {}", awaiting.execution)));
    };
    let Some(order) = Order::of(&execution, &awaiting.step) else {
        return Err(Failure::Nothing("the step says no workflow".to_owned()));
    };
    let dispatching = Dispatching { writing, awaiting, execution: &execution, repository, order: &order };
    match execution.steps.get(&awaiting.step).and_then(|step| awaited_by(step, awaiting.attempt)) {
        Some(AwaitedWorkflow { run: Some(run), .. }) => awaiting.watch_from_now(writing, run.id).await,
        Some(awaited) => match dispatching.make(awaited).await {
            Err(Failure::GitHub(error)) => dispatching.failed(error).await,
            done => done,
        },
        None => dispatching.undo().await,
    }
}

/// Ends the wait for a workflow that nothing can be said about any more.
pub(super) async fn unreachable(writing: &Writing<'_>, awaiting: &Awaiting, reason: &str) -> Result<(), Failure> {
    awaiting.ended(writing, Err(StepError::new(ErrorClass::Refused, reason.to_owned()))).await
}

/// What a step wants to run.
struct Order {
    file: String,
    reference: Option<String>,
    inputs: IndexMap<String, String>,
}

impl Order {
    fn of(execution: &Execution, step: &str) -> Option<Self> {
        let input = &execution.steps.get(step)?.input;
        let text = |field: &str| input.get(field).and_then(Value::as_str).map(str::to_owned);
        let inputs = input.get("inputs").and_then(Value::as_object).into_iter().flatten();
        let inputs = inputs.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), as_text(value)));
        let reference = text("ref").filter(|reference| !reference.trim().is_empty());
        Some(Self { file: text("workflow")?, reference, inputs: inputs.collect() })
    }
}

/// An input as GitHub takes it: all are texts.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

struct Dispatching<'a> {
    writing: &'a Writing<'a>,
    awaiting: &'a Awaiting,
    execution: &'a Execution,
    repository: &'a RepositoryName,
    order: &'a Order,
}

impl Dispatching<'_> {
    async fn make(&self, awaited: &AwaitedWorkflow) -> Result<(), Failure> {
        if awaited.dispatched || self.writing.may_stand() {
            match self.look(awaited.since, !awaited.dispatched).await? {
                Found::One(run) => return self.began(Some(run)).await,
                Found::Several(count) => return self.ambiguous(count).await,
                Found::Nothing if awaited.dispatched => return Err(unlisted()),
                Found::Nothing => {}
            }
        }
        let Self { writing, repository, order, .. } = self;
        // While a place is waited for the name may be given away.
        let place = writing.place(Kind::Changes).await?;
        let now = self.repository_now().await?;
        let reference = order.reference.clone().unwrap_or(now.default_branch);
        let order_of = WorkflowDispatch::new(reference, order.inputs.clone());
        let client = writing.client.clone().in_place(place);
        let run = writing.write_now(client.dispatch_workflow(repository, &order.file, &order_of)).await?;
        self.began(run.map(|run| WorkflowRun { id: run.id, url: run.html_url })).await
    }

    /// A run has the secrets of the repository that it is dispatched in: whose name it is now GitHub says itself, since what
    /// tells of a new one may still be on its way.
    async fn repository_now(&self) -> Result<client::Repository, Failure> {
        // Every other write waits for the place of this one.
        let client = self.writing.client.clone().holding(Holds::Place);
        let now = client.get_repository(self.repository).await?;
        match whose(&*self.writing.outbox.store, self.execution).await? {
            Whose::Known(id) if id != now.id => {
                let reason = format!("{} is another repository by now", self.repository);
                Err(Failure::Rests { reason, wait: UNREADABLE })
            }
            _ => Ok(now),
        }
    }

    /// What follows where GitHub did not do what it was asked.
    async fn failed(&self, error: GitHubError) -> Result<(), Failure> {
        let Some(refused) = refused(&error) else { return Err(error.into()) };
        if matches!(error, GitHubError::NotFound { .. }) && !is_seen(&self.writing.client, self.repository).await? {
            return Err(unseen(self.repository));
        }
        self.awaiting.ended(self.writing, Err(refused)).await
    }

    /// Records that GitHub has taken it. A run that nobody waits for any more is cancelled at once.
    async fn began(&self, run: Option<WorkflowRun>) -> Result<(), Failure> {
        let Self { writing, awaiting, .. } = self;
        let known = run.as_ref().map(|run| run.id);
        let (step, attempt) = (awaiting.step.clone(), awaiting.attempt);
        match awaiting.tell(writing, Signal::WorkflowStarted { step, attempt, run }).await? {
            Ok(()) | Err(Refusal::Repeated) => {}
            Err(_) => return self.undo().await,
        }
        crash_point("workflow.recorded");
        match known {
            Some(run) => awaiting.watch_from_now(writing, run).await,
            None => Err(unlisted()),
        }
    }

    /// The step went on without its workflow: a run that was dispatched for it all the same is cancelled.
    async fn undo(&self) -> Result<(), Failure> {
        if self.writing.attempts() == 0 {
            return Ok(());
        }
        // Whether one was dispatched is as good as known after the looks: what GitHub does not list then is none.
        let since = self.execution.started_at.unwrap_or(self.execution.created_at);
        match self.look(since, true).await? {
            Found::One(run) => cancel(self.writing, self.repository, run.id).await,
            Found::Nothing => Ok(()),
            Found::Several(_) => Err(Failure::Nothing(format!(
                "which run of {} was dispatched for a step that was cancelled is not known",
                self.order.file
            ))),
        }
    }

    async fn ambiguous(&self, count: usize) -> Result<(), Failure> {
        let message = format!(
            "the answer to the dispatch of `{}` was lost, and {count} runs may be the one that it made; a `run-name` \
             that shows an input with `{{{{ execution.id }}}}` tells them apart",
            self.order.file
        );
        self.awaiting.ended(self.writing, Err(StepError::new(ErrorClass::Network, message))).await
    }

    /// Looks for the run, several times where it may have been made a moment ago.
    async fn look(&self, since: Timestamp, patiently: bool) -> Result<Found, Failure> {
        let taken = self.runs_of_others().await?;
        let pauses = if patiently { LOOKS.as_slice() } else { &[] };
        for pause in pauses {
            match self.look_once(since, &taken).await? {
                Found::Nothing => tokio::time::sleep(*pause).await,
                found => return Ok(found),
            }
        }
        self.look_once(since, &taken).await
    }

    async fn look_once(&self, since: Timestamp, taken: &BTreeSet<u64>) -> Result<Found, Failure> {
        let since = since.saturating_sub(CLOCKS_DIFFER).unwrap_or(since);
        let runs = self.writing.client.dispatched_runs(self.repository, &self.order.file, since).await?;
        Ok(ours(runs, &self.execution.id.to_string(), self.order.reference.as_deref(), since, taken))
    }

    /// Runs that steps are known to wait for, or to have waited for.
    async fn runs_of_others(&self) -> Result<BTreeSet<u64>, Failure> {
        let Execution { tenant, repository, .. } = self.execution;
        let store = &self.writing.outbox.store;
        let id = match whose(&**store, self.execution).await? {
            Whose::Known(id) => Some(id),
            Whose::Unheard | Whose::Unsure => None,
        };
        let mut open = Vec::new();
        for name in all_names(&**store, tenant, repository, id).await? {
            open.extend(store.executions_of(tenant, &name, None, true).await?);
        }
        let steps = open.iter().chain([self.execution]).flat_map(|execution| execution.steps.values());
        let runs = steps.filter_map(|step| match (&step.waiting, &step.output) {
            (Some(Waiting::Workflow(awaited)), _) => awaited.run.as_ref().map(|run| run.id),
            (_, Some(output)) => output.get("run_id").and_then(Value::as_u64),
            _ => None,
        });
        Ok(runs.collect())
    }
}

/// Which of these runs was dispatched for an execution.
fn ours(
    runs: Vec<client::WorkflowRun>,
    execution: &str,
    reference: Option<&str>,
    since: Timestamp,
    taken: &BTreeSet<u64>,
) -> Found {
    let is_candidate = |run: &client::WorkflowRun| {
        run.event == "workflow_dispatch"
            && run.created_at >= since
            && !taken.contains(&run.id)
            && run.actor.as_ref().is_none_or(client::User::is_bot)
            && reference.is_none_or(|reference| run.head_branch.as_deref().is_none_or(|branch| branch == reference))
    };
    let mut runs: Vec<client::WorkflowRun> = runs.into_iter().filter(is_candidate).collect();
    let tells = |run: &client::WorkflowRun| run.display_title.as_deref().is_some_and(|title| title.contains(execution));
    if runs.iter().any(tells) {
        runs.retain(tells);
    }
    match (runs.pop(), runs.len()) {
        (None, _) => Found::Nothing,
        (Some(run), 0) => Found::One(WorkflowRun { id: run.id, url: run.html_url }),
        (Some(_), others) => Found::Several(others + 1),
    }
}

fn unlisted() -> Failure {
    Failure::Rests { reason: "GitHub has taken the dispatch and does not list its run yet".to_owned(), wait: UNLISTED }
}

/// Why a workflow cannot be dispatched, where trying again cannot help.
fn refused(error: &GitHubError) -> Option<StepError> {
    let message = match error {
        GitHubError::NotFound { .. } => "GitHub does not know this workflow, or the App may not see it: it must be \
                                         a file in `.github/workflows/` of the default branch"
            .to_owned(),
        GitHubError::Forbidden { message, .. } => {
            format!("GitHub refuses the dispatch: {message}; the App needs the permission *Actions: read and write*")
        }
        GitHubError::Validation { .. } | GitHubError::Gone { .. } | GitHubError::Argument(_) => error.to_string(),
        _ => return None,
    };
    Some(StepError::new(ErrorClass::Refused, message))
}

/// Looks how a run stands, and tells the step when it has ended.
pub(super) async fn watch(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    run: u64,
    awaiting: &Awaiting,
) -> Result<(), Failure> {
    let Some(execution) = awaiting.load(writing).await? else { return Ok(()) };
    let awaited = execution.steps.get(&awaiting.step).and_then(|step| awaited_by(step, awaiting.attempt));
    let Some(awaited) = awaited.filter(|awaited| awaited.run.as_ref().is_some_and(|known| known.id == run)) else {
        return Ok(());
    };
    let now = writing.outbox.clock.now();
    match writing.client.get_workflow_run(repository, run).await {
        Ok(seen) if seen.status.as_deref() == Some("completed") => {
            let result = outcome(writing, repository, &seen).await?;
            awaiting.ended(writing, result).await
        }
        Ok(_) => awaiting.watch_at(writing, run, next_look(awaited.since, now)).await,
        Err(GitHubError::NotFound { .. }) if now.duration_since(awaited.since) < API_LAG => Err(unlisted()),
        Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {
            if !is_seen(&writing.client, repository).await? {
                return Err(unseen(repository));
            }
            let message = format!("GitHub knows no run {run} any more");
            awaiting.ended(writing, Err(StepError::new(ErrorClass::Refused, message))).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the App may see a repository: where it may not, what is missing there says nothing.
async fn is_seen(client: &InstallationClient, repository: &RepositoryName) -> Result<bool, GitHubError> {
    match client.get_repository(repository).await {
        Err(GitHubError::NotFound { .. } | GitHubError::Forbidden { .. }) => Ok(false),
        asked => asked.map(|_| true),
    }
}

/// The step waits on: once the App sees the repository again, what becomes of its workflow is looked at anew.
fn unseen(repository: &RepositoryName) -> Failure {
    Failure::Nothing(format!("the App may not see {repository} now"))
}

/// A webhook tells of the end; without one the looks become rarer with time.
fn next_look(since: Timestamp, now: Timestamp) -> Timestamp {
    let pause = match now.duration_since(since).as_secs() {
        ..=120 => 10,
        121..=900 => 30,
        _ => 120,
    };
    now.saturating_add(SignedDuration::from_secs(pause)).unwrap_or(Timestamp::MAX)
}

/// What a run that ended gives its step.
async fn outcome(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    run: &client::WorkflowRun,
) -> Result<Result<Value, StepError>, Failure> {
    let conclusion = run.conclusion.as_deref().unwrap_or("unknown");
    if let Some(error) = bad_conclusion(conclusion) {
        let message = format!("{}: {}", error.message, run.html_url);
        return Ok(Err(StepError { message, ..error }));
    }
    let output = match artifact::output(&writing.client, repository, run.id).await? {
        Ok(output) => output,
        Err(fault) => {
            let message = format!("the artifact `{}` of {} {fault}", artifact::NAME, run.html_url);
            return Ok(Err(StepError::new(ErrorClass::Schema, message)));
        }
    };
    Ok(Ok(json!({"run_id": run.id, "conclusion": conclusion, "url": run.html_url, "output": output})))
}

/// Cancels a run; one that has ended, or is gone, is left as it is.
pub(super) async fn cancel(writing: &Writing<'_>, repository: &RepositoryName, run: u64) -> Result<(), Failure> {
    let request = writing.client.cancel_workflow_run(repository, run);
    match writing.write(Kind::Changes, request).await {
        Err(Failure::GitHub(
            GitHubError::Conflict { .. } | GitHubError::NotFound { .. } | GitHubError::Gone { .. },
        )) => Ok(()),
        done => done,
    }
}

impl Awaiting {
    async fn load(&self, writing: &Writing<'_>) -> Result<Option<Execution>, Failure> {
        let stored = writing.outbox.store.load(&writing.effect.tenant, self.execution).await?;
        Ok(stored.map(|stored| stored.execution))
    }

    /// Tells the execution; where that is refused, the step has gone on.
    async fn tell(&self, writing: &Writing<'_>, signal: Signal) -> Result<Result<(), Refusal>, Failure> {
        let Some(engine) = &writing.outbox.engine else {
            return Err(Failure::Nothing("this server moves no executions".to_owned()));
        };
        match engine.signal(&writing.effect.tenant, self.execution, signal, Along::default()).await {
            Ok(_) => Ok(Ok(())),
            Err(SignalFailure::Refused(refusal)) => Ok(Err(refusal)),
            Err(SignalFailure::Store(error)) => Err(error.into()),
            Err(SignalFailure::NotFound) => Err(Failure::Nothing("there is no such execution".to_owned())),
            Err(error @ (SignalFailure::Definition(_) | SignalFailure::GroupBusy { .. })) => {
                Err(Failure::Rests { reason: error.to_string(), wait: UNREADABLE })
            }
        }
    }

    async fn ended(&self, writing: &Writing<'_>, result: Result<Value, StepError>) -> Result<(), Failure> {
        let ended = Signal::WorkflowEnded { step: self.step.clone(), attempt: self.attempt, result };
        if let Err(refusal) = self.tell(writing, ended).await? {
            tracing::info!(execution = %self.execution, step = self.step, %refusal, "a workflow's end came too late");
        }
        Ok(())
    }

    async fn watch_from_now(&self, writing: &Writing<'_>, run: u64) -> Result<(), Failure> {
        let now = writing.outbox.clock.now();
        self.watch_at(writing, run, next_look(now, now)).await
    }

    async fn watch_at(&self, writing: &Writing<'_>, run: u64, at: Timestamp) -> Result<(), Failure> {
        let address = self.load(writing).await?.as_ref().and_then(Address::of);
        let Some(repository) = address else {
            return Err(Failure::Nothing(format!("there is no execution {}", self.execution)));
        };
        let watch = Effect::WatchWorkflow {
            repository,
            run,
            execution: self.execution,
            step: self.step.clone(),
            attempt: self.attempt,
        };
        let sender = Sender { tenant: writing.effect.tenant.clone(), installation_id: writing.effect.installation_id };
        let queued = watch.queued(&sender, priority::TIMELINE, at);
        Ok(writing.outbox.store.add_effects(vec![queued]).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn run(id: u64, title: &str, branch: &str, login: &str, at: i64) -> client::WorkflowRun {
        serde_json::from_value(json!({
            "id": id, "html_url": "https://github.com/o/r/actions/runs/1", "status": "queued", "conclusion": null,
            "event": "workflow_dispatch", "head_branch": branch, "display_title": title,
            "actor": {"id": 7, "login": login, "type": if login.ends_with("[bot]") { "Bot" } else { "User" }},
            "created_at": Timestamp::from_second(at).unwrap(),
        }))
        .unwrap()
    }

    #[test]
    fn a_run_whose_dispatch_was_not_answered_is_told_from_others() {
        let bot = "flowctl[bot]";
        let taken = BTreeSet::from([4]);
        for (name, runs, expected) in [
            ("none", vec![], "nothing"),
            ("the only one", vec![run(1, "Release", "main", bot, 100)], "1"),
            ("a person's", vec![run(1, "Release", "main", "alice", 100)], "nothing"),
            ("from before", vec![run(1, "Release", "main", bot, 9)], "nothing"),
            ("of another branch", vec![run(1, "Release", "next", bot, 100)], "nothing"),
            ("of another step", vec![run(4, "Release", "main", bot, 100)], "nothing"),
            ("two", vec![run(1, "Release", "main", bot, 100), run(2, "Release", "main", bot, 100)], "2 of them"),
            ("its name", vec![run(1, "Release 0190-7", "main", bot, 100), run(2, "Release", "main", bot, 100)], "1"),
        ] {
            let found = match ours(runs, "0190-7", Some("main"), Timestamp::from_second(10).unwrap(), &taken) {
                Found::Nothing => "nothing".to_owned(),
                Found::One(run) => run.id.to_string(),
                Found::Several(count) => format!("{count} of them"),
            };
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn inputs_are_texts() {
        let values = [json!("a"), json!(3), json!(true), json!({"a": [1]})];
        assert_eq!(values.each_ref().map(as_text), ["a", "3", "true", "{\"a\":[1]}"]);
    }
}
