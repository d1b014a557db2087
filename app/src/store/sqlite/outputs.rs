//! Large outputs as files in a folder beside the database. A file is complete and on the disk before its row is, and its
//! row before a transition names it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use flowctl_core::execution::TenantId;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::Mutex;

use super::SqliteStore;
use super::columns::{all, execute, micros, signed};
use super::opening::{private, private_folder};
use super::writer::Hint;
use crate::store::{Outputs, StoreError, Transition, digest};

/// The folder of the outputs.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held while a file and its row come or go together.
    gate: Mutex<()>,
    names: AtomicU64,
}

impl Folder {
    /// That of a database.
    pub(super) fn of(database: &Path) -> Self {
        Self { path: path_of(database), gate: Mutex::new(()), names: AtomicU64::new(0) }
    }
}

/// The folder beside a database.
pub(super) fn path_of(database: &Path) -> PathBuf {
    database.with_file_name("outputs")
}

/// The file of an output. A tenant's name becomes no part of a path as it is.
pub(super) fn file_of(folder: &Path, tenant: &str, digest_of_content: &str) -> PathBuf {
    let tenant = digest(tenant.as_bytes());
    folder.join(&tenant[..16]).join(digest_of_content.get(..2).unwrap_or("_")).join(digest_of_content)
}

/// Why a file is not there for good.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    /// It could not be written. Once there is room it may be.
    #[error(transparent)]
    Refused(#[from] io::Error),
    /// The disk did not keep it, and perhaps not other things either.
    #[error("{0}")]
    Lost(io::Error),
}

impl From<Unwritten> for io::Error {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Refused(error) | Unwritten::Lost(error) => error,
        }
    }
}

/// Writes a file so that it is there as a whole or not at all, and stays. One that is there already is what it says:
/// its name is the digest of its content.
pub(super) fn write(file: &Path, content: &[u8], unique: u64) -> Result<(), Unwritten> {
    if fs::metadata(file).is_ok_and(|there| there.len() == content.len() as u64) {
        return Ok(());
    }
    let folder = file.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    make(folder)?;
    let partial = folder.join(format!(".{}-{unique}", std::process::id()));
    let written = fill(&partial, content);
    if written.is_err() {
        // It takes room that may be what is lacking.
        let _ = fs::remove_file(&partial);
    }
    written?;
    fs::rename(&partial, file)?;
    sync(&File::open(folder)?)
}

fn fill(file: &Path, content: &[u8]) -> Result<(), Unwritten> {
    let mut file = private().create(true).truncate(true).open(file)?;
    file.write_all(content)?;
    match sync(&file) {
        // Some systems look for room only now; the next try writes another file.
        Err(Unwritten::Lost(error)) if error.kind() == io::ErrorKind::StorageFull => Err(Unwritten::Refused(error)),
        synced => synced,
    }
}

fn sync(file: &File) -> Result<(), Unwritten> {
    file.sync_all().map_err(Unwritten::Lost)
}

/// Makes a folder that survives a loss of power, and those above it.
fn make(folder: &Path) -> Result<(), Unwritten> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        make(above)?;
    }
    match private_folder().create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    sync(&File::open(folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")))?)
}

const KEEP: &str = "
    insert into outputs (tenant, digest, bytes, kept_at) values (?1, ?2, ?3, ?4)
    on conflict (tenant, digest) do update set kept_at = max(kept_at, excluded.kept_at)";
const FORGET: &str = "
    delete from outputs
    where (tenant, digest) in (
      select tenant, digest from outputs candidate
      where kept_at < ?1 and not exists (
        select 1 from output_uses uses where uses.tenant = candidate.tenant and uses.digest = candidate.digest)
      order by kept_at limit ?2)
    returning tenant, digest";
const USE: &str = "insert into output_uses (execution, tenant, digest) values (?1, ?2, ?3) on conflict do nothing";

/// Names the large outputs that a transition refers to.
pub(super) fn name(connection: &Connection, transition: &Transition, position: i64) -> Result<(), StoreError> {
    for digest in &transition.outputs {
        execute(connection, USE, params![position, transition.tenant.as_str(), digest])?;
    }
    Ok(())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Output { path: path.clone(), source }
}

#[async_trait]
impl Outputs for SqliteStore {
    async fn keep(&self, tenant: &TenantId, digest: &str, content: Vec<u8>, now: Timestamp) -> Result<(), StoreError> {
        let file = file_of(&self.outputs.path, tenant.as_str(), digest);
        let unique = self.outputs.names.fetch_add(1, Ordering::Relaxed);
        let bytes = signed("the size of an output", content.len() as u64)?;
        let (at, path) = (micros(now), file.clone());
        let _held = self.outputs.gate.lock().await;
        let written = tokio::task::spawn_blocking(move || write(&path, &content, unique)).await;
        match written.map_err(|error| Unwritten::Refused(io::Error::other(error))).flatten() {
            Ok(()) => {}
            Err(Unwritten::Refused(error)) => return Err(failed(&file)(error)),
            Err(Unwritten::Lost(error)) => {
                let reason = format!("{}: {error}", file.display());
                tracing::error!(reason, "the disk fails; nothing is written any more");
                return Err(self.writer.break_down(&reason));
            }
        }
        let (tenant, digest) = (tenant.clone(), digest.to_owned());
        let keep = move |connection: &Connection| {
            execute(connection, KEEP, params![tenant.as_str(), digest, bytes, at])?;
            Ok(())
        };
        self.writer.write(Hint::Quiet, keep).await
    }

    async fn read(&self, tenant: &TenantId, of: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let file = file_of(&self.outputs.path, tenant.as_str(), of);
        match tokio::fs::read(&file).await {
            Ok(content) if digest(&content) == of => Ok(Some(content)),
            Ok(_) => Err(StoreError::corrupt(format!("the large output {}", file.display()), "it was changed")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&file)(error)),
        }
    }

    async fn forget(&self, kept_before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let _held = self.outputs.gate.lock().await;
        let forget = move |connection: &Connection| {
            all(connection, FORGET, params![micros(kept_before), limit], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
        };
        let forgotten = self.writer.write(Hint::Quiet, forget).await?;
        for (tenant, digest) in &forgotten {
            // A file that stays takes room and does no harm.
            let file = file_of(&self.outputs.path, tenant, digest);
            if let Err(error) = tokio::fs::remove_file(&file).await {
                tracing::warn!(file = %file.display(), %error, "a large output that nobody needs could not be removed");
            }
        }
        Ok(forgotten.len() as u64)
    }
}
