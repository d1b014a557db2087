//! Check runs: their buttons, and *Re-run*. A button counts for what the run on which it was pressed had asked.

use std::collections::BTreeMap;

use flowctl_core::approval::{DecisionKind, Source, SourceKind};
use flowctl_core::definition::Role;
use flowctl_core::execution::{Execution, ExecutionId, Signal};

use super::payload::{CheckRun, CheckRunEvent, CheckSuite, CheckSuiteEvent};
use super::scope::{Outcome, Scope, keys};
use super::{Handled, Trouble, validation};
use crate::audit::RefusedWord;
use crate::github::client::{AppReference, CheckRunQuery, PullRequestState};
use crate::github::outbox::{Effect, Renewal, RenewedBecause, VALIDATE, button};
use crate::github::people::person;
use crate::github::wording::{Answer, Ask, Refused, asks_of};
use crate::identity::{About, Word, approval, settled};

/// Handles a delivery.
pub(super) async fn handle(scope: &Scope<'_>, event: CheckRunEvent) -> Result<Handled, Trouble> {
    if !is_ours(scope, event.check_run.app.as_ref()) {
        return Ok(Handled::Ignored("another App's check run".to_owned()));
    }
    let pressed = match (event.action.as_str(), &event.requested_action) {
        ("requested_action", Some(action)) => action.identifier.as_str(),
        ("rerequested", _) => RERUN,
        (action, _) => return Ok(Handled::Ignored(format!("a check run that is {action} is our own doing"))),
    };
    if event.sender.is_bot() {
        return Ok(Handled::Ignored("programs press no buttons".to_owned()));
    }
    if pressed == RERUN && event.check_run.name == VALIDATE {
        let CheckRun { id, head_sha, pull_requests, external_id, .. } = &event.check_run;
        let of_run = external_id.as_deref().and_then(validated_pull_request);
        let number = of_run.or(pull_requests.first().map(|named| named.number));
        return validate_again(scope, head_sha, *id, number).await;
    }
    let Some(execution) = execution_of(scope, event.check_run.external_id.as_deref()).await? else {
        return Ok(Handled::Ignored("the check run belongs to no execution".to_owned()));
    };
    let execution = at_head(scope, execution).await?;
    let press = Press { scope, event: &event, execution: &execution };
    let outcome = match pressed {
        button::APPROVE => press.decide(DecisionKind::Approve, "approve").await?,
        button::REJECT => press.decide(DecisionKind::Reject, "reject").await?,
        button::RETRY => press.retry().await?,
        button::RECHECK => press.recheck().await?,
        RERUN if execution.can_be_retried() => press.retry().await?,
        RERUN => press.renew().await?,
        other => return Ok(Handled::Ignored(format!("there is no button {other}"))),
    };
    if let Err(refused) = outcome {
        press.refuse(pressed, refused).await?;
    }
    Ok(Handled::Done)
}

/// GitHub's own button.
const RERUN: &str = "rerun";

/// Handles *Re-run all checks*: GitHub waits for news of every run of the suite. It is asked for our runs, since a fork's
/// pull request is not named in the event, and some runs belong to none.
pub(super) async fn suite(scope: &Scope<'_>, event: CheckSuiteEvent) -> Result<Handled, Trouble> {
    if event.action != "rerequested" || !is_ours(scope, event.check_suite.app.as_ref()) {
        return Ok(Handled::Ignored(format!("nothing follows from a check suite that is {}", event.action)));
    }
    let CheckSuite { head_sha, .. } = event.check_suite;
    let query = CheckRunQuery { reference: head_sha.clone(), check_name: None };
    let runs = scope.client.list_check_runs(&scope.repository, &query).await?;
    // Of each name and execution the newest; the older ones gave way to it.
    let newest: BTreeMap<(String, Option<String>), u64> = runs
        .into_iter()
        .filter(|run| run.head_sha == head_sha)
        .map(|run| {
            let validated =
                run.external_id.as_deref().and_then(validated_pull_request).map(|number| number.to_string());
            let about = if run.name == VALIDATE { validated } else { run.external_id };
            ((run.name, about), run.id)
        })
        .fold(BTreeMap::new(), |mut newest, (run, id)| {
            let known = newest.entry(run).or_insert(id);
            *known = id.max(*known);
            newest
        });
    for ((name, about), id) in newest {
        if name == VALIDATE {
            validate_again(scope, &head_sha, id, about.and_then(|number| number.parse().ok())).await?;
        } else if let Some(execution) = execution_of(scope, about.as_deref()).await? {
            renew(scope, &execution, Some(id)).await?;
        }
    }
    Ok(Handled::Done)
}

/// The pull request that a run of `flowctl / validate` is about, as its reference says.
fn validated_pull_request(external_id: &str) -> Option<u64> {
    external_id.strip_prefix("validate:")?.split(':').nth(1)?.parse().ok()
}

/// *Re-run* of validation on a commit, for the pull request that is known while it is open, else for the open one whose
/// head it is: what was closed has no part in what the commit may do any more.
async fn validate_again(scope: &Scope<'_>, head_sha: &str, run: u64, known: Option<u64>) -> Result<Handled, Trouble> {
    if let Some(number) = known {
        let (pull_request, _) = scope.pull_request(number).await?;
        if pull_request.state == PullRequestState::Open {
            validation::show_again(scope, &pull_request, run).await?;
            return Ok(Handled::Done);
        }
    }
    let Some(number) = scope.client.open_pull_request_at(&scope.repository, head_sha).await? else {
        return Ok(Handled::Ignored("the commit is the head of no open pull request".to_owned()));
    };
    let (pull_request, _) = scope.pull_request(number).await?;
    validation::show_again(scope, &pull_request, run).await?;
    Ok(Handled::Done)
}

fn is_ours(scope: &Scope<'_>, app: Option<&AppReference>) -> bool {
    app.is_some_and(|app| app.id == scope.inner.github.app().id())
}

/// The execution that a run's reference names.
async fn execution_of(scope: &Scope<'_>, external_id: Option<&str>) -> Result<Option<Execution>, Trouble> {
    let Some(id) = external_id.and_then(|id| id.parse::<ExecutionId>().ok()) else { return Ok(None) };
    let stored = scope.inner.store.load(&scope.tenant, id).await?;
    // The id comes from the run, the run from a repository: both must be the execution's own.
    let Some(execution) = stored.map(|stored| stored.execution) else { return Ok(None) };
    Ok(scope.owns(&execution).await?.then_some(execution))
}

/// The execution at its pull request's head, as GitHub has it now.
async fn at_head(scope: &Scope<'_>, execution: Execution) -> Result<Execution, Trouble> {
    let number = execution.subject.as_ref().filter(|subject| subject.is_pull_request).and_then(|s| s.number);
    let Some(number) = number else { return Ok(execution) };
    if execution.status.is_final() {
        return Ok(execution);
    }
    let (_, executions) = scope.pull_request(number).await?;
    Ok(executions.into_iter().find(|moved| moved.id == execution.id).unwrap_or(execution))
}

/// Opens a new run in the place of `run`, or of the last one.
async fn renew(scope: &Scope<'_>, execution: &Execution, run: Option<u64>) -> Result<(), Trouble> {
    let objects = scope.inner.store.github_objects(&scope.tenant, execution.id).await?;
    let run = run.or(objects.check_runs.last().map(|row| row.id));
    let renew = run.map(|run| Renewal { run, why: RenewedBecause::Asked });
    scope.tell(vec![scope.show(&Effect::SyncExecution { execution: execution.id, renew })]).await
}

/// A button that was pressed.
struct Press<'a> {
    scope: &'a Scope<'a>,
    event: &'a CheckRunEvent,
    execution: &'a Execution,
}

impl Press<'_> {
    /// Decides about every approval that the run had asked for and that still asks the same. Where several wait, a
    /// person decides about those that ask them.
    async fn decide(&self, kind: DecisionKind, verb: &'static str) -> Outcome<()> {
        if self.scope.knows(&self.key()).await? {
            return Ok(Ok(()));
        }
        let shown = self.shown();
        let asked: Vec<String> = Ask::all(self.execution)
            .into_iter()
            .filter(|ask| shown.contains(ask) && approval(self.execution, &ask.step).is_some())
            .map(|ask| ask.step)
            .collect();
        if asked.is_empty() {
            return Ok(Err(Refused::OldButton));
        }
        let word = Word {
            person: person(&self.event.sender),
            // GitHub does not tell when a button was pressed. What it was pressed on is known.
            at: self.scope.received_at,
            heard_at: self.scope.received_at,
            source: self.source(),
            about: About::Commit(self.event.check_run.head_sha.clone()),
            verb,
        };
        let mut refused = None;
        let mut counted = false;
        let keys = keys(&self.key(), asked.iter().map(|step| format!("{}:{step}", self.execution.id)));
        for (step, key) in asked.iter().zip(keys) {
            let decided =
                self.scope.decide(self.execution, step, &word, (kind, None), self.scope.along(key, Vec::new()));
            match decided.await? {
                Ok(()) => counted = true,
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok(match refused {
            Some(refused) if !counted => Err(refused),
            _ => Ok(()),
        })
    }

    fn shown(&self) -> Vec<Ask> {
        let output = self.event.check_run.output.as_ref();
        output.and_then(|output| output.summary.as_deref()).map(asks_of).unwrap_or_default()
    }

    fn source(&self) -> Source {
        let (id, url) = (self.scope.delivery.0.clone(), self.event.check_run.html_url.clone());
        Source { kind: SourceKind::Button, id, url }
    }

    fn key(&self) -> String {
        format!("button:{}", self.scope.delivery.0)
    }

    async fn retry(&self) -> Outcome<()> {
        if self.scope.knows(&self.key()).await? {
            return Ok(Ok(()));
        }
        let presser = person(&self.event.sender);
        let started_it = self.execution.trigger.actor.as_ref().is_some_and(|actor| actor.is(&presser));
        if let Err(refused) = self.scope.permits("retry", &presser, Some(Role::Write), started_it).await? {
            return Ok(Err(refused));
        }
        let signal = Signal::Retry { actor: Some(presser), step: None };
        let along = self.scope.along(self.key(), Vec::new());
        let engine = &self.scope.inner.engine;
        let outcome = settled(None, engine.signal(&self.scope.tenant, self.execution.id, signal, along).await)?;
        if outcome.is_ok()
            && let Some(stored) = self.scope.inner.store.load(&self.scope.tenant, self.execution.id).await?
        {
            // The pull request may have moved while the execution had ended.
            at_head(self.scope, stored.execution).await?;
        }
        Ok(outcome)
    }

    /// What nobody told of is looked for, and what is shown is told once more.
    async fn recheck(&self) -> Outcome<()> {
        let presser = person(&self.event.sender);
        let author = self.execution.subject.as_ref().and_then(|subject| subject.author.as_ref());
        let opened_it = author.is_some_and(|author| author.is(&presser));
        if let Err(refused) = self.scope.permits("recheck", &presser, Some(Role::Write), opened_it).await? {
            return Ok(Err(refused));
        }
        if let Some(number) = self.execution.subject.as_ref().and_then(|subject| subject.number) {
            self.scope.look_for_missed(number).await?;
        }
        self.renew().await
    }

    async fn renew(&self) -> Outcome<()> {
        renew(self.scope, self.execution, Some(self.event.check_run.id)).await?;
        Ok(Ok(()))
    }

    /// A button shows nothing of its own: who pressed it is answered where the execution is talked about.
    async fn refuse(&self, pressed: &str, refused: Refused) -> Result<(), Trouble> {
        let scope = self.scope;
        let login = &self.event.sender.login;
        tracing::info!(execution = %self.execution.id, pressed, login, reason = refused.words(), "a button was refused");
        let (presser, source) = (person(&self.event.sender), self.source());
        let verb = if pressed == RERUN { button::RETRY } else { pressed };
        scope.note_refusal(&RefusedWord::new(&presser, &source, verb, &refused), Some(self.execution)).await?;
        let Some(number) = self.execution.subject.as_ref().and_then(|subject| subject.number) else { return Ok(()) };
        let to = format!("button:{}", scope.delivery.0);
        let answer = Answer { said: format!("The button `{pressed}` was not taken."), result: Err(refused) };
        scope.tell(vec![scope.reply(number, login, &to, scope.received_at, &[answer])]).await
    }
}
