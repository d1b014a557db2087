//! `processes`: what a server can run, and starts.

use flowctl_app::api::{ExecutionView, ProcessView};
use serde_json::{Map, Value, json};

use super::watch::watch;
use crate::arguments::{ClientFormat, ListProcesses, OneProcess, ProcessesArguments, ProcessesCommand, StartProcess};
use crate::client::Client;
use crate::exit::Exit;
use crate::terminal::{self, DIM, TYPE};
use crate::views;
use crate::words::{mapping, pairs};

/// Does what is asked of a server's processes.
pub fn run(arguments: &ProcessesArguments, quiet: bool) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.server)?;
    super::block_on(async {
        match &arguments.command {
            ProcessesCommand::List(list) => self::list(&client, list).await,
            ProcessesCommand::Show(one) => show(&client, one).await,
            ProcessesCommand::Start(start) => self::start(&client, start, quiet).await,
        }
    })
}

async fn list(client: &Client, list: &ListProcesses) -> anyhow::Result<Exit> {
    let query: Vec<(&str, String)> = list.repository.clone().map(|name| ("repository", name)).into_iter().collect();
    let (found, more) = client.list::<ProcessView>("/processes", &query, list.limit as usize).await?;
    match list.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&json!({"items": found}))?)?,
        ClientFormat::Human if found.is_empty() => {
            anstream::eprintln!("the server has no processes; FLOWCTL_REPOSITORIES or the GitHub App give it some");
        }
        ClientFormat::Human => {
            terminal::print(&views::processes(&found))?;
            if more {
                anstream::eprintln!("{DIM}there are more; --limit shows them{DIM:#}");
            }
        }
    }
    Ok(Exit::Done)
}

async fn show(client: &Client, one: &OneProcess) -> anyhow::Result<Exit> {
    let process = find(client, &one.id).await?;
    match one.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&process)?)?,
        ClientFormat::Human => terminal::print(&views::process(&process))?,
    }
    Ok(Exit::Done)
}

async fn find(client: &Client, id: &str) -> anyhow::Result<ProcessView> {
    client.get(&format!("/processes/{}", id.replace('/', "%2F")), &[]).await
}

async fn start(client: &Client, start: &StartProcess, quiet: bool) -> anyhow::Result<Exit> {
    let process = find(client, &start.id).await?;
    let mut body = json!({"process": process.id, "inputs": inputs(start, &process)?});
    if let Some(revision) = &start.revision {
        body["revision"] = json!(revision);
    }
    let execution: ExecutionView = client.post_once("/executions", start.key.as_deref(), &body).await?;
    if start.watch {
        if !quiet && start.format == ClientFormat::Human {
            anstream::eprintln!("{DIM}{}{DIM:#}", execution.id);
        }
        return watch(client, &execution.id.to_string(), start.format, quiet).await;
    }
    match start.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&execution)?)?,
        ClientFormat::Human => {
            terminal::print(&execution.id.to_string())?;
            if !quiet {
                anstream::eprintln!("follow it with:\n  {TYPE}flowctl executions watch {}{TYPE:#}", execution.id);
            }
        }
    }
    Ok(Exit::Done)
}

/// The inputs: those of the file, then those of the options. What fits is the server's to say.
fn inputs(start: &StartProcess, process: &ProcessView) -> anyhow::Result<Map<String, Value>> {
    let mut inputs = start.inputs.as_deref().map(mapping).transpose()?.unwrap_or_default();
    for (name, text) in pairs("--input", "KEY=VALUE", &start.input)? {
        let is_text = process.inputs["properties"][&name]["type"] == "string";
        let value = serde_json::from_str(&text).ok().filter(|_| !is_text).unwrap_or_else(|| json!(text));
        inputs.insert(name, value);
    }
    Ok(inputs)
}
