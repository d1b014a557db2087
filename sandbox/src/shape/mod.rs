//! How the sandbox's state looks as GitHub's JSON, the same in answers and in webhooks.
//! Field names and required fields follow GitHub's published OpenAPI description.

mod account;
mod app;
mod check;
mod commit;
mod issue;
mod pull_request;
mod repository;
mod workflow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::clock::stamp;
use crate::git::GitStore;
use crate::state::World;

/// Where the sandbox is reached.
#[derive(Debug, Clone)]
pub struct Urls {
    web: String,
}

impl Urls {
    pub(crate) fn new(web: String) -> Self {
        Self { web }
    }

    /// Pages and clones: `http://127.0.0.1:PORT`.
    pub fn web(&self) -> &str {
        &self.web
    }

    /// REST, below a prefix as on GitHub Enterprise Server: `http://127.0.0.1:PORT/api/v3`.
    pub fn api(&self) -> String {
        format!("{}{}", self.web, crate::rest::PREFIX)
    }
}

/// The state as seen from outside.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The state.
    pub world: &'a World,
    /// Where things are reached.
    pub urls: &'a Urls,
    /// The bare repositories.
    pub git: &'a GitStore,
}

/// An opaque id as GraphQL uses it.
pub(crate) fn node_id(prefix: &str, id: u64) -> String {
    format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(id.to_be_bytes()))
}

pub(crate) fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(stamp(at)))
}
