//! What `db` and `doctor` take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// `db`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl db backup /backups/flowctl-2026-03-01.db
  flowctl db restore /backups/flowctl-2026-03-01.db

The database is the one that `serve` with the same settings has: FLOWCTL_DATABASE_URL, FLOWCTL_DATA_DIR, --config. \
It is for SQLite. PostgreSQL has pg_dump and pg_restore.")]
pub struct DbArguments {
    /// What to do
    #[command(subcommand)]
    pub command: DbCommand,
    /// Settings as TOML; variables win over it
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// What `db` does.
#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Write all that SQLite stores, as of one moment, to one file; a server may run meanwhile
    Backup {
        /// The file, which must not exist
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a back-up in the place of a database on SQLite; no server may run on it
    Restore {
        /// The back-up
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Throw away what is in the database now
        #[arg(long)]
        force: bool,
    },
}

/// `audit`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl audit verify
  flowctl audit export --since 2026-03-01 > audit.jsonl
  flowctl audit export --format csv --tenant octo-org

The database is the one that `serve` with the same settings has: FLOWCTL_DATABASE_URL, FLOWCTL_DATA_DIR, --config. A server may \
run meanwhile. Ends with 1 where a chain does not hold, or lacks an entry.")]
pub struct AuditArguments {
    /// What to do
    #[command(subcommand)]
    pub command: AuditCommand,
    /// Settings as TOML; variables win over it
    #[arg(long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Of this tenant alone: the account that installed the App, or `local`
    #[arg(long, value_name = "NAME", global = true)]
    pub tenant: Option<String>,
}

/// What `audit` does.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every chain from its first entry on, and hold it against the events of executions
    Verify {
        /// An entry that the chain of `--tenant` must hold, as `verify` printed it
        #[arg(long, value_name = "NUMBER:DIGEST")]
        expect: Option<flowctl_app::audit::Expected>,
        /// Hold the entries that the App committed to this reference of a clone against the log instead
        #[arg(
            long = "ref",
            value_name = "REF",
            num_args = 0..=1,
            default_missing_value = "refs/flowctl/audit",
            conflicts_with = "expect"
        )]
        reference: Option<String>,
        /// The clone that has this reference
        #[arg(long, value_name = "DIR", default_value = ".", requires = "reference", value_hint = ValueHint::DirPath)]
        clone: PathBuf,
    },
    /// Print the entries
    Export {
        /// How they are printed
        #[arg(long, value_enum, default_value_t = AuditFormat::Jsonl)]
        format: AuditFormat,
        /// At or after this moment, as 2026-03-01 or 2026-03-01T09:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Before this moment
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
}

/// How entries of the audit log are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// The entries as they are chained, one a line
    Jsonl,
    /// For spreadsheets
    Csv,
}

/// `doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Looks at the disk, the database, its schema, the clock, and at every execution: whether folding \
its events gives what is stored. Changes nothing; a server may run meanwhile. Ends with 1 where something is wrong."
)]
pub struct DoctorArguments {
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = DoctorFormat::Human)]
    pub format: DoctorFormat,
    /// Settings as TOML; variables win over it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// How the result of `doctor` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    Human,
    /// One JSON document
    Json,
}
