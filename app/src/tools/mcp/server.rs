//! A connection to one MCP server: the handshake, its operations, calls, and what its failures mean to a step.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use http::HeaderMap;
use rmcp::model::{CallToolRequestParams, ErrorCode, ErrorData, PaginatedRequestParams, Tool as Described};
use rmcp::service::{ClientInitializeError, Peer, RoleClient, RunningService, ServiceError, serve_client_with_ct};
use serde_json::Value;
use url::Url;

use super::listener::{Heard, Listener};
use super::stdio::Program;
use super::streamable::Failures;
use super::{result, stdio, streamable};
use crate::clock::Clock;
use crate::steps::outgoing::Outgoing;
use crate::steps::secrets::Redaction;
use crate::tools::{MAX_OPERATIONS, Operation, OperationCall, refused};

/// How long the handshake may take. Programs that fetch themselves before they start take a while.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(60);
/// How long a server has to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);
/// Pages of operations that are asked for at most.
const MAX_PAGES: usize = 100;
/// What the operations of a server come to at most, in bytes of text.
const MAX_DESCRIBED: usize = 8 * 1024 * 1024;

/// How a server is reached.
pub(super) enum Reached {
    /// As a program of ours, over its input and output.
    Program { command: Vec<String>, env: Vec<(String, String)>, redaction: Arc<Redaction> },
    /// Over streamable HTTP.
    Address { url: Url, headers: HeaderMap, outgoing: Outgoing, clock: Arc<dyn Clock> },
}

type Running = RunningService<RoleClient, Listener>;

/// A server that was reached.
pub(super) struct Connection {
    name: String,
    peer: Peer<RoleClient>,
    running: Mutex<Option<Running>>,
    heard: Heard,
    operations: tokio::sync::Mutex<Option<Arc<Vec<Operation>>>>,
    /// Calls that are under way.
    calls: AtomicU32,
    /// Whether a call got no answer: nobody else is sent here any more.
    is_lost: AtomicBool,
    /// What went wrong with HTTP last: the protocol's own errors say less.
    failures: Failures,
    /// Ended when this is dropped.
    program: Option<Program>,
}

impl Connection {
    /// Starts or reaches a server, and shakes hands.
    pub(super) async fn open(name: &str, reached: &Reached) -> Result<Self, StepError> {
        let (failures, heard) = (Failures::default(), Heard::default());
        let (us, over) = (Listener::new(heard.clone()), heard.over().clone());
        let (running, program) = match reached {
            Reached::Program { command, env, redaction } => {
                let (program, transport) = stdio::start(name, command, env, redaction.clone())?;
                (handshake(serve_client_with_ct(us, transport, over)).await, Some(program))
            }
            Reached::Address { url, headers, outgoing, clock } => {
                let door = (outgoing.clone(), clock.clone());
                let transport = streamable::transport(url, headers, door, failures.clone());
                (handshake(serve_client_with_ct(us, transport, over)).await, None)
            }
        };
        let running = match running {
            Ok(running) => running,
            Err(error) => {
                let ended = match &program {
                    Some(program) => program.ended().await,
                    None => None,
                };
                let error = failures.take().unwrap_or(error);
                let message = format!("the MCP server of tool `{name}` did not start: {}", error.message);
                let message = ended.map_or(message.clone(), |ended| format!("{message} ({ended})"));
                return Err(StepError { message, ..error });
            }
        };
        let peer = running.peer().clone();
        Ok(Self {
            name: name.to_owned(),
            peer,
            running: Mutex::new(Some(running)),
            heard,
            operations: tokio::sync::Mutex::default(),
            calls: AtomicU32::new(0),
            is_lost: AtomicBool::new(false),
            failures,
            program,
        })
    }

    /// Whether calls can still reach it.
    pub(super) fn is_alive(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        !self.is_lost.load(Ordering::Acquire)
            && !self.peer.is_transport_closed()
            && running.as_ref().is_some_and(|running| !running.is_closed())
    }

    /// What it can do; asked once for each connection, and again once it says that its tools are others.
    pub(super) async fn operations(&self) -> Result<Arc<Vec<Operation>>, StepError> {
        let under_way = self.begin();
        let mut known = self.operations.lock().await;
        if self.heard.tools_changed() {
            *known = None;
        }
        let operations = match &*known {
            Some(operations) => Ok(operations.clone()),
            None => self.ask_for_operations().await,
        };
        under_way.answered();
        *known = operations.as_ref().ok().cloned();
        operations
    }

    fn begin(&self) -> UnderWay<'_> {
        self.heard.begin();
        self.calls.fetch_add(1, Ordering::AcqRel);
        UnderWay { connection: self, is_answered: false }
    }

    async fn ask_for_operations(&self) -> Result<Arc<Vec<Operation>>, StepError> {
        let (mut operations, mut size) = (Vec::new(), 0);
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.peer.list_tools(Some(params)).await.map_err(|error| self.failed(error))?;
            let page_from = operations.len();
            operations.extend(page.tools.into_iter().map(operation));
            size += operations.iter().skip(page_from).map(size_of).sum::<usize>();
            if size > MAX_DESCRIBED {
                let most = MAX_DESCRIBED / (1024 * 1024);
                return Err(refused(format!("the MCP server of tool `{}` describes more than {most} MiB", self.name)));
            }
            if operations.len() > MAX_OPERATIONS {
                break;
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(Arc::new(operations));
            }
        }
        Err(refused(format!("the MCP server of tool `{}` has more than {MAX_OPERATIONS} operations", self.name)))
    }

    pub(super) async fn call(&self, call: OperationCall<'_>) -> Result<Value, StepError> {
        let mut params = CallToolRequestParams::new(call.operation.to_owned()).with_arguments(call.arguments.clone());
        params.meta = result::meta(call.idempotency_key);
        let under_way = self.begin();
        let answer = self.peer.call_tool_once(params).await;
        under_way.answered();
        match answer {
            Ok(response) => result::of(&self.name, call.operation, response),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Says goodbye, and ends the program where that is not enough.
    pub(super) async fn close(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut running) = running {
            let _ = running.close_with_timeout(FAREWELL).await;
        }
        if let Some(program) = &self.program {
            program.end(FAREWELL).await;
        }
    }

    /// What a failure means. After one of the connection's own the next call begins a new session ("Transports", "Session
    /// Management"); this call may have been made, and nobody repeats it but who knows whether it may be.
    fn failed(&self, error: ServiceError) -> StepError {
        let name = &self.name;
        if let ServiceError::McpError(error) = &error {
            return said(name, error);
        }
        let error = self.failures.take().unwrap_or_else(|| {
            let class = match &error {
                ServiceError::Timeout { .. } => ErrorClass::Timeout,
                ServiceError::UnexpectedResponse => ErrorClass::Schema,
                _ => ErrorClass::Network,
            };
            StepError::new(class, error.to_string())
        });
        if matches!(error.class, ErrorClass::Network | ErrorClass::Timeout) {
            self.is_lost.store(true, Ordering::Release);
        }
        StepError { message: format!("the MCP server of tool `{name}`: {}", error.message), ..error }
    }
}

/// About how much an operation is, in bytes of text.
fn size_of(operation: &Operation) -> usize {
    let description = operation.description.as_ref().map_or(0, String::len);
    operation.name.len() + description + operation.input_schema.to_string().len()
}

/// Something that a server is asked. Where it is dropped before the answer comes, its time was over, and the server may
/// never answer again: the connection is ended once nobody else waits for an answer.
struct UnderWay<'c> {
    connection: &'c Connection,
    is_answered: bool,
}

impl UnderWay<'_> {
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Connection { calls, is_lost, heard, .. } = self.connection;
        if !self.is_answered {
            is_lost.store(true, Ordering::Release);
        }
        if calls.fetch_sub(1, Ordering::AcqRel) == 1 && is_lost.load(Ordering::Acquire) {
            heard.over().cancel();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(running.take());
    }
}

async fn handshake(
    shaking: impl Future<Output = Result<Running, ClientInitializeError>>,
) -> Result<Running, StepError> {
    match tokio::time::timeout(HANDSHAKE, shaking).await {
        Ok(Ok(running)) => Ok(running),
        Ok(Err(ClientInitializeError::JsonRpcError(error))) => {
            Err(StepError::new(ErrorClass::Refused, format!("it refused the handshake: {}", error.message)))
        }
        Ok(Err(error)) => Err(StepError::new(ErrorClass::Network, error.to_string())),
        Err(_) => {
            let message = format!("it did not shake hands within {} s", HANDSHAKE.as_secs());
            Err(StepError::new(ErrorClass::Timeout, message))
        }
    }
}

/// What a server answered instead of a result (JSON-RPC 2.0, section 5.1).
fn said(name: &str, error: &ErrorData) -> StepError {
    let class = match error.code {
        ErrorCode::INTERNAL_ERROR => ErrorClass::ServerError,
        _ => ErrorClass::Refused,
    };
    StepError::new(class, format!("the MCP server of tool `{name}` refused: {}", error.message))
}

/// An operation as the server describes it. What its hints leave open is taken for the worse: it writes, and twice is not
/// once (MCP 2025-11-25, "ToolAnnotations").
fn operation(tool: Described) -> Operation {
    let hints = tool.annotations.as_ref();
    let reads = hints.and_then(|hints| hints.read_only_hint).unwrap_or(false);
    let idempotent = reads || hints.and_then(|hints| hints.idempotent_hint).unwrap_or(false);
    Operation {
        name: tool.name.to_string(),
        description: tool.description.as_ref().map(ToString::to_string),
        input_schema: tool.schema_as_json_value(),
        writes: !reads,
        idempotent,
    }
}
