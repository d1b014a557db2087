//! What `graph` takes.

use clap::{Args, ValueEnum};

/// `graph`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl graph release
  flowctl graph release --findings
  flowctl graph release --format svg > release.svg
  flowctl graph release --format dot | dot -Tpdf > release.pdf

A process with errors is drawn as far as it could be read.")]
pub struct GraphArguments {
    /// A process's name, or a path to its file
    pub process: String,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = GraphFormat::Ascii)]
    pub format: GraphFormat,
    /// Mark the steps in which `validate` finds something
    #[arg(long)]
    pub findings: bool,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// With letters
    Ascii,
    /// For Markdown on GitHub
    Mermaid,
    /// A picture that stands alone, for light and dark pages
    Svg,
    /// For Graphviz
    Dot,
}
