//! Reads files and history at a commit. Blocking, like all of git2. Sizes are looked at before contents are.

use std::collections::BTreeSet;

use git2::{ObjectType, Odb, Oid, Repository, Tree};

use super::error::MirrorError;
use super::storage::Storage;

/// Files below one folder.
const MOST_FILES: usize = 10_000;
/// Of one file.
pub(super) const LARGEST_FILE: usize = 8 * 1024 * 1024;
/// Of all texts of one reading together; what comes after that is reported as too large.
const LARGEST_TOTAL: usize = 64 * 1024 * 1024;
/// Folders in folders.
const DEEPEST: usize = 64;
/// The mode of a symbolic link (git-fast-import, "filemodify").
const LINK: i32 = 0o120_000;

/// A file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAt {
    /// Its path from the repository's root, with `/`.
    pub path: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Binary {
        /// In bytes.
        size: usize,
    },
    /// More than 8 MiB, or beyond 64 MiB of all that is read at once.
    TooLarge {
        /// In bytes.
        size: usize,
    },
    /// A symbolic link; it is not followed.
    Link,
}

/// What a commit says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitSaid {
    /// Who committed it, by name.
    pub committer: String,
    /// Its message.
    pub message: String,
    /// The first commit that it follows on; nothing for one that follows on none.
    pub parent: Option<String>,
}

pub(super) struct Reading<'a> {
    pub(super) storage: &'a Storage,
    pub(super) repository: &'a Repository,
}

impl Reading<'_> {
    fn commit_tree(&self, commit: &str) -> Result<Tree<'_>, MirrorError> {
        let id = self.storage.id(commit)?;
        match self.repository.find_commit(id) {
            Ok(found) => found.tree().map_err(|error| self.storage.damaged(&error)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Err(self.storage.unknown(commit)),
            Err(error) => Err(self.storage.damaged(&error)),
        }
    }

    pub(super) fn commit(&self, commit: &str) -> Result<CommitSaid, MirrorError> {
        let id = self.storage.id(commit)?;
        match self.repository.find_commit(id) {
            Ok(found) => Ok(CommitSaid {
                committer: String::from_utf8_lossy(found.committer().name_bytes()).into_owned(),
                message: String::from_utf8_lossy(found.message_bytes()).into_owned(),
                parent: found.parent_ids().next().map(|parent| parent.to_string()),
            }),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Err(self.storage.unknown(commit)),
            Err(error) => Err(self.storage.damaged(&error)),
        }
    }

    pub(super) fn tree_id(&self, commit: &str) -> Result<String, MirrorError> {
        Ok(self.commit_tree(commit)?.id().to_string())
    }

    /// The files below a folder, by path; none where there is no such folder.
    pub(super) fn tree(&self, commit: &str, folder: &str) -> Result<Vec<FileAt>, MirrorError> {
        let root = self.commit_tree(commit)?;
        let folder = folder.trim_matches('/');
        let tree = match self.entry(&root, folder)? {
            Some((id, ObjectType::Tree, _)) => self.find_tree(id)?,
            _ => return Ok(Vec::new()),
        };
        let mut found = Vec::new();
        self.collect(&tree, folder, 0, &mut found)?;
        found.sort();
        let odb = self.odb()?;
        let mut left = LARGEST_TOTAL;
        found.into_iter().map(|(path, id, mode)| self.file(&odb, path, id, mode, &mut left)).collect()
    }

    /// One file; `None` where there is none.
    pub(super) fn file_at(&self, commit: &str, path: &str) -> Result<Option<FileAt>, MirrorError> {
        let root = self.commit_tree(commit)?;
        let path = path.trim_matches('/');
        match self.entry(&root, path)? {
            Some((id, ObjectType::Blob, mode)) => {
                let mut left = LARGEST_FILE;
                self.file(&self.odb()?, path.to_owned(), id, mode, &mut left).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn entry(&self, root: &Tree<'_>, path: &str) -> Result<Option<(Oid, ObjectType, i32)>, MirrorError> {
        match root.get_path(std::path::Path::new(path)) {
            Ok(entry) => Ok(entry.kind().map(|kind| (entry.id(), kind, entry.filemode()))),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.storage.damaged(&error)),
        }
    }

    fn find_tree(&self, id: Oid) -> Result<Tree<'_>, MirrorError> {
        self.repository.find_tree(id).map_err(|error| self.storage.damaged(&error))
    }

    fn odb(&self) -> Result<Odb<'_>, MirrorError> {
        self.repository.odb().map_err(|error| self.storage.damaged(&error))
    }

    fn collect(
        &self,
        tree: &Tree<'_>,
        folder: &str,
        depth: usize,
        found: &mut Vec<(String, Oid, i32)>,
    ) -> Result<(), MirrorError> {
        if depth > DEEPEST {
            return Err(self.too_large(format!("the depth of {folder}"), format!("{DEEPEST} folders")));
        }
        for entry in tree {
            let path = format!("{folder}/{}", String::from_utf8_lossy(entry.name_bytes()));
            match entry.kind() {
                Some(ObjectType::Tree) => self.collect(&self.find_tree(entry.id())?, &path, depth + 1, found)?,
                Some(ObjectType::Blob) => found.push((path, entry.id(), entry.filemode())),
                // A submodule: its files are in another repository.
                _ => {}
            }
            if found.len() > MOST_FILES {
                let top = folder.split('/').next().unwrap_or(folder);
                return Err(self.too_large(format!("the number of files below {top}"), format!("{MOST_FILES}")));
            }
        }
        Ok(())
    }

    fn file(&self, odb: &Odb<'_>, path: String, id: Oid, mode: i32, left: &mut usize) -> Result<FileAt, MirrorError> {
        if mode == LINK {
            return Ok(FileAt { path, content: Content::Link });
        }
        let (size, _) = odb.read_header(id).map_err(|error| self.storage.damaged(&error))?;
        if size > LARGEST_FILE.min(*left) {
            return Ok(FileAt { path, content: Content::TooLarge { size } });
        }
        *left -= size;
        let blob = self.repository.find_blob(id).map_err(|error| self.storage.damaged(&error))?;
        let content = match std::str::from_utf8(blob.content()) {
            Ok(text) if !text.contains('\0') => Content::Text(text.to_owned()),
            _ => Content::Binary { size },
        };
        Ok(FileAt { path, content })
    }

    /// The best common ancestor; `None` where the two have nothing in common.
    pub(super) fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, MirrorError> {
        self.commit_tree(one)?;
        self.commit_tree(other)?;
        match self.repository.merge_base(self.storage.id(one)?, self.storage.id(other)?) {
            Ok(id) => Ok(Some(id.to_string())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.storage.damaged(&error)),
        }
    }

    /// The paths that differ between two commits, both names of what was renamed.
    pub(super) fn changed_paths(&self, from: &str, to: &str) -> Result<BTreeSet<String>, MirrorError> {
        let (from, to) = (self.commit_tree(from)?, self.commit_tree(to)?);
        let diff = self
            .repository
            .diff_tree_to_tree(Some(&from), Some(&to), None)
            .map_err(|error| self.storage.damaged(&error))?;
        let sides = diff.deltas().flat_map(|delta| [delta.old_file().path_bytes(), delta.new_file().path_bytes()]);
        // git2 lends the bytes from the delta, which the iterator owns no longer than a turn.
        let paths = sides.flatten().map(|path| String::from_utf8_lossy(path).into_owned());
        Ok(paths.collect())
    }

    /// What `HEAD` stands for: the branch's short name and its commit.
    pub(super) fn default_branch(&self) -> Result<Option<(String, String)>, MirrorError> {
        let head = match self.repository.head() {
            Ok(head) => head,
            Err(error) if matches!(error.code(), git2::ErrorCode::UnbornBranch | git2::ErrorCode::NotFound) => {
                return Ok(None);
            }
            Err(error) => return Err(self.storage.damaged(&error)),
        };
        let commit = head.peel_to_commit().map_err(|error| self.storage.damaged(&error))?;
        Ok(Some((String::from_utf8_lossy(head.shorthand_bytes()).into_owned(), commit.id().to_string())))
    }

    /// The commit that a reference points to.
    pub(super) fn resolve(&self, name: &str) -> Result<Option<String>, MirrorError> {
        match self.repository.find_reference(name) {
            Ok(reference) => {
                let commit = reference.peel_to_commit().map_err(|error| self.storage.damaged(&error))?;
                Ok(Some(commit.id().to_string()))
            }
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.storage.damaged(&error)),
        }
    }

    fn too_large(&self, what: String, limit: String) -> MirrorError {
        MirrorError::TooLarge { repository: self.storage.repository.clone(), what, limit }
    }
}
