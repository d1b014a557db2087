//! The GitHub App: what comes in from GitHub, what goes out to it, and the git mirrors that definitions are read from.

pub mod client;
pub mod definitions;
pub mod head;
pub mod intake;
mod known_settings;
mod lease;
pub mod mirror;
mod namesakes;
pub mod outbox;
pub mod people;
pub mod reconcile;
pub mod redelivery;
pub mod setup;
pub mod signature;
pub(crate) mod whose;
pub mod wording;

use flowctl_core::execution::Execution;

/// GitHub's id of an execution's repository: what caused it said so. Nothing for one that was started in another way.
pub fn repository_id(execution: &Execution) -> Option<u64> {
    execution.trigger.payload.get("repository")?.get("id")?.as_u64()
}
