//! What flowctl is to AI agents: a server of the Model Context Protocol over standard input and output or HTTP. It puts questions
//! to core and to a flowctl server, and decides nothing. There is no operation by which anybody could approve, reject or answer for
//! a person, and none may be added.

mod operations;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService, stdio};
use serde_json::Value;

use crate::client::Client;
use crate::exit::Exit;

const INSTRUCTIONS: &str = "\
flowctl runs processes that are written in YAML below .flow/ in a git repository. Use `validate` on every definition that you write, \
`explain` on what it finds, and `test` where there are tests. Processes can be listed, shown and started, executions and what waits for people looked at. You \
cannot approve, reject or answer in anybody's name: ask the person to do it.";

/// Serves one agent, or over HTTP many, who send `token`: one of their own, with which nobody gets into a flowctl server.
/// `client`: the flowctl server that knows processes and executions, where there is one.
pub async fn serve(client: Option<Client>, listen: Option<SocketAddr>, token: Option<&str>) -> anyhow::Result<Exit> {
    let agents = Agents { client: client.map(Arc::new) };
    match (listen, token) {
        (None, _) => {
            let running = agents.serve(stdio()).await.context("the client did not begin as the protocol says")?;
            running.waiting().await.context("serving ended badly")?;
        }
        (Some(address), Some(token)) => over_http(agents, address, token).await?,
        (Some(_), None) => {
            bail!("over HTTP everybody on this machine could ask: set FLOWCTL_MCP_TOKEN, which clients then send")
        }
    }
    Ok(Exit::Done)
}

async fn over_http(agents: Agents, address: SocketAddr, token: &str) -> anyhow::Result<()> {
    // Pages of other sites cannot ask: only names of this machine are taken, and no page's requests.
    let config = StreamableHttpServerConfig::default().enforce_origin_validation();
    let config = if address.ip().is_loopback() { config } else { config.disable_allowed_hosts() };
    let service =
        StreamableHttpService::new(move || Ok(agents.clone()), Arc::new(LocalSessionManager::default()), config);
    let expected: Arc<str> = format!("Bearer {token}").into();
    let router =
        axum::Router::new().nest_service("/mcp", service).layer(middleware::from_fn_with_state(expected, admitted));
    let listener =
        tokio::net::TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    anstream::eprintln!("serving agents at http://{}/mcp", listener.local_addr()?);
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router).with_graceful_shutdown(interrupted).await.context("serving ended badly")
}

/// Lets a request in that has the token. How long it takes says nothing about how much of it was right.
async fn admitted(State(expected): State<Arc<str>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let differences = given.iter().zip(expected.as_bytes()).fold(0_u8, |sum, (one, other)| sum | (one ^ other));
    if given.len() == expected.len() && differences == 0 {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, "send FLOWCTL_MCP_TOKEN as bearer token").into_response()
}

/// Answers agents.
#[derive(Debug, Clone)]
struct Agents {
    client: Option<Arc<Client>>,
}

impl ServerHandler for Agents {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("flowctl", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(operations::all(self.client.is_some())))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let Some(answered) = operations::answer(&request.name, arguments, self.client.as_deref()).await else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        };
        let result = match answered {
            Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
            // What went wrong is for the agent to read.
            Err(error) => CallToolResult::error(vec![ContentBlock::text(format!("{error:#}"))]),
        };
        Ok(result.into())
    }
}
