//! `approvals`: what waits for people on a server, and decisions.

use flowctl_app::api::{ApprovalView, DelegationView};
use serde_json::json;

use super::run::you;
use crate::arguments::{
    ApprovalsArguments, ApprovalsCommand, ClientFormat, Decide, Delegate, ListApprovals, ShowApproval,
};
use crate::client::Client;
use crate::exit::Exit;
use crate::terminal::{self, DIM};
use crate::views;

/// Does what is asked of a server's approvals.
pub fn run(arguments: &ApprovalsArguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.server)?;
    super::block_on(async {
        match &arguments.command {
            ApprovalsCommand::List(list) => self::list(&client, list).await,
            ApprovalsCommand::Show(show) => self::show(&client, show).await,
            ApprovalsCommand::Approve(decision) => decide(&client, decision, "approve").await,
            ApprovalsCommand::Reject(decision) => decide(&client, decision, "reject").await,
            ApprovalsCommand::Override(decision) => decide(&client, decision, "override").await,
            ApprovalsCommand::Delegate(given) => delegate(&client, given).await,
        }
    })
}

async fn list(client: &Client, list: &ListApprovals) -> anyhow::Result<Exit> {
    let mut query: Vec<(&str, String)> = Vec::new();
    query.extend((list.status != "all").then(|| ("status", list.status.clone())));
    query.extend(list.execution.clone().map(|execution| ("execution", execution)));
    let (found, more) = client.list::<ApprovalView>("/approvals", &query, list.limit as usize).await?;
    match list.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&json!({"items": found}))?)?,
        ClientFormat::Human if found.is_empty() => anstream::eprintln!("there are no such approvals"),
        ClientFormat::Human => {
            terminal::print(&views::approvals(&found))?;
            if more {
                anstream::eprintln!("{DIM}there are more; --limit shows them{DIM:#}");
            }
        }
    }
    Ok(Exit::Done)
}

async fn show(client: &Client, show: &ShowApproval) -> anyhow::Result<Exit> {
    let approval: ApprovalView = client.get(&format!("/approvals/{}", show.id), &[]).await?;
    match show.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&approval)?)?,
        ClientFormat::Human => terminal::print(&views::approval(&approval))?,
    }
    Ok(Exit::Done)
}

async fn decide(client: &Client, given: &Decide, decision: &str) -> anyhow::Result<Exit> {
    let person = given.acting.clone().unwrap_or_else(|| you().login);
    let mut body = json!({"decision": decision, "as": person});
    if let Some(note) = &given.note {
        body["note"] = json!(note);
    }
    let approval: ApprovalView = client.post(&format!("/approvals/{}/decisions", given.id), &body).await?;
    match given.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&approval)?)?,
        ClientFormat::Human => terminal::print(&views::decided(&approval, &person, decision))?,
    }
    Ok(Exit::Done)
}

async fn delegate(client: &Client, given: &Delegate) -> anyhow::Result<Exit> {
    let person = given.acting.clone().unwrap_or_else(|| you().login);
    let mut body = json!({"to": given.to, "as": person});
    for (name, value) in [("until", &given.until), ("note", &given.note)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let given_away: DelegationView = client.post(&format!("/approvals/{}/delegations", given.id), &body).await?;
    match given.format {
        ClientFormat::Json => terminal::print(&serde_json::to_string_pretty(&given_away)?)?,
        ClientFormat::Human => terminal::print(&views::delegated(&given_away))?,
    }
    Ok(Exit::Done)
}
