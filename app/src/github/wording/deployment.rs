//! What people read at a deployment that one of our processes decides about.

use flowctl_core::execution::timeline::Timeline;
use flowctl_core::execution::{Execution, ExecutionStatus};

use super::escape::{code, link, message, shorten};

/// Characters of a comment on a deployment. GitHub documents no limit; people read one line.
const WORDS: usize = 1_000;

/// What an execution that ended says of the deployment.
pub fn decided(execution: &Execution) -> String {
    let process = code(&execution.process);
    let said = match (execution.status, &execution.error) {
        (ExecutionStatus::Completed, _) => format!("{process} completed."),
        (ExecutionStatus::Failed, Some(error)) => {
            format!("{process} failed: {}", message(&shorten(&error.message, WORDS)))
        }
        (ExecutionStatus::Cancelled, _) => format!("{process} was cancelled."),
        _ => {
            let now = execution.completed_at.unwrap_or(execution.created_at);
            format!("{process}: {}", message(&Timeline::of(execution, now).title))
        }
    };
    match execution.url.as_deref().filter(|url| !url.contains("/api/v1/")) {
        Some(url) => format!("{said} {}", link("What happened", url)),
        None => said,
    }
}

/// What is said where a process should decide and could not start.
pub fn undecided(process: &str, reason: &str) -> String {
    let reason = message(&shorten(reason, WORDS));
    format!("{} should decide about this deployment and could not start: {reason}", code(process))
}
