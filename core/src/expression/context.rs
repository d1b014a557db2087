//! What an expression can see: named roots, each a JSON value. Secrets are not among them; they are filled in by
//! whoever performs the step, after everything here is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The roots of an evaluation (`inputs`, `steps`, …). Cheap to clone: the values are shared.
#[derive(Clone, Debug, Default)]
pub struct Context {
    roots: BTreeMap<String, Arc<Value>>,
}

impl Context {
    /// A context without any root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `value` at the root `root`, in place of what was there. The root `secrets` is never read.
    pub fn set(&mut self, root: impl Into<String>, value: Value) {
        self.roots.insert(root.into(), Arc::new(value));
    }

    /// Like [`Context::set`], for a value that is shared already.
    pub fn set_shared(&mut self, root: impl Into<String>, value: Arc<Value>) {
        self.roots.insert(root.into(), value);
    }

    /// The value at a root.
    pub fn get(&self, root: &str) -> Option<&Value> {
        self.roots.get(root).map(Arc::as_ref)
    }

    /// The names of the roots, in alphabetical order.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.keys().map(String::as_str)
    }
}
