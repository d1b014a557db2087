//! Where the reference stands, and what follows where that is elsewhere than it was left.

use jiff::SignedDuration;
use serde_json::json;

use super::copy::Copy;
use super::message::last_named;
use super::written::{Found, Place, Written};
use crate::audit::NewEntry;
use crate::github::client::GitHubError;
use crate::github::outbox::failure::Failure;

/// A reference that stands elsewhere than expected is looked at twice: GitHub's answers may lag behind its own.
pub(super) const DOUBTED_FOR: SignedDuration = SignedDuration::from_secs(2);

impl Copy<'_> {
    /// Where the reference stands. That it is gone, or elsewhere than it was left, is believed only where the repository itself
    /// is there to be seen, and is the one that it was: what the App may not see is not found either, and nothing may have told
    /// yet that the name is another one's.
    pub(super) async fn stands(&self) -> Result<Option<String>, Failure> {
        let client = &self.writing.client;
        let stands = client.reference(&self.repository, &self.reference).await?;
        let left_at = self.written.at.as_ref().map(|place| &place.commit);
        if stands.is_none() || stands.as_ref() != left_at {
            // Asked anew: what is kept of an answer may be of the one that had the name a moment ago.
            let now = client.get_repository(&self.repository).await?;
            if self.id.is_some_and(|id| now.id != id) {
                return Err(Failure::Nothing(format!("{} is another repository by now", self.repository)));
            }
        }
        Ok(stands)
    }

    /// Comes to know where the reference stands.
    pub(super) async fn settle(&mut self, stands: Option<String>) -> Result<(), Failure> {
        let known = self.written.at.as_ref().map(|place| place.commit.clone());
        if let Some((place, seq)) = self.written.begun.take_if(|(place, _)| stands.as_ref() == Some(&place.commit)) {
            self.written = Written { seq, at: Some(place), ..Written::default() };
            return self.save(None).await;
        }
        if stands == known {
            self.written.doubted = None;
            return Ok(());
        }
        let found = Found { commit: stands.clone() };
        if self.written.doubted.as_ref() != Some(&found) {
            self.written.doubted = Some(found);
            self.save(None).await?;
            let reason = format!("{} stands elsewhere than it was left", self.reference);
            return Err(Failure::Rests { reason, wait: DOUBTED_FOR });
        }
        let entry = self.moved(known.as_deref(), stands.as_deref());
        match stands {
            // What it held is gone from there: all of it is written again.
            None => self.written = Written::default(),
            Some(commit) => {
                let found = match self.writing.client.commit_object(&self.repository, &commit).await {
                    // The reference answers, so this is a tag, a file or a tree: nothing can follow on it.
                    Err(GitHubError::NotFound { .. }) => {
                        let reason = format!("{} stands at {commit}, which is no commit", self.reference);
                        self.refuse(reason.clone(), Some(entry)).await?;
                        return Err(Failure::Nothing(reason));
                    }
                    found => found?,
                };
                // What lies there was written before: what it names is where it ends, wherever this server had come.
                if let Some(seq) = self.entry_named_in(&found.message).await? {
                    self.written.seq = seq;
                }
                self.written.at = Some(Place { commit, tree: found.tree.sha });
                self.written.begun = None;
                self.written.doubted = None;
            }
        }
        self.save(Some(entry)).await
    }

    /// The entry that a commit's message names as its last one, where that is one of the log.
    async fn entry_named_in(&self, message: &str) -> Result<Option<u64>, Failure> {
        let Some((seq, digest)) = last_named(message) else { return Ok(None) };
        let (store, tenant) = (&self.writing.outbox.store, &self.writing.effect.tenant);
        let found = store.audit(tenant, seq - 1, 1).await?;
        Ok(found.first().filter(|entry| entry.seq == seq && entry.hash == digest).map(|entry| entry.seq))
    }

    /// What the log says of a reference that somebody else has moved.
    fn moved(&self, known: Option<&str>, stands: Option<&str>) -> NewEntry {
        tracing::warn!(repository = %self.repository, reference = self.reference, known, stands, "somebody has moved it");
        let told = |commit: Option<&str>| commit.unwrap_or("nothing").to_owned();
        NewEntry {
            at: self.writing.outbox.clock.now(),
            kind: "audit.ref_moved".to_owned(),
            actor: None,
            repository: Some(self.repository.to_string()),
            process: None,
            execution: None,
            step: None,
            data: json!({"ref": self.reference, "left_at": known, "found_at": stands}),
            once: Some(format!("{}:{}:{}:{}", self.name, self.written.seq, told(known), told(stands))),
        }
    }

    /// Whether the reference stands elsewhere than before this write.
    pub(super) async fn has_moved(&self) -> Result<bool, Failure> {
        let stands = self.stands().await?;
        Ok(stands.as_deref() != self.written.at.as_ref().map(|place| place.commit.as_str()))
    }
}
