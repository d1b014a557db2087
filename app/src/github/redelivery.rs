//! Deliveries that did not arrive are asked for again: GitHub does not repeat them by itself ("Handling failed webhook
//! deliveries"). At the start, shortly after it, and then on a timer. What was stored after all is a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::github::client::{Delivery, GitHub, GitHubError};

/// How far back GitHub redelivers ("Redelivering webhooks": three days).
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(72);
/// How far back later looks go: longer than any pause between them.
const LATER_LOOK: SignedDuration = SignedDuration::from_hours(1);
/// How often a delivery is asked for: one that fails this often needs a person.
const MOST_ATTEMPTS: usize = 6;
/// The pauses before the first looks: deliveries that failed while we started are told a moment later.
const FIRST_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8)];
/// The pause between later looks.
const PAUSE: Duration = Duration::from_secs(60);

/// Looks until `shutdown`.
pub async fn run(github: GitHub, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    let mut pauses = FIRST_PAUSES.into_iter();
    let mut back = FIRST_LOOK;
    loop {
        let pause = pauses.next().unwrap_or(PAUSE);
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let since = clock.now().checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
        match look(&github, since).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "asked GitHub for deliveries that had not arrived"),
            Err(error) => tracing::warn!(%error, "missed deliveries could not be looked for; it is tried again"),
        }
        back = if pauses.len() == 0 { LATER_LOOK } else { FIRST_LOOK };
    }
}

/// Asks for every delivery since then that has not arrived, oldest first. How many were asked for.
///
/// # Errors
/// Where GitHub does not answer.
pub async fn look(github: &GitHub, since: Timestamp) -> Result<usize, GitHubError> {
    let deliveries = github.app().deliveries(since).await?;
    let missed = missed(&deliveries);
    for attempt in &missed {
        github.app().redeliver(*attempt).await?;
    }
    Ok(missed.len())
}

/// The last attempt of each delivery that never arrived, the oldest delivery first.
fn missed(deliveries: &[Delivery]) -> Vec<u64> {
    let mut by_guid: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries {
        by_guid.entry(&delivery.guid).or_default().push(delivery);
    }
    let mut missed: Vec<(Timestamp, u64)> = by_guid
        .values()
        .filter(|attempts| attempts.len() < MOST_ATTEMPTS && !attempts.iter().any(|attempt| attempt.arrived()))
        .filter_map(|attempts| {
            let first = attempts.iter().map(|attempt| attempt.delivered_at).min()?;
            let last = attempts.iter().max_by_key(|attempt| attempt.delivered_at)?;
            Some((first, last.id))
        })
        .collect();
    missed.sort_unstable();
    missed.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: u64, guid: &str, second: i64, status_code: u16) -> Delivery {
        let delivered_at = Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs(second)).unwrap_or_default();
        Delivery {
            id,
            guid: guid.to_owned(),
            delivered_at,
            redelivery: false,
            status: String::new(),
            status_code,
            event: "push".to_owned(),
            action: None,
            installation_id: None,
            repository_id: None,
        }
    }

    #[test]
    fn what_never_arrived_is_asked_for_once_and_the_oldest_first() {
        let deliveries = [
            attempt(9, "later", 9, 0),
            attempt(5, "arrived at last", 5, 202),
            attempt(4, "arrived at last", 4, 503),
            attempt(3, "twice in vain", 8, 502),
            attempt(2, "twice in vain", 2, 0),
            attempt(1, "taken", 1, 200),
        ];
        assert_eq!(missed(&deliveries), [3, 9]);
    }

    #[test]
    fn what_fails_again_and_again_is_left_to_people() {
        let deliveries: Vec<Delivery> = (1..=6).map(|id| attempt(id, "hopeless", 1, 500)).collect();
        assert_eq!(missed(&deliveries), Vec::<u64>::new());
    }
}
