//! What follows when GitHub did not do what it was told: try again, when, or give up and say why.

use jiff::{SignedDuration, Timestamp};

use crate::github::client::GitHubError;
use crate::github::client::pace::Rests;
use crate::store::{EffectEnd, StoreError};

/// How often something that is not there is asked for again: GitHub's API may lag behind its own events.
const LAGS: u32 = 3;
const LAG: SignedDuration = SignedDuration::from_secs(2);
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// How long everything of an installation rests that is suspended or gone.
pub const PARKED: SignedDuration = SignedDuration::from_mins(5);

/// Why an effect was not told.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// GitHub.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else has the effect by now.
    #[error("the lease has passed to somebody else")]
    Lost,
    /// Nothing may be written now.
    #[error("{reason}; again in {} s", .wait.as_secs())]
    Rests {
        /// Why.
        reason: String,
        /// For how long.
        wait: SignedDuration,
    },
    /// What is to be told about does not exist.
    #[error("{0}")]
    Nothing(String),
}

impl From<Rests> for Failure {
    fn from(rests: Rests) -> Self {
        Self::Rests { reason: rests.because.to_string(), wait: rests.for_so_long() }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// The effect's end.
    pub end: EffectEnd,
    /// Until when nothing of the whole installation is told, since it is out of reach.
    pub park_until: Option<Timestamp>,
}

impl Failure {
    /// What follows after so many attempts that were begun, or failed before anything was written.
    pub fn consequence(&self, attempts: u32, now: Timestamp) -> Consequence {
        let after = |wait: SignedDuration| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        let again = |wait| EffectEnd::RetryAt(after(wait), self.to_string());
        let one = |end| Consequence { end, park_until: None };
        match self {
            Self::GitHub(error) if error.is_installation_lost() => {
                Consequence { end: again(PARKED), park_until: Some(after(PARKED)) }
            }
            Self::GitHub(GitHubError::Unauthorized { .. }) => {
                Consequence { end: again(PARKED), park_until: Some(after(PARKED)) }
            }
            Self::GitHub(error) if error.is_transient() => {
                let asked = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok());
                one(again(asked.unwrap_or_else(|| backoff(attempts))))
            }
            Self::GitHub(error) if error.may_have_happened() => one(again(backoff(attempts))),
            Self::GitHub(GitHubError::NotFound { .. }) if attempts < LAGS => one(again(LAG)),
            Self::GitHub(_) | Self::Nothing(_) => one(EffectEnd::Failed(self.to_string())),
            Self::Rests { wait, .. } => one(again(*wait)),
            Self::Store(_) | Self::Lost => one(again(LAG)),
        }
    }
}

/// Twice the pause each time, from one second.
fn backoff(attempts: u32) -> SignedDuration {
    SignedDuration::from_secs(1_i64 << attempts.min(10)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::github::client::RequestLine;

    fn request() -> RequestLine {
        RequestLine { method: Method::POST, path: "/repos/o/r/check-runs".to_owned() }
    }

    #[test]
    fn each_failure_has_its_consequence() {
        let now = Timestamp::UNIX_EPOCH;
        let limited = |secs| GitHubError::RateLimited {
            request: request(),
            retry_after: Duration::from_secs(secs),
            secondary: true,
        };
        let server = || GitHubError::Server { request: request(), status: 502, retry_after: None };
        let told: Vec<String> = [
            (limited(7), 0),
            (server(), 0),
            (server(), 4),
            (server(), 40),
            (GitHubError::NotFound { request: request() }, 0),
            (GitHubError::NotFound { request: request() }, 3),
            (GitHubError::Suspended { request: request() }, 0),
            (GitHubError::Uninstalled { request: request() }, 9),
            (GitHubError::Unauthorized { request: request(), message: "bad".to_owned() }, 0),
            (GitHubError::Forbidden { request: request(), message: "no".to_owned() }, 0),
            (GitHubError::Gone { request: request(), message: "gone".to_owned() }, 0),
            (GitHubError::Unreadable { request: request(), message: "cut".to_owned(), is_json: false }, 1),
        ]
        .into_iter()
        .map(|(error, attempts)| {
            let Consequence { end, park_until } = Failure::from(error).consequence(attempts, now);
            let pause = park_until.map(|until| format!(", all rest until {}", until.as_second())).unwrap_or_default();
            match end {
                EffectEnd::RetryAt(at, why) => format!("again at {}{pause}: {why}", at.as_second()),
                EffectEnd::Failed(why) => format!("failed{pause}: {why}"),
                EffectEnd::Done => "done".to_owned(),
            }
        })
        .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        again at 7: POST /repos/o/r/check-runs: the secondary rate limit is reached; again in 7 s
        again at 1: POST /repos/o/r/check-runs: GitHub answers 502
        again at 16: POST /repos/o/r/check-runs: GitHub answers 502
        again at 300: POST /repos/o/r/check-runs: GitHub answers 502
        again at 2: POST /repos/o/r/check-runs: not found, or the App may not see it
        failed: POST /repos/o/r/check-runs: not found, or the App may not see it
        again at 300, all rest until 300: POST /repos/o/r/check-runs: the installation is suspended; an owner of the account can lift that in its settings
        again at 300, all rest until 300: POST /repos/o/r/check-runs: the App is not installed there any more
        again at 300, all rest until 300: POST /repos/o/r/check-runs: GitHub does not accept our credentials (bad); check the App's id and private key, and this machine's clock
        failed: POST /repos/o/r/check-runs: GitHub refuses: no
        failed: POST /repos/o/r/check-runs: gone: gone
        again at 2: POST /repos/o/r/check-runs: the answer cannot be read: cut
        ");
    }
}
