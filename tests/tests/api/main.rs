//! The HTTP API of a real server over a local repository: what CONTRACT promises, line by line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access;
mod approvals;
mod client;
mod description;
mod documentation;
mod events;
mod executions;
mod hooks;
mod idempotency;
mod interpreting;
mod people;
mod processes;
mod pushes;
mod refused;
mod resume_page;
mod spent;
mod stage;
