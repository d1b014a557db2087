//! Makes many wishes for one repository into few fetches: while one runs, all others gather in the next. A wish is
//! only ever answered by a fetch that began after it was made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::error::MirrorError;
use super::{Fetched, Reference};

type Outcome = Result<Arc<Fetched>, MirrorError>;

/// One repository's queue.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Held by who fetches or replaces the copy.
    turn: tokio::sync::Mutex<()>,
    next: Mutex<Option<Arc<Batch>>>,
}

#[derive(Debug, Default)]
struct Batch {
    wishes: Mutex<BTreeSet<Reference>>,
    outcome: Mutex<Option<Outcome>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// Has `fetch` run for these wishes together with those of others that wait.
    pub(super) async fn pass<F>(&self, wishes: &[Reference], fetch: impl FnOnce(BTreeSet<Reference>) -> F) -> Outcome
    where
        F: Future<Output = Result<Fetched, MirrorError>>,
    {
        let batch = self.join(wishes);
        let _turn = self.turn.lock().await;
        if let Some(outcome) = locked(&batch.outcome).clone() {
            return outcome;
        }
        // Nobody has fetched for this batch, or who began was dropped before it ended.
        let wishes = self.close(&batch);
        let outcome = fetch(wishes).await.map(Arc::new);
        *locked(&batch.outcome) = Some(outcome.clone());
        outcome
    }

    /// Waits for a moment in which nobody fetches.
    pub(super) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    fn join(&self, wishes: &[Reference]) -> Arc<Batch> {
        let mut next = locked(&self.next);
        let batch = next.get_or_insert_default();
        locked(&batch.wishes).extend(wishes.iter().cloned());
        Arc::clone(batch)
    }

    /// Takes the batch out of the queue: who comes from now on starts another.
    fn close(&self, batch: &Arc<Batch>) -> BTreeSet<Reference> {
        let mut next = locked(&self.next);
        if next.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, batch)) {
            *next = None;
        }
        locked(&batch.wishes).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    /// Counts fetches; each lets the others of the runtime go first, so that they gather.
    async fn fetch(count: &AtomicUsize, wishes: BTreeSet<Reference>) -> Result<Fetched, MirrorError> {
        count.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Fetched { commits: wishes.into_iter().map(|wish| (wish, None)).collect(), default_branch: None })
    }

    #[tokio::test]
    async fn those_who_wait_are_served_together() {
        let (gate, count) = (Gate::default(), AtomicUsize::new(0));
        let passes = (0..50_u64).map(|number| {
            let (gate, count) = (&gate, &count);
            async move {
                let wish = Reference::PullRequest(number);
                let fetched = gate.pass(std::slice::from_ref(&wish), |wishes| fetch(count, wishes)).await.unwrap();
                assert!(fetched.commits.contains_key(&wish));
            }
        });
        join_all(passes).await;
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn one_who_is_dropped_while_fetching_leaves_the_work_to_the_next() {
        let (gate, count) = (Gate::default(), AtomicUsize::new(0));
        let wish = [Reference::DefaultBranch];
        {
            let mut dropped = Box::pin(gate.pass(&wish, |wishes| fetch(&count, wishes)));
            assert!(futures_util::poll!(dropped.as_mut()).is_pending());
        }
        gate.pass(&wish, |wishes| fetch(&count, wishes)).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
