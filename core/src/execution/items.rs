//! The items of a `foreach`: which run, which have ended and what they gave. Data only; what happens next to them is
//! decided in `foreach`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shared::Shared;
use super::state::{StepError, StepStatus};
use crate::definition::StepType;
use crate::definition::step::OnFailure;

/// The items of a `foreach`. What they are is in its input; here is how they stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// How many there are.
    pub total: u32,
    /// Those that have begun, by their places.
    #[serde(default)]
    pub begun: Vec<Shared<Item>>,
    /// The places of those under way.
    #[serde(default)]
    pub open: Vec<u32>,
    /// The places of those that begin again before new ones begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<u32>,
    /// The steps that each of them runs.
    pub body: Vec<BodyStep>,
    /// When all of them must have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// A step of a body, as much of it as the state of an item begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyStep {
    /// Its id.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub step_type: StepType,
    /// Its name for people, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether its failure fails the item.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// How it stands: running, or as it ended; pending where it is to begin again.
    pub status: StepStatus,
    /// What it gave; taken over by the output of the `foreach` once that has completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
}

impl Items {
    /// The place of the item that begins next.
    pub fn next(&self) -> Option<u32> {
        let fresh = u32::try_from(self.begun.len()).ok().filter(|next| *next < self.total);
        self.again.first().copied().or(fresh)
    }

    /// How many have ended, in whatever way.
    pub fn ended(&self) -> usize {
        self.begun.iter().filter(|item| item.status.is_final()).count()
    }

    /// The first one that failed, with its place.
    pub fn failed(&self) -> Option<(u32, &Item)> {
        let begun = self.begun.iter().map(|item| &**item);
        (0..).zip(begun).find(|(_, item)| item.status == StepStatus::Failed)
    }

    /// Whether every item has ended by itself.
    pub fn is_complete(&self) -> bool {
        let own_end = |item: &Item| matches!(item.status, StepStatus::Completed | StepStatus::Failed);
        self.next().is_none() && self.begun.iter().all(|item| own_end(item))
    }

    /// What the items gave, in their order; null for one that failed.
    pub fn results(&self) -> Vec<Value> {
        self.begun.iter().map(|item| item.result.clone().unwrap_or_default()).collect()
    }

    pub(super) fn begin(&mut self, index: u32) {
        let item = Item { status: StepStatus::Running, result: None, error: None };
        self.again.retain(|other| *other != index);
        match self.begun.get_mut(index as usize) {
            Some(begun) => *begun = item.into(),
            None => self.begun.push(item.into()),
        }
        self.open.push(index);
    }

    pub(super) fn end(&mut self, index: u32, item: Item) {
        self.open.retain(|other| *other != index);
        if let Some(begun) = self.begun.get_mut(index as usize) {
            *begun = item.into();
        }
    }

    /// The `foreach` ends: what is still under way goes with it.
    pub(super) fn cancel_open(&mut self) {
        for index in std::mem::take(&mut self.open) {
            self.end(index, Item { status: StepStatus::Cancelled, result: None, error: None });
        }
    }

    /// What was given is kept in the output from now on.
    pub(super) fn drop_results(&mut self) {
        self.begun.iter_mut().for_each(|item| item.result = None);
    }

    /// These begin again; what the others gave is what the output said.
    pub(super) fn begin_again(&mut self, indices: &[u32], output: Option<Value>, due_at: Option<Timestamp>) {
        if let Some(Value::Array(results)) = output {
            for (item, result) in self.begun.iter_mut().zip(results) {
                item.result = (item.status == StepStatus::Completed).then_some(result);
            }
        }
        for index in indices {
            if let Some(item) = self.begun.get_mut(*index as usize) {
                *item = Item { status: StepStatus::Pending, result: None, error: None }.into();
            }
        }
        self.open.clear();
        self.again = indices.to_vec();
        self.due_at = due_at;
    }
}
