//! What a repository was at another revision, as git has it. Reads objects; never the network, never writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use flowctl_core::definition::repository::{File, Form, Repository};
use git2::{Commit, ObjectType, Oid, Tree};

use super::{Checkout, FLOW};

/// The mode of a symbolic link (git-fast-import, "filemodify").
const LINK: i32 = 0o120_000;

/// What a file is in git.
enum Blob {
    Text(Oid),
    Link,
}

impl Checkout {
    /// The definitions at a revision of the git repository around the root; nothing where there is none or the
    /// revision (as `HEAD` before the first commit) does not exist and was not asked for.
    pub fn at(&self, revision: Option<&str>) -> anyhow::Result<Option<Repository>> {
        self.read_at(revision, |_, _| true)
    }

    /// Of the definitions at `HEAD` those files that are different now or not there any more: all that is needed to
    /// see what changed, at the price of little more than asking git.
    pub fn changed_from_head(&self) -> anyhow::Result<Option<Repository>> {
        if self.files.is_empty() {
            return Ok(None);
        }
        self.read_at(None, |path, id| {
            let now = self.files.get(path).map(|bytes| Oid::hash_object(ObjectType::Blob, bytes));
            !matches!(now, Some(Ok(now)) if now == id)
        })
    }

    /// The best common ancestor of two revisions, by its id.
    pub fn common_ancestor(&self, one: &str, other: &str) -> anyhow::Result<String> {
        let git = git2::Repository::discover(&self.root).map_err(|error| outside(&self.root, &error))?;
        let commit = |revision: &str| commit_of(&git, revision).map_err(|error| unknown(&git, revision, &error));
        let base = git.merge_base(commit(one)?.id(), commit(other)?.id());
        Ok(base.with_context(|| format!("`{one}` and `{other}` have no commit in common"))?.to_string())
    }

    fn read_at(
        &self,
        revision: Option<&str>,
        wanted: impl Fn(&str, Oid) -> bool,
    ) -> anyhow::Result<Option<Repository>> {
        let git = match git2::Repository::discover(&self.root) {
            Ok(git) => git,
            Err(_) if revision.is_none() => return Ok(None),
            Err(error) => return Err(outside(&self.root, &error)),
        };
        let Some(work_tree) = git.workdir() else {
            if revision.is_some() {
                bail!("{} is in a bare git repository, which has no files to compare", self.root.display());
            }
            return Ok(None);
        };
        let commit = match (commit_of(&git, revision.unwrap_or("HEAD")), revision) {
            (Ok(commit), _) => commit,
            (Err(_), None) => return Ok(None),
            (Err(error), Some(revision)) => return Err(unknown(&git, revision, &error)),
        };
        let root = fs::canonicalize(&self.root)?;
        let work_tree = fs::canonicalize(work_tree)?;
        let inside = root.strip_prefix(&work_tree).unwrap_or(Path::new(""));
        let files = files_in(&git, &commit, &inside.join(FLOW), wanted).with_context(|| {
            format!("cannot read the definitions at {}{}", revision.unwrap_or("HEAD"), partial(&git))
        })?;
        let mut repository = Repository::default();
        files.into_iter().for_each(|file| repository.insert(file));
        Ok(Some(repository))
    }
}

/// The files below a folder of a commit. A link or a file called like the folder holds none, nor does nothing.
fn files_in(
    git: &git2::Repository,
    commit: &Commit<'_>,
    folder: &Path,
    wanted: impl Fn(&str, Oid) -> bool,
) -> Result<Vec<File>, git2::Error> {
    let mut blobs = BTreeMap::new();
    if let Ok(entry) = commit.tree()?.get_path(folder)
        && entry.kind() == Some(ObjectType::Tree)
    {
        collect(git, &git.find_tree(entry.id())?, FLOW, &mut blobs)?;
    }
    let mut files = Vec::new();
    for (path, blob) in &blobs {
        match blob {
            Blob::Text(id) if wanted(path, *id) => files.push(File::read_bytes(path, git.find_blob(*id)?.content())),
            Blob::Text(_) => {}
            Blob::Link => files.push(File::irregular(path, Form::Link)),
        }
    }
    Ok(files)
}

fn commit_of<'git>(git: &'git git2::Repository, revision: &str) -> Result<Commit<'git>, git2::Error> {
    git.revparse_single(revision)?.peel_to_commit()
}

/// Says why a revision is not there, and what to do: in CI it mostly is that not all was fetched.
fn unknown(git: &git2::Repository, revision: &str, error: &git2::Error) -> anyhow::Error {
    if error.code() == git2::ErrorCode::Ambiguous {
        return anyhow::anyhow!("`{revision}` may be several revisions: {}", error.message());
    }
    if git.is_shallow() {
        return anyhow::anyhow!(
            "there is no revision `{revision}` in this shallow clone; fetch the history (`git fetch --unshallow`, or \
             `fetch-depth: 0` of actions/checkout)"
        );
    }
    let remote = format!("origin/{revision}");
    if git.revparse_single(&remote).is_ok() {
        return anyhow::anyhow!("there is no revision `{revision}`; did you mean `{remote}`?");
    }
    anyhow::anyhow!("there is no revision `{revision}`: {}", error.message())
}

/// Why there is no git repository around a folder; what libgit2 says is only of use where one cannot be opened.
pub fn outside(folder: &Path, error: &git2::Error) -> anyhow::Error {
    let place = if folder == Path::new(".") { "this folder".to_owned() } else { folder.display().to_string() };
    match error.code() {
        git2::ErrorCode::NotFound => anyhow::anyhow!("{place} is in no git repository"),
        _ => anyhow::anyhow!("the git repository of {place} cannot be opened: {}", error.message()),
    }
}

/// A clone may lack objects on purpose.
fn partial(git: &git2::Repository) -> &'static str {
    let lacks = |key: &str| git.config().and_then(|config| config.get_bool(key)).unwrap_or(false);
    if lacks("remote.origin.promisor") { " (this is a partial clone: fetch without --filter)" } else { "" }
}

fn collect(
    git: &git2::Repository,
    tree: &Tree<'_>,
    folder: &str,
    blobs: &mut BTreeMap<String, Blob>,
) -> Result<(), git2::Error> {
    for entry in tree {
        let path = format!("{folder}/{}", String::from_utf8_lossy(entry.name_bytes()));
        match entry.kind() {
            Some(ObjectType::Tree) => collect(git, &git.find_tree(entry.id())?, &path, blobs)?,
            Some(ObjectType::Blob) if entry.filemode() == LINK => drop(blobs.insert(path, Blob::Link)),
            Some(ObjectType::Blob) => drop(blobs.insert(path, Blob::Text(entry.id()))),
            _ => {}
        }
    }
    Ok(())
}
