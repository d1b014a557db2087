//! One file a subcommand.

mod answer;
pub mod approvals;
pub mod audit;
pub mod completions;
pub mod db;
pub mod dev;
pub mod diff;
pub mod doctor;
pub mod executions;
pub mod explain;
pub mod fmt;
pub mod generate;
pub mod graph;
pub mod init;
pub mod lsp;
pub mod mcp;
pub mod migrate;
pub mod processes;
pub mod run;
pub mod schema;
pub mod serve;
pub mod test;
pub mod validate;
pub mod watch;

/// Runs what a client does, which waits most of its time.
pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
