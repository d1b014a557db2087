//! What the end-to-end suites share: the real program, started and ended; people on a sandbox GitHub; GitHub's own
//! description to hold requests and answers against.
//! Suites start real programs over real HTTP, git and SQLite; nothing of the product is replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

pub mod conformance;
mod editor;
mod postgres;
mod repository;
mod server;
mod terminal;
mod world;

pub use editor::Editor;
pub use postgres::Database;
pub use repository::{local_repository, local_repository_of};
pub use server::{Server, free_address, program};
pub use terminal::Terminal;
pub use world::{World, root};
