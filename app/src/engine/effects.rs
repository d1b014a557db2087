//! What the world must be told after a transition, as the engine sees it.

use flowctl_core::execution::{Event, Execution};
use jiff::Timestamp;

use crate::store::NewEffect;

/// Says what the world must be told after a transition. Pure: it is asked before the commit, and its answer is stored
/// with the transition.
pub trait EffectPlanner: Send + Sync {
    /// What follows for the world from `events`, which led from `before` (nothing for a new execution) to `after`.
    fn plan(&self, before: Option<&Execution>, after: &Execution, events: &[Event], now: Timestamp) -> Vec<NewEffect>;

    /// A transition was committed. A hint for whoever watches this process: it does not come where the process dies
    /// right after the commit.
    fn committed(&self, _after: &Execution) {}

    /// Whether workflows that steps wait for are dispatched because of this.
    fn dispatches_workflows(&self) -> bool {
        false
    }

    /// A comment where the execution is shown, told once for each `key`; nothing where there is no such place.
    fn comment(&self, _execution: &Execution, _key: &str, _words: &str, _now: Timestamp) -> Option<NewEffect> {
        None
    }
}

/// Nobody is told: for runs without GitHub.
impl EffectPlanner for () {
    fn plan(&self, _: Option<&Execution>, _: &Execution, _: &[Event], _: Timestamp) -> Vec<NewEffect> {
        Vec::new()
    }
}
