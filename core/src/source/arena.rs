//! The arena of nodes that one parse makes: data only. Aliases share a node, so ids name texts, not places in a tree.
//! Reading goes through `Node`; only the parser writes.

use std::sync::Arc;

use serde_json::Value;

use super::file::Span;
use super::node::Node;
use super::pruned::Pruned;
use super::scalar::ScalarStyle;

/// A node of one document. Ids follow the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// No node: what a value that came from elsewhere (JSON, code) carries. As a node it is an empty scalar.
    pub const NONE: Self = Self(u32::MAX);

    /// Whether it names no node.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

impl Default for NodeId {
    fn default() -> Self {
        Self::NONE
    }
}

/// A comment, from its `#` to the end of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Where it is, `#` included.
    pub span: Span,
    /// What follows the `#`, as written.
    pub text: String,
}

/// One entry of a mapping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: NodeId,
    pub(crate) value: NodeId,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// `value` is absent where the text at the node's span is the value.
    Scalar {
        value: Option<Box<str>>,
        style: ScalarStyle,
    },
    Sequence(Vec<NodeId>),
    /// `order`: indices of `entries`, sorted by key, for looking up.
    Mapping {
        entries: Vec<Entry>,
        order: Vec<u32>,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct NodeData {
    /// The text alone, without quotes.
    pub(crate) span: Span,
    /// With quotes.
    pub(crate) outer: Span,
    /// The key whose value this is, where it was written.
    pub(crate) owner: NodeId,
    /// Nodes below and this one, aliases followed.
    pub(crate) weight: u64,
    /// Levels below and this one, aliases followed.
    pub(crate) height: u32,
    pub(crate) content: Content,
}

impl NodeData {
    pub(crate) fn empty_scalar(span: Span) -> Self {
        Self {
            span,
            outer: span,
            owner: NodeId::NONE,
            weight: 1,
            height: 1,
            content: Content::Scalar { value: Some("".into()), style: ScalarStyle::Plain },
        }
    }
}

/// What was understood of one file: nodes, comments, and which nodes a fault already speaks about.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) text: Arc<str>,
    /// The first is the node that `NodeId::NONE` and unknown ids stand for.
    pub(crate) nodes: Vec<NodeData>,
    pub(crate) root: Option<NodeId>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) faulty: Pruned,
    pub(crate) complete: bool,
}

impl Document {
    pub(crate) fn new(text: Arc<str>) -> Self {
        Self {
            text,
            nodes: vec![NodeData::empty_scalar(Span::default())],
            root: None,
            comments: Vec::new(),
            faulty: Pruned::none(),
            complete: true,
        }
    }

    /// A document without a text, so that values from elsewhere can be checked like a file. Spans are empty.
    pub fn from_json(value: &Value) -> Self {
        super::view::document_from_json(value)
    }

    /// The node that all others are in; none when nothing was understood.
    pub fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// The node of an id of this document; of an unknown one, an empty scalar.
    pub fn node(&self, id: NodeId) -> Node<'_> {
        let known = (id.0 as usize) < self.nodes.len();
        Node { document: self, id: if known { id } else { NodeId::NONE } }
    }

    pub(crate) fn data(&self, id: NodeId) -> &NodeData {
        self.nodes.get(id.0 as usize).unwrap_or(&self.nodes[0])
    }

    /// All comments, in the order of the text.
    pub fn comments(&self) -> &[Comment] {
        &self.comments
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nodes that a fault already speaks about: a tag, an unknown alias, what was open where reading stopped.
    /// JSON-Schema checks stay silent about them.
    pub fn faulty(&self) -> &Pruned {
        &self.faulty
    }

    /// Whether the file was read to its end. Otherwise what is missing says nothing.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The node at a JSON pointer (RFC 6901) below `from`.
    pub fn pointer(&self, from: NodeId, pointer: &str) -> Option<NodeId> {
        let mut node = self.node(from);
        for segment in pointer.split('/').skip(1) {
            let segment = segment.replace("~1", "/").replace("~0", "~");
            node = match node.items() {
                Some(mut items) => items.nth(segment.parse().ok()?)?,
                None => node.get(&segment)?,
            };
        }
        Some(node.id())
    }

    pub(crate) fn push(&mut self, data: NodeData) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(data);
        id
    }
}
