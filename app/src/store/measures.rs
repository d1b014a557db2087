//! Counts what the writers of both back ends do.

use std::time::Duration;

use metrics::{counter, histogram};

use crate::telemetry::names;

/// A transaction of this many requests took so long, and was committed or failed.
#[expect(clippy::cast_precision_loss, reason = "a transaction takes a few hundred requests at most")]
pub(in crate::store) fn measured(committed: bool, requests: usize, took: Duration) {
    if !committed {
        counter!(names::COMMITS_FAILED).increment(1);
        return;
    }
    counter!(names::COMMITS).increment(1);
    histogram!(names::COMMIT_DURATION).record(took);
    histogram!(names::COMMIT_SIZE).record(requests as f64);
}
