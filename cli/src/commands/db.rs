//! `db`: back-up and restore.

use anyhow::bail;
use flowctl_app::settings::Settings;
use flowctl_app::store::sqlite::{BackedUp, back_up, restore};
use secrecy::ExposeSecret;

use crate::arguments::{DbArguments, DbCommand};
use crate::exit::Exit;
use crate::format::plural;
use crate::terminal::DIM;

/// Backs up or restores.
pub fn run(arguments: &DbArguments, quiet: bool) -> anyhow::Result<Exit> {
    let (settings, _) = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    let url = settings.database_url.expose_secret();
    if !url.starts_with("sqlite:") {
        bail!("PostgreSQL has its own tools for this: pg_dump and pg_restore");
    }
    let (file, done, to) = match &arguments.command {
        DbCommand::Backup { file } => (file, back_up(url, file)?, "to"),
        DbCommand::Restore { file, force } => (file, restore(file, url, *force)?, "from"),
    };
    if !quiet {
        let BackedUp { executions, bytes } = done;
        let executions = plural(usize::try_from(executions)?, "execution", "executions");
        let mib = bytes as f64 / f64::from(1 << 20);
        anstream::eprintln!("{DIM}{executions}, {mib:.1} MiB {to} {}{DIM:#}", file.display());
    }
    Ok(Exit::Done)
}
