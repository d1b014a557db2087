//! Doing something under a lease that is renewed while it takes: so leases can be short, and what a server that died had
//! claimed is soon another's. Knows nothing of what is done.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::store::StoreError;

/// The end of a lease that is taken or renewed at `now`.
pub(super) fn until(now: Timestamp, lease: Duration) -> Timestamp {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

/// Does `work` and renews its lease three times in the time that it lasts. Nothing where the lease turns out to be lost:
/// `work` is dropped then, and somebody else does it.
pub(super) async fn under<T, R>(lease: Duration, renew: impl Fn() -> R, work: impl Future<Output = T>) -> Option<T>
where
    R: Future<Output = Result<bool, StoreError>>,
{
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = tokio::time::sleep(lease / 3) => match renew().await {
                Ok(true) => {}
                Ok(false) => return None,
                // Going on is safe: whoever comes second is refused.
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_millis(3);

    #[tokio::test]
    async fn what_takes_longer_than_its_lease_is_done_as_long_as_it_is_renewed() {
        let (renewals, mut seen) = tokio::sync::watch::channel(0);
        let renew = || {
            renewals.send_modify(|count| *count += 1);
            // A store that does not answer for a while takes nothing away.
            std::future::ready(if *renewals.borrow() == 2 { Err(StoreError::Closed) } else { Ok(true) })
        };
        let long = async { seen.wait_for(|count| *count == 6).await.is_ok() };
        assert_eq!(under(LEASE, renew, long).await, Some(true));
    }

    #[tokio::test]
    async fn what_somebody_else_has_is_given_up() {
        let done = under(LEASE, || std::future::ready(Ok(false)), std::future::pending::<()>()).await;
        assert_eq!(done, None);
    }
}
