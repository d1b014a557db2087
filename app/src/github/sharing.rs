//! What installations were asked and told lately, shared by the servers of one database: learnt and noted around each
//! effect by whoever has the installation's lease, and every other second by all. Notes of several servers are
//! put together; no request has a row of its own.

use std::sync::Arc;
use std::time::Duration;

use flowctl_core::execution::TenantId;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::GitHub;
use super::client::pace::{Lately, Pace};
use crate::store::{Standing, Store, StoreError};

/// What names of notes begin with. They belong to no account: one may be renamed, and its installation stays.
const NOTES: &str = "pace:";
const NOBODY: TenantId = TenantId(String::new());
/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a note is put together with one that came first; later news take it along.
const MOST_TRIES: usize = 5;

fn name(installation: u64) -> String {
    format!("{NOTES}{installation}")
}

/// Learns what other servers have asked and told an installation.
pub(super) async fn learn(store: &dyn Store, pace: &Pace, installation: u64) -> Result<(), StoreError> {
    let _sharing = pace.sharing(installation).await;
    if let Some(standing) = store.standing(&NOBODY, &name(installation)).await? {
        take_over(pace, installation, standing);
    }
    Ok(())
}

fn take_over(pace: &Pace, installation: u64, standing: Standing) {
    let (changes, lately) = noted(standing);
    pace.learn(installation, changes, &lately);
}

/// How often it was noted, and what. What another version has noted and cannot be read here is not known here.
fn noted(Standing { state, changes }: Standing) -> (u64, Lately) {
    (changes, serde_json::from_value(state).unwrap_or_default())
}

/// Notes what this server has asked and told an installation, where there is something new.
pub(super) async fn share(store: &dyn Store, pace: &Pace, installation: u64) {
    let _sharing = pace.sharing(installation).await;
    for _ in 0..MOST_TRIES {
        let Some(news) = pace.news(installation) else { return };
        let stood = news.noted.map(|changes| Standing { state: Value::Null, changes });
        let changes = news.noted.map_or(0, |changes| changes + 1);
        let is_noted =
            store.note_standing(&NOBODY, &name(installation), stood.as_ref(), json!(news.lately), None).await;
        let learnt = match is_noted {
            Ok(true) => return pace.shared(installation, changes, &news),
            // Another server was first, or the database has forgotten what was noted last: what stands there and what is
            // new here are noted together.
            Ok(false) => store
                .standing(&NOBODY, &name(installation))
                .await
                .map(|standing| pace.learn_anew(installation, standing.map(noted))),
            Err(error) => Err(error),
        };
        if let Err(error) = learnt {
            return tracing::debug!(installation, %error, "what was asked and told cannot be noted");
        }
    }
    tracing::debug!(installation, "others always noted first; what was asked and told is noted later");
}

/// Shares until `shutdown`: what was noted before this server's start first.
pub async fn run(store: Arc<dyn Store>, github: GitHub, shutdown: CancellationToken) {
    loop {
        if let Err(error) = exchange(&*store, github.pace()).await {
            tracing::debug!(%error, "what was asked and told cannot be exchanged");
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

/// Learns what others have noted, also of installations that nothing is asked of here: it binds whoever is next. Then
/// notes what is new here.
async fn exchange(store: &dyn Store, pace: &Pace) -> Result<(), StoreError> {
    for named in store.standings(NOTES).await?.into_iter().filter(|named| named.tenant == NOBODY) {
        if let Some(installation) = named.name.strip_prefix(NOTES).and_then(|id| id.parse().ok()) {
            let _sharing = pace.sharing(installation).await;
            take_over(pace, installation, named.standing);
        }
    }
    for installation in pace.with_news() {
        share(store, pace, installation).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::clock::FixedClock;
    use crate::github::client::pace::{Ask, Kind};
    use crate::github::client::tests::nowhere;
    use crate::github::client::{Because, Urgency};
    use crate::store::{Installation, SqliteStore};

    const CREATE: Ask = Ask::new(Kind::Creates, Urgency::People);

    async fn store() -> (Arc<dyn Store>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        (Arc::new(SqliteStore::open(&url).await.unwrap()), folder)
    }

    fn server() -> GitHub {
        nowhere(Arc::new(FixedClock::new(Timestamp::UNIX_EPOCH)))
    }

    fn in_a_minute() -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(1)
    }

    async fn because(server: &GitHub) -> Option<Because> {
        server.pace().ready(57, CREATE).await.err().map(|rests| rests.because)
    }

    #[tokio::test]
    async fn a_server_that_asks_nothing_learns_all_the_same_that_github_is_to_be_left_alone() {
        let ((store, _folder), one, quiet) = (store().await, server(), server());
        one.pace().pause(57, in_a_minute());
        exchange(&*store, one.pace()).await.unwrap();
        exchange(&*store, quiet.pace()).await.unwrap();
        assert_eq!(because(&quiet).await, Some(Because::Asked));
    }

    #[tokio::test]
    async fn what_is_asked_and_told_is_shared_when_the_account_has_another_name() {
        let ((store, _folder), one, other) = (store().await, server(), server());
        let named = async |account: &str| {
            let account = TenantId(account.to_owned());
            store
                .upsert_installation(Installation { id: 57, account, suspended: false, deleted: false })
                .await
                .unwrap();
        };
        named("octo-org").await;
        drop(one.pace().enter(57, CREATE).await.unwrap());
        exchange(&*store, one.pace()).await.unwrap();
        named("octo-works").await;
        one.pace().pause(57, in_a_minute());
        exchange(&*store, one.pace()).await.unwrap();
        assert!(one.pace().news(57).is_none(), "it is noted");
        exchange(&*store, other.pace()).await.unwrap();
        assert_eq!(because(&other).await, Some(Because::Asked));
    }

    #[tokio::test]
    async fn what_a_database_has_forgotten_that_was_put_back_is_noted_anew() {
        let ((lost, _lost), (older, _older), (empty, _empty)) = (store().await, store().await, store().await);
        let (one, other) = (server(), server());
        for _ in 0..3 {
            share_pause_of(&one, &*lost).await;
        }
        share_pause_of(&other, &*older).await;
        for (database, expected) in [(older, 1), (empty, 0)] {
            share_pause_of(&one, &*database).await;
            let standing = database.standing(&NOBODY, &name(57)).await.unwrap().unwrap();
            assert_eq!(standing.changes, expected);
            assert!(one.pace().news(57).is_none(), "all is noted");
        }
    }

    async fn share_pause_of(server: &GitHub, store: &dyn Store) {
        server.pace().pause(57, in_a_minute());
        share(store, server.pace(), 57).await;
    }

    #[tokio::test]
    async fn what_is_being_noted_is_not_learnt_before_it_is_known_to_be_noted() {
        let ((store, _folder), server) = (store().await, server());
        let pace = server.pace().clone();
        drop(pace.enter(57, CREATE).await.unwrap());
        let sharing = pace.sharing(57).await;
        let news = pace.news(57).unwrap();
        assert!(store.note_standing(&NOBODY, &name(57), None, json!(news.lately), None).await.unwrap());
        let mut learning = std::pin::pin!(learn(&*store, &pace, 57));
        assert!(futures_util::poll!(&mut learning).is_pending(), "it waits for the one that notes");
        pace.shared(57, 0, &news);
        drop(sharing);
        learning.await.unwrap();
        pace.pause(57, in_a_minute());
        let told = json!(pace.news(57).unwrap().lately);
        assert_eq!(told["created"].as_array().map(Vec::len), Some(1), "{told}");
    }
}
