//! What `db` and `doctor` take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// `db`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowctl db backup /backups/flowctl-2026-03-01.db
  flowctl db restore /backups/flowctl-2026-03-01.db

The database is the one that `serve` with the same settings has: FLOWCTL_DATABASE_URL, FLOWCTL_DATA_DIR, --config.")]
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
    /// Write all that is stored, as of one moment, to one file; a server may run meanwhile
    Backup {
        /// The file, which must not exist
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a back-up in the place of the database; no server may run on it
    Restore {
        /// The back-up
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Throw away what is in the database now
        #[arg(long)]
        force: bool,
    },
}

/// `doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Looks at the disk, the database, its schema, the clock, and at every execution: whether folding
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
