//! Large outputs as files in a folder beside the database. A file is complete and on the disk before its row is, and its
//! row before a transition names it.

use std::collections::BTreeSet;
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
use super::columns::{all, execute, micros, optional, signed};
use super::opening::{private, private_folder};
use super::writer::Hint;
use crate::store::payloads::{Payloads, Read, parts};
use crate::store::{Outputs, StoreError, digest};

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

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
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

const NAMED: &str = "select 1 from output_uses where execution = ?1 and digest = ?2";

/// Names what an execution refers to.
pub(super) fn name<'d>(
    connection: &Connection,
    tenant: &str,
    position: i64,
    digests: impl Iterator<Item = &'d String>,
) -> Result<(), StoreError> {
    for digest in digests {
        execute(connection, USE, params![position, tenant, digest])?;
    }
    Ok(())
}

/// Whether an execution refers to this: then it stays.
pub(super) fn is_named(connection: &Connection, position: i64, digest: &str) -> Result<bool, StoreError> {
    Ok(optional(connection, NAMED, params![position, digest], |_| Ok(()))?.is_some())
}

/// What was kept with this digest; nothing where it is not there.
fn content(folder: &Path, tenant: &str, of: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let file = file_of(folder, tenant, of);
    match fs::read(&file) {
        Ok(content) if digest(&content) == of => Ok(Some(content)),
        Ok(_) => Err(StoreError::corrupt(format!("the large output {}", file.display()), "it was changed")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&file)(error)),
    }
}

/// What is kept apart of texts that were read.
pub(super) fn bodies(folder: &Path, read: &[Read]) -> Result<Payloads, StoreError> {
    bodies_of(folder, parts(read)?)
}

fn bodies_of(folder: &Path, wanted: BTreeSet<(String, String)>) -> Result<Payloads, StoreError> {
    let mut bodies = Payloads::new();
    for (tenant, of) in wanted {
        if let Some(content) = content(folder, &tenant, &of)? {
            let body = String::from_utf8(content).map_err(|error| StoreError::corrupt("a large value", error))?;
            bodies.insert((tenant, of), body);
        }
    }
    Ok(bodies)
}

/// The same without holding up others meanwhile.
pub(super) async fn of(folder: &Path, read: &[Read]) -> Result<Payloads, StoreError> {
    let wanted = parts(read)?;
    if wanted.is_empty() {
        return Ok(Payloads::new());
    }
    let folder = folder.to_owned();
    let bodies = tokio::task::spawn_blocking(move || bodies_of(&folder, wanted)).await;
    bodies.map_err(|error| StoreError::corrupt("a large value", error))?
}

/// What is to be kept.
struct Content {
    tenant: String,
    digest: String,
    body: Vec<u8>,
}

/// Writes each of these to its file; those that could not be are told with the first of them.
fn write_all(folder: &Path, contents: &[Content], unique: u64) -> Result<(), (PathBuf, Unwritten)> {
    for (unique, Content { tenant, digest, body }) in (unique..).zip(contents) {
        let file = file_of(folder, tenant, digest);
        write(&file, body, unique).map_err(|unwritten| (file, unwritten))?;
    }
    Ok(())
}

impl SqliteStore {
    /// Keeps what is large of a transition, before that is stored.
    pub(super) async fn keep_payloads(&self, large: Payloads, now: Timestamp) -> Result<(), StoreError> {
        let content =
            |((tenant, digest), body): ((String, String), String)| Content { tenant, digest, body: body.into_bytes() };
        self.keep_all(large.into_iter().map(content).collect(), now).await
    }

    async fn keep_all(&self, contents: Vec<Content>, now: Timestamp) -> Result<(), StoreError> {
        let sizes = contents.iter().map(|it| signed("the size of an output", it.body.len() as u64));
        let sizes = sizes.collect::<Result<Vec<i64>, _>>()?;
        let unique = self.outputs.names.fetch_add(contents.len() as u64, Ordering::Relaxed);
        let folder = self.outputs.path.clone();
        let _held = self.outputs.gate.lock().await;
        let written = tokio::task::spawn_blocking(move || {
            write_all(&folder, &contents, unique)?;
            Ok(contents)
        });
        let failed_at = self.outputs.path.clone();
        let lost = |error| (failed_at, Unwritten::Refused(io::Error::other(error)));
        let contents = match written.await.map_err(lost).flatten() {
            Ok(contents) => contents,
            Err((file, Unwritten::Refused(error))) => return Err(failed(&file)(error)),
            Err((file, Unwritten::Lost(error))) => {
                let reason = format!("{}: {error}", file.display());
                tracing::error!(reason, "the disk fails; nothing is written any more");
                return Err(self.writer.break_down(&reason));
            }
        };
        let at = micros(now);
        let keep = move |connection: &Connection| {
            for (Content { tenant, digest, .. }, bytes) in contents.iter().zip(sizes) {
                execute(connection, KEEP, params![tenant, digest, bytes, at])?;
            }
            Ok(())
        };
        self.writer.write(Hint::Quiet, keep).await
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Output { path: path.clone(), source }
}

#[async_trait]
impl Outputs for SqliteStore {
    async fn keep(&self, tenant: &TenantId, digest: &str, content: Vec<u8>, now: Timestamp) -> Result<(), StoreError> {
        let content = Content { tenant: tenant.as_str().to_owned(), digest: digest.to_owned(), body: content };
        self.keep_all(vec![content], now).await
    }

    async fn read(&self, tenant: &TenantId, of: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let (folder, tenant, of) = (self.outputs.path.clone(), tenant.as_str().to_owned(), of.to_owned());
        let content = tokio::task::spawn_blocking(move || content(&folder, &tenant, &of)).await;
        content.map_err(|error| StoreError::corrupt("a large output", error))?
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
