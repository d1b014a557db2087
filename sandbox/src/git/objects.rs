//! Objects that nothing refers to yet: blobs, trees and commits, as GitHub's git endpoints write them.

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Signature, Time};
use jiff::Timestamp;

use super::{Author, Entry, GitStore, entries};
use crate::error::SandboxError;

/// One path of a new tree.
#[derive(Debug)]
pub(crate) struct TreeChange {
    pub path: String,
    pub object: NewObject,
    pub executable: bool,
}

/// What lies there.
#[derive(Debug)]
pub(crate) enum NewObject {
    Content(Vec<u8>),
    Blob(String),
    Gone,
}

impl GitStore {
    pub(crate) fn write_blob(&self, id: u64, bytes: &[u8]) -> Result<String, SandboxError> {
        Ok(self.open(id)?.blob(bytes)?.to_string())
    }

    /// Writes a tree: `base` (a tree or a commit) with these changes.
    pub(crate) fn write_tree(
        &self,
        id: u64,
        base: Option<&str>,
        changes: &[TreeChange],
    ) -> Result<String, SandboxError> {
        let repository = self.open(id)?;
        let base = match base {
            Some(base) => repository.find_object(Oid::from_str(base)?, None)?.peel_to_tree()?,
            None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for change in changes {
            let mode = if change.executable { FileMode::BlobExecutable } else { FileMode::Blob };
            match &change.object {
                NewObject::Content(bytes) => update.upsert(change.path.as_str(), repository.blob(bytes)?, mode),
                NewObject::Blob(sha) => {
                    let blob = repository.find_blob(Oid::from_str(sha)?)?;
                    update.upsert(change.path.as_str(), blob.id(), mode)
                }
                NewObject::Gone => update.remove(change.path.as_str()),
            };
        }
        Ok(update.create_updated(&repository, &base)?.to_string())
    }

    pub(crate) fn tree_entries(&self, id: u64, sha: &str) -> Result<Vec<Entry>, SandboxError> {
        let repository = self.open(id)?;
        let tree = repository.find_tree(Oid::from_str(sha)?)?;
        Ok(entries(&repository, &tree))
    }

    /// Writes a commit and moves nothing.
    pub(crate) fn write_loose_commit(
        &self,
        id: u64,
        (tree, parents): (&str, &[String]),
        message: &str,
        author: &Author,
        at: Timestamp,
    ) -> Result<String, SandboxError> {
        let repository = self.open(id)?;
        let tree = repository.find_tree(Oid::from_str(tree)?)?;
        let parents =
            parents.iter().map(|sha| repository.find_commit(Oid::from_str(sha)?)).collect::<Result<Vec<_>, _>>()?;
        let signature = Signature::new(&author.name, &author.email, &Time::new(at.as_second(), 0))?;
        let parents: Vec<_> = parents.iter().collect();
        Ok(repository.commit(None, &signature, &signature, message, &tree, &parents)?.to_string())
    }
}
