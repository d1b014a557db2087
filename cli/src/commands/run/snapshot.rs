//! The definitions as they are now, kept as a commit of a repository of our own: an execution goes on with what it
//! began with, whatever becomes of the files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;

use crate::repository::{Checkout, around, nearest};

/// The files of a repository's `.flow/`: as they are, or at a revision.
pub fn files(repository: &Path, revision: Option<&str>) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let checkout = Checkout::open(&nearest(repository)?)?;
    let Some(revision) = revision else { return Ok(checkout.files) };
    let definitions = checkout.at(Some(revision))?.context("the repository has no work tree")?;
    let files = definitions.files.values();
    Ok(files.map(|file| (file.source.path().to_owned(), file.source.text().as_bytes().to_vec())).collect())
}

/// The path of one of these files as a person in the working directory would type it.
pub fn shown(repository: &Path, path: &str) -> String {
    around(repository).map_or_else(|| path.to_owned(), |root| Checkout::empty(&root).shown(path))
}

/// Keeps the files as a commit and gives its id. The same files at the same time are the same commit.
pub fn keep(store: &Path, files: &BTreeMap<String, Vec<u8>>, now: Timestamp) -> anyhow::Result<String> {
    let git = match git2::Repository::open_bare(store) {
        Ok(git) => git,
        Err(_) => git2::Repository::init_bare(store).with_context(|| format!("cannot make {}", store.display()))?,
    };
    let mut index = git2::Index::new()?;
    for (path, bytes) in files {
        let id = git.blob(bytes)?;
        index.add(&entry(path, id))?;
    }
    let tree = git.find_tree(index.write_tree_to(&git)?)?;
    let who = git2::Signature::new("flowctl", "flowctl@localhost", &git2::Time::new(now.as_second(), 0))?;
    let commit = git.commit(None, &who, &who, "Definitions of a local run", &tree, &[])?;
    // A reference, so that no clean-up of git takes it away.
    git.reference(&format!("refs/runs/{commit}"), commit, true, "kept for a local run")?;
    Ok(commit.to_string())
}

fn entry(path: &str, id: git2::Oid) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}
