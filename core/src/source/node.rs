//! Reading one node: its kind, its value, its children, its place. Copy it freely.

use std::fmt;

use super::arena::{Content, Document, Entry, NodeId};
use super::file::Span;
use super::order::{self, Place};
use super::scalar::{Resolved, ScalarStyle, resolve};

/// What shape a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text, a number, a boolean or null.
    Scalar,
    /// A list.
    Sequence,
    /// Keys with values.
    Mapping,
}

/// A scalar as written and decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scalar<'a> {
    /// The decoded value: escapes resolved, lines folded. Empty where nothing is written.
    pub value: &'a str,
    /// How it is written.
    pub style: ScalarStyle,
}

impl<'a> Scalar<'a> {
    /// The value with its type.
    pub fn resolved(self) -> Resolved<'a> {
        resolve(self.value, self.style)
    }

    /// Whether quotes or a block make it text whatever it says.
    pub fn is_quoted(self) -> bool {
        self.style != ScalarStyle::Plain
    }
}

/// A view of one node.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(crate) document: &'a Document,
    pub(crate) id: NodeId,
}

impl<'a> Node<'a> {
    /// Its id.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The document it belongs to.
    pub fn document(self) -> &'a Document {
        self.document
    }

    /// Where it is: the text alone, without quotes. An empty value has the span of the key that it belongs to,
    /// and empty quotes have their own.
    pub fn span(self) -> Span {
        self.document.data(self.id).span
    }

    /// Where it is with its quotes (what an edit replaces).
    pub fn outer_span(self) -> Span {
        self.document.data(self.id).outer
    }

    /// The key whose value it is; none for the root, for list items and for keys.
    pub fn owner(self) -> Option<Node<'a>> {
        let owner = self.document.data(self.id).owner;
        (!owner.is_none()).then(|| self.document.node(owner))
    }

    /// The text to point at when the whole node is wrong: itself, or, where it runs over several lines and is no
    /// scalar, what names it.
    pub fn pointing_span(self) -> Span {
        let span = self.span();
        let text = self.document.text.get(span.range()).unwrap_or_default();
        let is_long = self.kind() != Kind::Scalar && text.contains(['\n', '\r']);
        if !is_long {
            return span;
        }
        let name = self.naming_span();
        if name != span {
            return name;
        }
        let line = text.lines().next().unwrap_or_default().trim_end().len();
        Span::new(span.start as usize, span.start as usize + line)
    }

    /// The text to point at when something is missing in this node: the key that it belongs to; for a list's item
    /// or the root its first key; else the node.
    pub fn naming_span(self) -> Span {
        if let Some(owner) = self.owner() {
            return owner.span();
        }
        match self.entries().next() {
            Some((key, _)) => key.span(),
            None => self.span(),
        }
    }

    /// Its shape.
    pub fn kind(self) -> Kind {
        match self.document.data(self.id).content {
            Content::Scalar { .. } => Kind::Scalar,
            Content::Sequence(_) => Kind::Sequence,
            Content::Mapping(_) => Kind::Mapping,
        }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(self) -> Option<Scalar<'a>> {
        let data = self.document.data(self.id);
        let Content::Scalar { text, style } = data.content else { return None };
        Some(Scalar { value: self.document.value_of(data, text), style })
    }

    /// The decoded text of any scalar, whatever its type: `1` gives `"1"`. See [`Node::resolved`].
    pub fn as_str(self) -> Option<&'a str> {
        self.as_scalar().map(|scalar| scalar.value)
    }

    /// The scalar with its type.
    pub fn resolved(self) -> Option<Resolved<'a>> {
        self.as_scalar().map(Scalar::resolved)
    }

    /// The text, if it is a scalar that is text (quoted, or no number, boolean or null).
    pub fn as_text(self) -> Option<&'a str> {
        match self.resolved() {
            Some(Resolved::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether it is null (written or empty).
    pub fn is_null(self) -> bool {
        matches!(self.resolved(), Some(Resolved::Null))
    }

    /// The items, if it is a list.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Node<'a>> + Clone> {
        let Content::Sequence(part) = self.document.data(self.id).content else { return None };
        Some(self.document.items_of(part).iter().map(move |item| self.document.node(*item)))
    }

    /// The entries in the order of the text, merged ones (`<<`) last; nothing when it is no mapping.
    pub fn entries(self) -> impl ExactSizeIterator<Item = (Node<'a>, Node<'a>)> + Clone {
        let document = self.document;
        self.raw_entries().iter().map(move |entry| (document.node(entry.key), document.node(entry.value)))
    }

    pub(crate) fn raw_entries(self) -> &'a [Entry] {
        match self.document.data(self.id).content {
            Content::Mapping(part) => self.document.entries_of(part),
            _ => &[],
        }
    }

    fn entry(self, key: &str) -> Option<Entry> {
        let Content::Mapping(part) = self.document.data(self.id).content else { return None };
        let (entries, order) = (self.document.entries_of(part), self.document.order_of(part));
        let text = |place: Place| {
            entries.get(place.index()).and_then(|entry| self.document.node(entry.key).as_str()).unwrap_or_default()
        };
        entries.get(order::find(order, key, text)?.index()).copied()
    }

    /// The value of a key; none when it is missing or this is no mapping. Takes logarithmic time.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.entry(key).map(|entry| self.document.node(entry.value))
    }

    /// The node of a key itself.
    pub fn key_node(self, key: &str) -> Option<Node<'a>> {
        self.entry(key).map(|entry| self.document.node(entry.key))
    }

    /// How many items or entries it has; a scalar has none.
    pub fn len(self) -> usize {
        match self.document.data(self.id).content {
            Content::Scalar { .. } => 0,
            Content::Sequence(part) | Content::Mapping(part) => part.len(),
        }
    }

    /// Whether it has no item and no entry.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_scalar() {
            Some(scalar) => write!(formatter, "{:?}", scalar.value),
            None => match self.items() {
                Some(items) => formatter.debug_list().entries(items).finish(),
                None => formatter.debug_map().entries(self.entries()).finish(),
            },
        }
    }
}
