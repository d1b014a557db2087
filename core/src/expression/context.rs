//! What an expression can see: named roots, each a JSON value. Secrets are not among them; they are filled in by
//! whoever performs the step, after everything here is over.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::engine;

/// The roots of an evaluation (`inputs`, `steps`, …). Cheap to clone: the values are shared.
#[derive(Clone, Debug, Default)]
pub struct Context {
    roots: BTreeMap<String, Arc<Root>>,
}

#[derive(Debug)]
struct Root {
    value: Arc<Value>,
    /// The value as the machine takes it, made when it is first asked for.
    prepared: OnceLock<engine::Value>,
}

impl Context {
    /// A context without any root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `value` at the root `root`, in place of what was there. The root `secrets` is never read.
    pub fn set(&mut self, root: impl Into<String>, value: Value) {
        self.set_shared(root, Arc::new(value));
    }

    /// Like [`Context::set`], for a value that is shared already.
    pub fn set_shared(&mut self, root: impl Into<String>, value: Arc<Value>) {
        self.roots.insert(root.into(), Arc::new(Root { value, prepared: OnceLock::new() }));
    }

    /// The value at a root.
    pub fn get(&self, root: &str) -> Option<&Value> {
        self.roots.get(root).map(|root| root.value.as_ref())
    }

    /// The names of the roots, in alphabetical order.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }

    /// The value at a root, for the machine.
    pub(super) fn prepared(&self, root: &str) -> Option<engine::Value> {
        let root = self.roots.get(root)?;
        Some(root.prepared.get_or_init(|| engine::from_json(&root.value)).clone())
    }
}
