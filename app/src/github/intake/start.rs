//! Starts executions: by what happened, and by people's hands. Only definitions of the default branch run.

use flowctl_core::approval::Person;
use flowctl_core::command::values;
use flowctl_core::definition::Process;
use flowctl_core::definition::field::schema_of_fields;
use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::execution::{PullRequestInfo, StartError, Subject, TriggerInfo};
use serde_json::{Map, Value};

use super::Trouble;
use super::scope::{Outcome, Scope};
use super::trigger::starts_by_hand;
use crate::engine::{Along, DefinitionError, StartFailure, StartRequest};
use crate::github::client::PullRequest;
use crate::github::outbox::{Effect, NotStarted};
use crate::github::people::person;
use crate::github::wording::Refused;
use crate::store::NewEffect;

/// What starts a process.
pub(super) struct Occasion {
    /// The trigger, for expressions.
    pub(super) trigger: TriggerInfo,
    /// Where it happened: a pull request or an issue.
    pub(super) place: Option<Place>,
    /// The commit that it is shown on, where it is that of no pull request and not that of the definition.
    pub(super) commit: Option<String>,
    /// Who asked for what it is about, where that is no pull request: they do not decide about it themselves.
    pub(super) author: Option<Person>,
    /// The key under which it starts once, followed by the process's name.
    pub(super) key: String,
    /// What is told once it has started.
    pub(super) done: Vec<NewEffect>,
}

/// A pull request or an issue.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its number.
    pub(super) number: u64,
    /// The pull request, where it is one.
    pub(super) pull_request: Option<PullRequest>,
}

impl Place {
    /// Where the execution is shown. What belongs to no pull request is shown on the commit of its definition.
    fn subject(&self, revision: &str) -> Subject {
        match &self.pull_request {
            Some(pull_request) => Subject {
                number: Some(self.number),
                is_pull_request: true,
                head_sha: pull_request.head.sha.clone(),
                author: pull_request.user.as_ref().map(person),
            },
            None => Subject {
                number: Some(self.number),
                is_pull_request: false,
                head_sha: revision.to_owned(),
                author: None,
            },
        }
    }

    /// What expressions read of it.
    pub(super) fn info(&self) -> Option<PullRequestInfo> {
        let pull_request = self.pull_request.as_ref()?;
        Some(PullRequestInfo {
            number: pull_request.number,
            title: pull_request.title.clone(),
            author: pull_request.user.as_ref().map(|user| user.login.clone()).unwrap_or_default(),
            head_sha: pull_request.head.sha.clone(),
            head: pull_request.head.branch.clone(),
            base: pull_request.base.branch.clone(),
            labels: pull_request.labels.iter().map(|label| label.name.clone()).collect(),
            url: pull_request.html_url.clone(),
        })
    }
}

/// Where it is told that a process did not start.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    /// In a comment.
    Place(&'a Place),
    /// In a check run: there is no page for comments.
    Commit(&'a str),
}

impl Scope<'_> {
    /// Starts a process of the default branch, once per occasion.
    pub(super) async fn start(&self, process: &Process, inputs: Map<String, Value>, occasion: Occasion) -> Outcome<()> {
        let revision = self.published().await?.revision.clone();
        let name = process.header.name.as_str().to_owned();
        let subject = match &occasion.place {
            Some(place) => place.subject(&revision),
            None => {
                let head_sha = occasion.commit.clone().unwrap_or_else(|| revision.clone());
                Subject { number: None, is_pull_request: false, head_sha, author: occasion.author }
            }
        };
        // Who asked is told; so is a deployment, which would wait for ever without a word.
        let asked = matches!(occasion.trigger.kind.as_str(), "manual" | "comment" | "deployment");
        let request = StartRequest {
            tenant: self.tenant.clone(),
            repository: self.name(),
            repository_id: self.repository_id,
            revision,
            start_key: Some(format!("{}:{name}", occasion.key)),
            process: name,
            trigger: occasion.trigger,
            subject: Some(subject),
            inputs,
            url: None,
        };
        let delivery = Some(self.delivery.clone());
        let along = Along { effects: occasion.done, delivery, ..Along::default() };
        match self.inner.engine.start_along(request, along).await {
            Ok(started) => {
                let execution = started.execution;
                tracing::info!(execution = %execution.id, process = execution.process, is_new = started.is_new, "started");
                Ok(Ok(()))
            }
            Err(StartFailure::Repeated) => Ok(Ok(())),
            Err(StartFailure::Inputs(StartError::WrongInputs { faults })) => Ok(Err(Refused::WrongInputs { faults })),
            Err(StartFailure::Definition(error)) if !matches!(error, DefinitionError::Unavailable { .. }) => {
                Ok(Err(Refused::Definition { reason: error.to_string() }))
            }
            // What happened by itself starts nothing, as `skip` says.
            Err(StartFailure::GroupBusy { running }) if asked => Ok(Err(Refused::GroupBusy { running })),
            Err(StartFailure::GroupBusy { running }) => {
                tracing::info!(%running, "nothing was started: another execution of the group is under way");
                Ok(Ok(()))
            }
            Err(StartFailure::Refused(refusal)) => Ok(Err(Refused::Execution { step: None, refusal })),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Starts a process by a person's hand, if it may be started so.
    pub(super) async fn start_by_hand(
        &self,
        name: &str,
        words: &[(String, String)],
        occasion: Occasion,
    ) -> Outcome<()> {
        let published = self.published().await?;
        let Some(process) = published.process(name).cloned() else {
            if let Some((_, reason)) = published.unreadable.iter().find(|(stem, _)| stem == name) {
                return Ok(Err(Refused::Definition { reason: reason.clone() }));
            }
            let by_hand = published.processes.iter().filter(|process| starts_by_hand(process));
            let known = by_hand.map(|process| process.header.name.as_str().to_owned()).collect();
            return Ok(Err(Refused::UnknownProcess { name: name.to_owned(), known }));
        };
        if process.header.status == ProcessStatus::Archived {
            return Ok(Err(Refused::Archived { name: name.to_owned() }));
        }
        if !starts_by_hand(&process) {
            return Ok(Err(Refused::NotByHand { name: name.to_owned() }));
        }
        let inputs = inputs(&process, words);
        self.start(&process, inputs, occasion).await
    }

    /// What is told where a process should have started by itself and could not: somebody has to mend it.
    pub(super) async fn could_not_start(
        &self,
        process: &Process,
        at: At<'_>,
        actor: &Person,
        refused: Refused,
    ) -> Result<(), Trouble> {
        let name = process.header.name.as_str();
        tracing::warn!(repository = %self.repository, process = name, reason = refused.words(), "a process did not start");
        let said = format!("The process `{name}` should have started and did not.");
        let place = match at {
            At::Place(place) => place,
            At::Commit(head_sha) => {
                let not_started = NotStarted {
                    repository: self.address(),
                    head_sha: head_sha.to_owned(),
                    process: name.to_owned(),
                    because: self.delivery.0.clone(),
                    summary: format!("{said} {}", refused.words()),
                };
                return self.tell(vec![self.show(&Effect::NotStarted(Box::new(not_started)))]).await;
            }
        };
        let to = format!("start:{}:{name}", self.delivery.0);
        let answer = crate::github::wording::Answer { said, result: Err(refused) };
        self.tell(vec![self.reply(place.number, &actor.login, &to, self.received_at, &[answer])]).await
    }
}

/// Inputs as their fields want them.
pub(super) fn inputs(process: &Process, words: &[(String, String)]) -> Map<String, Value> {
    values::of_words(&schema_of_fields(&process.header.inputs), words)
}
