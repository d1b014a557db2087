//! Large outputs: values that are kept beside the state, which holds a reference in their place. Where they are kept is
//! not known here; what an expression may read is put at hand before a decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::address::items_of;
use super::plan::Plan;
use super::state::Execution;

/// The only key of a value that stands for a large output. A value that an author makes like it is kept as a large
/// output itself, so that what is stored in this form always is a reference.
const KEY: &str = "$large_output";

/// A reference to a large output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeOutput {
    /// The digest of its JSON text: 64 hexadecimal digits.
    pub sha256: String,
    /// The bytes of its JSON text.
    pub bytes: u64,
    /// Where it is asked for: `executions/ID/steps/STEP/output`, below the API.
    pub at: String,
}

impl LargeOutput {
    /// The reference that a value is, if it is one.
    pub fn of(value: &Value) -> Option<Self> {
        let value = value.as_object().filter(|object| object.len() == 1)?.get(KEY)?;
        Self::deserialize(value).ok()
    }

    /// The value that stands for it.
    pub fn into_value(self) -> Value {
        Value::Object(Map::from_iter([(KEY.to_owned(), json!(self))]))
    }
}

/// Large outputs that expressions may read now, by digest. No part of the state: it is never stored, and two states
/// that differ in nothing else are equal.
#[derive(Debug, Clone, Default)]
pub struct AtHand(Arc<BTreeMap<String, Value>>);

impl AtHand {
    /// These outputs, by digest.
    pub fn new(outputs: BTreeMap<String, Value>) -> Self {
        Self(Arc::new(outputs))
    }
}

impl PartialEq for AtHand {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Execution {
    /// An output of a step as expressions see it.
    pub(super) fn whole(&self, output: &Value) -> Value {
        // Most executions have no large output.
        let large = if self.at_hand.0.is_empty() { None } else { LargeOutput::of(output) };
        large.and_then(|large| self.at_hand.0.get(&large.sha256)).unwrap_or(output).clone()
    }
}

impl Plan {
    /// The large outputs of an execution that a decision may read: those that fields read of steps which have not ended,
    /// or of any step where some may begin `again`; and what the outputs read.
    pub fn large_outputs_read(&self, execution: &Execution, again: bool) -> Vec<LargeOutput> {
        // Those inside of items come after all others.
        let ended = execution.steps.iter().take_while(|(key, _)| items_of(key).is_empty());
        let large = ended.filter_map(|(id, step)| Some((id, LargeOutput::of(step.output.as_ref()?)?)));
        large.filter(|(id, _)| self.may_read(execution, id, again)).map(|(_, large)| large).collect()
    }

    fn may_read(&self, execution: &Execution, read: &str, again: bool) -> bool {
        let has_ended = |id: &str| execution.steps.get(id).is_some_and(|step| step.status.is_final());
        self.outputs_read.reads_step(read)
            || self.ids().any(|id| {
                let outermost = self.around(id).first().map_or(id, |foreach| foreach.step.id.as_str());
                let open = again || !has_ended(outermost);
                open && self.step(id).is_some_and(|planned| planned.reads.reads_step(read))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_told_from_what_looks_like_one() {
        let large = LargeOutput { sha256: "a".repeat(64), bytes: 9_000, at: "executions/1/steps/a/output".to_owned() };
        assert_eq!(LargeOutput::of(&large.clone().into_value()), Some(large));
        for other in [json!({}), json!({KEY: 1}), json!({KEY: {"sha256": "a"}}), json!([KEY]), Value::Null] {
            assert_eq!(LargeOutput::of(&other), None, "{other}");
        }
    }
}
