//! flowctl-sandbox: a stateful stand-in for GitHub on one machine, over real git repositories.
//! It serves REST, git, signed webhooks and a pull-request page, with GitHub's documented limits,
//! and can be told to fail. It knows nothing of flowctl.

#![recursion_limit = "256"]

mod archives;
mod auth;
mod clock;
mod connection;
mod deeds;
mod error;
mod faults;
mod gate;
mod git;
mod git_http;
mod hub;
mod key;
mod limits;
mod pace;
mod page;
mod requests;
mod rest;
mod sandbox;
pub mod scenario;
mod server;
mod shape;
mod snapshot;
pub mod state;
mod webhook;

pub use clock::Clock;
pub use deeds::OpenPullRequest;
pub use error::{FieldFault, SandboxError};
pub use faults::{Fault, FaultRule, Faults};
pub use git::{FileContent, Files, read_directory};
pub use hub::Hub;
pub use pace::{Pace, RateLimits};
pub use requests::{RequestLog, RequestRecord};
pub use sandbox::{AppCredentials, Builder, Sandbox};
pub use shape::{Urls, View};
pub use webhook::signature;
