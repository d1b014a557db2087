//! Doing something under a lease that is renewed while it takes: so leases can be short, and what a server that died had
//! claimed is soon another's. Where the lease of what is still done here has ended and this server claims it again, it
//! goes on under the new claim: nothing is begun that is under way. Knows nothing of what is done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::store::StoreError;

/// How long a claim that is fenced off may wait to be put under a later one of this server: as long as it takes from the
/// store's answer to a claim until that is looked through.
const ANEW_WITHIN: Duration = Duration::from_secs(1);

/// The end of a lease that is taken or renewed at `now`.
pub(super) fn until(now: Timestamp, lease: Duration) -> Timestamp {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

/// What this server does under leases: by its key what was claimed last of it. Clones are the same.
#[derive(Debug)]
pub(super) struct UnderWay<C> {
    claims: Claims<C>,
}

type Claims<C> = Arc<Mutex<BTreeMap<String, watch::Sender<C>>>>;

impl<C> Default for UnderWay<C> {
    fn default() -> Self {
        Self { claims: Claims::default() }
    }
}

impl<C> Clone for UnderWay<C> {
    fn clone(&self) -> Self {
        Self { claims: Arc::clone(&self.claims) }
    }
}

/// Something under way, until it is left or dropped.
#[derive(Debug)]
pub(super) struct Entered<C> {
    claims: Claims<C>,
    /// Nothing once it was left.
    key: Option<String>,
    /// Changes with each later claim, also where that looks the same.
    claim: watch::Receiver<C>,
}

impl<C: Clone> UnderWay<C> {
    /// Enters what was claimed; nothing where it is still under way here: then it goes on under this claim.
    pub(super) fn enter(&self, key: &str, claim: C) -> Option<Entered<C>> {
        let mut claims = locked(&self.claims);
        if let Some(known) = claims.get(key) {
            tracing::info!(key, "a lease had ended while its work is done here; it goes on under a new one");
            known.send_replace(claim);
            return None;
        }
        let (sender, claim) = watch::channel(claim);
        claims.insert(key.to_owned(), sender);
        Some(Entered { claims: Arc::clone(&self.claims), key: Some(key.to_owned()), claim })
    }

    /// What was claimed last of something; nothing where it is not under way here.
    pub(super) fn claim_of(&self, key: &str) -> Option<C> {
        locked(&self.claims).get(key).map(|claim| claim.borrow().clone())
    }
}

impl<C: Clone> Entered<C> {
    /// The claim that it is under now.
    pub(super) fn claim(&mut self) -> C {
        self.claim.borrow_and_update().clone()
    }

    /// Whether this server has claimed it again since it last asked for its claim, or is about to.
    pub(super) async fn is_claimed_anew(&mut self) -> bool {
        tokio::time::timeout(ANEW_WITHIN, self.claim.changed()).await.is_ok_and(|changed| changed.is_ok())
    }

    /// Leaves what has ended; gives it back where it was claimed again meanwhile, since nobody else does it then.
    pub(super) fn leave(mut self) -> Option<Self> {
        let shared = Arc::clone(&self.claims);
        // Nobody enters it between the look and the end.
        let mut claims = locked(&shared);
        if self.claim.has_changed().unwrap_or(false) {
            return Some(self);
        }
        if let Some(key) = self.key.take() {
            claims.remove(&key);
        }
        None
    }

    /// Does `work` and renews its lease three times in the time that it lasts. Nothing where the lease turns out to be
    /// somebody else's: `work` is dropped then, and they do it.
    pub(super) async fn under<T, R>(
        &mut self,
        lease: Duration,
        renew: impl Fn(C) -> R,
        work: impl Future<Output = T>,
    ) -> Option<T>
    where
        R: Future<Output = Result<bool, StoreError>>,
    {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                () = tokio::time::sleep(lease / 3) => match renew(self.claim()).await {
                    Ok(true) => {}
                    Ok(false) => if !self.is_claimed_anew().await { return None },
                    // Going on is safe: whoever comes second is refused.
                    Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
                },
            }
        }
    }
}

impl<C> Drop for Entered<C> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            locked(&self.claims).remove(key);
        }
    }
}

fn locked<C>(claims: &Claims<C>) -> MutexGuard<'_, BTreeMap<String, watch::Sender<C>>> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

    use std::future::{pending, ready};

    use super::*;

    const LEASE: Duration = Duration::from_millis(3);

    #[tokio::test]
    async fn what_takes_longer_than_its_lease_is_done_as_long_as_it_is_renewed() {
        let (renewals, mut seen) = watch::channel(0);
        let renew = |_: u32| {
            renewals.send_modify(|count| *count += 1);
            // A store that does not answer for a while takes nothing away.
            ready(if *renewals.borrow() == 2 { Err(StoreError::Closed) } else { Ok(true) })
        };
        let long = async { seen.wait_for(|count| *count == 6).await.is_ok() };
        let mut entered = UnderWay::default().enter("one", 1).unwrap();
        assert_eq!(entered.under(LEASE, renew, long).await, Some(true));
    }

    #[tokio::test]
    async fn what_somebody_else_has_is_given_up() {
        let mut entered = UnderWay::default().enter("one", 1).unwrap();
        let done = entered.under(LEASE, |_: u32| ready(Ok(false)), pending::<()>()).await;
        assert_eq!(done, None);
    }

    #[tokio::test]
    async fn what_is_claimed_again_by_the_same_server_goes_on_under_the_new_claim() {
        let (under_way, (renewals, mut seen)) = (UnderWay::default(), watch::channel(Vec::new()));
        let mut entered = under_way.enter("one", 1).unwrap();
        let renew = |claim: u32| {
            renewals.send_modify(|all| all.push(claim));
            // The store fences the first claim off, and this server looks through its later one only now.
            if claim == 1 {
                assert!(under_way.enter("one", 2).is_none(), "it would be begun twice");
            }
            ready(Ok(claim == 2))
        };
        let long = async { seen.wait_for(|all| all.contains(&2)).await.is_ok() };
        assert_eq!(entered.under(LEASE, renew, long).await, Some(true));
        assert_eq!(*renewals.borrow(), [1, 2]);
        assert_eq!(entered.claim(), 2);
        assert!(entered.leave().is_none());
        assert!(under_way.enter("one", 1).is_some(), "it is over");
    }

    #[tokio::test]
    async fn what_was_claimed_again_after_it_ended_is_not_left() {
        let under_way = UnderWay::default();
        let mut entered = under_way.enter("one", 1).unwrap();
        assert_eq!(entered.claim(), 1);
        // Put off and due at once, or redelivered: the number may be the same.
        assert!(under_way.enter("one", 1).is_none());
        let entered = entered.leave().unwrap();
        drop(entered);
        assert!(under_way.enter("one", 1).is_some());
    }
}
