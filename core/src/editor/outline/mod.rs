//! A file's structure by its indentation and brackets alone, for files that are broken at one place, as files are while
//! somebody types. It understands less than `source` and gives up on nothing; what is right or wrong it does not say.

mod flow;
mod scan;
mod spot;

#[cfg(test)]
mod tests;

use crate::source::Span;

pub use spot::{Part, Role, Spot};

/// A node's place in its outline.
pub type NodeIndex = usize;

/// A file's structure.
#[derive(Debug, Clone)]
pub struct Outline<'t> {
    text: &'t str,
    nodes: Vec<Node>,
    comments: Vec<Span>,
}

/// A value.
#[derive(Debug, Clone)]
pub struct Node {
    /// From its first to its last character, quotes and brackets included; empty where nothing is written.
    pub span: Span,
    /// What it is.
    pub shape: Shape,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Nothing is written.
    Nothing,
    /// A text, number or boolean.
    Scalar(Style),
    /// Keys and values.
    Mapping(Collection<Entry>),
    /// A list.
    Sequence(Collection<Item>),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'…'`.
    Single,
    /// In `"…"`.
    Double,
    /// After `|` or `>`.
    Block,
}

/// What a mapping or a list holds.
#[derive(Debug, Clone)]
pub struct Collection<T> {
    /// The parts, in the order of the text.
    pub parts: Vec<T>,
    /// The column (from 0, in bytes) of its keys or dashes; nothing in brackets.
    pub column: Option<usize>,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text, without quotes.
    pub key: Span,
    /// Whether a colon follows: without it the key is still being typed (in brackets).
    pub has_colon: bool,
    /// The value.
    pub value: NodeIndex,
    /// In brackets: everything between the commas around it.
    pub region: Span,
}

/// A list's item.
#[derive(Debug, Clone)]
pub struct Item {
    /// The dash, or in brackets where the item begins.
    pub start: u32,
    /// The value.
    pub value: NodeIndex,
    /// In brackets: everything between the commas around it.
    pub region: Span,
}

impl<'t> Outline<'t> {
    /// Reads a text. Takes time in its length.
    pub fn of(text: &'t str) -> Self {
        Self::of_range(text, Span::new(0, text.len()))
    }

    /// Reads a part of a text, from the start of a line: the front matter of a prompt.
    pub fn of_range(text: &'t str, range: Span) -> Self {
        scan::scan(text, range)
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The node that all others are in.
    pub fn root(&self) -> NodeIndex {
        0
    }

    /// A node; the root where there is no such node.
    pub fn node(&self, index: NodeIndex) -> &Node {
        self.nodes.get(index).unwrap_or(&self.nodes[0])
    }

    /// The entries of a mapping; nothing of anything else.
    pub fn entries(&self, index: NodeIndex) -> &[Entry] {
        match &self.node(index).shape {
            Shape::Mapping(mapping) => &mapping.parts,
            _ => &[],
        }
    }

    /// The items of a list; nothing of anything else.
    pub fn items(&self, index: NodeIndex) -> &[Item] {
        match &self.node(index).shape {
            Shape::Sequence(list) => &list.parts,
            _ => &[],
        }
    }

    /// The value of a key of a mapping.
    pub fn get(&self, index: NodeIndex, key: &str) -> Option<NodeIndex> {
        let entry = self.entries(index).iter().find(|entry| self.slice(entry.key) == key)?;
        Some(entry.value)
    }

    /// The text of a scalar without quotes, as written: escapes are not resolved.
    pub fn scalar(&self, index: NodeIndex) -> Option<&'t str> {
        let node = self.node(index);
        let written = self.slice(node.span);
        Some(match &node.shape {
            Shape::Scalar(Style::Plain | Style::Block) => written,
            Shape::Scalar(Style::Single) => without_quotes(written, '\''),
            Shape::Scalar(Style::Double) => without_quotes(written, '"'),
            _ => return None,
        })
    }

    /// The node at a path from the root.
    pub fn at(&self, path: &[Part]) -> Option<NodeIndex> {
        path.iter().try_fold(self.root(), |node, part| match part {
            Part::Key(key) => self.get(node, key),
            Part::Item(index) => self.items(node).get(*index).map(|item| item.value),
        })
    }

    /// The comment at an offset, `#` included.
    pub fn comment_at(&self, offset: u32) -> Option<Span> {
        let after = self.comments.partition_point(|comment| comment.start < offset);
        let comment = self.comments.get(after.checked_sub(1)?)?;
        (offset <= comment.end).then_some(*comment)
    }
}

fn without_quotes(written: &str, quote: char) -> &str {
    let inner = written.strip_prefix(quote).unwrap_or(written);
    inner.strip_suffix(quote).unwrap_or(inner)
}
