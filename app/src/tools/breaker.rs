//! Circuit breakers: a tool that fails again and again is left alone for a while, then tried once. Only failures of the other
//! side count; what a caller does wrong says nothing about it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::StepError;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// Failures in a row after which a tool is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// Tools that are remembered at most; those that work are forgotten first.
const REMEMBERED: usize = 1_000;

/// The breakers by fingerprint of the tool.
#[derive(Debug, Clone, Default)]
pub(super) struct Breakers {
    circuits: Arc<Mutex<BTreeMap<String, Circuit>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Circuit {
    failures: u32,
    /// Until when nothing is tried.
    open_until: Option<Timestamp>,
}

/// The breaker of one tool.
#[derive(Clone)]
pub(super) struct Breaker {
    breakers: Breakers,
    tool: String,
    clock: Arc<dyn Clock>,
}

impl Breakers {
    pub(super) fn of(&self, tool: String, clock: Arc<dyn Clock>) -> Breaker {
        Breaker { breakers: self.clone(), tool, clock }
    }
}

impl Breaker {
    /// Calls, unless the tool is left alone just now.
    pub(super) async fn guard<T>(&self, calling: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
        self.enter()?;
        let result = calling.await;
        self.left(result.as_ref().err());
        result
    }

    /// Whoever comes after the pause is the one who tries; the others wait for another pause.
    fn enter(&self) -> Result<(), StepError> {
        let now = self.clock.now();
        let mut circuits = self.breakers.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(circuit) = circuits.get_mut(&self.tool) else { return Ok(()) };
        match circuit.open_until {
            Some(until) if until > now => Err(open(circuit.failures, crate::steps::time_left(until, now))),
            Some(_) => {
                circuit.open_until = pause_from(now);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn left(&self, error: Option<&StepError>) {
        let mut circuits = self.breakers.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            None => {
                circuits.remove(&self.tool);
                return;
            }
            // It may not even have been asked: nothing is known of it, and the next one may try.
            Some(error) if !is_theirs(error.class) => {
                circuits.entry(self.tool.clone()).and_modify(|circuit| circuit.open_until = None);
                return;
            }
            Some(_) => {}
        }
        if circuits.len() >= REMEMBERED && !circuits.contains_key(&self.tool) {
            circuits.retain(|_, circuit| circuit.open_until.is_some());
        }
        let circuit = circuits.entry(self.tool.clone()).or_default();
        circuit.failures += 1;
        if circuit.failures >= FAILURES {
            circuit.open_until = pause_from(self.clock.now());
        }
    }
}

fn pause_from(now: Timestamp) -> Option<Timestamp> {
    Some(now.checked_add(SignedDuration::try_from(PAUSE).ok()?).unwrap_or(Timestamp::MAX))
}

fn is_theirs(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Timeout | ErrorClass::Network | ErrorClass::RateLimited | ErrorClass::ServerError)
}

fn open(failures: u32, left: Duration) -> StepError {
    let message = format!(
        "the tool failed {failures} times in a row and is left alone for another {} s",
        left.as_secs().saturating_add(1)
    );
    let retry_after_ms = u64::try_from(left.as_millis()).ok();
    StepError { retry_after_ms, ..StepError::new(ErrorClass::Network, message) }
}
