//! The sandbox from outside: real HTTP, the real git program, signed webhooks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod authentication;
mod faults;
mod git;
mod limits;
mod page;
mod persistence;
mod rest;
mod scenario;
mod stage;
mod webhooks;
