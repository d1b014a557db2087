//! The arena of nodes that one parse makes: data only. Aliases share a node, so ids name texts, not places in a tree.
//! Reading goes through `Node`; only the parser writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::file::Span;
use super::node::Node;
use super::order::Place;
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

/// A part of one of the document's lists.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    start: u32,
    length: u32,
}

impl Part {
    /// The last `length` of a list that has `end` elements.
    fn ending(end: usize, length: usize) -> Self {
        // A file is bounded in nodes, far below `u32`.
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Self { start: number(end - length), length: number(length) }
    }

    fn of<T>(self, list: &[T]) -> &[T] {
        let start = self.start as usize;
        list.get(start..start + self.length as usize).unwrap_or_default()
    }

    pub(crate) fn len(self) -> usize {
        self.length as usize
    }
}

/// What a node holds. Small on purpose: a repository is kept in memory whole, and what varies in length lies in lists
/// of the document that all its nodes share.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Scalar {
        text: ScalarText,
        style: ScalarStyle,
    },
    /// In `items`.
    Sequence(Part),
    /// In `entries`, and in `order` at the same place.
    Mapping(Part),
}

/// Where a scalar's decoded text is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ScalarText {
    /// In the file, at the node's span.
    Verbatim,
    /// In `values`.
    Value(Part),
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
    pub(crate) weight: u32,
    /// Levels below and this one, aliases followed.
    pub(crate) height: u16,
    pub(crate) content: Content,
}

impl NodeData {
    pub(crate) fn empty_scalar(span: Span) -> Self {
        let text = ScalarText::Value(Part::default());
        let content = Content::Scalar { text, style: ScalarStyle::Plain };
        Self { span, outer: span, owner: NodeId::NONE, weight: 1, height: 1, content }
    }
}

/// What was understood of one file: nodes, comments, and which nodes a fault already speaks about.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) text: Arc<str>,
    /// The first is the node that `NodeId::NONE` and unknown ids stand for.
    pub(crate) nodes: Vec<NodeData>,
    items: Vec<NodeId>,
    entries: Vec<Entry>,
    /// Places within a mapping's own entries, sorted by key, for looking up.
    order: Vec<Place>,
    /// Decoded texts, one after the other.
    values: String,
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
            items: Vec::new(),
            entries: Vec::new(),
            order: Vec::new(),
            values: String::new(),
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

    /// A scalar with this decoded text; `None`: the text at its span.
    pub(crate) fn scalar(&mut self, value: Option<&str>, style: ScalarStyle) -> Content {
        let text = value.map_or(ScalarText::Verbatim, |value| {
            self.values.push_str(value);
            ScalarText::Value(Part::ending(self.values.len(), value.len()))
        });
        Content::Scalar { text, style }
    }

    /// A list of nodes.
    pub(crate) fn sequence(&mut self, items: &[NodeId]) -> Content {
        self.items.extend_from_slice(items);
        Content::Sequence(Part::ending(self.items.len(), items.len()))
    }

    /// A mapping of entries; `order`: their places sorted by key.
    pub(crate) fn mapping(&mut self, entries: &[Entry], order: &[Place]) -> Content {
        debug_assert_eq!(entries.len(), order.len(), "each entry has its place");
        self.entries.extend_from_slice(entries);
        self.order.extend_from_slice(order);
        Content::Mapping(Part::ending(self.entries.len(), entries.len()))
    }

    pub(crate) fn value_of(&self, data: &NodeData, text: ScalarText) -> &str {
        match text {
            ScalarText::Verbatim => self.text.get(data.span.range()).unwrap_or_default(),
            ScalarText::Value(part) => {
                let start = part.start as usize;
                self.values.get(start..start + part.len()).unwrap_or_default()
            }
        }
    }

    pub(crate) fn items_of(&self, part: Part) -> &[NodeId] {
        part.of(&self.items)
    }

    pub(crate) fn entries_of(&self, part: Part) -> &[Entry] {
        part.of(&self.entries)
    }

    pub(crate) fn order_of(&self, part: Part) -> &[Place] {
        part.of(&self.order)
    }

    /// The mappings, in the order of the text.
    pub fn mappings(&self) -> impl Iterator<Item = Node<'_>> {
        let of_mapping = |(_, data): &(u32, &NodeData)| matches!(data.content, Content::Mapping(_));
        (0..).zip(&self.nodes).filter(of_mapping).map(|(index, _)| Node { document: self, id: NodeId(index) })
    }

    /// Lets scalars say something else than what is written: what their author meant. Their places stay.
    pub fn amend(&mut self, meant: &BTreeMap<NodeId, String>) {
        for (id, word) in meant {
            let content = self.scalar(Some(word), ScalarStyle::Plain);
            if let Some(data) = self.nodes.get_mut(id.0 as usize) {
                data.content = content;
            }
        }
        let is_amended = |entry: &Entry| meant.contains_key(&entry.key);
        let parts: Vec<Part> = self
            .nodes
            .iter()
            .filter_map(|data| match data.content {
                Content::Mapping(part) if self.entries_of(part).iter().any(is_amended) => Some(part),
                _ => None,
            })
            .collect();
        for part in parts {
            let entries = self.entries_of(part);
            let order = super::merge::sorted(self, entries);
            let start = part.start as usize;
            if let Some(place) = self.order.get_mut(start..start + order.len()) {
                place.copy_from_slice(&order);
            }
        }
    }

    /// Gives back what was reserved for more nodes: documents are kept.
    pub(crate) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        self.items.shrink_to_fit();
        self.entries.shrink_to_fit();
        self.order.shrink_to_fit();
        self.values.shrink_to_fit();
        self.comments.shrink_to_fit();
    }
}
