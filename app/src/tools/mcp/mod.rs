//! A tool that is an MCP server (Model Context Protocol, https://modelcontextprotocol.io): started or connected to when it is
//! first needed, kept for the calls that follow, begun anew when it went away. The protocol itself is `rmcp`'s.

mod commands;
mod listener;
mod result;
mod server;
mod stdio;
mod streamable;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::execution::{EquippedTool, StepError, TenantId};
use flowctl_core::expression::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use commands::Commands;

use self::server::{Connection, HANDSHAKE, Reached};
use self::stdio::LAST_WORDS;
use super::texts::Texts;
use super::{Operation, OperationCall, Tool, fingerprint_of, refused};
use crate::clock::Clock;
use crate::steps::outgoing::Outgoing;
use crate::steps::secrets::Redaction;

/// How long a server is kept that nobody calls.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// How often is looked for those.
const SWEEP: Duration = Duration::from_secs(60);
/// Servers that are kept at most; the one that was called the longest ago goes first.
const KEPT: usize = 64;

/// After how long it is told at the latest that a server does not start.
pub(super) const STARTING: Duration = HANDSHAKE.saturating_add(LAST_WORDS);

type ByKey = Mutex<BTreeMap<String, Kept>>;

/// The servers by what they were started with.
#[derive(Clone)]
pub(super) struct Servers {
    kept: Arc<ByKey>,
    commands: Arc<Commands>,
    clock: Arc<dyn Clock>,
}

struct Kept {
    /// Where whoever needs it first connects, and the others wait.
    place: Arc<tokio::sync::Mutex<Option<Arc<Connection>>>>,
    used_at: Timestamp,
}

/// One server, connected to when it is called.
pub(super) struct McpTool {
    name: String,
    key: String,
    reached: Reached,
    servers: Servers,
}

impl Servers {
    pub(super) fn new(commands: Commands, clock: Arc<dyn Clock>) -> Self {
        Self { kept: Arc::default(), commands: Arc::new(commands), clock }
    }

    /// The server of a definition.
    ///
    /// # Errors
    /// Where the operator does not allow its command, or a text cannot be put together.
    pub(super) fn server(
        &self,
        tenant: &TenantId,
        definition: &EquippedTool,
        texts: &Texts,
        outgoing: Outgoing,
        redaction: &Arc<Redaction>,
    ) -> Result<McpTool, StepError> {
        let name = definition.name.clone();
        let context = Context::new();
        let (reached, told) = match (&definition.command, &definition.url) {
            (Some(command), _) => {
                self.commands.check(&name, command, definition.env.keys().map(String::as_str))?;
                let env: Result<Vec<(String, String)>, StepError> = definition
                    .env
                    .iter()
                    .map(|(name, text)| Ok((name.clone(), texts.render(&format!("env.{name}"), text, &context)?)))
                    .collect();
                let env = env?;
                let told = json!({"command": command, "env": env}).to_string();
                (Reached::Program { command: command.clone(), env, redaction: redaction.clone() }, told)
            }
            (None, Some(url)) => {
                let url = super::http::address_of(&texts.render("url", url, &context)?)?;
                let headers = texts.headers(&definition.headers, &context)?;
                let told = format!("{url} {}", in_words(&headers));
                (Reached::Address { url, headers, outgoing, clock: self.clock.clone() }, told)
            }
            (None, None) => return Err(refused(format!("the tool `{name}` has neither `command` nor `url`"))),
        };
        let key = fingerprint_of(&[tenant.as_str().to_owned(), name.clone(), told]);
        Ok(McpTool { name, key, reached, servers: self.clone() })
    }

    /// Lets those go that nobody has called for long; how many are left.
    #[cfg(test)]
    pub(super) fn let_idle_go(&self) -> usize {
        let_idle_go(&self.kept, self.clock.now())
    }

    /// Ends every server.
    pub(super) async fn close(&self) {
        let kept: Vec<Kept> = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *kept).into_values().collect()
        };
        for Kept { place, .. } in kept {
            if let Some(connection) = place.lock().await.take() {
                connection.close().await;
            }
        }
    }

    /// Where the connection of this key is.
    fn place(&self, key: &str) -> Arc<tokio::sync::Mutex<Option<Arc<Connection>>>> {
        let now = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_empty() {
            tokio::spawn(sweep(Arc::downgrade(&self.kept), self.clock.clone()));
        }
        if kept.len() >= KEPT && !kept.contains_key(key) {
            let oldest = kept.iter().min_by_key(|(_, server)| server.used_at).map(|(key, _)| key.clone());
            oldest.map(|oldest| kept.remove(&oldest));
        }
        let server = kept.entry(key.to_owned()).or_insert_with(|| Kept { place: Arc::default(), used_at: now });
        server.used_at = now;
        server.place.clone()
    }
}

/// Lets servers go that nobody calls any more, until none is left.
async fn sweep(kept: Weak<ByKey>, clock: Arc<dyn Clock>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(kept) = kept.upgrade() else { return };
        if let_idle_go(&kept, clock.now()) == 0 {
            return;
        }
    }
}

/// Lets servers go that nobody has called for long; how many are left.
fn let_idle_go(kept: &ByKey, now: Timestamp) -> usize {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|_, server| !server.is_idle(now));
    kept.len()
}

impl Kept {
    fn is_idle(&self, now: Timestamp) -> bool {
        let in_use = Arc::strong_count(&self.place) > 1;
        !in_use && Duration::try_from(now.duration_since(self.used_at)).is_ok_and(|idle| idle >= IDLE)
    }
}

impl McpTool {
    /// The connection, which is made where there is none or the old one is gone.
    async fn connection(&self) -> Result<Arc<Connection>, StepError> {
        let place = self.servers.place(&self.key);
        let mut place = place.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_alive()) {
            return Ok(connection.clone());
        }
        *place = None;
        let connection = Arc::new(Connection::open(&self.name, &self.reached).await?);
        *place = Some(connection.clone());
        Ok(connection)
    }
}

#[async_trait]
impl Tool for McpTool {
    async fn operations(&self) -> Result<Arc<Vec<Operation>>, StepError> {
        self.connection().await?.operations().await
    }

    async fn call(&self, call: OperationCall<'_>) -> Result<Value, StepError> {
        self.connection().await?.call(call).await
    }
}

fn in_words(headers: &::http::HeaderMap) -> String {
    let mut all: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    all.sort();
    all.join("\n")
}
