//! One claimed effect and the way in which every write of it is made: paced, marked in the store before it is begun,
//! so that whoever repeats it looks for its trace first.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Outbox;
use super::failure::Failure;
use crate::crash::crash_point;
use crate::github::client::pace::{Ask, Kind, Passage};
use crate::github::client::{GitHubError, InstallationClient};
use crate::store::ClaimedEffect;

/// A claimed effect, with the client that tells it.
pub(super) struct Writing<'a> {
    pub(super) outbox: &'a Outbox,
    pub(super) effect: &'a ClaimedEffect,
    pub(super) client: InstallationClient,
    begun: AtomicBool,
}

impl<'a> Writing<'a> {
    pub(super) fn new(outbox: &'a Outbox, effect: &'a ClaimedEffect, client: InstallationClient) -> Self {
        Self { outbox, effect, client, begun: AtomicBool::new(false) }
    }

    /// Whether what this effect makes may stand on GitHub already.
    pub(super) fn may_stand(&self) -> bool {
        self.effect.attempts > 0
    }

    /// Makes one write.
    pub(super) async fn write<T>(
        &self,
        kind: Kind,
        request: impl Future<Output = Result<T, GitHubError>>,
    ) -> Result<T, Failure> {
        self.outbox.github.pace().ready(self.client.id().0, self.ask(kind)).await?;
        self.write_now(request).await
    }

    /// Takes the place of the next write: for who must look at something once there is room for it, and not before.
    pub(super) async fn place(&self, kind: Kind) -> Result<Passage, Failure> {
        Ok(self.outbox.github.pace().enter(self.client.id().0, self.ask(kind)).await?)
    }

    fn ask(&self, kind: Kind) -> Ask {
        Ask::new(kind, self.client.urgency())
    }

    /// Makes one write for which there is room, or a place.
    pub(super) async fn write_now<T>(
        &self,
        request: impl Future<Output = Result<T, GitHubError>>,
    ) -> Result<T, Failure> {
        // Marked anew before each write: it also tells whether the effect is still ours.
        if !self.is_ours().await? {
            return Err(Failure::Lost);
        }
        self.begun.store(true, Ordering::Relaxed);
        crash_point("effect.before_write");
        let answer = request.await?;
        crash_point("effect.after_write");
        Ok(answer)
    }

    /// Marks the write, under the claim that this server has of the effect by now.
    async fn is_ours(&self) -> Result<bool, Failure> {
        let Outbox { store, owner, under_way, .. } = self.outbox;
        let claimed = under_way.claim_of(&self.effect.id.to_string());
        Ok(store.attempt_effect(claimed.as_ref().unwrap_or(self.effect), owner).await?)
    }

    /// How often a write of this effect was begun.
    pub(super) fn attempts(&self) -> u32 {
        self.effect.attempts + u32::from(self.begun.load(Ordering::Relaxed))
    }
}
