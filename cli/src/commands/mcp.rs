//! `mcp`: a server of the Model Context Protocol for AI agents.

use anyhow::bail;

use crate::arguments::McpArguments;
use crate::client::Client;
use crate::exit::Exit;

/// Serves an agent until it goes away; over HTTP until it is interrupted.
pub fn run(arguments: &McpArguments) -> anyhow::Result<Exit> {
    // Without a token there is nothing that a server would answer.
    let token = arguments.server.token.clone().filter(|token| !token.is_empty());
    let clients_token = arguments.clients_token.clone().filter(|token| !token.is_empty());
    if clients_token.is_some() && clients_token == token {
        bail!("FLOWCTL_MCP_TOKEN must be another one than FLOWCTL_TOKEN, with which people can be spoken for");
    }
    let client = token.as_ref().map(|_| Client::new(&arguments.server)).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(crate::mcp::serve(client, arguments.listen, clients_token.as_deref()));
    runtime.shutdown_background();
    served
}
