//! What `fmt` takes.

use clap::{Args, ValueHint};

/// `fmt`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl fmt                               the repository around this folder
  flowctl fmt .flow/processes/a.yaml        one file
  flowctl fmt --check                       say what is not formatted, for CI
  flowctl fmt --diff                        show what would change
  flowctl fmt - < a.yaml                    standard input to standard output")]
pub struct FmtArguments {
    /// A repository, a folder, a file, a glob, or `-` for standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: Vec<String>,
    /// Write nothing; list the files that are not formatted and end with 1 where there are any
    #[arg(long)]
    pub check: bool,
    /// Write nothing; show what would change and end with 1 where anything would
    #[arg(long)]
    pub diff: bool,
    /// The path that standard input stands for
    #[arg(long, value_name = "NAME", default_value = ".flow/processes/stdin.yaml")]
    pub stdin_filename: String,
}
