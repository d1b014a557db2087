//! The bare copy on disk. Blocking: called from threads that may block, never from async code. A pack becomes part of
//! the copy only when it is whole, so a fetch that breaks off leaves the copy as it was.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use git2::{Oid, Repository, RepositoryInitOptions, RepositoryOpenFlags, Sort};
use tokio::sync::mpsc;

use super::error::MirrorError;

/// How many commits of ours the server is told about. Tips come first; older ones help where the tips were removed by
/// a force push.
const MOST_HAVES: usize = 256;

/// Longer than any fetch takes.
const LEFTOVER_AGE: Duration = Duration::from_secs(60 * 60);

/// Longer than anybody holds the lock of a reference, which is written in one go.
const LOCK_AGE: Duration = Duration::from_secs(5);

/// A part of a pack on its way to the disk. A channel that closes without `End` has broken off.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    End,
}

/// Where a copy is, and whose.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub(super) repository: String,
    pub(super) path: PathBuf,
    /// Whether it is ours to write and to remove; otherwise it is somebody's working repository.
    pub(super) owned: bool,
}

/// Whether a text is a full SHA-1 in lower case.
pub(super) fn is_commit_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Storage {
    /// Opens what is there.
    pub(super) fn open(&self) -> Result<Repository, MirrorError> {
        if self.owned {
            return Repository::open_bare(&self.path).map_err(|error| self.damaged(&error));
        }
        let none: [&Path; 0] = [];
        Repository::open_ext(&self.path, RepositoryOpenFlags::NO_SEARCH, none).map_err(|error| self.failed(&error))
    }

    /// Opens the copy, making an empty one where there is none. It is made beside its place and moved there whole:
    /// another process may look at the same moment.
    pub(super) fn open_or_create(&self) -> Result<Repository, MirrorError> {
        if self.path.exists() {
            return self.open();
        }
        let made = self.path.with_extension(format!("{}.new", uuid::Uuid::now_v7()));
        let mut options = RepositoryInitOptions::new();
        options.bare(true).mkpath(true).external_template(false);
        Repository::init_opts(&made, &options).map_err(|error| self.failed(&error))?;
        if let Err(error) = fs::rename(&made, &self.path) {
            // Nothing else can be done about a folder that cannot be removed either.
            let _ = fs::remove_dir_all(&made);
            if !self.path.exists() {
                return Err(self.storage(format!("{} cannot be made: {error}", self.path.display())));
            }
        }
        self.open()
    }

    /// Moves a damaged copy out of the way and removes it. Whoever reads it still does not get half of it.
    pub(super) fn discard(&self) -> Result<(), MirrorError> {
        let aside = self.path.with_extension("discarded");
        let removed = match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => match fs::rename(&self.path, &aside) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(()) => fs::remove_dir_all(&aside),
            },
        };
        removed.map_err(|error| self.storage(format!("{} cannot be removed: {error}", self.path.display())))
    }

    /// Which of these commits are not here.
    pub(super) fn missing(&self, repository: &Repository, commits: &BTreeSet<String>) -> Vec<String> {
        commits.iter().filter(|commit| !has_commit(repository, commit)).cloned().collect()
    }

    /// Commits that are here with all their history, newest first.
    pub(super) fn haves(&self, repository: &Repository) -> Result<Vec<String>, MirrorError> {
        let mut walk = repository.revwalk().map_err(|error| self.damaged(&error))?;
        walk.set_sorting(Sort::TIME).map_err(|error| self.damaged(&error))?;
        for reference in repository.references().map_err(|error| self.damaged(&error))? {
            let target = reference.map_err(|error| self.damaged(&error))?.target();
            if let Some(target) = target {
                walk.push(target).map_err(|error| self.damaged(&error))?;
            }
        }
        let newest = walk.take(MOST_HAVES).map(|id| id.map(|id| id.to_string()));
        newest.collect::<Result<_, _>>().map_err(|error| self.damaged(&error))
    }

    /// Takes in a pack; it is part of the copy once this returns without error.
    pub(super) fn index(&self, mut pieces: mpsc::Receiver<Piece>, deadline: Instant) -> Result<(), MirrorError> {
        let repository = self.open()?;
        let packs = repository.path().join("objects").join("pack");
        self.clear_leftovers(&packs)?;
        let odb = repository.odb().map_err(|error| self.damaged(&error))?;
        // The server leaves out bases that we have, hence the database. Checking that every object named is there
        // too would refuse submodules, whose commits never are.
        let mut indexer = git2::Indexer::new(Some(&odb), &packs, 0, false).map_err(|error| self.failed(&error))?;
        indexer.progress(move |_| Instant::now() < deadline);
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Data(data) => indexer.write_all(&data).map_err(|error| self.storage(error.to_string()))?,
                Piece::End => {
                    return match indexer.commit() {
                        Ok(_) => Ok(()),
                        Err(_) if Instant::now() >= deadline => Err(self.storage("indexing took too long".to_owned())),
                        Err(error) => Err(self.damaged(&error)),
                    };
                }
            }
        }
        Err(self.storage("the pack breaks off".to_owned()))
    }

    /// A process that was killed leaves its unfinished pack behind (libgit2 names it `pack_git2_…`). A young one may
    /// be another process's that fetches right now.
    fn clear_leftovers(&self, packs: &Path) -> Result<(), MirrorError> {
        let failed = |error: std::io::Error| self.storage(format!("{}: {error}", packs.display()));
        for entry in fs::read_dir(packs).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let age = entry.metadata().and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
            let is_old = matches!(age, Ok(Ok(age)) if age > LEFTOVER_AGE);
            if is_old && entry.file_name().to_string_lossy().starts_with("pack_git2_") {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Removes the lock of a reference whose holder was killed: git's own would lie there for ever. See `LOCK_AGE`.
    fn break_left_lock(&self, name: &str) -> Result<(), MirrorError> {
        if !self.owned {
            return Ok(());
        }
        let locks = [format!("{name}.lock"), "packed-refs.lock".to_owned()];
        for lock in locks.iter().map(|lock| self.path.join(lock)) {
            let age = fs::metadata(&lock).and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
            if !matches!(age, Ok(Ok(age)) if age > LOCK_AGE) {
                continue;
            }
            match fs::remove_file(&lock) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(self.storage(format!("{} cannot be removed: {error}", lock.display())));
                }
                _ => tracing::warn!(lock = %lock.display(), "removed a lock that its holder left behind"),
            }
        }
        Ok(())
    }

    /// Has `HEAD` stand for a reference.
    pub(super) fn head(&self, repository: &Repository, name: &str) -> Result<(), MirrorError> {
        if repository.set_head(name).is_ok() {
            return Ok(());
        }
        self.break_left_lock("HEAD")?;
        repository.set_head(name).map_err(|error| self.failed(&error))
    }

    /// Points a reference at a commit, or removes it.
    pub(super) fn point(&self, repository: &Repository, name: &str, commit: Option<&str>) -> Result<(), MirrorError> {
        let Some(commit) = commit else { return self.unpoint(repository, name) };
        let id = self.id(commit)?;
        if repository.reference(name, id, true, "fetched").is_ok() {
            return Ok(());
        }
        self.break_left_lock(name)?;
        // `a` and `a/b` cannot be there together; what the server has now takes the place of what it had.
        let in_the_way = |other: &str| {
            let below = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('/'));
            below(name, other) || below(other, name)
        };
        let names: Vec<String> = repository
            .references()
            .and_then(|mut references| references.names().map(|name| name.map(str::to_owned)).collect())
            .map_err(|error| self.damaged(&error))?;
        for other in names.iter().filter(|other| in_the_way(other)) {
            self.unpoint(repository, other)?;
        }
        repository.reference(name, id, true, "fetched").map(drop).map_err(|error| self.failed(&error))
    }

    fn unpoint(&self, repository: &Repository, name: &str) -> Result<(), MirrorError> {
        match repository.find_reference(name) {
            Ok(mut reference) => {
                self.break_left_lock(name)?;
                reference.delete().map_err(|error| self.failed(&error))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(()),
            Err(error) => Err(self.damaged(&error)),
        }
    }

    pub(super) fn id(&self, commit: &str) -> Result<Oid, MirrorError> {
        if !is_commit_id(commit) {
            let message = format!("{commit:?} is no commit id; expected 40 hexadecimal digits in lower case");
            return Err(MirrorError::Argument { repository: self.repository.clone(), message });
        }
        Oid::from_str(commit).map_err(|error| self.failed(&error))
    }

    pub(super) fn unknown(&self, commit: &str) -> MirrorError {
        MirrorError::UnknownCommit { repository: self.repository.clone(), commit: commit.to_owned() }
    }

    /// An error that reading what should be there cannot give, unless it is damaged. Not so in a repository that is
    /// not ours to repair, nor where the system refuses (a full disk, too many open files).
    pub(super) fn damaged(&self, error: &git2::Error) -> MirrorError {
        if !self.owned || error.class() == git2::ErrorClass::Os {
            return self.failed(error);
        }
        MirrorError::Corrupt {
            repository: self.repository.clone(),
            path: self.path.display().to_string(),
            message: error.message().to_owned(),
        }
    }

    pub(super) fn failed(&self, error: &git2::Error) -> MirrorError {
        self.storage(format!("{}: {}", self.path.display(), error.message()))
    }

    fn storage(&self, message: String) -> MirrorError {
        MirrorError::Storage { repository: self.repository.clone(), message }
    }
}

/// Whether a commit and its tree can be read.
pub(super) fn has_commit(repository: &Repository, commit: &str) -> bool {
    Oid::from_str(commit).and_then(|id| repository.find_commit(id)).and_then(|commit| commit.tree()).is_ok()
}
