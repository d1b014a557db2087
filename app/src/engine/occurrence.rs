//! What may start processes: an event given to the API, the end of another execution. Looked at once it is stored, and
//! again until it has been dealt with; each process starts once because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::process::ProcessStatus;
use flowctl_core::definition::trigger::ProcessEnd;
use flowctl_core::definition::{Process, Trigger};
use flowctl_core::execution::{Execution, ExecutionId, ExecutionStatus, Subject, TenantId, TriggerInfo};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::notices::Message;
use super::{Along, DefinitionError, Engine, Published, StartFailure, StartRequest};
use crate::crash_point;
use crate::store::{ApiEvent, ClaimedOccurrence, NewOccurrence, OccurrenceEnd, StoreError};

/// Occurrences that are claimed at a time.
const BATCH: u32 = 64;
/// Occurrences that are dealt with at the same time.
const MAX_DEALING: usize = 1_024;
/// Of one tenant's.
const MAX_DEALING_OF_TENANT: usize = 128;
/// How long an occurrence is left alone whose tenant has as many under way.
const TENANT_PAUSE: Duration = Duration::from_secs(10);
/// How long an occurrence is left alone that cannot be dealt with, after the first time; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// How long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How often an occurrence is looked at: definitions that cannot be read are given up after three days and a half.
const MAX_ATTEMPTS: u32 = 1_000;

/// The pause after so many tries.
fn pause_after(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// How much is being dealt with, of each tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Dealing(Arc<Mutex<BTreeMap<TenantId, usize>>>);

/// One that is being dealt with, until it is dropped.
#[derive(Debug)]
struct Turn {
    dealing: Dealing,
    tenant: TenantId,
}

impl Dealing {
    /// Whether nothing more is begun now.
    pub(super) fn is_full(&self) -> bool {
        let under_way: usize = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum();
        under_way + BATCH as usize > MAX_DEALING
    }

    /// One more of a tenant's; nothing where it has enough.
    fn begin(&self, tenant: &TenantId) -> Option<Turn> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(tenant.clone()).or_default();
        if *count >= MAX_DEALING_OF_TENANT {
            return None;
        }
        *count += 1;
        Some(Turn { dealing: self.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.dealing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.tenant);
            }
        }
    }
}

/// Something that may start processes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Happening {
    /// An event was given to the API.
    Event(ApiEvent),
    /// An execution ended.
    Ended(Ended),
    /// Somebody is to be told.
    Notice(Box<Message>),
}

/// An execution that ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    repository: String,
    process: String,
    execution: ExecutionId,
    /// How often it was retried: each end is another one.
    retries: u32,
    status: ExecutionStatus,
    outputs: Option<Value>,
    error: Option<String>,
}

impl Happening {
    /// As it is stored.
    pub(super) fn into_body(self) -> Value {
        json!(self)
    }

    /// Whether a trigger takes it.
    fn starts(&self, trigger: &Trigger) -> bool {
        match (self, trigger) {
            (Self::Event(event), Trigger::Event(name)) => event.name == name.value,
            (Self::Ended(ended), Trigger::Process(wanted)) => {
                let status = match wanted.on {
                    ProcessEnd::Completed => ExecutionStatus::Completed,
                    ProcessEnd::Failed => ExecutionStatus::Failed,
                };
                ended.process == wanted.name.value.as_str() && ended.status == status
            }
            _ => false,
        }
    }

    /// The repository, as the execution names it, whose processes it may start; nothing: any of the tenant.
    fn ended_in(&self) -> Option<(&str, ExecutionId)> {
        match self {
            Self::Event(_) | Self::Notice(_) => None,
            Self::Ended(ended) => Some((&ended.repository, ended.execution)),
        }
    }

    /// What tells it apart from every other.
    fn key(&self) -> String {
        match self {
            Self::Event(event) => format!("event:{}", event.id),
            Self::Ended(ended) => format!("ended:{}:{}", ended.execution, ended.retries),
            Self::Notice(message) => message.key.clone(),
        }
    }

    fn trigger(&self) -> TriggerInfo {
        let (kind, payload) = match self {
            Self::Event(event) => ("event", event.payload.clone()),
            Self::Ended(ended) => ("process", json!(ended)),
            // Starts nothing.
            Self::Notice(_) => ("notice", Value::Null),
        };
        TriggerInfo { kind: kind.to_owned(), actor: None, payload, pull_request: None }
    }
}

/// What may start because of a transition. Whether anything does is seen later; `may_follow` says where nothing can.
pub(super) fn of_transition(
    before: Option<&Execution>,
    after: &Execution,
    now: Timestamp,
    may_follow: impl Fn(&Execution) -> bool,
) -> Vec<NewOccurrence> {
    let ended = matches!(after.status, ExecutionStatus::Completed | ExecutionStatus::Failed)
        && before.is_none_or(|before| !before.status.is_final());
    if !ended || !may_follow(after) {
        return Vec::new();
    }
    let happening = Happening::Ended(Ended {
        repository: after.repository.clone(),
        process: after.process.clone(),
        execution: after.id,
        retries: after.retries,
        status: after.status,
        outputs: after.outputs.clone(),
        error: after.error.as_ref().map(|error| error.message.clone()),
    });
    vec![NewOccurrence { tenant: after.tenant.clone(), body: happening.into_body(), not_before: now }]
}

/// The processes that something starts, published ones only.
pub(super) fn started_by<'p>(
    published: &'p Published,
    starts: impl Fn(&Trigger) -> bool + 'p,
) -> impl Iterator<Item = &'p Process> {
    published.processes.iter().map(AsRef::as_ref).filter(move |process| {
        let mut triggers = process.header.triggers.iter().flatten();
        process.header.status == ProcessStatus::Published && triggers.any(|trigger| starts(&trigger.value))
    })
}

impl Engine {
    /// Deals with what may start processes; how many occurrences were dealt with.
    ///
    /// # Errors
    /// Where the store cannot say what there is.
    pub async fn deal_with_occurrences(&self) -> Result<usize, StoreError> {
        let dealt = join_all(self.begin_to_deal().await?).await;
        Ok(dealt.into_iter().filter(|dealt| matches!(dealt, Ok(true))).count())
    }

    /// Claims what is due and has each of it dealt with by a task of its own; whether that was done with says the task.
    pub(super) async fn begin_to_deal(&self) -> Result<Vec<JoinHandle<bool>>, StoreError> {
        let (owner, until) = (&self.inner.options.owner, self.after(self.inner.options.lease));
        let claimed = self.inner.store.claim_occurrences(owner, BATCH, self.now(), until).await?;
        Ok(claimed.into_iter().map(|occurrence| self.spawn_dealing(occurrence)).collect())
    }

    fn spawn_dealing(&self, occurrence: ClaimedOccurrence) -> JoinHandle<bool> {
        let (engine, turn) = (self.clone(), self.inner.dealing.begin(&occurrence.tenant));
        self.inner.hands.tasks.spawn(async move {
            let given_up = engine.inner.hands.given_up.clone();
            let dealing = async {
                match turn {
                    Some(_turn) => engine.deal_with(occurrence).await,
                    None => engine.put_off(&occurrence).await,
                }
            };
            given_up.run_until_cancelled(dealing).await.unwrap_or(false)
        })
    }

    /// Nobody's receivers take all there is: what is too much of one tenant has its turn later.
    async fn put_off(&self, occurrence: &ClaimedOccurrence) -> bool {
        let end = OccurrenceEnd::RetryAt(self.after(TENANT_PAUSE));
        if let Err(error) = self.inner.store.finish_occurrence(occurrence, end).await {
            tracing::error!(%error, "an occurrence could not be put off; its lease will end");
        }
        false
    }

    async fn deal_with(&self, occurrence: ClaimedOccurrence) -> bool {
        crash_point("occurrence.claimed");
        let happening = serde_json::from_value::<Happening>(occurrence.body.clone());
        let end = match happening {
            Ok(Happening::Notice(message)) => self.send(&occurrence, *message).await,
            Ok(happening) => match self.start_because_of(&occurrence.tenant, &happening).await {
                Ok(()) => OccurrenceEnd::Done,
                Err(error) if occurrence.attempts < MAX_ATTEMPTS => {
                    tracing::warn!(%error, key = happening.key(), "what something starts cannot be told now");
                    OccurrenceEnd::RetryAt(self.after(pause_after(occurrence.attempts)))
                }
                Err(error) => {
                    tracing::error!(%error, key = happening.key(), "what something starts could not be told; given up");
                    OccurrenceEnd::Done
                }
            },
            Err(error) => {
                tracing::error!(%error, "an occurrence cannot be read");
                OccurrenceEnd::Done
            }
        };
        let done = end == OccurrenceEnd::Done;
        crash_point("occurrence.dealt_with");
        match self.inner.store.finish_occurrence(&occurrence, end).await {
            Ok(_) => done,
            Err(error) => {
                tracing::error!(%error, "an occurrence could not be finished; its lease will end");
                false
            }
        }
    }

    async fn start_because_of(&self, tenant: &TenantId, happening: &Happening) -> Result<(), StartFailure> {
        let repositories = match happening.ended_in() {
            Some((repository, execution)) => {
                // It keeps the name under which it started; another repository may have that one by now.
                self.inner.definitions.called_now(tenant, execution, repository).await?.into_iter().collect()
            }
            None => self.repositories(tenant).await?,
        };
        let mut trouble = None;
        for repository in repositories {
            let published = match self.inner.definitions.published(tenant, &repository).await {
                Ok(published) => published,
                Err(error) => {
                    trouble = Some(error.into());
                    continue;
                }
            };
            for process in started_by(&published, |trigger| happening.starts(trigger)) {
                // The same again after a rename.
                let named = happening.ended_in().map_or(repository.as_str(), |(named, _)| named);
                let key = format!("{}:{named}", happening.key());
                let started =
                    self.start_by_itself(tenant, &repository, &published, process, key, happening.trigger()).await;
                trouble = started.err().or(trouble);
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Every repository of a tenant that is known.
    pub(super) async fn repositories(&self, tenant: &TenantId) -> Result<BTreeSet<String>, StoreError> {
        let mut repositories: BTreeSet<String> = self.inner.definitions.served(tenant).into_iter().collect();
        repositories.extend(self.inner.store.repositories(tenant).await?);
        Ok(repositories)
    }

    /// Starts a process without anybody's doing, once per key.
    ///
    /// # Errors
    /// What may pass. A process that cannot start as it is written is told in the log.
    pub(super) async fn start_by_itself(
        &self,
        tenant: &TenantId,
        repository: &str,
        published: &Published,
        process: &Process,
        key: String,
        trigger: TriggerInfo,
    ) -> Result<(), StartFailure> {
        let name = process.header.name.as_str();
        let head_sha = published.revision.clone();
        let request = StartRequest {
            tenant: tenant.clone(),
            repository: repository.to_owned(),
            repository_id: None,
            revision: published.revision.clone(),
            process: name.to_owned(),
            trigger,
            subject: Some(Subject { number: None, is_pull_request: false, head_sha, author: None }),
            inputs: Map::new(),
            start_key: Some(format!("{key}:{name}")),
            url: None,
        };
        match self.start_here(request, Along::default()).await {
            Ok(started) => {
                let (execution, is_new) = (started.execution.id, started.is_new);
                tracing::info!(%execution, process = name, repository, is_new, "started by itself");
                Ok(())
            }
            Err(error @ (StartFailure::Store(_) | StartFailure::Definition(DefinitionError::Unavailable { .. }))) => {
                Err(error)
            }
            Err(error) => {
                tracing::warn!(process = name, repository, %error, "a process did not start");
                Ok(())
            }
        }
    }
}
