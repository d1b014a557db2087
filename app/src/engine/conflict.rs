//! What is done where several want to move one execution at the same time: those of one engine take turns, those of
//! several engines try again after pauses of different lengths.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use flowctl_core::execution::ExecutionId;
use tokio::sync::{Mutex, MutexGuard};

/// How often a decision is made anew because the execution moved meanwhile. Each time somebody else got something done,
/// and pauses let others pass: so many in a row mean that something is wrong.
pub(super) const MAX_CONFLICTS: u32 = 1_000;
/// Conflicts after which it is tried again at once.
const AT_ONCE: u32 = 3;
/// The longest first pause; each further one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// The longest pause of all.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// How many turns there are; executions that share one wait for each other, where they had conflicts.
const TURNS: usize = 64;

/// The turns of those that had a conflict.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    /// Waits for the turn of an execution, and has it until it is dropped.
    pub(super) async fn of(&self, execution: ExecutionId) -> MutexGuard<'_, ()> {
        // The last bits of an id are random.
        self.0[execution.as_u128() as usize % TURNS].lock().await
    }
}

/// Rests after so many conflicts, from 1: as long as chance has it, so that two that meet do not meet again.
pub(super) async fn rest_after(conflicts: u32) {
    if conflicts > AT_ONCE {
        let doubled = 2_u32.saturating_pow(conflicts - AT_ONCE - 1);
        let longest = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        // The keys of each hasher are random.
        let part = RandomState::new().hash_one(conflicts) % 1_000;
        tokio::time::sleep(longest.mul_f64(part as f64 / 1_000.0)).await;
    }
}
