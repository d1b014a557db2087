//! Deliveries that did not arrive are asked for again: GitHub does not repeat them by itself ("Handling failed webhook
//! deliveries"). At the start, shortly after it, and then on a timer, with growing pauses for as long as GitHub keeps them.
//! What was tried stands in GitHub's own list, so nothing is kept here. What was stored after all is a duplicate. Of the
//! servers on one database one looks.

mod looks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use looks::{Look, Looked, Looks};

use crate::clock::Clock;
use crate::github::client::{Delivery, GitHub, GitHubError};
use crate::github::lease;
use crate::store::{Store, StoreError};

/// What the right to look is called.
const LEASE: &str = "redelivery";
/// The pause after a delivery was asked for in vain for the first time.
const FIRST_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause between two times that a delivery is asked for.
const LONGEST_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// After so many in a row that GitHub cannot send again it is left alone.
const MOST_FAILED: usize = 3;

/// Looks for deliveries that did not arrive. Cheap to clone.
#[derive(Clone)]
pub struct Redelivery {
    store: Arc<dyn Store>,
    github: GitHub,
    clock: Arc<dyn Clock>,
    owner: String,
    lease: Duration,
}

impl Redelivery {
    /// One of the process that `owner` names; where that dies, another one on this database looks after `lease`.
    pub fn new(store: Arc<dyn Store>, github: GitHub, clock: Arc<dyn Clock>, (owner, lease): (&str, Duration)) -> Self {
        Self { store, github, clock, owner: owner.to_owned(), lease }
    }

    /// Looks until `shutdown`, as long as it is this server's turn.
    pub async fn run(&self, shutdown: CancellationToken) {
        let (turn, ours) = watch::channel(false);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.keep_turn(&turn) => {}
            () = self.look_in_turn(ours) => {}
        }
        // Where it cannot be given back it ends by itself.
        let _ = self.store.end_lease(LEASE, &self.owner).await;
    }

    /// Takes the turn and keeps it, where no other server has it.
    async fn keep_turn(&self, turn: &watch::Sender<bool>) {
        loop {
            let now = self.clock.now();
            let taken = self.store.take_lease(LEASE, &self.owner, now, lease::until(now, self.lease)).await;
            if matches!(taken, Err(StoreError::Closed)) {
                return;
            }
            // Whose turn it is nobody can say where the database does not.
            turn.send_replace(taken.unwrap_or(false));
            tokio::time::sleep(self.lease / 3).await;
        }
    }

    async fn look_in_turn(&self, mut ours: watch::Receiver<bool>) {
        let mut looks = Looks::new();
        let mut rests = None;
        loop {
            tokio::time::sleep(looks.pause(rests.take())).await;
            if ours.wait_for(|ours| *ours).await.is_err() {
                return;
            }
            let now = self.clock.now();
            let next = looks.next(now);
            tokio::select! {
                looked = look(&self.github, &next, now) => rests = self.after(&mut looks, &next, looked),
                _ = ours.wait_for(|ours| !ours) => tracing::info!("another server looks for missed deliveries"),
            }
        }
    }

    /// Takes down what came of a look; how long to rest before the next one, where that is known.
    fn after(&self, looks: &mut Looks, look: &Look, looked: Result<Looked, GitHubError>) -> Option<Duration> {
        match looked {
            Ok(looked) => {
                if looked.asked > 0 {
                    tracing::info!(count = looked.asked, "asked GitHub for deliveries that had not arrived");
                }
                looks.looked(look, self.clock.now(), &looked);
                looked.rests
            }
            Err(error) => {
                tracing::warn!(%error, "missed deliveries could not be looked for; it is tried again");
                if !error.is_transient() {
                    looks.refused(look);
                }
                None
            }
        }
    }
}

/// Asks for every delivery of a look that has not arrived and whose turn it is, oldest first, as far as the pace lets it.
async fn look(github: &GitHub, look: &Look, now: Timestamp) -> Result<Looked, GitHubError> {
    let listed = github.app().deliveries(look.since, look.from.clone()).await?;
    let attempts = [look.seen.clone(), listed.shown].concat();
    let (attempts, rest) = match listed.older {
        None => (attempts, None),
        Some(older) => {
            let (whole, begun) = whole_and_begun(attempts);
            (whole, Some(look.rest(older, begun)))
        }
    };
    let (asked, rests) = ask_for(github, &missed(&attempts, now)).await?;
    Ok(Looked { asked, rests, rest })
}

/// Attempts of those deliveries of which all are there: GitHub's own one is the oldest. And the others.
fn whole_and_begun(attempts: Vec<Delivery>) -> (Vec<Delivery>, Vec<Delivery>) {
    let own = attempts.iter().filter(|attempt| !attempt.redelivery);
    let whole: BTreeSet<String> = own.map(|attempt| attempt.guid.clone()).collect();
    attempts.into_iter().partition(|attempt| whole.contains(&attempt.guid))
}

/// Asks for these; how many that were, and how long to rest before the others.
async fn ask_for(github: &GitHub, attempts: &[u64]) -> Result<(usize, Option<Duration>), GitHubError> {
    let (mut asked, mut failed_in_a_row) = (0, 0);
    for attempt in attempts.iter().copied() {
        match github.app().redeliver(attempt).await {
            Ok(()) => (asked, failed_in_a_row) = (asked + 1, 0),
            Err(GitHubError::Rests { wait, .. }) => return Ok((asked, Some(wait))),
            // Whatever is the matter with one must not keep the others; where it is the same with several, it is GitHub's.
            Err(error) if !error.is_transient() => tracing::warn!(attempt, %error, "GitHub does not send it again"),
            Err(error @ GitHubError::Server { .. }) if failed_in_a_row < MOST_FAILED => {
                tracing::warn!(attempt, %error, "GitHub cannot send it again now");
                failed_in_a_row += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((asked, None))
}

/// The last attempt of each delivery that never arrived and is to be asked for now, the oldest delivery first.
fn missed(deliveries: &[Delivery], now: Timestamp) -> Vec<u64> {
    let mut by_guid: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        by_guid.entry(&delivery.guid).or_default().push(delivery);
    }
    let mut missed: Vec<(Timestamp, u64)> = by_guid
        .values()
        .filter(|attempts| !attempts.iter().any(|attempt| attempt.arrived()))
        .filter_map(|attempts| {
            let first = attempts.iter().min_by_key(|attempt| (attempt.delivered_at, attempt.id))?;
            let last = attempts.iter().max_by_key(|attempt| (attempt.delivered_at, attempt.id))?;
            let is_its_turn = now.duration_since(last.delivered_at) >= pause(first, last);
            is_its_turn.then_some((first.delivered_at, last.id))
        })
        .collect();
    missed.sort_unstable();
    missed.into_iter().map(|(_, id)| id).collect()
}

/// How long a delivery is left alone after its last attempt: as long as it has been tried, so each pause is twice the one
/// before. Nothing where nobody has asked for it.
fn pause(first: &Delivery, last: &Delivery) -> SignedDuration {
    match (first.redelivery, last.redelivery) {
        // Its own attempt is further back than this look goes.
        (true, _) => LONGEST_AGAIN,
        (false, true) => last.delivered_at.duration_since(first.delivered_at).clamp(FIRST_AGAIN, LONGEST_AGAIN),
        (false, false) => SignedDuration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};

    use super::looks::{LONG_LOOK, SHORT_LOOK};
    use super::*;
    use crate::github::client::MOST_DELIVERY_PAGES;
    use crate::github::client::tests::answering;
    use crate::github::client::tests::server::{Reply, Server};

    fn attempt(id: u64, guid: &str, at: i64, status_code: u16) -> Delivery {
        Delivery {
            id,
            guid: guid.to_owned(),
            delivered_at: second(at),
            redelivery: id > first_of(guid),
            status: String::new(),
            status_code,
            event: "push".to_owned(),
            action: None,
            installation_id: None,
            repository_id: None,
        }
    }

    /// In these tests the lowest id of a delivery is GitHub's own attempt.
    fn first_of(guid: &str) -> u64 {
        guid.rsplit(' ').next().and_then(|id| id.parse().ok()).unwrap_or_default()
    }

    pub(super) fn second(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs(second)).unwrap_or_default()
    }

    #[test]
    fn what_never_arrived_is_asked_for_once_and_the_oldest_first() {
        let deliveries = [
            attempt(9, "later 9", 9, 0),
            attempt(5, "arrived at last 4", 5, 202),
            attempt(4, "arrived at last 4", 4, 503),
            attempt(3, "twice in vain 2", 8, 502),
            attempt(2, "twice in vain 2", 2, 0),
            attempt(1, "taken 1", 1, 200),
        ];
        assert_eq!(missed(&deliveries, second(10)), [9], "the other one was asked for just now");
        assert_eq!(missed(&deliveries, second(68)), [3, 9]);
    }

    const LIST: &str = "GET /api/v3/app/hook/deliveries";

    fn listed(id: i64, guid: &str, redelivery: bool, status_code: u16) -> Value {
        json!({"id": id, "guid": guid, "delivered_at": second(id), "redelivery": redelivery,
            "status": "", "status_code": status_code, "event": "push", "action": null, "installation_id": null,
            "repository_id": null})
    }

    #[tokio::test]
    async fn one_that_github_cannot_send_again_keeps_no_other_one() {
        let server = Server::start().await;
        let lost = |id: i64| listed(id, &id.to_string(), false, 502);
        server.on(LIST, Reply::json(200, &(1..=6).map(lost).collect::<Value>()));
        let attempts = |id: i64| format!("POST /api/v3/app/hook/deliveries/{id}/attempts");
        server.on(&attempts(1), Reply::empty(502));
        (2..=6).for_each(|id| {
            server.on(&attempts(id), Reply::json(202, &json!({})));
        });
        let long = Look::long(second(100));
        let looked = look(&answering(&server), &long, second(100)).await.map(|looked| looked.asked);
        assert!(matches!(looked, Ok(5)), "{looked:?}");
        let ill = Server::start().await;
        ill.on(LIST, Reply::json(200, &(1..=6).map(lost).collect::<Value>()));
        (1..=6).for_each(|id| {
            ill.on(&attempts(id), Reply::empty(502));
        });
        let looked = look(&answering(&ill), &long, second(100)).await.map(|looked| looked.asked);
        assert!(matches!(looked, Err(GitHubError::Server { .. })), "{looked:?}");
        assert!(ill.asked(&attempts(5)).is_empty(), "all of GitHub is ill");
    }

    #[test]
    fn what_fails_again_and_again_is_asked_for_with_growing_pauses_for_as_long_as_github_keeps_it() {
        let mut attempts = vec![attempt(1, "hopeless 1", 0, 503)];
        let mut asked_after = Vec::new();
        for minute in 0..72 * 60 {
            // A server that remembers nothing: what it knows is what the look shows it.
            let now = second(minute * 60 + 30);
            let back = if minute % 15 == 0 { LONG_LOOK } else { SHORT_LOOK };
            let shown: Vec<Delivery> =
                attempts.iter().filter(|attempt| now.duration_since(attempt.delivered_at) <= back).cloned().collect();
            if let [last] = missed(&shown, now)[..] {
                assert_eq!(last, attempts.len() as u64, "it is asked for by its last attempt");
                attempts.push(attempt(last + 1, "hopeless 1", minute * 60 + 30, 503));
                asked_after.push(minute);
            }
        }
        assert_eq!(asked_after.get(..8), Some(&[0, 1, 3, 7, 15, 31, 75, 135][..]), "{asked_after:?}");
        let last = asked_after.last().copied().unwrap_or_default();
        assert!(last > 72 * 60 - 90, "{asked_after:?}");
        assert!(asked_after.len() < 72 + 8, "{asked_after:?}");
    }

    #[tokio::test]
    async fn what_lay_behind_the_pages_of_one_look_was_never_asked_for() {
        let server = Server::start().await;
        let next = |cursor: usize| format!("<{}api/v3/app/hook/deliveries?cursor=c{cursor}>; rel=\"next\"", server.url);
        let page = |shown: Value, cursor| Reply::json(200, &shown).header("link", next(cursor));
        // Sent again and taken, lately; what the first attempt became stands far behind it.
        server.on(LIST, page(json!([listed(900, "sent again", true, 202), listed(899, "lost", false, 502)]), 1));
        for number in 2..=MOST_DELIVERY_PAGES {
            server.on(LIST, page(json!([listed(898, &number.to_string(), false, 202)]), number));
        }
        server
            .on(LIST, Reply::json(200, &json!([listed(7, "sent again", false, 502), listed(5, "older", false, 502)])));
        for id in [899, 5] {
            server.on(&format!("POST /api/v3/app/hook/deliveries/{id}/attempts"), Reply::json(202, &json!({})));
        }
        let (github, now) = (answering(&server), second(1_000));
        let looked = look(&github, &Look::long(now), now).await.unwrap();
        assert_eq!((looked.asked, server.asked(LIST).len()), (1, MOST_DELIVERY_PAGES));
        let looked = look(&github, &looked.rest.unwrap(), now).await.unwrap();
        assert_eq!((looked.asked, looked.rest), (1, None), "and what was taken is not asked for");
        let lists = server.asked(LIST);
        assert_eq!(lists.len(), MOST_DELIVERY_PAGES + 1, "nothing is listed twice");
        assert_eq!(lists.last().unwrap().query, format!("cursor=c{MOST_DELIVERY_PAGES}"));
    }

    /// The tests' hour, and how often it was asked for.
    #[derive(Default)]
    struct CountingClock(AtomicUsize);

    impl Clock for CountingClock {
        fn now(&self) -> Timestamp {
            self.0.fetch_add(1, Ordering::Relaxed);
            second(1_000)
        }
    }

    async fn until(mut holds: impl FnMut() -> bool) {
        let holds = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), holds).await.unwrap();
    }

    #[tokio::test]
    async fn one_server_of_those_on_a_database_looks_and_another_one_once_it_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("flowctl.db").display());
        let store: Arc<dyn Store> = Arc::new(crate::store::SqliteStore::open(&url).await.unwrap());
        let github = Server::start().await;
        github.on(LIST, Reply::json(200, &json!([])));
        let in_an_hour = second(1_000) + SignedDuration::from_hours(1);
        assert!(store.take_lease(LEASE, "another", second(1_000), in_an_hour).await.unwrap());
        let (clock, shutdown) = (Arc::new(CountingClock::default()), CancellationToken::new());
        let (lease, counting) = (Duration::from_millis(30), Arc::clone(&clock) as Arc<dyn Clock>);
        let one = Redelivery::new(Arc::clone(&store), answering(&github), counting, ("one", lease));
        let running = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { one.run(shutdown).await }
        });
        // It asks for its turn again and again.
        until(|| clock.0.load(Ordering::Relaxed) >= 5).await;
        assert!(github.asked(LIST).is_empty(), "it is the other one's turn");
        store.end_lease(LEASE, "another").await.unwrap();
        until(|| !github.asked(LIST).is_empty()).await;
        assert!(!store.take_lease(LEASE, "another", second(1_000), in_an_hour).await.unwrap());
        shutdown.cancel();
        running.await.unwrap();
        assert!(store.take_lease(LEASE, "another", second(1_000), in_an_hour).await.unwrap(), "it is given back");
    }
}
