//! What can be typed. The texts here are what `--help` teaches.

mod diff;
mod fmt;
mod graph;
mod operating;
mod server;
mod test;
mod validate;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::terminal::Colour;

pub use diff::{DiffArguments, DiffFormat};
pub use fmt::FmtArguments;
pub use graph::{GraphArguments, GraphFormat};
pub use operating::{AuditArguments, AuditCommand, AuditFormat, DbArguments, DbCommand, DoctorArguments, DoctorFormat};
pub use server::{
    AnswerForm, ApprovalsArguments, ApprovalsCommand, CancelExecution, ClientFormat, Decide, Delegate,
    ExecutionsArguments, ExecutionsCommand, ExportExecution, HoldExecution, ListApprovals, ListExecutions, ListFormat,
    ListProcesses, OneProcess, ProcessesArguments, ProcessesCommand, RetryExecution, ServerArguments, ShowApproval,
    ShowExecution, StartProcess,
};
pub use test::{TestArguments, TestFormat};
pub use validate::{FindingFormat, FixingArguments, OutputArguments, ValidateArguments};

const EXIT_CODES: &str = "Exit codes:
  0    done; what was looked at is sound
  1    there are findings, or the execution failed
  2    wrong usage, settings, or input and output
  3    nothing to do, or it still waits
  130  interrupted";

/// Over the options that every command takes.
const EVERYWHERE: &str = "Of every command";

/// A GitOps process engine: processes are YAML in git, people approve them on GitHub.
#[derive(Debug, Parser)]
#[command(name = "flowctl", version, about, after_help = EXIT_CODES, max_term_width = 100, propagate_version = true)]
pub struct Arguments {
    /// When to colour; NO_COLOR is respected
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true, help_heading = EVERYWHERE)]
    pub color: Colour,
    /// Say nothing but results
    #[arg(long, short, global = true, help_heading = EVERYWHERE)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prove processes sound: structure, graph, data flow, people
    Validate(ValidateArguments),
    /// Play the tests of processes: stubs, people, virtual time
    Test(TestArguments),
    /// Explain a rule by its code
    Explain(ExplainArguments),
    /// Print the JSON Schema of a kind of file, for editors
    Schema(SchemaArguments),
    /// Draw a process
    Graph(GraphArguments),
    /// Show what differs in meaning between two commits, and what asks less than before
    Diff(DiffArguments),
    /// Write definitions in their one form: order of keys, indentation, quotes
    Fmt(FmtArguments),
    /// Serve an editor: findings while typing, completion, renames (language server protocol)
    Lsp,
    /// Have a model write a process from a description, until validation finds it sound
    Generate(GenerateArguments),
    /// Serve AI agents: validation, processes, executions, approvals to look at (Model Context Protocol)
    Mcp(McpArguments),
    /// Run a process here, on an embedded database
    Run(RunArguments),
    /// Try the whole GitHub loop on this machine: a sandbox GitHub, the App, and a pull-request page
    Dev(DevArguments),
    /// Serve the GitHub App
    Serve(ServeArguments),
    /// Bring the database's schema up to date without serving
    Migrate(MigrateArguments),
    /// List, show, follow, cancel, retry and export a server's executions
    Executions(ExecutionsArguments),
    /// List what waits for people on a server, and decide
    Approvals(ApprovalsArguments),
    /// List, show and start a server's processes
    Processes(ProcessesArguments),
    /// Back up and restore the database
    Db(DbArguments),
    /// Check and export the audit log
    Audit(AuditArguments),
    /// Look whether a server can run here and what is stored is sound
    Doctor(DoctorArguments),
    /// Lay out `.flow/` in a repository
    Init(InitArguments),
    /// Print the completion script of a shell
    Completions(CompletionsArguments),
    /// Print the manual page
    Man,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// A rule's code, as FLOW101, or its name; without one: every rule in a line
    pub code: Option<String>,
}

/// `schema`
#[derive(Debug, Args)]
#[command(after_help = "For editors with yaml-language-server:
  flowctl schema process > process.schema.json
  # yaml-language-server: $schema=../../process.schema.json")]
pub struct SchemaArguments {
    /// The kind of file
    #[arg(value_parser = flowctl_core::definition::schema::KINDS, default_value = "process")]
    pub kind: String,
}

/// `generate`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl generate \"When a pull request is labelled release, ask the leads\"
  flowctl generate --model openai/gpt-5 --write \"Remind of open reviews\"

The model is the alias `default` of `.flow/flow.yaml` unless --model names another one. Keys of providers come from the \
environment, as FLOWCTL_AI_OPENAI_API_KEY. What it wrote is for a person to read: it exits with 1 where it is not sound.")]
pub struct GenerateArguments {
    /// What the process is to do
    pub description: String,
    /// The repository whose definitions it may refer to
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub repo: PathBuf,
    /// The model: an alias of `flow.yaml`, provider/model, or mock
    #[arg(long, value_name = "MODEL", default_value = "default")]
    pub model: String,
    /// Write the file to its place, where there is none yet
    #[arg(long)]
    pub write: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    pub format: RunFormat,
}

/// `mcp`
#[derive(Debug, Args)]
#[command(after_help = "For a client that starts its servers:
  {\"mcpServers\": {\"flowctl\": {
    \"command\": \"flowctl\", \"args\": [\"mcp\"], \"env\": {\"FLOWCTL_TOKEN\": \"…\"}}}}

Without a token only validation and explanations are served. Nobody can approve through it: that is for people.")]
pub struct McpArguments {
    /// Serve over HTTP here, at /mcp; without it: standard input and output
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// What clients over HTTP send as bearer token: one for them alone, and no token of the server
    #[arg(long = "clients-token", value_name = "TOKEN", env = "FLOWCTL_MCP_TOKEN", hide_env_values = true)]
    pub clients_token: Option<String>,
    #[command(flatten)]
    pub server: ServerArguments,
}

/// `run`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl run approval --input reason=routine --approve review
  flowctl run incident --input severity=1 --input service=shop
  flowctl run approval --format json | jq .status

A process that reads `trigger.pull_request` is tried with `flowctl test` and `flowctl dev`.

Without a terminal a run that waits ends with exit code 3 and says how to go on:
  flowctl run --resume EXECUTION --approve leads --answer request.days=3")]
pub struct RunArguments {
    /// A process's name
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub process: Option<String>,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub repo: PathBuf,
    /// The revision whose definition runs; without it: the files as they are
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// An input; a value that is JSON keeps its type
    #[arg(long, value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// Inputs from a YAML or JSON file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inputs: Option<PathBuf>,
    /// Approve a step when it asks, in your name
    #[arg(long, value_name = "STEP[=NOTE]")]
    pub approve: Vec<String>,
    /// Reject a step when it asks, in your name
    #[arg(long, value_name = "STEP[=NOTE]")]
    pub reject: Vec<String>,
    /// Answer a form's field
    #[arg(long, value_name = "STEP.FIELD=VALUE")]
    pub answer: Vec<String>,
    /// Every model is the deterministic mock
    #[arg(long)]
    pub mock: bool,
    /// Let tools start the programs that the definitions name
    #[arg(long)]
    pub allow_commands: bool,
    /// Go on with an execution that waits
    #[arg(long, value_name = "EXECUTION")]
    pub resume: Option<String>,
    /// Where executions are kept; without it: below the user's data folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    pub format: RunFormat,
}

/// How a run's result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// A timeline as it changes
    Human,
    /// The execution as one JSON document, at the end
    Json,
}

/// `dev`
#[derive(Debug, Args)]
#[command(
    after_help = "Without a terminal and without --scenario, `demo` plays and the program ends; on a repository of your own --scenario must say who acts."
)]
pub struct DevArguments {
    /// A repository with `.flow/`; without it: a sample
    #[arg(value_hint = ValueHint::DirPath)]
    pub repo: Option<PathBuf>,
    /// Where the sandbox listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where everything is kept, to go on next time; without it: a temporary folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,
    /// People who act by themselves: a YAML file, `demo`, or the name of a sample, such as `incident`
    #[arg(long, value_name = "FILE|demo|SAMPLE")]
    pub scenario: Option<String>,
    /// End when the scenario has been played; on a terminal it stays otherwise
    #[arg(long)]
    pub exit_when_done: bool,
}

/// `serve`
#[derive(Debug, Args)]
#[command(after_help = "Settings are read from FLOWCTL_* variables and from --config; see docs/settings.md.")]
pub struct ServeArguments {
    /// Settings as TOML; variables win over it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// What this replica does; several roles need a database that several replicas share (PostgreSQL)
    #[arg(long, value_enum, default_value_t = RoleArgument::All)]
    pub role: RoleArgument,
}

/// What a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// Everything
    All,
    /// Answers HTTP: webhooks and the API
    Web,
    /// Moves executions and tells GitHub; over HTTP only its health
    Worker,
}

/// `migrate`
#[derive(Debug, Args)]
#[command(after_help = "Settings are read from FLOWCTL_* variables and from --config; see docs/settings.md.")]
pub struct MigrateArguments {
    /// Settings as TOML; variables win over it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// `init`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Where
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// What to begin with
    #[arg(long, default_value = "approval", value_parser = crate::commands::init::NAMES)]
    pub template: String,
}

/// `completions`
#[derive(Debug, Args)]
#[command(after_help = "Example: flowctl completions bash > ~/.local/share/bash-completion/completions/flowctl")]
pub struct CompletionsArguments {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Arguments;

    /// The usual terminal.
    const NARROW: usize = 80;

    fn each(command: &Command, look: &mut impl FnMut(&Command)) {
        look(command);
        command.get_subcommands().for_each(|command| each(command, look));
    }

    #[test]
    fn paragraphs_of_help_were_broken_twice_on_a_narrow_terminal() {
        let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
        each(&Arguments::command(), &mut |command| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines: Vec<&str> = help.lines().collect();
            let long = lines.iter().find(|line| line.starts_with(' ') && line.chars().count() > NARROW);
            assert_eq!(long, None, "{}: what is to be copied is broken", command.get_name());
            let broken = lines.windows(2).find(|pair| is_prose(pair[0]) && is_prose(pair[1]));
            assert_eq!(broken, None, "{}: the terminal breaks lines", command.get_name());
        });
    }
}
