//! What `validate` takes. The texts here are what its `--help` teaches.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

const EXAMPLES: &str = "Examples:
  flowctl validate                          the repository around this folder
  flowctl validate .flow/processes/a.yaml   one file, with what it refers to
  flowctl validate '**/*.yaml'              a glob
  cat a.yaml | flowctl validate -           standard input
  flowctl validate --diff                   what `--fix` would change
  flowctl validate --fix                    change it
  flowctl validate --watch                  again whenever a file changes
  flowctl validate --changed-since main     what this branch touches
  flowctl validate --format sarif > f.sarif for code scanning

A finding is suppressed on its line, with a reason:
  # flowctl: ignore[FLOW209] read by the page of the shop
Levels for the whole repository stand in .flow/flow.yaml:
  validate: {levels: {FLOW209: off, late-reminder: error}}
`flowctl explain CODE` says what a rule is about.

Exit codes: 0 no errors, 1 errors (or warnings that are denied), 2 wrong usage or unreadable \
files, 3 nothing to validate, 130 interrupted.";

/// `validate`
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ValidateArguments {
    /// A repository, a folder, a file, a glob, or `-` for standard input
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: Vec<String>,
    /// What of it is looked at, and against what.
    #[command(flatten)]
    pub scope: ScopeArguments,
    /// What is told, and how.
    #[command(flatten)]
    pub output: OutputArguments,
    /// What is changed.
    #[command(flatten)]
    pub fixing: FixingArguments,
    /// Findings that are known.
    #[command(flatten)]
    pub baseline: BaselineArguments,
}

/// What of it is looked at, and against what.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is looked at")]
pub struct ScopeArguments {
    /// Only what changed since this revision, and what depends on it; versions are compared with it too
    #[arg(long, value_name = "REV")]
    pub changed_since: Option<String>,
    /// The path that standard input stands for; else it is where its name says
    #[arg(long, value_name = "NAME")]
    pub stdin_filename: Option<String>,
    /// Look again whenever a file changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["fix", "diff", "write_baseline"])]
    pub watch: bool,
}

/// What is told, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is told")]
pub struct OutputArguments {
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = FindingFormat::Human)]
    pub format: FindingFormat,
    /// Only these rules: a code, a name, or the beginning of codes such as FLOW2; may be repeated
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub select: Vec<String>,
    /// None of these rules; wins over --select
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// How often each rule found something, instead of the findings
    #[arg(long, conflicts_with_all = ["watch", "diff"])]
    pub statistics: bool,
    /// End with 1 also where there are only warnings
    #[arg(long)]
    pub deny_warnings: bool,
}

/// What is changed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fixing")]
pub struct FixingArguments {
    /// Make the safe fixes; standard input comes out fixed
    #[arg(long)]
    pub fix: bool,
    /// Show what --fix would change and change nothing; ends with 1 where there is something
    #[arg(long, conflicts_with = "fix")]
    pub diff: bool,
    /// With --fix or --diff: also the fixes that are a guess
    #[arg(long)]
    pub unsafe_fixes: bool,
}

/// Findings that are known.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Findings that are known")]
pub struct BaselineArguments {
    /// Tell only findings that are not in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    /// Write the findings into this file and end with 0
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["baseline", "diff", "changed_since"])]
    pub write_baseline: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// With the lines of the file, for people
    Human,
    /// One line a finding, for editors and grep
    Concise,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub Actions annotations
    Github,
    /// JUnit XML, for CI systems that show tests
    Junit,
}
