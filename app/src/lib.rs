//! flowctl-app: the shell around core. Async and I/O live here: the store, the engine, the GitHub App, the web server.
//! It knows GitHub as a base URL only, never the sandbox.

pub mod ai;
pub mod api;
pub mod audit;
pub mod clock;
pub mod crash;
pub mod doctor;
pub mod engine;
pub mod github;
pub mod identity;
pub mod ids;
pub mod notify;
mod pages;
pub mod server;
pub mod settings;
pub mod steps;
pub mod store;
pub mod stream;
pub mod telemetry;
pub mod tools;

pub use crash::crash_point;
