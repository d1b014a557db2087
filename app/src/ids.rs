//! Ids as an argument: where new executions get theirs. The random part lives here and nowhere else, so that tests and
//! simulations can have ids of their own.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use flowctl_core::execution::ExecutionId;
use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

/// Gives ids.
pub trait Ids: Send + Sync {
    /// The id of an execution that is accepted at `now`: a UUIDv7 (RFC 9562, section 5.7), so ids sort by time.
    fn execution(&self, now: Timestamp) -> ExecutionId;
}

/// Ids for real use. Within one process they ascend also inside a millisecond.
#[derive(Debug, Default)]
pub struct RandomIds {
    context: Mutex<ContextV7>,
}

impl RandomIds {
    /// Ids for real use.
    #[must_use]
    pub fn new() -> Self {
        Self { context: Mutex::new(ContextV7::new()) }
    }
}

impl Ids for RandomIds {
    fn execution(&self, now: Timestamp) -> ExecutionId {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanoseconds))
    }
}

/// Ids that count up from one: for tests and simulations, where the same run gives the same ids.
#[derive(Debug, Default)]
pub struct SequentialIds {
    last: AtomicU64,
}

impl Ids for SequentialIds {
    fn execution(&self, _now: Timestamp) -> ExecutionId {
        let count = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // Version and variant bits of a UUIDv7; the count is the rest.
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_within_one_instant() {
        let ids = RandomIds::new();
        let now: Timestamp = Timestamp::UNIX_EPOCH;
        let given: Vec<Uuid> = (0..1000).map(|_| ids.execution(now)).collect();
        assert!(given.is_sorted_by(|a, b| a < b));
        assert!(given.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn sequential_ids_are_the_same_in_each_run() {
        let (one, other) = (SequentialIds::default(), SequentialIds::default());
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(one.execution(now), other.execution(now));
        assert!(one.execution(now) > other.execution(now).min(Uuid::nil()));
        assert_eq!(one.execution(now).get_version_num(), 7);
    }
}
