//! Back-up and restore of a database in one file. A back-up is a consistent picture of one moment, taken while a server
//! runs; a restore takes the database's place, and never that of one which a server has.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::opening::{private, private_folder};
use super::{BUSY_TIMEOUT, MIGRATIONS, lock, options, outputs};
use crate::store::StoreError;

/// Why there is no back-up, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file that was to be written is there already.
    #[error("{} exists already; name another file, or remove that one first", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What was to be backed up is not there.
    #[error("there is no database {} to back up", .path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// The file would lie in a folder that there is not.
    #[error("there is no folder {}", .folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is no back-up.
    #[error("{} is no back-up of flowctl: {reason}", .path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something is in the database that a restore would throw away.
    #[error(
        "the database {} is not empty (executions: {executions}, deliveries: {deliveries}); with `--force` what is in it \
         is thrown away", .path.display()
    )]
    NotEmpty {
        /// The database.
        path: PathBuf,
        /// Executions in it.
        executions: u64,
        /// Deliveries in it.
        deliveries: u64,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be opened, or a server has it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is in a back-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Executions.
    pub executions: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a back-up of the database at `url` to `file`, also while a server runs on it. The file is there as a whole or
/// not at all, and survives a loss of power once this returns.
///
/// # Errors
/// Any [`BackupError`] but those of a restore.
pub fn back_up(url: &str, file: &Path) -> Result<BackedUp, BackupError> {
    let path = options(url)?.get_filename().to_owned();
    if !path.exists() {
        return Err(BackupError::Nothing { path });
    }
    if file.exists() {
        return Err(BackupError::Exists { path: file.to_owned() });
    }
    // A file without a folder in its name lies in the working directory.
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(BackupError::NoFolder { folder: folder.to_owned() });
    }
    let partial = with_suffix(file, "partial");
    remove(&partial)?;
    let connection = Connection::open(&path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // It reads as of one moment; writers go on (https://sqlite.org/lang_vacuum.html#vacuuminto).
    super::make_private(&partial);
    let written = connection.execute("vacuum into ?1", [partial.to_string_lossy()]);
    if let Err(error) = written {
        remove(&partial)?;
        return Err(error.into());
    }
    let executions = take_outputs_along(&partial, &outputs::path_of(&path))?;
    let bytes = keep(&partial, file)?;
    Ok(BackedUp { executions, bytes })
}

/// Puts a back-up in the place of the database at `url`. What is in that is thrown away with `force`, else only an
/// empty one is replaced.
///
/// # Errors
/// Any [`BackupError`]; the database is as it was then.
pub fn restore(file: &Path, url: &str, force: bool) -> Result<BackedUp, BackupError> {
    let path = options(url)?.get_filename().to_owned();
    let executions = verified(file)?;
    if let Some(folder) = path.parent() {
        let made = private_folder().recursive(true).create(folder);
        made.map_err(|source| BackupError::Io { path: folder.to_owned(), source })?;
    }
    let _alone = lock(&path)?;
    if path.exists() && !force {
        refuse_unless_empty(&path)?;
    }
    let partial = with_suffix(&path, "partial");
    let replaced = prepare(file, &partial, &path).and_then(|()| {
        give_up_log(&path)?;
        keep(&partial, &path)
    });
    match replaced {
        Ok(bytes) => Ok(BackedUp { executions, bytes }),
        Err(error) => {
            remove(&partial)?;
            Err(error)
        }
    }
}

/// Makes what takes the database's place, beside it.
fn prepare(file: &Path, partial: &Path, path: &Path) -> Result<(), BackupError> {
    // A log that was left of an earlier try would be taken for this file's.
    remove_log(partial)?;
    let copy = || -> io::Result<u64> {
        let mut to = private().create(true).truncate(true).open(partial)?;
        let copied = io::copy(&mut fs::File::open(file)?, &mut to)?;
        to.sync_all()?;
        Ok(copied)
    };
    copy().map_err(|source| BackupError::Io { path: file.to_owned(), source })?;
    lay_out_outputs(partial, &outputs::path_of(path))
}

/// Makes the database's file whole without the log beside it, which would be taken for the log of the file that comes
/// in its place. A database whose log cannot be read any more goes with it.
fn give_up_log(path: &Path) -> Result<(), BackupError> {
    let is_busy = || -> Result<bool, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let busy = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(busy)
    };
    if path.exists() {
        match is_busy() {
            Ok(false) => {}
            // What is in the log would be lost with it.
            Ok(true) => return Err(StoreError::InUse { path: path.to_owned() }.into()),
            Err(error) => tracing::warn!(%error, "the database that is replaced cannot be read"),
        }
    }
    remove_log(path)
}

/// Removes the log of a database, and its index.
fn remove_log(path: &Path) -> Result<(), BackupError> {
    for part in ["-wal", "-shm"] {
        let mut name = path.to_owned().into_os_string();
        name.push(part);
        remove(Path::new(&name))?;
    }
    Ok(())
}

/// Copies the large outputs that a back-up names into it; how many executions it holds.
fn take_outputs_along(partial: &Path, folder: &Path) -> Result<u64, BackupError> {
    let connection = Connection::open(partial)?;
    connection.execute_batch(
        "create table kept_outputs (tenant text not null, digest text not null, content blob not null) strict; begin",
    )?;
    let mut named = connection.prepare("select distinct tenant, digest from output_uses")?;
    let mut rows = named.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, digest): (String, String) = (row.get(0)?, row.get(1)?);
        let file = outputs::file_of(folder, &tenant, &digest);
        // What is named stays as long as its execution: only retention since the picture was taken can have removed it.
        let content = fs::read(&file).map_err(|source| BackupError::Io { path: file, source })?;
        let insert = "insert into kept_outputs (tenant, digest, content) values (?1, ?2, ?3)";
        connection.prepare_cached(insert)?.execute((tenant, digest, content))?;
    }
    connection.execute_batch("commit")?;
    Ok(count(&connection, "executions")?)
}

/// Lays the large outputs of a back-up out as files, and takes them out of it.
fn lay_out_outputs(partial: &Path, folder: &Path) -> Result<(), BackupError> {
    let connection = Connection::open(partial)?;
    {
        let mut kept = connection.prepare("select tenant, digest, content from kept_outputs")?;
        let mut rows = kept.query([])?;
        let mut unique = 0;
        while let Some(row) = rows.next()? {
            let (tenant, digest): (String, String) = (row.get(0)?, row.get(1)?);
            let file = outputs::file_of(folder, &tenant, &digest);
            unique += 1;
            let written = outputs::write(&file, row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, unique);
            written.map_err(|unwritten| BackupError::Io { path: file, source: unwritten.into() })?;
        }
    }
    connection.execute_batch("drop table kept_outputs")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Whether a file is a sound back-up that this version can go on with; how many executions it holds.
fn verified(file: &Path) -> Result<u64, BackupError> {
    let no_backup = |reason: String| BackupError::NoBackup { path: file.to_owned(), reason };
    let told = |error: rusqlite::Error| no_backup(error.to_string());
    fs::metadata(file).map_err(|source| BackupError::Io { path: file.to_owned(), source })?;
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(told)?;
    let check: String = connection.query_row("pragma integrity_check(1)", [], |row| row.get(0)).map_err(told)?;
    if check != "ok" {
        return Err(no_backup(check));
    }
    let made = "select count(*) from sqlite_schema where type = 'table' and name = 'kept_outputs'";
    if connection.query_row(made, [], |row| row.get::<_, i64>(0)).map_err(told)? == 0 {
        let reason =
            "it is a database, or a copy of one, and has no large outputs in it; `flowctl db backup` makes one";
        return Err(no_backup(reason.to_owned()));
    }
    let latest = "select max(version) from _sqlx_migrations";
    let migration: Option<i64> = connection.query_row(latest, [], |row| row.get(0)).map_err(told)?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match migration {
        Some(migration) if migration > known => Err(StoreError::TooNew { migration, known }.into()),
        Some(_) => count(&connection, "executions").map_err(told),
        None => Err(no_backup("it has no schema".to_owned())),
    }
}

fn refuse_unless_empty(path: &Path) -> Result<(), BackupError> {
    let connection = Connection::open(path)?;
    let there = |table: &str| -> Result<u64, rusqlite::Error> {
        let exists = "select count(*) from sqlite_schema where type = 'table' and name = ?1";
        let exists: i64 = connection.query_row(exists, [table], |row| row.get(0))?;
        if exists == 0 { Ok(0) } else { count(&connection, table) }
    };
    let (executions, deliveries) = (there("executions")?, there("deliveries")?);
    if executions + deliveries > 0 {
        return Err(BackupError::NotEmpty { path: path.to_owned(), executions, deliveries });
    }
    Ok(())
}

fn count(connection: &Connection, table: &str) -> Result<u64, rusqlite::Error> {
    let count: i64 = connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Gives a file that is complete its name, once it is on the disk; its size.
fn keep(partial: &Path, file: &Path) -> Result<u64, BackupError> {
    let kept = || -> io::Result<u64> {
        let written = File::open(partial)?;
        written.sync_all()?;
        let bytes = written.metadata()?.len();
        fs::rename(partial, file)?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    };
    kept().map_err(|source| BackupError::Io { path: file.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".");
    name.push(suffix);
    name.into()
}
