//! `migrate`: brings the schema of the database up to date, without serving.

use flowctl_app::server::migrate;
use flowctl_app::settings::Settings;
use flowctl_app::telemetry;

use crate::arguments::MigrateArguments;
use crate::exit::Exit;

/// Migrates, and says how far the schema stands.
pub fn run(arguments: &MigrateArguments) -> anyhow::Result<Exit> {
    let (settings, warnings) = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    telemetry::start(&settings)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let migrations = runtime.block_on(migrate(&settings))?;
    anstream::println!("the database is up to date: migration {} of {}", migrations.applied, migrations.known);
    Ok(Exit::Done)
}
