//! How attempts are performed: one performer per step type that needs the world. A performer is given an input and
//! gives a result; it knows nothing of executions, the store or GitHub, and records nothing.

pub mod agent_task;
pub mod ai_generate;
pub mod api_call;
pub mod journal;
pub mod mcp_call;
pub mod notify;
pub mod outgoing;
pub mod secrets;
pub mod workflow;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::StepType;
use flowctl_core::execution::{ExecutionId, StepError, TenantId, Usage};
use flowctl_core::expression::SecretText;
use jiff::Timestamp;
use serde_json::Value;

pub use agent_task::AgentTaskPerformer;
pub use ai_generate::AiGeneratePerformer;
pub use api_call::ApiCallPerformer;
pub use journal::{Journal, JournalError, JournalWriter};
pub use mcp_call::McpCallPerformer;
pub use notify::NotifyPerformer;
pub use outgoing::{Outgoing, OutgoingError, OutgoingOptions};
pub use secrets::Secrets;
pub use workflow::WorkflowPerformer;

use crate::ai::{Providers, SetupError};
use crate::clock::Clock;
use crate::notify::{Mailer, MailerError};
use crate::settings::Settings;
use crate::tools::Toolbox;

/// Faults that a message lists at most.
const SHOWN_FAULTS: usize = 5;

/// One attempt of a step, ready to be performed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Whose it is.
    pub tenant: TenantId,
    /// The execution.
    pub execution: ExecutionId,
    /// The step.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The step's fields, evaluated; secrets are masked.
    pub input: Value,
    /// Where secrets go into the input.
    pub secret_texts: Vec<SecretText>,
    /// When it must have ended.
    pub deadline: Option<Timestamp>,
    /// What tells the other side that two calls are the same: one for all automatic attempts of a step and for their
    /// repetitions after a crash, a new one after a retry by hand.
    pub idempotency_key: String,
    /// What it has recorded so far, and where it records more.
    pub journal: Journal,
}

/// Why performers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum PerformersError {
    /// Calls cannot be made.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// Mail cannot be sent.
    #[error(transparent)]
    Mail(#[from] MailerError),
    /// Models cannot be asked.
    #[error(transparent)]
    Models(#[from] SetupError),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// The step's output, or why there is none. Neither holds a secret.
    pub result: Result<Value, StepError>,
    /// What it used of a model.
    pub usage: Option<Usage>,
}

impl From<Result<Value, StepError>> for Performed {
    fn from(result: Result<Value, StepError>) -> Self {
        Self { result, usage: None }
    }
}

/// Performs the attempts of one step type. An attempt may be performed more than once (after a crash), and a
/// performer may be dropped in the middle of it (when the step was cancelled).
#[async_trait]
pub trait Performer: Send + Sync {
    /// Performs an attempt, within its deadline.
    async fn perform(&self, attempt: Attempt) -> Performed;
}

/// The performers by step type.
#[derive(Clone, Default)]
pub struct Performers {
    by_type: BTreeMap<StepType, Arc<dyn Performer>>,
    providers: Option<Arc<Providers>>,
}

impl Performers {
    /// Performers of every step type that the engine performs by itself.
    ///
    /// # Errors
    /// Where TLS cannot be set up on this machine.
    pub fn standard(
        options: OutgoingOptions,
        secrets: Arc<dyn Secrets>,
        providers: Arc<Providers>,
        mailer: Option<Mailer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutgoingError> {
        let outgoing = Outgoing::new(options)?;
        let api_call = ApiCallPerformer::new(outgoing.clone(), secrets.clone(), clock.clone());
        let notify = NotifyPerformer::new(outgoing, secrets, mailer, clock.clone());
        Ok(Self::default()
            .with(StepType::ApiCall, Arc::new(api_call))
            .with(StepType::Notify, Arc::new(notify))
            .with(StepType::AiGenerate, Arc::new(AiGeneratePerformer::new(providers, clock))))
    }

    /// The performers of a server with these settings. With `only_mock` every model is the deterministic mock.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the default provider of models (`FLOWCTL_AI_PROVIDER`) is not known.
    pub fn from_settings(settings: &Settings, only_mock: bool, clock: Arc<dyn Clock>) -> Result<Self, PerformersError> {
        let providers = match only_mock {
            true => Providers::only_mock().with_seed(settings.ai.mock_seed),
            false => Providers::from_settings(&settings.ai, &clock)?,
        };
        let exempt =
            settings.github.iter().flat_map(|github| [github.api_url.clone(), github.web_url.clone()]).collect();
        let options = OutgoingOptions { allow_private_networks: settings.allow_private_networks, exempt };
        let mailer = match &settings.smtp_url {
            Some(server) => Some(Mailer::new(server, &settings.mail_from())?),
            None => None,
        };
        let secrets: Arc<dyn Secrets> = Arc::new(settings.secrets.clone());
        let outgoing = Outgoing::new(options.clone())?;
        let tools = Toolbox::new(outgoing, secrets.clone(), settings.mcp_commands.clone(), clock.clone());
        let providers = Arc::new(providers);
        let performers = Self::standard(options, secrets.clone(), providers.clone(), mailer, clock.clone())?;
        let performers = performers.with_tools(&tools, secrets, providers.clone(), clock);
        let performers = performers.with(StepType::Workflow, Arc::new(WorkflowPerformer::new(only_mock)));
        Ok(Self { providers: Some(providers), ..performers })
    }

    /// The models that steps ask; the mock alone where none are set up.
    pub fn providers(&self) -> Arc<Providers> {
        self.providers.clone().unwrap_or_default()
    }

    /// The same performers with those whose steps use tools.
    #[must_use]
    pub fn with_tools(
        self,
        tools: &Toolbox,
        secrets: Arc<dyn Secrets>,
        providers: Arc<Providers>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let agent_task = AgentTaskPerformer::new(providers, tools.clone(), clock.clone());
        self.with(StepType::McpCall, Arc::new(McpCallPerformer::new(tools.clone(), secrets, clock)))
            .with(StepType::AgentTask, Arc::new(agent_task))
    }

    /// The same performers with this one for `step_type`.
    #[must_use]
    pub fn with(mut self, step_type: StepType, performer: Arc<dyn Performer>) -> Self {
        self.by_type.insert(step_type, performer);
        self
    }

    /// Who performs `step_type`.
    pub fn of(&self, step_type: StepType) -> Option<&Arc<dyn Performer>> {
        self.by_type.get(&step_type)
    }
}

impl fmt::Debug for Performers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.by_type.keys()).finish()
    }
}

/// The time from now to a deadline; none where it has passed.
pub(crate) fn time_left(deadline: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(deadline.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Faults of a value in words, the first few.
pub(crate) fn listed(faults: &[(String, String)]) -> String {
    let mut words: Vec<String> = faults.iter().take(SHOWN_FAULTS).map(in_words).collect();
    if faults.len() > SHOWN_FAULTS {
        words.push(format!("and {} more", faults.len() - SHOWN_FAULTS));
    }
    words.join("; ")
}

fn in_words((field, fault): &(String, String)) -> String {
    if field.is_empty() { format!("it {fault}") } else { format!("`{field}` {fault}") }
}
