//! Deliveries that did not arrive are asked for again: GitHub does not repeat them by itself ("Handling failed webhook
//! deliveries"). At the start, shortly after it, and then on a timer, with growing pauses for as long as GitHub keeps them.
//! What was tried stands in GitHub's own list, so nothing is kept here. What was stored after all is a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::github::client::{Delivery, GitHub, GitHubError};

/// How far back GitHub redelivers ("Redelivering webhooks": three days), and a long look goes.
const LONG_LOOK: SignedDuration = SignedDuration::from_hours(72);
/// The pause between two long looks.
const LONG_LOOKS: SignedDuration = SignedDuration::from_mins(15);
/// How far back the looks between go: longer than any pause between them.
const SHORT_LOOK: SignedDuration = SignedDuration::from_hours(1);
/// The pause after a delivery was asked for in vain for the first time.
const FIRST_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause between two times that a delivery is asked for.
const LONGEST_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// The pauses before the first looks: deliveries that failed while we started are told a moment later.
const FIRST_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8)];
/// The pause between later looks.
const PAUSE: Duration = Duration::from_secs(60);

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// How many deliveries were asked for.
    pub asked: usize,
    /// How long nothing more may be asked for, where others have their turn as well.
    pub rests: Option<Duration>,
}

/// When the next look is, and how far back it goes.
struct Looks {
    first_pauses: std::array::IntoIter<Duration, 3>,
    is_first: bool,
    long_look_at: Timestamp,
}

impl Looks {
    fn new() -> Self {
        Self { first_pauses: FIRST_PAUSES.into_iter(), is_first: true, long_look_at: Timestamp::MIN }
    }

    /// The pause before the next look. Where the look before came to no end it is as long as that one was to rest.
    fn pause(&mut self, before: Option<Looked>) -> Duration {
        let first = self.first_pauses.next();
        self.is_first = first.is_some();
        let usual = first.unwrap_or(PAUSE);
        before.and_then(|before| before.rests).unwrap_or(usual)
    }

    fn back(&self, now: Timestamp) -> SignedDuration {
        if self.is_first || now >= self.long_look_at { LONG_LOOK } else { SHORT_LOOK }
    }

    /// After a look that went back so far.
    fn looked(&mut self, back: SignedDuration, now: Timestamp, looked: Looked) {
        if looked.rests.is_some() {
            // What was not asked for may be older than a short look goes.
            self.long_look_at = Timestamp::MIN;
        } else if back == LONG_LOOK {
            self.long_look_at = now.saturating_add(LONG_LOOKS).unwrap_or(Timestamp::MAX);
        }
    }
}

/// After so many in a row that GitHub cannot send again it is left alone.
const MOST_FAILED: usize = 3;

/// Looks until `shutdown`.
pub async fn run(github: GitHub, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    let mut looks = Looks::new();
    let mut before = None;
    while shutdown.run_until_cancelled(tokio::time::sleep(looks.pause(before.take()))).await.is_some() {
        let now = clock.now();
        let back = looks.back(now);
        match look(&github, back, now).await {
            Ok(looked) => {
                if looked.asked > 0 {
                    tracing::info!(count = looked.asked, "asked GitHub for deliveries that had not arrived");
                }
                looks.looked(back, now, looked);
                before = Some(looked);
            }
            Err(error) => tracing::warn!(%error, "missed deliveries could not be looked for; it is tried again"),
        }
    }
}

/// Asks for every delivery of this time that has not arrived and whose turn it is, oldest first, as far as the pace lets it.
///
/// # Errors
/// Where GitHub does not answer.
pub async fn look(github: &GitHub, back: SignedDuration, now: Timestamp) -> Result<Looked, GitHubError> {
    let since = now.saturating_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
    let deliveries = github.app().deliveries(since).await?;
    let (mut asked, mut failed_in_a_row) = (0, 0);
    for attempt in missed(&deliveries, now) {
        match github.app().redeliver(attempt).await {
            Ok(()) => (asked, failed_in_a_row) = (asked + 1, 0),
            Err(GitHubError::Rests { wait, .. }) => return Ok(Looked { asked, rests: Some(wait) }),
            // Whatever is the matter with one must not keep the others; where it is the same with several, it is GitHub's.
            Err(error) if !error.is_transient() => tracing::warn!(attempt, %error, "GitHub does not send it again"),
            Err(error @ GitHubError::Server { .. }) if failed_in_a_row < MOST_FAILED => {
                tracing::warn!(attempt, %error, "GitHub cannot send it again now");
                failed_in_a_row += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Looked { asked, rests: None })
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
    use serde_json::{Value, json};

    use super::*;
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

    fn second(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs(second)).unwrap_or_default()
    }

    #[test]
    fn a_look_that_came_to_no_end_is_gone_on_with_as_far_back() {
        let (mut looks, whole) = (Looks::new(), Looked { asked: 3, rests: None });
        for pause in FIRST_PAUSES {
            assert_eq!((looks.pause(Some(whole)), looks.back(second(0))), (pause, LONG_LOOK));
            looks.looked(LONG_LOOK, second(0), whole);
        }
        assert_eq!((looks.pause(Some(whole)), looks.back(second(60))), (PAUSE, SHORT_LOOK));
        let broken_off = Looked { asked: 162, rests: Some(Duration::from_secs(25)) };
        for back in [SHORT_LOOK, LONG_LOOK, LONG_LOOK] {
            looks.looked(back, second(60), broken_off);
            assert_eq!((looks.pause(Some(broken_off)), looks.back(second(85))), (Duration::from_secs(25), LONG_LOOK));
        }
        looks.looked(LONG_LOOK, second(110), whole);
        assert_eq!((looks.pause(Some(whole)), looks.back(second(170))), (PAUSE, SHORT_LOOK));
        assert_eq!(looks.back(second(110 + 15 * 60)), LONG_LOOK);
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

    #[tokio::test]
    async fn one_that_github_cannot_send_again_keeps_no_other_one() {
        let (server, list) = (Server::start().await, "GET /api/v3/app/hook/deliveries");
        let lost = |id: i64| {
            json!({"id": id, "guid": id.to_string(), "delivered_at": second(id), "redelivery": false,
                "status": "lost", "status_code": 502, "event": "push", "action": null, "installation_id": null,
                "repository_id": null})
        };
        server.on(list, Reply::json(200, &(1..=6).map(lost).collect::<Value>()));
        let attempts = |id: i64| format!("POST /api/v3/app/hook/deliveries/{id}/attempts");
        server.on(&attempts(1), Reply::empty(502));
        (2..=6).for_each(|id| {
            server.on(&attempts(id), Reply::json(202, &json!({})));
        });
        let looked = look(&answering(&server), LONG_LOOK, second(100)).await.map(|looked| looked.asked);
        assert!(matches!(looked, Ok(5)), "{looked:?}");
        let ill = Server::start().await;
        ill.on(list, Reply::json(200, &(1..=6).map(lost).collect::<Value>()));
        (1..=6).for_each(|id| {
            ill.on(&attempts(id), Reply::empty(502));
        });
        let looked = look(&answering(&ill), LONG_LOOK, second(100)).await.map(|looked| looked.asked);
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
}
