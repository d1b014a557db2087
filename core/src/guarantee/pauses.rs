//! How steps are tried again, and the longest pauses between their attempts.

use crate::definition::process::Defaults;
use crate::definition::{Backoff, ErrorClass, Retry, Step, StepType};
use crate::execution::input::usual_retry;

/// How a step is tried again, where it is.
pub(super) fn retry(defaults: &Defaults, step: &Step) -> Option<Retry> {
    let usual = usual_retry(step.step_type());
    let retry = step.retry.as_ref().or(defaults.retry.as_ref()).or(usual.as_ref());
    retry.filter(|retry| retry.max_attempts > 1).cloned()
}

/// All pauses of a step together, in milliseconds.
pub(super) struct Pauses {
    pub(super) millis: u64,
    /// Whether the other side may ask for them.
    pub(super) asked: bool,
}

impl Pauses {
    pub(super) fn of(step: &Step, retry: &Retry) -> Self {
        let asked = longest_asked(step, retry);
        let pauses = (1..retry.max_attempts).map(|tries| own(retry, tries).max(asked));
        Self { millis: pauses.fold(0, u64::saturating_add), asked: asked > 0 }
    }
}

/// The longest pause after so many tries, in milliseconds: jitter only shortens it.
fn own(retry: &Retry, tries: u32) -> u64 {
    let initial = retry.initial.as_millis();
    let pause = match retry.backoff {
        Backoff::Fixed => initial,
        Backoff::Exponential => initial.saturating_mul(1_u64.checked_shl(tries - 1).unwrap_or(u64::MAX)),
    };
    pause.min(retry.max.as_millis())
}

/// How long the other side may ask to be left alone, in milliseconds, where its answer is one that is tried again.
fn longest_asked(step: &Step, retry: &Retry) -> u64 {
    let is_called = matches!(
        step.step_type(),
        StepType::ApiCall | StepType::McpCall | StepType::AiGenerate | StepType::AgentTask | StepType::Notify
    );
    let tried_again = ErrorClass::ALL.iter().filter(|class| is_called && retry.covers(**class));
    tried_again.map(|class| class.longest_pause().as_millis()).max().unwrap_or(0)
}
