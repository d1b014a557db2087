//! `executions`: a server's executions, as a client sees them.

use flowctl_app::api::{EventView, ExecutionView, TraceView};
use jiff::Timestamp;
use serde_json::json;

use super::{answer, watch};
use crate::arguments::{
    CancelExecution, ClientFormat, ExecutionsArguments, ExecutionsCommand, ExportExecution, HoldExecution,
    ListExecutions, ListFormat, RetryExecution, ShowExecution,
};
use crate::client::Client;
use crate::exit::Exit;
use crate::terminal::{self, DIM, TYPE};
use crate::views;

/// All events of an execution that are exported at most.
const ALL_EVENTS: usize = 1_000_000;

/// Does what is asked of a server's executions.
pub fn run(arguments: &ExecutionsArguments, quiet: bool) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.server)?;
    super::block_on(async {
        match &arguments.command {
            ExecutionsCommand::List(list) => self::list(&client, list).await,
            ExecutionsCommand::Show(one) => show(&client, one).await,
            ExecutionsCommand::Watch(one) => watch::watch(&client, &one.id, one.format, quiet).await,
            ExecutionsCommand::Cancel(cancel) => self::cancel(&client, cancel).await,
            ExecutionsCommand::Retry(retry) => self::retry(&client, retry).await,
            ExecutionsCommand::Hold(held) => hold(&client, held, "hold").await,
            ExecutionsCommand::Unhold(held) => hold(&client, held, "unhold").await,
            ExecutionsCommand::Answer(given) => answer::answer(&client, given).await,
            ExecutionsCommand::Export(export) => self::export(&client, export, quiet).await,
        }
    })
}

/// Executions that are listed where nothing is said.
const USUAL: usize = 30;
/// An account that silently leaves something out is none.
const ALL_OF_A_CSV: usize = 100_000;

async fn list(client: &Client, list: &ListExecutions) -> anyhow::Result<Exit> {
    let mut query: Vec<(&str, String)> = Vec::new();
    let filters = [
        ("process", &list.process),
        ("status", &list.status),
        ("since", &list.since),
        ("until", &list.until),
        ("q", &list.search),
    ];
    for (name, value) in filters {
        query.extend(value.clone().map(|value| (name, value)));
    }
    let usual = if list.format == ListFormat::Csv { ALL_OF_A_CSV } else { USUAL };
    let limit = list.limit.map_or(usual, |limit| limit as usize);
    let (found, more) = client.list::<ExecutionView>("/executions", &query, limit).await?;
    match list.format {
        ListFormat::Json => terminal::print(&serde_json::to_string_pretty(&json!({"items": found}))?)?,
        ListFormat::Csv => terminal::print(views::spent::csv(&found).trim_end())?,
        ListFormat::Human if found.is_empty() => anstream::eprintln!("there are no such executions"),
        ListFormat::Human => {
            let table = if list.cost { views::spent::executions(&found) } else { views::executions(&found) };
            terminal::print(&table)?;
        }
    }
    if more {
        anstream::eprintln!("{DIM}there are more; --limit shows them{DIM:#}");
    }
    Ok(Exit::Done)
}

async fn show(client: &Client, ShowExecution { one, trace }: &ShowExecution) -> anyhow::Result<Exit> {
    if *trace {
        let path = format!("/executions/{}/trace", one.id);
        let (entries, _) = client.list::<TraceView>(&path, &[], ALL_EVENTS).await?;
        match one.format {
            ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&json!({"items": entries}))?)?,
            ClientFormat::Human if entries.is_empty() => anstream::eprintln!("no models or tools were used"),
            ClientFormat::Human => terminal::print(views::spent::trace(&entries).trim_end())?,
        }
        return Ok(Exit::Done);
    }
    let execution: ExecutionView = client.get(&format!("/executions/{}", one.id), &[]).await?;
    print(&execution, one.format)?;
    Ok(Exit::Done)
}

async fn cancel(client: &Client, cancel: &CancelExecution) -> anyhow::Result<Exit> {
    let body = match &cancel.reason {
        Some(reason) => json!({"reason": reason}),
        None => json!({}),
    };
    let execution: ExecutionView = client.post(&format!("/executions/{}/cancel", cancel.one.id), &body).await?;
    print(&execution, cancel.one.format)?;
    Ok(Exit::Done)
}

async fn retry(client: &Client, retry: &RetryExecution) -> anyhow::Result<Exit> {
    let body = match &retry.step {
        Some(step) => json!({"step": step}),
        None => json!({}),
    };
    let execution: ExecutionView = client.post(&format!("/executions/{}/retry", retry.one.id), &body).await?;
    print(&execution, retry.one.format)?;
    if retry.one.format == ClientFormat::Human {
        anstream::eprintln!("follow it with:\n  {TYPE}flowctl executions watch {}{TYPE:#}", execution.id);
    }
    Ok(Exit::Done)
}

/// Holds an execution, or lets it go on.
async fn hold(client: &Client, held: &HoldExecution, verb: &str) -> anyhow::Result<Exit> {
    let mut body = json!({});
    for (name, value) in [("note", &held.note), ("as", &held.acting)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let execution: ExecutionView = client.post(&format!("/executions/{}/{verb}", held.one.id), &body).await?;
    print(&execution, held.one.format)?;
    Ok(Exit::Done)
}

async fn export(client: &Client, export: &ExportExecution, quiet: bool) -> anyhow::Result<Exit> {
    let execution: ExecutionView = client.get(&format!("/executions/{}", export.id), &[]).await?;
    let path = format!("/executions/{}/events", export.id);
    let (events, _) = client.list::<EventView>(&path, &[], ALL_EVENTS).await?;
    let mut execution = execution;
    // What lets somebody act has no place in a file.
    for step in &mut execution.steps {
        if let Some(waiting) = &mut step.waiting_for {
            waiting.resume_token = None;
        }
    }
    let text = serde_json::to_string_pretty(&json!({"version": 1, "execution": execution, "events": events}))?;
    match &export.output {
        None => terminal::print(&text)?,
        Some(file) => {
            use anyhow::Context;
            std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
            if !quiet {
                anstream::eprintln!("{} events are in {}", events.len(), file.display());
            }
        }
    }
    Ok(Exit::Done)
}

/// Prints one execution.
pub fn print(execution: &ExecutionView, format: ClientFormat) -> anyhow::Result<()> {
    match format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(execution)?),
        ClientFormat::Human => terminal::print(&views::execution(execution, Timestamp::now())),
    }
}
