//! What `dev` prints: where to look, what people do, and the timeline as it changes.

use std::sync::Arc;
use std::time::Duration;

use flowctl_app::clock::{Clock, SystemClock};
use flowctl_app::store::{ExecutionFilter, Store};
use flowctl_core::execution::Execution;
use flowctl_sandbox::Sandbox;
use flowctl_sandbox::scenario::{Moment, Scenario};
use tokio_util::sync::CancellationToken;

use crate::terminal::{self, BOLD, DIM, TYPE};
use crate::timeline::{Follower, table};

/// How often the store is looked at beside its own hints.
const POLL: Duration = Duration::from_millis(250);
/// More executions than anybody watches in a terminal.
const MOST: u32 = 100;

/// Where to look and what to type.
pub fn where_to_look(sandbox: &Sandbox, scenario: &Scenario, app_url: &str, stays: bool) {
    let web = sandbox.web_url();
    anstream::eprintln!("{BOLD}flowctl dev{BOLD:#}: a GitHub of your own, on this machine alone\n");
    anstream::eprintln!("  repository  {TYPE}{web}/{}{TYPE:#}", scenario.repository);
    anstream::eprintln!("  App         {TYPE}{app_url}{TYPE:#}");
    let people: Vec<String> =
        scenario.people.users.iter().map(|(login, permission)| format!("{login} ({})", permission.role())).collect();
    anstream::eprintln!("  people      {}", people.join(", "));
    if stays {
        anstream::eprintln!(
            "\nOpen the repository's page, choose who you are, open a pull request, label it, and comment {TYPE}/help{TYPE:#} or\n{TYPE}/approve{TYPE:#}. Ctrl-C ends it."
        );
    }
    anstream::eprintln!();
}

/// What a person of the scenario does.
pub fn moment(moment: &Moment) {
    match moment {
        Moment::Begins(_, line) if !(line.starts_with("waiting for") || line.starts_with("looking at")) => {
            anstream::eprintln!("{BOLD}▸{BOLD:#} {line}");
        }
        // How the App answers a word that does not count, on GitHub with the reason in a reply.
        Moment::Done(_, line) if line.contains("confused") => {
            anstream::eprintln!("  refused, with the reason in a reply")
        }
        Moment::Begins(..) | Moment::Done(..) => {}
    }
}

/// Prints every change of every execution, and each as a table when all is over.
pub async fn follow(store: Arc<dyn Store>, shutdown: CancellationToken, quiet: bool) {
    let mut follower = Follower::default();
    let mut changes = store.subscribe();
    loop {
        changes.borrow_and_update();
        let executions = executions(&*store).await;
        if !quiet {
            for execution in &executions {
                for line in follower.changes(execution, SystemClock.now()) {
                    anstream::eprintln!("  {line}");
                }
            }
        }
        if shutdown.is_cancelled() {
            for execution in &executions {
                // Where nobody reads any more, nothing is left to be said.
                let _ = terminal::print(&format!("\n{}", table(execution, SystemClock.now())));
            }
            return;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = tokio::time::timeout(POLL, changes.changed()) => {}
        }
    }
}

/// The executions, oldest first.
async fn executions(store: &dyn Store) -> Vec<Execution> {
    match store.list(None, &ExecutionFilter::default(), MOST, None).await {
        Ok(page) => page.items.into_iter().rev().collect(),
        Err(error) => {
            anstream::eprintln!("{DIM}the executions cannot be read: {error}{DIM:#}");
            Vec::new()
        }
    }
}
