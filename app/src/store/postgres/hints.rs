//! Hints between replicas by LISTEN and NOTIFY: that there may be something to do. Lost ones do no harm, since everybody
//! polls; so databases that know no NOTIFY serve as well.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::connections::Connections;
use crate::store::StoreError;

const CHANNEL: &str = "flowctl";
/// The least pause between two notifications. Each says only that there is something, so more would say no more; and
/// NOTIFY makes commits wait for each other.
const PAUSE: Duration = Duration::from_millis(20);
/// The pause before a listener that lost its connection tries again.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// Tells those who wait here and elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Hints {
    changed: watch::Sender<u64>,
    to_tell: Arc<Notify>,
    ended: CancellationToken,
}

impl Hints {
    pub(super) fn new() -> Self {
        let (changed, _) = watch::channel(0);
        Self { changed, to_tell: Arc::new(Notify::new()), ended: CancellationToken::new() }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// There may be something new to do or to show.
    pub(super) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
        self.to_tell.notify_one();
    }

    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// Passes hints on to other replicas and takes theirs, until the end.
    pub(super) fn start(&self, connections: &Arc<Connections>, options: PgConnectOptions) {
        let own = uuid::Uuid::now_v7().to_string();
        let (teller, connections, name) = (self.clone(), Arc::clone(connections), own.clone());
        tokio::spawn(async move { teller.ended.run_until_cancelled(teller.tell_others(&connections, &name)).await });
        let listener = self.clone();
        tokio::spawn(async move { listener.ended.run_until_cancelled(listener.hear_others(options, &own)).await });
    }

    async fn tell_others(&self, connections: &Connections, own: &str) {
        loop {
            self.to_tell.notified().await;
            if let Err(error) = notify(connections, own).await {
                if matches!(error, StoreError::Closed) {
                    return;
                }
                tracing::debug!(%error, "other replicas could not be told; they poll");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hear_others(&self, options: PgConnectOptions, own: &str) {
        loop {
            match self.listen(options.clone(), own).await {
                Err(error) if is_unknown(&error) => {
                    tracing::info!(%error, "the database gives no notifications; everything is polled for");
                    return;
                }
                Err(error) => tracing::debug!(%error, "notifications are interrupted"),
                Ok(()) => {}
            }
            tokio::time::sleep(LISTENER_PAUSE).await;
            // Whatever was told meanwhile was missed.
            self.changed.send_modify(|count| *count += 1);
        }
    }

    async fn listen(&self, options: PgConnectOptions, own: &str) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = pool.connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        while let Some(notification) = listener.try_recv().await? {
            if notification.payload() != own {
                self.changed.send_modify(|count| *count += 1);
            }
        }
        Ok(())
    }
}

/// Whether the database knows no LISTEN: feature_not_supported, syntax_error, undefined_function.
fn is_unknown(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["0A000", "42601", "42883"].contains(&&*code))
}

/// A hint that is lost with the power does no harm: the disk need not be waited for.
const NOTIFY: &str = "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

async fn notify(connections: &Connections, own: &str) -> Result<(), StoreError> {
    let mut lent = connections.lend().await?;
    let query = sqlx::query(NOTIFY).bind(CHANNEL).bind(own);
    let outcome = query.execute(&mut *lent).await.map(drop).map_err(StoreError::from);
    lent.give_back(outcome)
}
