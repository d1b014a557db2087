//! Tools of definitions: MCP servers, OpenAPI documents and HTTP calls behind one small trait. What may be called, with which
//! arguments, within which limits, and what must not come back is decided here; who calls and why is not known here.

mod breaker;
mod http;
mod mcp;
mod openapi;
mod texts;

#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::tool::ToolType;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::{EquippedTool, StepError, TenantId};
use flowctl_core::source::closest;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub use mcp::Commands;

use self::breaker::{Breaker, Breakers};
use self::texts::Texts;
use crate::clock::Clock;
use crate::steps::secrets::Redaction;
use crate::steps::{Outgoing, Secrets, listed};

/// The largest result of a call, in bytes as JSON.
pub const MAX_RESULT: usize = 1024 * 1024;
/// Operations that a tool may have at most.
pub const MAX_OPERATIONS: usize = 2_000;
/// How long a tool may take to say what it can do. Where an MCP server does not start, that is what is told.
pub const OPENING: Duration = Duration::from_secs(75);
const _: () = assert!(OPENING.as_millis() > mcp::STARTING.as_millis(), "that nothing came says less than why");
/// The operation of a tool that is one HTTP call.
pub const HTTP_OPERATION: &str = "call";

/// Something that a tool can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// What it does, as the tool says.
    pub description: Option<String>,
    /// The JSON Schema of its arguments, an object. It refers to nothing outside of itself.
    pub input_schema: Value,
    /// Whether it may change something, as far as the tool says; one that says nothing may.
    pub writes: bool,
    /// Whether a second call with the same arguments changes nothing more.
    pub idempotent: bool,
}

/// A call of an operation.
#[derive(Debug, Clone, Copy)]
pub struct OperationCall<'c> {
    /// The operation.
    pub operation: &'c str,
    /// Its arguments.
    pub arguments: &'c Map<String, Value>,
    /// What tells the other side that two calls are the same.
    pub idempotency_key: &'c str,
}

/// A tool. A call may be dropped in the middle of it, when its time is over.
#[async_trait]
trait Tool: Send + Sync {
    /// Everything that it can do.
    async fn operations(&self) -> Result<Arc<Vec<Operation>>, StepError>;

    /// Calls one of them, whose arguments were checked.
    async fn call(&self, call: OperationCall<'_>) -> Result<Value, StepError>;
}

/// Opens tools, and keeps what outlives a call: servers that were started, documents that were fetched, breakers.
#[derive(Clone)]
pub struct Toolbox {
    outgoing: Outgoing,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    servers: mcp::Servers,
    documents: openapi::Documents,
    breakers: Breakers,
}

/// A tool that was opened: only what its definition allows can be called.
pub struct OpenTool {
    name: String,
    allowed: Option<Vec<String>>,
    inner: Box<dyn Tool>,
    redaction: Arc<Redaction>,
    breaker: Breaker,
}

impl Toolbox {
    /// A toolbox whose calls go through `outgoing`, and which starts these commands only.
    #[must_use]
    pub fn new(outgoing: Outgoing, secrets: Arc<dyn Secrets>, commands: Commands, clock: Arc<dyn Clock>) -> Self {
        Self {
            outgoing,
            secrets,
            servers: mcp::Servers::new(commands, clock.clone()),
            documents: openapi::Documents::new(clock.clone()),
            breakers: Breakers::default(),
            clock,
        }
    }

    /// Opens a tool for a tenant. Nothing is called or started yet.
    ///
    /// # Errors
    /// Where the definition cannot be used, or a secret is not set.
    pub fn open(&self, tenant: &TenantId, definition: &EquippedTool) -> Result<OpenTool, StepError> {
        let texts = Texts::new(tenant, self.secrets.clone());
        let redaction = Arc::new(texts.redaction(definition)?);
        let (outgoing, clock) = (self.outgoing.clone(), self.clock.clone());
        let caller = http::Caller { outgoing, clock, redaction: redaction.clone() };
        let inner: Box<dyn Tool> = match definition.kind {
            ToolType::Mcp => {
                let server = self.servers.server(tenant, definition, &texts, self.outgoing.clone(), &redaction)?;
                Box::new(server)
            }
            ToolType::Openapi => {
                Box::new(openapi::OpenApiTool::new(definition, texts, caller, self.documents.clone())?)
            }
            ToolType::Http => Box::new(http::HttpTool::new(definition, texts, caller)?),
        };
        let breaker = self.breakers.of(fingerprint(tenant, &json!(definition)), self.clock.clone());
        let (name, allowed) = (definition.name.clone(), definition.operations.clone());
        Ok(OpenTool { name, allowed, inner, redaction, breaker })
    }

    /// Ends every program that was started.
    pub async fn close(&self) {
        self.servers.close().await;
    }
}

impl OpenTool {
    /// The operations that may be called, in the order in which the tool has them.
    ///
    /// # Errors
    /// Where the tool cannot be asked.
    pub async fn operations(&self) -> Result<Vec<Operation>, StepError> {
        // Knowing them says nothing about whether calls get through, so the breaker is not asked.
        let all = self.inner.operations().await.map_err(|error| self.redaction.error(error))?;
        Ok(all.iter().filter(|operation| self.allows(&operation.name)).map(|operation| self.clean(operation)).collect())
    }

    /// Calls an operation, which takes no longer than `limit`.
    ///
    /// # Errors
    /// Where the operation is not allowed or unknown, the arguments do not fit, the other side refuses or fails, or the
    /// time is over. No error holds a secret.
    pub async fn call(&self, call: OperationCall<'_>, limit: Duration) -> Result<Value, StepError> {
        let until = Instant::now() + limit;
        let calling = async {
            self.check(&call).await?;
            self.inner.call(call).await
        };
        let in_time = async {
            tokio::time::timeout_at(until, calling).await.unwrap_or_else(|_| {
                let message = format!("`{}` of tool `{}` took longer than its time", call.operation, self.name);
                Err(StepError::new(ErrorClass::Timeout, message))
            })
        };
        let result = self.breaker.guard(in_time).await;
        let result = result.and_then(|result| self.within_limits(result));
        result.map(|result| self.redaction.value(result)).map_err(|error| self.redaction.error(error))
    }

    /// Whether the operation is there and allowed, and the arguments fit it.
    async fn check(&self, call: &OperationCall<'_>) -> Result<(), StepError> {
        let Self { name: tool, .. } = self;
        let OperationCall { operation, arguments, .. } = *call;
        if !self.allows(operation) {
            return Err(refused(format!("tool `{tool}` does not allow the operation `{operation}`")));
        }
        let all = self.inner.operations().await?;
        let Some(known) = all.iter().find(|known| known.name == operation) else {
            let names = all.iter().map(|known| known.name.as_str());
            let meant = closest(operation, names).map(|meant| format!("; did you mean `{meant}`?"));
            let meant = meant.unwrap_or_default();
            return Err(refused(format!("tool `{tool}` has no operation `{operation}`{meant}")));
        };
        let faults = field::faults(&known.input_schema, &Value::Object(arguments.clone()));
        if faults.is_empty() {
            return Ok(());
        }
        let message = format!("the arguments of `{operation}` of tool `{tool}` do not fit: {}", listed(&faults));
        Err(refused(message))
    }

    fn allows(&self, operation: &str) -> bool {
        self.allowed.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == operation))
    }

    fn clean(&self, operation: &Operation) -> Operation {
        let description = operation.description.as_ref().map(|text| self.redaction.text(text).into_owned());
        Operation {
            description,
            input_schema: self.redaction.value(operation.input_schema.clone()),
            ..operation.clone()
        }
    }

    fn within_limits(&self, result: Value) -> Result<Value, StepError> {
        let size = serde_json::to_vec(&result).map_or(usize::MAX, |written| written.len());
        if size <= MAX_RESULT {
            return Ok(result);
        }
        Err(refused(format!("the result of tool `{}` is larger than {} MiB", self.name, MAX_RESULT / (1024 * 1024))))
    }
}

fn refused(message: impl Into<Cow<'static, str>>) -> StepError {
    StepError::new(ErrorClass::Refused, message.into())
}

/// What tells two tools apart: whose they are, and all that their definitions say.
fn fingerprint(tenant: &TenantId, definition: &Value) -> String {
    fingerprint_of(&[tenant.as_str().to_owned(), flowctl_core::definition::digest::canonical(definition)])
}

/// A digest that stands for these texts, which may hold secrets.
fn fingerprint_of(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.len().to_be_bytes());
        digest.update(text.as_bytes());
    }
    hex::encode(digest.finalize())
}
