//! What the commands take that talk to a server.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// Which server.
#[derive(Debug, Args)]
pub struct ServerArguments {
    /// The server's address
    #[arg(
        long,
        env = "FLOWCTL_SERVER",
        hide_env_values = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    pub server: String,
    /// The administrator's token; better in the environment, where no list of processes shows it
    #[arg(long, env = "FLOWCTL_TOKEN", hide_env_values = true, value_name = "TOKEN", global = true)]
    pub token: Option<String>,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientFormat {
    /// Tables and sentences
    Human,
    /// JSON, as the API gives it
    Json,
}

/// `executions`
#[derive(Debug, Args)]
#[command(after_help = "The server is named by FLOWCTL_SERVER and FLOWCTL_TOKEN:
  export FLOWCTL_SERVER=https://flows.example.com FLOWCTL_TOKEN=…
  flowctl executions list --status waiting
  flowctl executions watch 01981c5e-7a52-7cc1-9e0c-8f7f3f2a6f10
  flowctl executions list --format json | jq -r '.items[].id'
  flowctl executions answer 01981c5e-… --field system=billing --as alice")]
pub struct ExecutionsArguments {
    #[command(flatten)]
    pub server: ServerArguments,
    #[command(subcommand)]
    pub command: ExecutionsCommand,
}

/// What to do with executions.
#[derive(Debug, Subcommand)]
pub enum ExecutionsCommand {
    /// List executions, newest first
    List(ListExecutions),
    /// Show an execution and its steps
    Show(ShowExecution),
    /// Follow an execution to its end; exits 0 where it completed, 1 where it did not
    Watch(OneExecution),
    /// Cancel an execution; compensations still run
    Cancel(CancelExecution),
    /// Go on with an execution from what failed
    Retry(RetryExecution),
    /// Have nothing new start in an execution; deadlines rest, people may answer
    Hold(HoldExecution),
    /// Let a held execution go on
    Unhold(HoldExecution),
    /// Fill in a form that an execution waits for; asks on a terminal for what is not given
    Answer(AnswerForm),
    /// Print an execution with all its events as one JSON document
    Export(ExportExecution),
}

/// `executions list`
#[derive(Debug, Args)]
pub struct ListExecutions {
    /// Of this process: owner/repo:name, or a name alone
    #[arg(long, value_name = "PROCESS")]
    pub process: Option<String>,
    /// With this status
    #[arg(long, value_parser = ["pending", "running", "waiting", "completed", "failed", "cancelled"])]
    pub status: Option<String>,
    /// Created at or after, as 2026-03-01T09:00:00Z
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Created before
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// With this text in their id, process or repository
    #[arg(long, short = 's', value_name = "TEXT")]
    pub search: Option<String>,
    /// How many at most: 30 where nothing is said, and all of them as CSV
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: Option<u32>,
    /// With what their models used and cost
    #[arg(long)]
    pub cost: bool,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = ListFormat::Human)]
    pub format: ListFormat,
}

/// How a list of executions is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// A table
    Human,
    /// JSON, as the API gives it
    Json,
    /// Comma-separated values: a line for each step that used a model, and one for every other execution
    Csv,
}

/// `executions show`
#[derive(Debug, Args)]
pub struct ShowExecution {
    #[command(flatten)]
    pub one: OneExecution,
    /// Everything that its models were told and answered, and every call of a tool
    #[arg(long)]
    pub trace: bool,
}

/// One execution.
#[derive(Debug, Args)]
pub struct OneExecution {
    /// Its id
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `executions cancel`
#[derive(Debug, Args)]
pub struct CancelExecution {
    #[command(flatten)]
    pub one: OneExecution,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `executions retry`
#[derive(Debug, Args)]
pub struct RetryExecution {
    #[command(flatten)]
    pub one: OneExecution,
    /// Only this step and what follows from it
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
}

/// `executions hold` and `unhold`
#[derive(Debug, Args)]
pub struct HoldExecution {
    #[command(flatten)]
    pub one: OneExecution,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// In whose name; without it in the administrator's
    #[arg(long = "as", value_name = "LOGIN")]
    pub acting: Option<String>,
}

/// `executions answer`
#[derive(Debug, Args)]
pub struct AnswerForm {
    /// The execution's id
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    /// The form's step; may be left out where one form waits
    #[arg(value_name = "STEP")]
    pub step: Option<String>,
    /// A field, read by its type: `3` for a number, `yes` for a boolean, `a, b` for a list
    #[arg(long = "field", short = 'f', value_name = "NAME=VALUE")]
    pub fields: Vec<String>,
    /// Fields from a YAML or JSON file; `--field` wins
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub values: Option<PathBuf>,
    /// Whose answers these are; without it yours: git's `github.user`, or your login here
    #[arg(long = "as", value_name = "LOGIN")]
    pub acting: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `executions export`
#[derive(Debug, Args)]
pub struct ExportExecution {
    /// Its id
    #[arg(value_name = "EXECUTION")]
    pub id: String,
    /// Where to; without it: standard output
    #[arg(long, short = 'o', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `approvals`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl approvals list
  flowctl approvals approve 01981c5e-… --as alice --note \"looks good\"

Outside tenant `local` people decide on GitHub; the token may speak in their names where the \
server was started with FLOWCTL_API_ACT_AS=true.")]
pub struct ApprovalsArguments {
    #[command(flatten)]
    pub server: ServerArguments,
    #[command(subcommand)]
    pub command: ApprovalsCommand,
}

/// What to do with approvals.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List approvals, newest first; those that wait, unless told otherwise
    List(ListApprovals),
    /// Show an approval: what is asked, with the whole call of a tool that it would allow
    Show(ShowApproval),
    /// Approve
    Approve(Decide),
    /// Reject
    Reject(Decide),
    /// Go on without the approval that is missing; `--note` says why
    Override(Decide),
    /// Have somebody else speak in your place in the approvals of its execution
    Delegate(Delegate),
}

/// `approvals list`
#[derive(Debug, Args)]
pub struct ListApprovals {
    /// With this status
    #[arg(long, default_value = "pending", value_parser = ["pending", "approved", "rejected", "expired", "cancelled", "all"])]
    pub status: String,
    /// Of this execution
    #[arg(long, value_name = "EXECUTION")]
    pub execution: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `approvals delegate`
#[derive(Debug, Args)]
pub struct Delegate {
    /// The approval's id
    #[arg(value_name = "APPROVAL")]
    pub id: String,
    /// Who may speak in your place; your own login takes your word back
    #[arg(long, value_name = "LOGIN")]
    pub to: String,
    /// Until when: 3d, 2026-03-10 or a moment; 7 days without it, 90 at most
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Whose word it is; without it yours: git's `github.user`, or your login here
    #[arg(long = "as", value_name = "LOGIN")]
    pub acting: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `approvals show`
#[derive(Debug, Args)]
pub struct ShowApproval {
    /// The approval's id
    #[arg(value_name = "APPROVAL")]
    pub id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `approvals approve`, `reject` and `override`
#[derive(Debug, Args)]
pub struct Decide {
    /// The approval's id
    #[arg(value_name = "APPROVAL")]
    pub id: String,
    /// Whose word it is; without it yours: git's `github.user`, or your login here
    #[arg(long = "as", value_name = "LOGIN")]
    pub acting: Option<String>,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `processes`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl processes list
  flowctl processes start acme/shop:release --input audience=internal --watch
  flowctl processes start release --key order-4711  # once, however often")]
pub struct ProcessesArguments {
    #[command(flatten)]
    pub server: ServerArguments,
    #[command(subcommand)]
    pub command: ProcessesCommand,
}

/// What to do with processes.
#[derive(Debug, Subcommand)]
pub enum ProcessesCommand {
    /// List processes as they stand on the default branches
    List(ListProcesses),
    /// Show a process: what starts it, its inputs and steps
    Show(OneProcess),
    /// Start a process
    Start(StartProcess),
}

/// `processes list`
#[derive(Debug, Args)]
pub struct ListProcesses {
    /// Of this repository
    #[arg(long, value_name = "REPOSITORY")]
    pub repository: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// How they are printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `processes show`
#[derive(Debug, Args)]
pub struct OneProcess {
    /// owner/repo:name, or the name where it is unique
    #[arg(value_name = "PROCESS")]
    pub id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}

/// `processes start`
#[derive(Debug, Args)]
pub struct StartProcess {
    /// owner/repo:name, or the name where it is unique
    #[arg(value_name = "PROCESS")]
    pub id: String,
    /// An input; a value that is JSON keeps its type, unless the input is a string
    #[arg(long, value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// Inputs from a YAML or JSON file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inputs: Option<PathBuf>,
    /// A commit of the default branch whose definition runs; without it: its head
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    /// A key: starting twice with one key is starting once; `auto` makes one from process and inputs
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Follow it to its end
    #[arg(long)]
    pub watch: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ClientFormat::Human)]
    pub format: ClientFormat,
}
