//! Which store a database address means, and opening it.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::role::Role;
use super::serve::ServeError;
use crate::settings::Settings;
use crate::store::{Migrations, PostgresStore, SqliteStore, Store};

/// Brings the schema of the database up to date, and says how far it stands.
///
/// # Errors
/// Where the database cannot be opened, or is in use by a server that has it to itself (SQLite).
pub async fn migrate(settings: &Settings) -> Result<Migrations, ServeError> {
    let store = store(settings, Role::All).await?;
    let migrations = store.migrations().await;
    store.close().await;
    Ok(migrations?)
}

/// Opens the store. SQLite is for one replica that does everything.
pub(super) async fn store(settings: &Settings, role: Role) -> Result<Arc<dyn Store>, ServeError> {
    directory(&settings.data_dir).await?;
    let url = settings.database_url.expose_secret();
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Ok(Arc::new(PostgresStore::open(url).await?));
    }
    if role != Role::All {
        return Err(ServeError::NotShared { role });
    }
    Ok(Arc::new(SqliteStore::open_alone(url).await?))
}

async fn directory(path: &Path) -> Result<(), ServeError> {
    let made = tokio::fs::create_dir_all(path).await;
    made.map_err(|source| ServeError::DataDirectory { path: path.to_owned(), source })
}
