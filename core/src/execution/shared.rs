//! Parts of a state that its copies share until one of them changes: a transition works on a copy of the state before it,
//! and must not pay for all that it leaves as it is.

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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steps(IndexMap<Key, Shared<StepState>>);

impl Steps {
    /// The step with this key.
    pub fn get(&self, key: &str) -> Option<&StepState> {
        self.0.get(key).map(|step| &**step)
    }

    /// The step with this key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut StepState> {
        self.0.get_mut(key).map(|step| &mut **step)
    }

    /// Whether there is a step with this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The step with this key, and the key as it is kept.
    pub fn get_key_value(&self, key: &str) -> Option<(&String, &StepState)> {
        self.0.get_key_value(key).map(|(key, step)| (&*key.0, &**step))
    }

    /// The place of the step with this key.
    pub fn get_index_of(&self, key: &str) -> Option<usize> {
        self.0.get_index_of(key)
    }

    /// Takes the step with this key away; the others keep their order.
    pub fn shift_remove(&mut self, key: &str) -> Option<StepState> {
        self.0.shift_remove(key).map(|step| StepState::clone(&step))
    }

    /// Adds a step at the end, or puts it into the place of the one with its key.
    pub fn insert(&mut self, key: String, step: StepState) {
        self.0.insert(Key(Arc::new(key)), step.into());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and steps, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
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
        self.0.values_mut().map(|step| &mut **step)
    }
}

impl Index<&str> for Steps {
    type Output = StepState;

    fn index(&self, key: &str) -> &StepState {
        &self.0[key]
    }
}

impl FromIterator<(String, StepState)> for Steps {
    fn from_iter<I: IntoIterator<Item = (String, StepState)>>(steps: I) -> Self {
        Self(steps.into_iter().map(|(key, step)| (Key(Arc::new(key)), step.into())).collect())
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
