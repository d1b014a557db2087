//! One delivery under way: whose it is, who asks GitHub in its name, and what is told to people about it.

use flowctl_core::approval::{DecisionKind, Person, Source};
use flowctl_core::definition::Role;
use flowctl_core::execution::{Execution, Refusal, Signal, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::source::Published;
use super::{Inner, Trouble};
use crate::audit::{NewEntry, RefusedWord, of_refusal};
use crate::engine::{Along, SignalFailure};
use crate::github::client::{GitHubError, InstallationClient, PullRequest, Reaction, RepositoryName};
use crate::github::head::Mover;
use crate::github::outbox::{Address, Effect, commit_soon, priority};
use crate::github::people::{People, person};
use crate::github::reconcile::{Reconciler, of_pusher};
use crate::github::whose::{all_names, belongs_to};
use crate::github::wording::{Answer, Refused, reply};
use crate::identity::{Hearing, Word, approval};
use crate::store::{DeliveryId, Heard, NewDelivery, NewEffect};

/// How long GitHub's API is given to catch up with an event.
const API_LAG: SignedDuration = SignedDuration::from_secs(1);

/// A delivery about a repository.
pub(super) struct Scope<'a> {
    pub(super) inner: &'a Inner,
    pub(super) tenant: TenantId,
    pub(super) repository: RepositoryName,
    /// GitHub's id of the repository, which outlives its name; nothing where the payload does not say it.
    pub(super) repository_id: Option<u64>,
    pub(super) client: InstallationClient,
    pub(super) delivery: DeliveryId,
    pub(super) received_at: Timestamp,
    body: &'a [u8],
    published: tokio::sync::OnceCell<std::sync::Arc<Published>>,
}

/// The outcome of what a person wanted.
pub(super) type Outcome<T> = Result<Result<T, Refused>, Trouble>;

impl<'a> Scope<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        (tenant, repository, repository_id): (TenantId, RepositoryName, Option<u64>),
        client: InstallationClient,
        delivery: &'a NewDelivery,
    ) -> Self {
        let published = tokio::sync::OnceCell::new();
        let NewDelivery { id, received_at, body, .. } = delivery;
        let (delivery, received_at) = (id.clone(), *received_at);
        Self { inner, tenant, repository, repository_id, client, delivery, received_at, body, published }
    }

    /// What `trigger.payload` is: what GitHub sent, with what is said shorter or newer laid over it.
    pub(super) fn payload(&self, own: Value) -> Value {
        let mut payload: Value = serde_json::from_slice(self.body).unwrap_or_default();
        match (payload.as_object_mut(), own) {
            (Some(sent), Value::Object(own)) => sent.extend(own),
            (_, own) => payload = own,
        }
        payload
    }

    /// The repository as the store names it.
    pub(super) fn name(&self) -> String {
        self.repository.to_string()
    }

    /// Where effects go that this delivery leads to.
    pub(super) fn address(&self) -> Address {
        Address::known(self.repository.clone(), self.repository_id)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(super) fn people(&self) -> People<'_> {
        People { client: &self.client, repository: &self.repository }
    }

    /// The definitions on the default branch: read once for a delivery.
    pub(super) async fn published(&self) -> Result<&Published, Trouble> {
        let read = || async { self.inner.source.published(&self.tenant, &self.name()).await };
        Ok(self.published.get_or_try_init(read).await?)
    }

    /// What is stored with a transition that a person's word causes: the word itself, so that it counts once.
    pub(super) fn along(&self, word: String, effects: Vec<NewEffect>) -> Along {
        Along { effects, word: Some(word), delivery: Some(self.delivery.clone()), ..Along::default() }
    }

    /// Whether all of a word was done before: the delivery is being handled again, and what the word was about has
    /// gone on since.
    pub(super) async fn knows(&self, word: &str) -> Result<bool, Trouble> {
        Ok(self.inner.store.knows_word(&self.tenant, word).await?)
    }

    /// A reaction, to be stored.
    pub(super) fn reaction(&self, comment: u64, reaction: Reaction) -> NewEffect {
        let effect = Effect::React { repository: self.address(), comment, reaction };
        effect.queued(&self.inner.installations.sender(&self.tenant), priority::ANSWER, self.now())
    }

    /// A reply, to be stored. `to` tells what it answers; there is never a second one.
    pub(super) fn reply(&self, issue: u64, login: &str, to: &str, since: Timestamp, answers: &[Answer]) -> NewEffect {
        let body = reply(login, to, answers);
        let effect = Effect::Reply { repository: self.address(), issue, to: to.to_owned(), since, body };
        effect.queued(&self.inner.installations.sender(&self.tenant), priority::ANSWER, self.now())
    }

    /// Has check run and comment of an execution told anew.
    pub(super) fn show(&self, effect: &Effect) -> NewEffect {
        effect.queued(&self.inner.installations.sender(&self.tenant), priority::PROMPT, self.now())
    }

    pub(super) async fn tell(&self, effects: Vec<NewEffect>) -> Result<(), Trouble> {
        Ok(self.inner.store.add_effects(effects).await?)
    }

    /// Whether somebody may use a command.
    pub(super) async fn permits(
        &self,
        verb: &str,
        person: &Person,
        needs: Option<Role>,
        started_it: bool,
    ) -> Outcome<()> {
        let people = self.people();
        Ok(self.hearing(&people).await?.permits(verb, person, needs, started_it).await?)
    }

    /// Records a person's decision about a step, or says why it does not count.
    pub(super) async fn decide(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        decision: (DecisionKind, Option<String>),
        along: Along,
    ) -> Outcome<()> {
        let people = self.people();
        Ok(done_before(self.hearing(&people).await?.decide(execution, step, word, decision, along).await?))
    }

    /// Whether a person's decision about a step, or without a kind their answers to a form, would count.
    pub(super) async fn may(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        kind: Option<DecisionKind>,
    ) -> Outcome<()> {
        let people = self.people();
        Ok(self.hearing(&people).await?.may(execution, step, word, kind).await?)
    }

    /// Whether a step that asked already when a word was said asks who said it, whatever commit or base it asked about then.
    pub(super) async fn asks(&self, execution: &Execution, step: &str, word: &Word) -> Result<bool, Trouble> {
        let asked = approval(execution, step).is_some_and(|request| !word.was_said_before(request.requested_at));
        let later = Word { at: Timestamp::MAX, ..word.clone() };
        Ok(asked && self.may(execution, step, &later, Some(DecisionKind::Approve)).await?.is_ok())
    }

    /// Records a person's answers to a form, or says why they do not count.
    pub(super) async fn answer(
        &self,
        execution: &Execution,
        step: &str,
        word: &Word,
        values: Map<String, Value>,
        along: Along,
    ) -> Outcome<()> {
        let people = self.people();
        Ok(done_before(self.hearing(&people).await?.answer(execution, step, word, values, along).await?))
    }

    /// Has the audit log say that a word was refused, before anybody is told.
    pub(super) async fn note_refusal(
        &self,
        refused: &RefusedWord<'_>,
        about: Option<&Execution>,
    ) -> Result<(), Trouble> {
        let entry = of_refusal(refused, &self.name(), about, self.now());
        Ok(self.inner.store.record(&self.tenant, entry).await?)
    }

    async fn hearing<'h>(&'h self, people: &'h People<'h>) -> Result<Hearing<'h>, Trouble> {
        let published = self.published().await?;
        Ok(Hearing { engine: &self.inner.engine, tenant: &self.tenant, directory: people, published })
    }

    /// A pull request as GitHub has it, and its open executions, brought to its head.
    pub(super) async fn pull_request(&self, number: u64) -> Result<(PullRequest, Vec<Execution>), Trouble> {
        self.pull_request_as_of(number, Timestamp::MIN).await
    }

    /// The same, not older than an event tells of it: GitHub's API may lag behind its own events.
    pub(super) async fn pull_request_as_of(
        &self,
        number: u64,
        event: Timestamp,
    ) -> Result<(PullRequest, Vec<Execution>), Trouble> {
        let pull_request = self.client.get_pull_request(&self.repository, number).await?;
        if pull_request.updated_at < event {
            let reason = format!("GitHub still shows pull request {number} as it was before this event");
            return Err(Trouble::Passing { reason, wait: Some(API_LAG) });
        }
        let executions = self.executions(number, true).await?;
        let mut moved = Vec::with_capacity(executions.len());
        for execution in executions {
            moved.push(self.at_head(execution, &pull_request).await?);
        }
        Ok((pull_request, moved))
    }

    /// The executions of a pull request or issue, oldest first.
    pub(super) async fn executions(&self, number: u64, open_only: bool) -> Result<Vec<Execution>, Trouble> {
        self.executions_of(Some(number), open_only).await
    }

    /// The open executions of the repository, oldest first.
    pub(super) async fn open(&self) -> Result<Vec<Execution>, Trouble> {
        self.executions_of(None, true).await
    }

    async fn executions_of(&self, number: Option<u64>, open_only: bool) -> Result<Vec<Execution>, Trouble> {
        let mut executions = Vec::new();
        for name in self.names().await? {
            let of_name = self.inner.store.executions_of(&self.tenant, &name, number, open_only).await?;
            for execution in of_name {
                if self.is_of_here(&execution).await? {
                    executions.push(execution);
                }
            }
        }
        executions.sort_by_key(|execution| execution.id);
        Ok(executions)
    }

    /// Every name that the repository had for this account.
    pub(super) async fn names(&self) -> Result<Vec<String>, Trouble> {
        Ok(all_names(&*self.inner.store, &self.tenant, &self.name(), self.repository_id).await?)
    }

    /// Whether an execution is this repository's, and not that of another one which had the same name.
    async fn is_of_here(&self, execution: &Execution) -> Result<bool, Trouble> {
        match self.repository_id {
            Some(id) => Ok(belongs_to(&*self.inner.store, execution, id).await?),
            None => Ok(true),
        }
    }

    /// Whether an execution that is known by its id belongs to this repository.
    pub(super) async fn owns(&self, execution: &Execution) -> Result<bool, Trouble> {
        Ok(self.names().await?.contains(&execution.repository) && self.is_of_here(execution).await?)
    }

    /// Has what nobody told of about a pull request or issue put into the inbox behind this delivery, to be dealt with next.
    pub(super) async fn look_for_missed(&self, number: u64) -> Result<(), Trouble> {
        let Inner { store, github, clock, .. } = self.inner;
        let reconciler = Reconciler::new(store.clone(), github.clone(), clock.clone());
        reconciler.look_at(&self.tenant, &self.client, &self.repository, number).await?;
        Ok(())
    }

    /// Whether something was dealt with already, whichever way it was heard of: another delivery told of it.
    pub(super) async fn has_heard(&self, what: &str) -> Result<bool, Trouble> {
        let heard = self.inner.store.heard(&self.tenant, what).await?;
        Ok(heard.is_some_and(|heard| heard.delivery != self.delivery))
    }

    /// Records that something was dealt with.
    pub(super) async fn hear(&self, what: String) -> Result<(), Trouble> {
        let heard = Heard { tenant: self.tenant.clone(), what, delivery: self.delivery.clone(), at: self.now() };
        self.inner.store.hear(heard).await?;
        Ok(())
    }

    /// The execution at the pull request's head: what was said about another commit is dismissed as the steps say.
    async fn at_head(&self, execution: Execution, pull_request: &PullRequest) -> Result<Execution, Trouble> {
        Ok(self.mover().to_pull_request(execution, pull_request).await?)
    }

    fn mover(&self) -> Mover<'_> {
        let (engine, source) = (&self.inner.engine, &*self.inner.source);
        Mover { engine, source, tenant: &self.tenant, delivery: Some(&self.delivery) }
    }

    /// What has ended, and shows on the head what people said of it, hears of another base too.
    pub(super) async fn ended_on_other_base(&self, pull_request: &PullRequest) -> Result<(), Trouble> {
        for execution in self.executions(pull_request.number, false).await? {
            let shown = execution.subject.as_ref().is_some_and(|subject| subject.head_sha == pull_request.head.sha);
            if shown && execution.status.is_final() {
                self.mover().to_base(execution, pull_request).await?;
            }
        }
        Ok(())
    }

    /// Records that somebody was seen to push to a pull request: with what is open there, and for what starts later.
    pub(super) async fn pushed(&self, number: u64, person: &Person) -> Result<(), Trouble> {
        if let Some(repository) = self.repository_id {
            self.hear(of_pusher(repository, number, person.id)).await?;
        }
        for execution in self.executions(number, true).await? {
            if execution.pushers.iter().any(|pusher| pusher.is(person)) {
                continue;
            }
            let signal = Signal::Pushed { person: person.clone() };
            let along = Along { delivery: Some(self.delivery.clone()), ..Along::default() };
            match self.inner.engine.signal(&self.tenant, execution.id, signal, along).await {
                Ok(_) | Err(SignalFailure::Refused(_)) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// Records, once for each delivery, that somebody changed what another person had commanded: with the open executions
    /// there, or where none is open any more, in the audit log alone.
    pub(super) async fn comment_edited(&self, number: u64, by: &Person, comment: &Source) -> Result<(), Trouble> {
        let mut told = false;
        for execution in self.executions(number, true).await? {
            let signal = Signal::CommentEdited { actor: by.clone(), comment: comment.clone() };
            let word = format!("edited:{}:{}", self.delivery.0, execution.id);
            match self.inner.engine.signal(&self.tenant, execution.id, signal, self.along(word, Vec::new())).await {
                Ok(_) | Err(SignalFailure::Refused(_)) => told = true,
                Err(failure) => return Err(failure.into()),
            }
        }
        if !told {
            let entry = NewEntry {
                at: self.now(),
                kind: "comment.edited".to_owned(),
                actor: Some(by.clone()),
                repository: Some(self.name()),
                process: None,
                execution: None,
                step: None,
                data: json!({"source": comment}),
                once: Some(format!("edited:{}", self.delivery.0)),
            };
            let store = &*self.inner.store;
            store.record(&self.tenant, entry).await?;
            commit_soon(store, &self.tenant, &self.name(), self.now()).await?;
        }
        Ok(())
    }

    /// The person of this login, where `from` may give them their word: themself, to take it back, or who may write.
    pub(super) async fn delegate(&self, login: &str, from: &Person) -> Outcome<Person> {
        let refused = || Ok(Err(Refused::NoSuchDelegate { login: login.to_owned() }));
        let user = match self.client.user(login).await {
            Ok(user) if !user.is_bot() => user,
            Ok(_) | Err(GitHubError::NotFound { .. }) => return refused(),
            Err(error) => return Err(error.into()),
        };
        let to = person(&user);
        if !to.is(from) && self.people().role(&to).await?.is_none() {
            return refused();
        }
        Ok(Ok(to))
    }

    /// Whether somebody may give their word in an execution to this person.
    pub(super) async fn may_delegate(&self, execution: &Execution, word: &Word, to: &Person) -> Outcome<()> {
        let people = self.people();
        Ok(self.hearing(&people).await?.may_delegate(execution, word, to).await?)
    }
}

/// What was recorded before was done before: here a key stands for one thing that was said at one place.
fn done_before(heard: Result<(), Refused>) -> Result<(), Refused> {
    match heard {
        Err(Refused::Execution { refusal: Refusal::Repeated, .. }) => Ok(()),
        heard => heard,
    }
}

/// The words to record where one thing that was said is about several steps or executions: the last one stands for
/// all of it, so that [`Scope::knows`] is true only once everything was done.
pub(super) fn keys(whole: &str, parts: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let last = parts.len().saturating_sub(1);
    let key = |(index, part)| if index == last { whole.to_owned() } else { format!("{whole}:{part}") };
    parts.enumerate().map(key).collect()
}
