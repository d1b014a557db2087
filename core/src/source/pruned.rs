//! Which nodes a reader leaves out, because something about them was already reported.

use std::collections::BTreeSet;

use super::arena::NodeId;

/// A set of nodes. Decoding and [`super::to_json`] leave out a mapping's entry whose value (or key) is in it, and a
/// list's item that is in it; so a file with three mistakes still gives all the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned(BTreeSet<NodeId>);

impl Pruned {
    /// Leaves nothing out.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a node; true when it was not there.
    pub fn insert(&mut self, node: NodeId) -> bool {
        self.0.insert(node)
    }

    /// Whether the node is left out.
    pub fn contains(&self, node: NodeId) -> bool {
        !self.0.is_empty() && self.0.contains(&node)
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().copied()
    }
}

impl Extend<NodeId> for Pruned {
    fn extend<I: IntoIterator<Item = NodeId>>(&mut self, nodes: I) {
        self.0.extend(nodes);
    }
}

impl FromIterator<NodeId> for Pruned {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        Self(nodes.into_iter().collect())
    }
}
