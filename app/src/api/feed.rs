//! How far watched executions have got, for everybody who follows one: asked of the store for all of them at once,
//! when it hints at something new and every second anyway. What happened is read by each follower itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::execution::ExecutionId;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::store::{Progress, Store};

/// How often the store is asked without a hint.
const POLL: Duration = Duration::from_secs(1);
/// How long the store is left alone after it was asked: hints come with every commit.
const PAUSE: Duration = Duration::from_millis(20);

/// Tells followers how far executions have got. Clones are the same one.
#[derive(Clone)]
pub(super) struct Feed {
    watched: Arc<Mutex<BTreeMap<ExecutionId, watch::Sender<Progress>>>>,
    somebody: Arc<Notify>,
}

impl Feed {
    /// Begins, until `shutdown`.
    pub(super) fn start(store: Arc<dyn Store>, shutdown: CancellationToken) -> Self {
        let feed = Self { watched: Arc::default(), somebody: Arc::default() };
        let running = feed.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = running.run(store) => {}
                () = shutdown.cancelled() => {}
            }
        });
        feed
    }

    /// Follows an execution. The first value says nothing yet.
    pub(super) fn follow(&self, execution: ExecutionId) -> watch::Receiver<Progress> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Progress { execution, last_seq: 0, ended: false };
        let receiver = watched.entry(execution).or_insert_with(|| watch::channel(nothing).0).subscribe();
        self.somebody.notify_one();
        receiver
    }

    async fn run(&self, store: Arc<dyn Store>) {
        let mut changed = store.subscribe();
        loop {
            changed.mark_unchanged();
            let ids = self.followed();
            if ids.is_empty() {
                self.somebody.notified().await;
                continue;
            }
            match store.progress(&ids).await {
                Ok(progress) => self.tell(&progress),
                Err(error) => tracing::warn!(%error, "cannot find out how far executions have got"),
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                _ = changed.changed() => {}
                () = self.somebody.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Executions that somebody follows; those that nobody does any more are let go.
    fn followed(&self) -> Vec<ExecutionId> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn tell(&self, progress: &[Progress]) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for now in progress {
            if let Some(sender) = watched.get(&now.execution) {
                sender.send_if_modified(|known| {
                    let is_new = known != now;
                    *known = *now;
                    is_new
                });
            }
        }
    }
}
