//! What can go wrong with a request to GitHub, in the terms in which the outbox and intake decide: try again, when,
//! and may it have happened already. An error names the request, never a token or a body that was sent.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use thiserror::Error;

use super::pace::Because;

/// How long to wait when GitHub refuses for a secondary limit without saying how long
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>: at least one minute).
const WAIT_WHEN_UNTOLD: Duration = Duration::from_secs(60);

/// No wait is longer: primary limits reset within the hour, and a clock that is wrong must not stop us for days.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// Which request an error is about: method and path, without query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: Method,
    /// The path, with the prefix of an Enterprise Server.
    pub path: String,
}

impl RequestLine {
    /// A token that was made and never arrived changes nothing that anybody sees.
    fn writes(&self) -> bool {
        !self.method.is_safe() && !self.path.ends_with("/access_tokens")
    }
}

impl fmt::Display for RequestLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.method, self.path)
    }
}

/// Why a request to GitHub gave no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GitHubError {
    /// 404: it does not exist, or the App may not see it.
    #[error("{request}: not found, or the App may not see it")]
    NotFound {
        /// The request.
        request: RequestLine,
    },
    /// 403 that is no limit.
    #[error("{request}: GitHub refuses: {message}")]
    Forbidden {
        /// The request.
        request: RequestLine,
        /// GitHub's words.
        message: String,
    },
    /// 401, also with a token that was just made: the App's id, key or clock is wrong.
    #[error(
        "{request}: GitHub does not accept our credentials ({message}); check the App's id and private key, and this machine's clock"
    )]
    Unauthorized {
        /// The request.
        request: RequestLine,
        /// GitHub's words.
        message: String,
    },
    /// 410: it was deleted, or the feature is switched off.
    #[error("{request}: gone: {message}")]
    Gone {
        /// The request.
        request: RequestLine,
        /// GitHub's words.
        message: String,
    },
    /// Nothing was sent: it is not the time to ask.
    #[error("{request}: not asked, {because}; again in {} s", .wait.as_secs())]
    Rests {
        /// The request.
        request: RequestLine,
        /// Why.
        because: Because,
        /// For how long.
        wait: Duration,
    },
    /// The account has suspended the installation.
    #[error("{request}: the installation is suspended; an owner of the account can lift that in its settings")]
    Suspended {
        /// The request.
        request: RequestLine,
    },
    /// There is no such installation any more: no token was given for it.
    #[error("{request}: the App is not installed there any more")]
    Uninstalled {
        /// The request.
        request: RequestLine,
    },
    /// 400 and 422: GitHub does not take what was sent.
    #[error("{request}: GitHub does not take the request: {message}{}", listed(.errors))]
    Validation {
        /// The request.
        request: RequestLine,
        /// GitHub's words.
        message: String,
        /// What it says of each field.
        errors: Vec<String>,
    },
    /// 409: it cannot be done in the present state.
    #[error("{request}: conflict: {message}")]
    Conflict {
        /// The request.
        request: RequestLine,
        /// GitHub's words.
        message: String,
    },
    /// A primary or secondary limit.
    #[error("{request}: the {} is reached; again in {} s", limit_name(*.secondary), .retry_after.as_secs())]
    RateLimited {
        /// The request.
        request: RequestLine,
        /// How long to send nothing in this installation's name.
        retry_after: Duration,
        /// Whether it is a secondary limit (too much at once) rather than the hourly one.
        secondary: bool,
    },
    /// 5xx. A write may have happened all the same.
    #[error("{request}: GitHub answers {status}")]
    Server {
        /// The request.
        request: RequestLine,
        /// The status.
        status: u16,
        /// How long GitHub asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No answer: no connection, a time-out, a connection that broke.
    #[error("{request}: no answer: {message}")]
    Unreachable {
        /// The request.
        request: RequestLine,
        /// What happened.
        message: String,
        /// Whether the request may have arrived.
        maybe_done: bool,
    },
    /// A success whose body is not what GitHub documents, or larger than we take.
    #[error("{request}: the answer cannot be read: {message}")]
    Unreadable {
        /// The request.
        request: RequestLine,
        /// What is wrong.
        message: String,
        /// Whether it is whole JSON. Otherwise something before GitHub has answered, or the answer was cut off.
        is_json: bool,
    },
    /// Any other status, such as a redirect to another host.
    #[error("{request}: unexpected answer {status}: {message}")]
    Unexpected {
        /// The request.
        request: RequestLine,
        /// The status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// An argument that cannot stand in a URL; nothing was sent.
    #[error("`{0}` cannot be part of a request to GitHub")]
    Argument(String),
    /// The client itself cannot be set up; nothing was sent.
    #[error("the GitHub client cannot be set up: {0}")]
    Setup(String),
}

fn limit_name(secondary: bool) -> &'static str {
    if secondary { "secondary rate limit" } else { "rate limit" }
}

fn listed(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) }
}

impl GitHubError {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Rests { .. } | Self::Server { .. } | Self::Unreachable { .. } => true,
            Self::Unreadable { is_json, .. } => !is_json,
            // A page that asks to sign in or to come back later, and what went wrong on the way.
            Self::Unexpected { status, .. } => matches!(status, 302 | 303 | 408 | 421 | 425),
            _ => false,
        }
    }

    /// Whether a write may have been done although it failed for us: look for its trace before repeating it.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        match self {
            Self::Server { request, .. } | Self::Unreadable { request, .. } => request.writes(),
            Self::Unreachable { request, maybe_done, .. } => *maybe_done && request.writes(),
            _ => false,
        }
    }

    /// How long to leave GitHub alone, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after: wait, .. } | Self::Rests { wait, .. } => Some(*wait),
            Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the whole installation is out of reach, so that nothing else of it needs to be tried.
    #[must_use]
    pub fn is_installation_lost(&self) -> bool {
        matches!(self, Self::Suspended { .. } | Self::Uninstalled { .. })
    }

    /// Understands an answer that is no success.
    pub(super) fn of_answer(request: RequestLine, refusal: Refusal, now: Timestamp) -> Self {
        let Refusal { status, headers, message, errors } = refusal;
        let limited = limit_of(status, &headers, &message, now);
        if let Some((retry_after, secondary)) = limited {
            return Self::RateLimited { request, retry_after, secondary };
        }
        match status.as_u16() {
            400 | 422 => Self::Validation { request, message, errors },
            401 => Self::Unauthorized { request, message },
            403 if message.to_ascii_lowercase().contains("suspended") => Self::Suspended { request },
            403 => Self::Forbidden { request, message },
            404 => Self::NotFound { request },
            409 => Self::Conflict { request, message },
            410 => Self::Gone { request, message },
            status @ 500..=599 => Self::Server { request, status, retry_after: retry_after(&headers) },
            status => Self::Unexpected { request, status, message },
        }
    }
}

/// What GitHub said when it did not do what was asked.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) message: String,
    pub(super) errors: Vec<String>,
}

/// The wait and whether the limit is a secondary one; `None` when the refusal is no limit. A 403 is one only where
/// headers or words say so.
fn limit_of(status: StatusCode, headers: &HeaderMap, message: &str, now: Timestamp) -> Option<(Duration, bool)> {
    if status != StatusCode::FORBIDDEN && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let exhausted = number(headers, "x-ratelimit-remaining") == Some(0);
    let words = message.to_ascii_lowercase();
    let secondary = words.contains("secondary rate limit") || words.contains("abuse detection");
    if let Some(wait) = retry_after(headers) {
        return Some((wait, secondary || !exhausted));
    }
    if secondary {
        return Some((WAIT_WHEN_UNTOLD, true));
    }
    if exhausted {
        let wait = number(headers, "x-ratelimit-reset").map_or(WAIT_WHEN_UNTOLD, |reset| until(reset, now));
        return Some((wait, false));
    }
    (status == StatusCode::TOO_MANY_REQUESTS).then_some((WAIT_WHEN_UNTOLD, true))
}

/// From `now` to a second of the epoch, one second more because GitHub's second has to be over. Where it is over by this
/// clock and GitHub says otherwise, this clock is ahead.
fn until(reset: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_second()).unwrap_or(0);
    match reset.checked_sub(now) {
        Some(seconds) => Duration::from_secs(seconds.saturating_add(1)).min(LONGEST_WAIT),
        None => WAIT_WHEN_UNTOLD,
    }
}

/// `Retry-After` in seconds, as GitHub documents it. Zero says as little as nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = number(headers, "retry-after").filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn answer(method: Method, status: u16, headers: &[(&'static str, &str)], message: &str) -> GitHubError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = Refusal { status, headers: map, message: message.to_owned(), errors: Vec::new() };
        let request = RequestLine { method, path: "/repos/o/r/issues/1/comments".to_owned() };
        GitHubError::of_answer(request, refusal, Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn limits_are_told_from_refusals() {
        let secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        for (status, headers, message, expected) in [
            (403, &[("retry-after", "7")][..], secondary, Some((7, true))),
            (429, &[("retry-after", "7")], "", Some((7, true))),
            (403, &[("retry-after", "7"), ("x-ratelimit-remaining", "0")], "API rate limit exceeded", Some((7, false))),
            (403, &[], secondary, Some((60, true))),
            (403, &[("x-ratelimit-remaining", "4999")], secondary, Some((60, true))),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")], "limit", Some((91, false))),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "10")], "limit", Some((60, false))),
            (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000")], "limit", Some((1, false))),
            (429, &[("retry-after", "0")], "", Some((60, true))),
            (429, &[("x-ratelimit-remaining", "0")], "limit", Some((60, false))),
            (429, &[], "", Some((60, true))),
            (429, &[("retry-after", "999999999")], "", Some((7_200, true))),
            (403, &[("x-ratelimit-remaining", "4999")], "Resource not accessible by integration", None),
            (500, &[("retry-after", "7")], "", None),
        ] {
            let error = answer(Method::POST, status, headers, message);
            let told = match &error {
                GitHubError::RateLimited { retry_after, secondary, .. } => Some((retry_after.as_secs(), *secondary)),
                _ => None,
            };
            assert_eq!(told, expected, "{status} {headers:?} {message}");
            assert!(!error.may_have_happened() || status == 500);
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let told: Vec<_> = [302, 400, 401, 403, 404, 408, 409, 410, 418, 422, 500, 502, 503]
            .into_iter()
            .map(|status| {
                let error = answer(Method::POST, status, &[], "words");
                format!("{error} | transient {} happened {}", error.is_transient(), error.may_have_happened())
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
    POST /repos/o/r/issues/1/comments: unexpected answer 302: words | transient true happened false
    POST /repos/o/r/issues/1/comments: GitHub does not take the request: words | transient false happened false
    POST /repos/o/r/issues/1/comments: GitHub does not accept our credentials (words); check the App's id and private key, and this machine's clock | transient false happened false
    POST /repos/o/r/issues/1/comments: GitHub refuses: words | transient false happened false
    POST /repos/o/r/issues/1/comments: not found, or the App may not see it | transient false happened false
    POST /repos/o/r/issues/1/comments: unexpected answer 408: words | transient true happened false
    POST /repos/o/r/issues/1/comments: conflict: words | transient false happened false
    POST /repos/o/r/issues/1/comments: gone: words | transient false happened false
    POST /repos/o/r/issues/1/comments: unexpected answer 418: words | transient false happened false
    POST /repos/o/r/issues/1/comments: GitHub does not take the request: words | transient false happened false
    POST /repos/o/r/issues/1/comments: GitHub answers 500 | transient true happened true
    POST /repos/o/r/issues/1/comments: GitHub answers 502 | transient true happened true
    POST /repos/o/r/issues/1/comments: GitHub answers 503 | transient true happened true
    ");
        let suspended = answer(Method::POST, 403, &[], "This installation has been suspended");
        assert!(suspended.is_installation_lost() && !suspended.is_transient());
    }

    #[test]
    fn a_read_has_never_happened() {
        assert!(!answer(Method::GET, 502, &[], "").may_have_happened());
        assert!(answer(Method::PATCH, 502, &[], "").may_have_happened());
    }
}
