//! The real bare repositories behind the sandbox: commits, references, comparisons.
//! This room knows git and nothing of pull requests or people.

mod compare;
mod http;
mod import;
mod objects;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};
use jiff::Timestamp;

pub use compare::{ChangedFile, CommitFacts, Comparison};
pub(crate) use http::{SmartRequest, serve};
pub use import::read_directory;
pub(crate) use objects::{NewObject, TreeChange};

use crate::error::SandboxError;

/// The files of a commit by path; `None` deletes the path.
pub type Files = BTreeMap<String, Option<FileContent>>;

/// What a file holds, and whether it may be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether the file mode is 0755 instead of 0644.
    pub executable: bool,
}

impl From<&str> for FileContent {
    fn from(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), executable: false }
    }
}

/// Who signs a commit.
#[derive(Debug, Clone)]
pub struct Author {
    /// The person's name.
    pub name: String,
    /// The person's address; the sandbox finds its accounts by it.
    pub email: String,
}

/// One commit to be made.
#[derive(Debug)]
pub struct NewCommit<'a> {
    /// The branch that moves, without `refs/heads/`.
    pub branch: &'a str,
    /// Parents by id; none makes a root commit.
    pub parents: &'a [String],
    /// What changes against the first parent.
    pub files: &'a Files,
    /// The commit message.
    pub message: &'a str,
    /// Author and committer.
    pub author: &'a Author,
    /// The commit's time.
    pub at: Timestamp,
}

/// The folder with all bare repositories, named by repository id.
#[derive(Debug, Clone)]
pub struct GitStore {
    root: PathBuf,
}

impl GitStore {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the bare repository `id` lies.
    pub fn path(&self, id: u64) -> PathBuf {
        self.root.join(format!("{id}.git"))
    }

    pub(crate) fn open(&self, id: u64) -> Result<Repository, SandboxError> {
        Ok(Repository::open_bare(self.path(id))?)
    }

    /// Makes an empty bare repository that serves what GitHub serves: filters and any reachable commit.
    pub(crate) fn create(&self, id: u64, default_branch: &str) -> Result<(), SandboxError> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head(default_branch);
        let repository = Repository::init_opts(self.path(id), &options)?;
        let mut config = repository.config()?;
        config.set_bool("uploadpack.allowFilter", true)?;
        config.set_bool("uploadpack.allowAnySHA1InWant", true)?;
        config.set_bool("http.receivepack", true)?;
        config.set_bool("receive.denyDeleteCurrent", true)?;
        config.set_bool("core.logAllRefUpdates", false)?;
        Ok(())
    }

    pub(crate) fn remove(&self, id: u64) -> Result<(), SandboxError> {
        let path = self.path(id);
        std::fs::remove_dir_all(&path).map_err(SandboxError::file(&path))
    }

    /// Branches, tags and whatever else was pushed (full reference names), with the commit that each points at. What
    /// GitHub keeps for pull requests is no part of it.
    pub(crate) fn references(&self, id: u64) -> Result<BTreeMap<String, String>, SandboxError> {
        let repository = self.open(id)?;
        let mut found = BTreeMap::new();
        for reference in repository.references()? {
            let reference = reference?;
            let Ok(name) = reference.name() else { continue };
            if name.starts_with("refs/pull/") {
                continue;
            }
            if let Ok(commit) = reference.peel_to_commit() {
                found.insert(name.to_owned(), commit.id().to_string());
            } else if let Some(target) = reference.target() {
                found.insert(name.to_owned(), target.to_string());
            }
        }
        Ok(found)
    }

    pub(crate) fn set_reference(&self, id: u64, name: &str, sha: &str) -> Result<(), SandboxError> {
        self.open(id)?.reference(name, Oid::from_str(sha)?, true, "sandbox")?;
        Ok(())
    }

    pub(crate) fn delete_reference(&self, id: u64, name: &str) -> Result<(), SandboxError> {
        let repository = self.open(id)?;
        let deleted = repository.find_reference(name).and_then(|mut reference| reference.delete());
        deleted.map_err(SandboxError::from)
    }

    /// Writes a commit and moves its branch to it; returns the commit's id.
    pub(crate) fn commit(&self, id: u64, new: &NewCommit<'_>) -> Result<String, SandboxError> {
        let repository = self.open(id)?;
        let parents =
            new.parents.iter().map(|sha| repository.find_commit(Oid::from_str(sha)?)).collect::<Result<Vec<_>, _>>()?;
        let baseline = match parents.first() {
            Some(parent) => parent.tree()?,
            None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
        };
        let tree = repository.find_tree(changed_tree(&repository, &baseline, new.files)?)?;
        self.write_commit(&repository, new, &tree, &parents)
    }

    /// Merges `head` into `branch` (its present tip `base`); a conflict is [`SandboxError::Conflict`].
    pub(crate) fn merge(&self, id: u64, new: &NewCommit<'_>, squash: bool) -> Result<String, SandboxError> {
        let [base, head] = new.parents else {
            return Err(SandboxError::invalid("a merge has two parents"));
        };
        let repository = self.open(id)?;
        let base = repository.find_commit(Oid::from_str(base)?)?;
        let head = repository.find_commit(Oid::from_str(head)?)?;
        let Some(tree) = merged_tree(&repository, &base, &head)? else {
            return Err(SandboxError::Conflict("Pull Request is not mergeable".to_owned()));
        };
        let tree = repository.find_tree(tree)?;
        let parents = if squash { vec![base] } else { vec![base, head] };
        self.write_commit(&repository, new, &tree, &parents)
    }

    fn write_commit(
        &self,
        repository: &Repository,
        new: &NewCommit<'_>,
        tree: &git2::Tree<'_>,
        parents: &[git2::Commit<'_>],
    ) -> Result<String, SandboxError> {
        let when = Time::new(new.at.as_second(), 0);
        let signature = Signature::new(&new.author.name, &new.author.email, &when)?;
        let parents: Vec<_> = parents.iter().collect();
        let made = repository.commit(None, &signature, &signature, new.message, tree, &parents)?;
        repository.reference(&format!("refs/heads/{}", new.branch), made, true, "sandbox")?;
        Ok(made.to_string())
    }

    /// Whether `head` merges into `base` without conflict; `None` where a commit is missing.
    pub(crate) fn merges_cleanly(&self, id: u64, base: &str, head: &str) -> Option<bool> {
        let repository = self.open(id).ok()?;
        let base = repository.find_commit(Oid::from_str(base).ok()?).ok()?;
        let head = repository.find_commit(Oid::from_str(head).ok()?).ok()?;
        merged_tree(&repository, &base, &head).ok().map(|tree| tree.is_some())
    }

    /// The commit that a branch, tag, full reference or commit id names.
    pub(crate) fn resolve(&self, id: u64, name: &str) -> Result<String, SandboxError> {
        let repository = self.open(id)?;
        let missing = || SandboxError::NotFound(format!("commit `{name}`"));
        for candidate in
            [format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/{name}"), name.to_owned()]
        {
            if let Ok(reference) = repository.find_reference(&candidate) {
                return Ok(reference.peel_to_commit()?.id().to_string());
            }
        }
        if name.len() < 4 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(missing());
        }
        let object = repository.find_object_by_prefix(name, None).map_err(|_| missing())?;
        Ok(object.peel_to_commit().map_err(|_| missing())?.id().to_string())
    }

    /// What lies at `path` in commit `sha`: a file's blob id and bytes, or a folder's entries.
    pub(crate) fn content(&self, id: u64, sha: &str, path: &str) -> Result<Content, SandboxError> {
        let repository = self.open(id)?;
        let tree = repository.find_commit(Oid::from_str(sha)?)?.tree()?;
        let path = path.trim_matches('/');
        if path.is_empty() {
            return Ok(Content::Folder(entries(&repository, &tree)));
        }
        let entry = tree.get_path(Path::new(path)).map_err(|_| SandboxError::NotFound(format!("`{path}`")))?;
        match entry.kind() {
            Some(git2::ObjectType::Tree) => {
                Ok(Content::Folder(entries(&repository, &repository.find_tree(entry.id())?)))
            }
            _ => Ok(Content::File {
                blob: entry.id().to_string(),
                bytes: repository.find_blob(entry.id())?.content().to_vec(),
            }),
        }
    }
}

/// A file or a folder of a commit.
#[derive(Debug)]
pub(crate) enum Content {
    File { blob: String, bytes: Vec<u8> },
    Folder(Vec<Entry>),
}

/// One line of a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub id: String,
    pub folder: bool,
    pub size: usize,
}

fn entries(repository: &Repository, tree: &git2::Tree<'_>) -> Vec<Entry> {
    tree.iter()
        .map(|entry| Entry {
            name: String::from_utf8_lossy(entry.name_bytes()).into_owned(),
            id: entry.id().to_string(),
            folder: entry.kind() == Some(git2::ObjectType::Tree),
            size: repository.find_blob(entry.id()).map_or(0, |blob| blob.size()),
        })
        .collect()
}

fn changed_tree(repository: &Repository, baseline: &git2::Tree<'_>, files: &Files) -> Result<Oid, SandboxError> {
    let mut update = TreeUpdateBuilder::new();
    let mut changes = 0;
    for (path, content) in files {
        match content {
            Some(content) => {
                let mode = if content.executable { FileMode::BlobExecutable } else { FileMode::Blob };
                update.upsert(path.as_str(), repository.blob(&content.bytes)?, mode);
            }
            None if baseline.get_path(Path::new(path)).is_err() => continue,
            None => {
                update.remove(path.as_str());
            }
        }
        changes += 1;
    }
    if changes == 0 {
        return Ok(baseline.id());
    }
    Ok(update.create_updated(repository, baseline)?)
}

fn merged_tree(
    repository: &Repository,
    base: &git2::Commit<'_>,
    head: &git2::Commit<'_>,
) -> Result<Option<Oid>, SandboxError> {
    let mut index = repository.merge_commits(base, head, None)?;
    if index.has_conflicts() {
        return Ok(None);
    }
    Ok(Some(index.write_tree_to(repository)?))
}
