//! How executions start: once per start key, with their first steps already under way when they are stored.

use std::sync::Arc;

use flowctl_core::execution::{
    Execution, ExecutionId, ExecutionStatus, NewExecution, Refusal, Signal, StartError, Subject, TenantId, TriggerInfo,
    create,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::outputs::Undecided;
use super::{Along, DefinitionError, Engine, to_its_end};
use crate::store::{StoreError, Transition};

/// A process that is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct StartRequest {
    /// Whose it is.
    pub tenant: TenantId,
    /// `owner/name`, or the name of a local repository.
    pub repository: String,
    /// GitHub's id of that repository, where whoever asks knows which one it is about; else the one that has the name counts.
    pub repository_id: Option<u64>,
    /// The commit whose definition is followed.
    pub revision: String,
    /// The process's name.
    pub process: String,
    /// What starts it.
    pub trigger: TriggerInfo,
    /// Where it is shown.
    pub subject: Option<Subject>,
    /// Its inputs as given; defaults are filled in.
    pub inputs: Map<String, Value>,
    /// A key that is unique per tenant: starting twice with one key is starting once.
    pub start_key: Option<String>,
    /// Its page; where absent, what the API says of it, below the engine's public URL.
    pub url: Option<String>,
}

/// What a start led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// The execution.
    pub execution: Execution,
    /// Whether it is new; otherwise its start key was known.
    pub is_new: bool,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// There is no such definition, or it cannot run.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The inputs do not fit.
    #[error(transparent)]
    Inputs(#[from] StartError),
    /// The word that asks for it was recorded before, and started nothing that is known by the start key.
    #[error("this was asked for before")]
    Repeated,
    /// The first steps cannot start.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its concurrency group says `skip`, and another one of it has not ended.
    #[error("another execution of its concurrency group is under way: {running}")]
    GroupBusy {
        /// That one.
        running: ExecutionId,
    },
    /// The process is paused.
    #[error("the process `{process}` is paused since {since}: nothing starts it until somebody lets it go on")]
    Paused {
        /// The process.
        process: String,
        /// Since when.
        since: Timestamp,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for StartFailure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::WordKnown => Self::Repeated,
            other => Self::Store(other),
        }
    }
}

impl From<Undecided> for StartFailure {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Refused(refusal) => Self::Refused(refusal),
            Undecided::Store(error) => error.into(),
        }
    }
}

impl Engine {
    /// Starts an execution, or gives the one that was started with the same key.
    ///
    /// Whether the process may be started in this way is for the caller to know: its triggers and status.
    ///
    /// # Errors
    /// Where the definition, the inputs or the store do not allow it. Nothing is stored then.
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartFailure> {
        self.start_along(request, Along::default()).await
    }

    /// Starts an execution, and stores `along` with it if it is new. It is done to its end also where nobody waits for it
    /// any more.
    ///
    /// # Errors
    /// As [`Engine::start`]; and where the word was recorded before.
    pub async fn start_along(&self, request: StartRequest, along: Along) -> Result<Started, StartFailure> {
        let engine = self.clone();
        to_its_end(async move { engine.start_here(request, along).await }).await?
    }

    /// The same in the task of the caller, who stays: the engine's own.
    pub(super) async fn start_here(&self, request: StartRequest, mut along: Along) -> Result<Started, StartFailure> {
        if let Some(key) = &request.start_key
            && let Some(known) = self.started_before(&request.tenant, key).await?
        {
            return Ok(known);
        }
        let StartRequest { tenant, repository, revision, process, trigger, subject, inputs, start_key, url, .. } =
            request;
        if let Some(since) = self.paused_since(&tenant, &repository, &process).await? {
            return Err(StartFailure::Paused { process, since });
        }
        let plan = self.inner.definitions.plan(&tenant, &repository, &revision, &process).await?;
        let now = self.now();
        let id = self.inner.ids.execution(now);
        let url = url.or_else(|| self.url_of(id));
        let repository_id = match request.repository_id {
            Some(id) => Some(id),
            None => self.inner.definitions.repository_id(&tenant, &repository).await?,
        };
        let new = NewExecution { id, tenant, repository, repository_id, revision, trigger, subject, inputs, url };
        let (mut execution, created) = create(&plan, new, now)?;
        let mut events = vec![created];
        // One of a group is stored first: whether it may go is decided among those that are stored.
        if execution.group.is_none() {
            let decided = self.decide(&plan, &execution, Signal::Start, now).await?;
            execution = decided.after;
            events.extend(decided.events);
            along.outputs = decided.outputs;
        }
        let tenant = execution.tenant.clone();
        let transition = Transition { start_key, ..self.transition(Some(&plan), None, execution, events, along, now) };
        let (execution, committed) = self.store_transition(transition, &mut None).await?;
        if let Some(running) = committed.busy {
            return Err(StartFailure::GroupBusy { running });
        }
        let Some(existing) = committed.existing else {
            return Ok(Started { execution: self.go_on(Arc::unwrap_or_clone(execution)).await, is_new: true });
        };
        match self.inner.load(&tenant, existing).await? {
            Some(stored) => Ok(Started { execution: stored.execution, is_new: false }),
            None => Err(StartFailure::Store(StoreError::Conflict)),
        }
    }

    /// Lets a new execution of a group go, where its turn has come already.
    async fn go_on(&self, execution: Execution) -> Execution {
        if execution.status != ExecutionStatus::Pending {
            return execution;
        }
        let (tenant, id) = (&execution.tenant, execution.id);
        match self.transit(tenant, id, Along::default(), &mut None, |_| Signal::Start).await {
            Ok(moved) => Arc::unwrap_or_clone(moved.execution),
            // It is stored and due: the engine's loops try again what failed here.
            Err(error) => {
                tracing::debug!(execution = %execution.id, %error, "an execution waits for its turn");
                execution
            }
        }
    }

    /// Where an execution is shown.
    pub(super) fn url_of(&self, id: ExecutionId) -> Option<String> {
        Some(format!("{}/api/v1/executions/{id}", self.inner.options.public_url.as_ref()?))
    }

    async fn started_before(&self, tenant: &TenantId, key: &str) -> Result<Option<Started>, StoreError> {
        let Some(id) = self.inner.store.by_start_key(tenant, key).await? else { return Ok(None) };
        let stored = self.inner.load(tenant, id).await?;
        Ok(stored.map(|stored| Started { execution: stored.execution, is_new: false }))
    }
}
