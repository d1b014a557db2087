//! One file a subcommand.

pub mod completions;
pub mod dev;
pub mod diff;
pub mod explain;
pub mod fmt;
pub mod graph;
pub mod init;
pub mod lsp;
pub mod migrate;
pub mod run;
pub mod schema;
pub mod serve;
pub mod test;
pub mod validate;
