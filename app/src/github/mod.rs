//! The GitHub App: what comes in from GitHub, what goes out to it, and the git mirrors that definitions are read from.

pub mod client;
pub mod definitions;
pub mod head;
pub mod intake;
mod known_settings;
mod lease;
pub mod mirror;
pub(crate) mod namesakes;
pub mod outbox;
pub mod people;
pub mod reconcile;
pub mod redelivery;
pub mod setup;
pub mod sharing;
pub(crate) mod shown;
pub mod signature;
pub(crate) mod whose;
pub mod wording;

use flowctl_core::execution::Execution;

/// Triggers whose payload is not GitHub's: somebody else may have written any repository's id into it.
const NOT_OF_GITHUB: [&str; 4] = ["webhook", "event", "process", "schedule"];

/// GitHub's id of an execution's repository: what caused it said so. Nothing for one that was started in another way.
pub fn repository_id(execution: &Execution) -> Option<u64> {
    if execution.repository_id.is_some() {
        return execution.repository_id;
    }
    let trigger = &execution.trigger;
    let payload = Some(&trigger.payload).filter(|_| !NOT_OF_GITHUB.contains(&trigger.kind.as_str()))?;
    payload.get("repository")?.get("id")?.as_u64()
}
