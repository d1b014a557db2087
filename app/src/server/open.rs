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

/// Opens the store beside a server that may run on it; nothing where there is none yet.
///
/// # Errors
/// Where it is there and cannot be opened.
pub async fn existing(settings: &Settings) -> Result<Option<Arc<dyn Store>>, ServeError> {
    let url = settings.database_url.expose_secret();
    if let Some(path) = url.strip_prefix("sqlite://") {
        let path = path.split('?').next().unwrap_or_default();
        if !tokio::fs::try_exists(path).await.unwrap_or(false) {
            return Ok(None);
        }
        return Ok(Some(Arc::new(SqliteStore::open(url).await?)));
    }
    store(settings, Role::All).await.map(Some)
}

/// Makes the directory where it is not there, for this user alone: what tokens are signed with is below it. One that is
/// there stays as it is.
async fn directory(path: &Path) -> Result<(), ServeError> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    let made = builder.create(path).await;
    made.map_err(|source| ServeError::DataDirectory { path: path.to_owned(), source })
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn everybody_could_read_the_database_and_its_folder() {
        let outside = tempfile::tempdir().unwrap();
        let data = outside.path().join("flowctl").join("data");
        let given = [("FLOWCTL_DATA_DIR".to_owned(), data.display().to_string())];
        let (settings, _) = Settings::load(None, given.into_iter()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open = async || {
            let store = store(&settings, Role::All).await.unwrap();
            store.ping().await.unwrap();
            let modes: Vec<(String, u32)> = std::fs::read_dir(&data)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_file())
                .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), mode(&path)))
                .collect();
            store.close().await;
            modes
        };
        let modes = open().await;
        assert_eq!((mode(&data), mode(data.parent().unwrap())), (0o700, 0o700));
        assert!(modes.iter().any(|(name, _)| name == "flowctl.db"), "{modes:?}");
        assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
        // What is there stays as somebody made it.
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(data.join("flowctl.db"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let modes = open().await;
        assert_eq!(mode(&data), 0o755);
        assert!(modes.contains(&("flowctl.db".to_owned(), 0o640)), "{modes:?}");
    }
}
