//! Parts of a state that its copies share until one of them changes: a transition works on a copy of the state before it,
//! and must not pay for all that it leaves as it is.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut, Index};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::state::StepState;

/// A value that copies share. Who changes it has a copy of its own from then on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: PartialEq> PartialEq<T> for Shared<T> {
    fn eq(&self, other: &T) -> bool {
        *self.0 == *other
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(&self.0, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

/// The key of a step, which copies share too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(Arc<String>);

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The steps of an execution by their keys, in their order.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    steps: IndexMap<Key, Shared<StepState>>,
    /// The places of all steps that have not ended, and perhaps of some that have: of thousands of items few are under
    /// way, and each transition asks for those alone.
    open: BTreeSet<usize>,
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Steps {
    /// The step with this key.
    pub fn get(&self, key: &str) -> Option<&StepState> {
        self.steps.get(key).map(|step| &**step)
    }

    /// The step with this key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut StepState> {
        let (place, _, step) = self.steps.get_full_mut(key)?;
        // It may begin again.
        self.open.insert(place);
        Some(&mut **step)
    }

    /// The step with this key was changed: where it has ended, nobody looks for it any more among those that have not.
    pub(super) fn settle(&mut self, key: &str) {
        if let Some((place, _, step)) = self.steps.get_full(key)
            && step.status.is_final()
        {
            self.open.remove(&place);
        }
    }

    /// The steps that have not ended, in order.
    pub(super) fn open(&self) -> impl Iterator<Item = (&String, &StepState)> {
        let open = self.open.iter().filter_map(|place| self.steps.get_index(*place));
        open.map(|(key, step)| (&*key.0, &**step)).filter(|(_, step)| !step.status.is_final())
    }

    /// How many steps are looked at where those that have not ended are asked for.
    #[cfg(test)]
    pub(super) fn looked_at(&self) -> usize {
        self.open.len()
    }

    /// Finds out anew which may not have ended.
    fn look_for_open(mut self) -> Self {
        self.open = (0..self.steps.len()).filter(|place| !self.steps[*place].status.is_final()).collect();
        self
    }

    /// Whether there is a step with this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.steps.contains_key(key)
    }

    /// The step with this key, and the key as it is kept.
    pub fn get_key_value(&self, key: &str) -> Option<(&String, &StepState)> {
        self.steps.get_key_value(key).map(|(key, step)| (&*key.0, &**step))
    }

    /// The place of the step with this key.
    pub fn get_index_of(&self, key: &str) -> Option<usize> {
        self.steps.get_index_of(key)
    }

    /// Takes the step with this key away; the others keep their order.
    pub fn shift_remove(&mut self, key: &str) -> Option<StepState> {
        let removed = self.steps.shift_remove(key).map(|step| StepState::clone(&step));
        *self = std::mem::take(self).look_for_open();
        removed
    }

    /// Adds a step at the end, or puts it into the place of the one with its key.
    pub fn insert(&mut self, key: String, step: StepState) {
        let (place, _) = self.steps.insert_full(Key(Arc::new(key)), step.into());
        self.open.insert(place);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Keys and steps, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.steps.iter())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + ExactSizeIterator + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// The steps, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &StepState> + ExactSizeIterator + Clone {
        self.iter().map(|(_, step)| step)
    }

    /// The steps, in order, to change all of them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut StepState> {
        self.open = (0..self.steps.len()).collect();
        self.steps.values_mut().map(|step| &mut **step)
    }
}

impl Index<&str> for Steps {
    type Output = StepState;

    fn index(&self, key: &str) -> &StepState {
        &self.steps[key]
    }
}

impl FromIterator<(String, StepState)> for Steps {
    fn from_iter<I: IntoIterator<Item = (String, StepState)>>(steps: I) -> Self {
        let steps = steps.into_iter().map(|(key, step)| (Key(Arc::new(key)), step.into())).collect();
        Self { steps, open: BTreeSet::new() }.look_for_open()
    }
}

impl<'s> IntoIterator for &'s Steps {
    type Item = (&'s String, &'s StepState);
    type IntoIter = Iter<'s>;

    fn into_iter(self) -> Iter<'s> {
        self.iter()
    }
}

/// Keys and steps.
#[derive(Debug, Clone)]
pub struct Iter<'s>(indexmap::map::Iter<'s, Key, Shared<StepState>>);

impl<'s> Iterator for Iter<'s> {
    type Item = (&'s String, &'s StepState);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, step)| (&*key.0, &**step))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, step)| (&*key.0, &**step))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IndexMap::<String, StepState>::deserialize(deserializer).map(|steps| steps.into_iter().collect())
    }
}
