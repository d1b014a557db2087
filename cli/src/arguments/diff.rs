//! What `diff` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// `diff`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl diff main                        main against the files as they are
  flowctl diff v1.0 v1.1                   two revisions
  flowctl diff main..feature               the same
  flowctl diff main...feature              since feature left main
  flowctl diff main -- .flow/policies      only these paths
  flowctl diff main --format markdown      for a pull request")]
pub struct DiffArguments {
    /// The revision before: a commit, branch or tag, or both revisions as FROM..TO
    pub from: String,
    /// The revision after; without it: the files as they are
    pub to: Option<String>,
    /// Only what lies in these files and folders
    #[arg(last = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub path: Vec<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = DiffFormat::Human)]
    pub format: DiffFormat,
    /// End with 1 where anything differs in meaning
    #[arg(long)]
    pub exit_code: bool,
    /// End with 1 where something asks less than before; `validate.fail_on_weakening` of flow.yaml does so too
    #[arg(long)]
    pub fail_on_weakening: bool,
}

/// How a difference is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people
    Human,
    /// One JSON document
    Json,
    /// For a pull request
    Markdown,
}
