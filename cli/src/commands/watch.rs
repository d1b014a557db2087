//! Following an execution: on a terminal its table as it changes, elsewhere a line for each event; to its end.

use std::io::{IsTerminal, Write};

use flowctl_app::api::{EventView, ExecutionView};
use flowctl_core::execution::ExecutionStatus;
use jiff::Timestamp;

use crate::arguments::ClientFormat;
use crate::client::{Client, Message};
use crate::exit::Exit;
use crate::terminal::{self, DIM, WARNING};
use crate::views;

/// Follows an execution to its end; exits by how it ended.
pub async fn watch(client: &Client, id: &str, format: ClientFormat, quiet: bool) -> anyhow::Result<Exit> {
    tokio::select! {
        followed = follow(client, id, format, quiet) => followed,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            anstream::eprintln!("\n{DIM}the execution goes on; follow it again with `flowctl executions watch {id}`{DIM:#}");
            Ok(Exit::Interrupted)
        }
    }
}

async fn follow(client: &Client, id: &str, format: ClientFormat, quiet: bool) -> anyhow::Result<Exit> {
    let path = format!("/executions/{id}");
    let mut following = client.follow(id);
    following.begin().await?;
    let mut screen = Screen { on_terminal: std::io::stdout().is_terminal() && format == ClientFormat::Human, lines: 0 };
    let mut told_broken = false;
    loop {
        match following.next().await {
            Message::Event(event) => {
                told_broken = false;
                match format {
                    ClientFormat::Json => terminal::print(&serde_json::to_string(&event)?)?,
                    ClientFormat::Human if screen.on_terminal => {
                        let execution: ExecutionView = client.get(&path, &[]).await?;
                        screen.show(&views::execution(&execution, Timestamp::now()))?;
                    }
                    ClientFormat::Human => tell(&event)?,
                }
            }
            Message::Broken(error) if !told_broken && !quiet => {
                told_broken = true;
                screen.lines = 0;
                anstream::eprintln!("{WARNING}the connection broke{WARNING:#} ({error}); trying again");
            }
            Message::Broken(_) => {}
            Message::End => break,
        }
    }
    let execution: ExecutionView = client.get(&path, &[]).await?;
    if format == ClientFormat::Human {
        screen.show(&views::execution(&execution, Timestamp::now()))?;
    }
    Ok(if execution.status == ExecutionStatus::Completed { Exit::Done } else { Exit::Findings })
}

fn tell(event: &EventView) -> anyhow::Result<()> {
    match views::event(event) {
        Some(line) => terminal::print(&line),
        None => Ok(()),
    }
}

/// What stands on the terminal and is written over by what comes next.
struct Screen {
    on_terminal: bool,
    lines: usize,
}

impl Screen {
    fn show(&mut self, text: &str) -> anyhow::Result<()> {
        let mut output = anstream::stdout().lock();
        if self.on_terminal && self.lines > 0 {
            // Up to where the last one began, and everything below it away (ECMA-48: CPL, ED).
            write!(output, "\x1b[{}F\x1b[J", self.lines)?;
        }
        writeln!(output, "{text}")?;
        output.flush()?;
        self.lines = text.lines().count();
        Ok(())
    }
}
