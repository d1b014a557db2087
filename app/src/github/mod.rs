//! The GitHub App: what comes in from GitHub, what goes out to it, and the git mirrors that definitions are read from.

pub mod client;
pub mod definitions;
pub mod head;
pub mod intake;
mod lease;
pub mod mirror;
pub mod outbox;
pub mod people;
pub mod redelivery;
pub mod signature;
pub mod wording;
