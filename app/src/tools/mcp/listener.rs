//! What a server says without being asked: that its tools changed is heard, requests are answered as the protocol wants, and
//! everything else is counted and forgotten. One that only talks is hung up on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rmcp::model::{
    ClientCapabilities, ClientConfig, ClientResult, ErrorData, Implementation, ServerNotification, ServerRequest,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient, Service};
use tokio_util::sync::CancellationToken;

/// What a server may say unasked between two calls.
const MAX_UNASKED: u32 = 10_000;

/// What was heard of a server. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    unasked: AtomicU32,
    tools_changed: AtomicBool,
    over: CancellationToken,
}

impl Heard {
    /// What ends the connection.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.state.over
    }

    /// Whether the server has said since the last time that its tools are others now.
    pub(super) fn tools_changed(&self) -> bool {
        self.state.tools_changed.swap(false, Ordering::AcqRel)
    }

    /// Something is asked of the server: it may talk again.
    pub(super) fn begin(&self) {
        self.state.unasked.store(0, Ordering::Release);
    }

    fn hear(&self) {
        if self.state.unasked.fetch_add(1, Ordering::AcqRel) == MAX_UNASKED {
            tracing::warn!("an MCP server said {MAX_UNASKED} things that nobody asked for; the connection is ended");
            self.state.over.cancel();
        }
    }
}

/// Our side of the protocol.
pub(super) struct Listener {
    heard: Heard,
    us: ClientConfig,
}

impl Listener {
    pub(super) fn new(heard: Heard) -> Self {
        let us = Implementation::new("flowctl", env!("CARGO_PKG_VERSION"));
        Self { heard, us: ClientConfig::new(ClientCapabilities::default(), us) }
    }
}

impl Service<RoleClient> for Listener {
    async fn handle_request(
        &self,
        request: ServerRequest,
        context: RequestContext<RoleClient>,
    ) -> Result<ClientResult, ErrorData> {
        self.heard.hear();
        self.us.handle_request(request, context).await
    }

    async fn handle_notification(
        &self,
        notification: ServerNotification,
        _: NotificationContext<RoleClient>,
    ) -> Result<(), ErrorData> {
        self.heard.hear();
        if matches!(notification, ServerNotification::ToolListChangedNotification(_)) {
            self.heard.state.tools_changed.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn get_info(&self) -> ClientConfig {
        self.us.clone()
    }
}
