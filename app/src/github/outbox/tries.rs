//! How often effects were tried in vain before anything of them was written: the database counts writes that were begun.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::failure::Failure;

/// The effects of this process that failed, and how often.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<BTreeMap<i64, u32>>);

impl Tries {
    /// How often an effect had failed before it failed like this. To rest is no failure.
    pub(super) fn before(&self, effect: i64, failure: &Failure) -> u32 {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Failure::GitHub(error) if error.retry_after().is_none() => {
                let failed = tries.entry(effect).or_default();
                *failed = failed.saturating_add(1);
                *failed - 1
            }
            _ => tries.get(&effect).copied().unwrap_or(0),
        }
    }

    /// It is not tried any more.
    pub(super) fn end(&self, effect: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&effect);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::github::client::{GitHubError, RequestLine};

    #[test]
    fn failures_are_counted_for_each_effect_until_it_ends_and_rests_are_none() {
        let request = || RequestLine { method: Method::GET, path: "/repos/o/r/issues/1".to_owned() };
        let missing = Failure::GitHub(GitHubError::NotFound { request: request() });
        let limited =
            GitHubError::RateLimited { request: request(), retry_after: Duration::from_secs(7), secondary: true };
        let limited = Failure::GitHub(limited);
        let tries = Tries::default();
        assert_eq!([tries.before(1, &missing), tries.before(1, &limited), tries.before(1, &missing)], [0, 1, 1]);
        assert_eq!(tries.before(2, &missing), 0, "another one");
        tries.end(1);
        assert_eq!(tries.before(1, &missing), 0, "told, or given up");
    }
}
