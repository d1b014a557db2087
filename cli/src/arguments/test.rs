//! The arguments of `test`.

use clap::{Args, ValueEnum, ValueHint};

/// `test`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl test                             every test of the repository
  flowctl test .flow/tests/release.yaml    one file
  flowctl test --filter 'release: two'     cases with this in `PROCESS: NAME`
  flowctl test --coverage --fail-under 80  and what no case shows
  flowctl test --watch                     again whenever a file changes")]
pub struct TestArguments {
    /// A repository, a folder, a file, or a glob; of a process, its tests
    #[arg(value_hint = ValueHint::AnyPath)]
    pub path: Vec<String>,
    /// Only cases whose `PROCESS: NAME` contains this
    #[arg(long, value_name = "NAME")]
    pub filter: Option<String>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = TestFormat::Human)]
    pub format: TestFormat,
    /// Say which steps, branches and outcomes of the processes no case shows
    #[arg(long)]
    pub coverage: bool,
    /// End with 1 where the cases show less of the processes; implies --coverage
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub fail_under: Option<u32>,
    /// Play again whenever a file changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// How results of tests are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// For people, with diffs and what happened
    Human,
    /// One JSON document
    Json,
    /// JUnit XML
    Junit,
}
