//! The App's id, key and secret where GitHub gave them to us: three files in the data folder that only this user may
//! read. The id is written last: where it stands, the others are whole.

use std::io::Write;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

const FOLDER: &str = "github-app";
const ID: &str = "app-id";
const KEY: &str = "private-key.pem";
const SECRET: &str = "webhook-secret";

/// What proves that we are the App, and that a webhook comes from GitHub.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The App's id.
    pub app_id: u64,
    /// Its RSA private key, PEM.
    pub private_key: SecretString,
    /// What webhooks are signed with.
    pub webhook_secret: SecretString,
}

/// Why credentials cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct CredentialsError {
    path: PathBuf,
    source: std::io::Error,
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CredentialsError {
    let path = path.to_owned();
    move |source| CredentialsError { path, source }
}

impl Credentials {
    /// What was kept in this data folder; nothing where no App was set up there.
    ///
    /// # Errors
    /// Where a file cannot be read, or the id is no number.
    pub fn kept(data: &Path) -> Result<Option<Self>, CredentialsError> {
        let folder = data.join(FOLDER);
        let id = folder.join(ID);
        let text = match std::fs::read_to_string(&id) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&id)(error)),
        };
        let wrong = || at(&id)(std::io::Error::other("this is not the id of an App"));
        let app_id = text.trim().parse().map_err(|_| wrong())?;
        let secret = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map(|text| SecretString::from(text.trim().to_owned())).map_err(at(&path))
        };
        Ok(Some(Self { app_id, private_key: secret(KEY)?, webhook_secret: secret(SECRET)? }))
    }

    /// Keeps them, for this user alone. What stood there is replaced.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn keep(&self, data: &Path) -> Result<(), CredentialsError> {
        let folder = data.join(FOLDER);
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(at(&folder))?;
        let id = folder.join(ID);
        match std::fs::remove_file(&id) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&id)(error)),
            _ => {}
        }
        write(&folder.join(KEY), self.private_key.expose_secret())?;
        write(&folder.join(SECRET), self.webhook_secret.expose_secret())?;
        write(&id, &self.app_id.to_string())
    }
}

/// Writes a file whole or not at all, readable for this user alone from the first byte on.
fn write(path: &Path, text: &str) -> Result<(), CredentialsError> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(&new)(error)),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new).map_err(at(&new))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&new, path)).map_err(at(path))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_is_nobody_elses_to_read() {
        let data = tempfile::tempdir().unwrap();
        assert!(Credentials::kept(data.path()).unwrap().is_none());
        for app_id in [7, 8] {
            let (private_key, webhook_secret) = (SecretString::from("-----BEGIN"), SecretString::from("secret"));
            Credentials { app_id, private_key, webhook_secret }.keep(data.path()).unwrap();
            let kept = Credentials::kept(data.path()).unwrap().unwrap();
            assert_eq!((kept.app_id, kept.private_key.expose_secret()), (app_id, "-----BEGIN"));
        }
        let folder = data.path().join(FOLDER);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        // Half of it is nothing: the id is written last.
        std::fs::remove_file(folder.join(ID)).unwrap();
        assert!(Credentials::kept(data.path()).unwrap().is_none());
    }
}
