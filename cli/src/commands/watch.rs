//! Following an execution: on a terminal its table as it changes, elsewhere a line for each event; to its end.

use std::collections::BTreeSet;

use flowctl_app::api::{EventView, ExecutionView};
use flowctl_core::execution::ExecutionStatus;
use jiff::Timestamp;

use crate::arguments::ClientFormat;
use crate::client::{Client, Message};
use crate::exit::Exit;
use crate::screen::{Screen, Size};
use crate::terminal::{self, DIM, TYPE, WARNING};
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
    let on_terminal = || Size::of_terminal().filter(|_| format == ClientFormat::Human);
    let mut screen = Screen::default();
    let mut told_broken = false;
    let mut waits = Waits { told: BTreeSet::new(), quiet };
    loop {
        match following.next().await {
            Message::Event(event) => {
                told_broken = false;
                match format {
                    ClientFormat::Json => terminal::print(&serde_json::to_string(&event)?)?,
                    ClientFormat::Human => match on_terminal() {
                        Some(size) => {
                            let execution: ExecutionView = client.get(&path, &[]).await?;
                            screen.draw(&picture(&execution, size), size)?;
                        }
                        None => {
                            tell(&event)?;
                            // A server that is gone just now is waited for, as its events are.
                            if event.kind == WAITING
                                && let Ok(execution) = client.get::<ExecutionView>(&path, &[]).await
                            {
                                waits.tell(&execution);
                            }
                        }
                    },
                }
            }
            Message::Broken(error) if !told_broken && !quiet => {
                told_broken = true;
                screen.leave();
                anstream::eprintln!("{WARNING}the connection broke{WARNING:#} ({error}); trying again");
            }
            Message::Broken(_) => {}
            Message::End => break,
        }
    }
    let execution: ExecutionView = client.get(&path, &[]).await?;
    if format == ClientFormat::Human {
        // The whole, now that nothing is drawn over it any more.
        if let Some(size) = on_terminal() {
            screen.draw(&[], size)?;
        }
        terminal::print(&views::execution(&execution, Timestamp::now()))?;
    }
    Ok(if execution.status == ExecutionStatus::Completed { Exit::Done } else { Exit::Findings })
}

/// The event after which an execution does nothing until somebody or something acts.
const WAITING: &str = "execution.waiting";
/// That nothing is lost by leaving.
const GOES_ON: &str = "Ctrl-C leaves it running";

/// The execution as it stands, and while it waits for people that it may be left.
fn picture(execution: &ExecutionView, size: Size) -> Vec<String> {
    if views::answers(execution).is_empty() {
        return views::picture(execution, Timestamp::now(), size);
    }
    let above = Size { rows: size.rows.saturating_sub(1), ..size };
    let mut lines = views::picture(execution, Timestamp::now(), above);
    lines.push(format!("{DIM}{GOES_ON}{DIM:#}"));
    lines
}

/// What was said about steps that wait for people, where lines are written below each other.
struct Waits {
    told: BTreeSet<String>,
    quiet: bool,
}

impl Waits {
    /// Says once of each step that people are asked, and how they answer.
    fn tell(&mut self, execution: &ExecutionView) {
        let answers: Vec<_> =
            views::answers(execution).into_iter().filter(|answer| self.told.insert(answer.step.clone())).collect();
        if self.quiet || answers.is_empty() {
            return;
        }
        for answer in answers {
            anstream::eprintln!(
                "{} waits for {}; go on with:\n  {TYPE}{}{TYPE:#}",
                answer.step,
                answer.wanted,
                answer.command
            );
        }
        anstream::eprintln!("{DIM}{GOES_ON}{DIM:#}");
    }
}

fn tell(event: &EventView) -> anyhow::Result<()> {
    match views::event(event) {
        Some(line) => terminal::print(&line),
        None => Ok(()),
    }
}
