//! Batches: the next entries that are about a repository, and the commit that adds them. Files are only added, and a commit
//! is noted before the reference is moved to it.

use jiff::SignedDuration;

use super::copy::Copy;
use super::message::message;
use super::settle::DOUBTED_FOR;
use super::written::{PART, Place, Written};
use crate::audit::{Sealed, path_of};
use crate::crash::crash_point;
use crate::github::client::GitHubError;
use crate::github::client::pace::Kind;
use crate::github::outbox::failure::Failure;

/// Entries of one commit.
const MOST_ENTRIES: usize = 1_000;
/// Bytes of one commit's entries: far below what a request to GitHub may hold.
const MOST_BYTES: usize = 1 << 20;
/// Parts of the log that are read at a time: what else is to be told to the installation waits meanwhile.
const MOST_PARTS: usize = 20;
/// A reference that GitHub cannot move at this moment is moved after this.
const BUSY_FOR: SignedDuration = SignedDuration::from_secs(5);
/// One that cannot be moved for longer is told of, and left alone for a while.
const BUSY_AT_MOST: SignedDuration = SignedDuration::from_mins(2);

/// Entries that go into one commit.
pub(super) struct Batch {
    pub(super) entries: Vec<Sealed>,
    /// The last entry of the log that was looked at.
    pub(super) last: u64,
    /// Whether there are more.
    pub(super) more: bool,
}

impl Copy<'_> {
    /// The next entries that are about this repository. What is not about it is passed over.
    pub(super) async fn batch(&self) -> Result<Batch, Failure> {
        let (store, tenant) = (&self.writing.outbox.store, &self.writing.effect.tenant);
        let mut batch = Batch { entries: Vec::new(), last: self.written.seq, more: false };
        let mut bytes = 0;
        for _ in 0..MOST_PARTS {
            let part = store.audit(tenant, batch.last, PART).await?;
            if part.is_empty() {
                return Ok(batch);
            }
            for entry in part {
                let is_ours = self.names.are_of(&**store, &entry.line).await?;
                if is_ours && !batch.entries.is_empty() {
                    batch.more = batch.entries.len() >= MOST_ENTRIES || bytes + entry.line.len() > MOST_BYTES;
                    if batch.more {
                        return Ok(batch);
                    }
                }
                batch.last = entry.seq;
                if is_ours {
                    bytes += entry.line.len();
                    batch.entries.push(entry);
                }
            }
        }
        batch.more = true;
        Ok(batch)
    }

    /// Nothing up to this entry is about this repository; where that is much, it is not read again.
    pub(super) async fn pass_over(&mut self, last: u64) -> Result<(), Failure> {
        if !self.written.passes(last) {
            return Ok(());
        }
        self.save(None).await
    }

    pub(super) async fn write(&mut self, batch: Batch) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (batch.entries.first(), batch.entries.last()) else { return Ok(()) };
        let (client, repository) = (&self.writing.client, &self.repository);
        let content: String = batch.entries.iter().flat_map(|entry| [entry.line.as_str(), "\n"]).collect();
        let (path, message) = (path_of((first.seq, last.seq), &content), message(repository, first, last));
        let base = self.written.at.as_ref().map(|place| place.tree.as_str());
        let tree = client.create_tree(repository, base, (&path, &content));
        let tree = self.writing.write(Kind::Changes, tree).await?;
        let parent = self.written.at.as_ref().map(|place| place.commit.as_str());
        let commit = client.create_commit(repository, &message, &tree, parent);
        let commit = self.writing.write(Kind::Changes, commit).await?;
        let is_new = parent.is_none();
        let place = Place { commit: commit.clone(), tree };
        self.written.begun = Some((place.clone(), batch.last));
        self.save(None).await?;
        crash_point("audit.noted");
        let (client, repository) = (&self.writing.client, &self.repository);
        let moved = if is_new {
            self.writing.write(Kind::Changes, client.create_reference(repository, &self.reference, &commit)).await
        } else {
            self.writing.write(Kind::Changes, client.forward_reference(repository, &self.reference, &commit)).await
        };
        // Perhaps somebody was faster; then that shows when it is looked at again.
        if let Err(Failure::GitHub(GitHubError::Validation { message, .. })) = &moved
            && self.has_moved().await?
        {
            return Err(Failure::Rests { reason: message.clone(), wait: DOUBTED_FOR });
        }
        if let Err(Failure::GitHub(GitHubError::Conflict { message, .. })) = &moved {
            let now = self.writing.outbox.clock.now();
            if now.duration_since(*self.written.busy_since.get_or_insert(now)) < BUSY_AT_MOST {
                self.save(None).await?;
                return Err(Failure::Rests { reason: message.clone(), wait: BUSY_FOR });
            }
        }
        moved?;
        crash_point("audit.moved");
        self.written = Written { seq: batch.last, at: Some(place), ..Written::default() };
        self.save(None).await
    }
}
