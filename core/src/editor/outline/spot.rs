//! What an offset of a file is a place of: a key that is being typed, a value, an item.

use super::{Collection, NodeIndex, Outline, Shape, Style};
use crate::source::Span;

/// One step on the way from the root of a file to a place in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Into the value of a key.
    Key(String),
    /// Into an item, from 0.
    Item(usize),
}

impl Part {
    /// The key, if it is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Item(_) => None,
        }
    }
}

/// What may stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A key of the mapping at the path.
    Key,
    /// The value at the path.
    Value,
    /// The value at the path, or the first key of a mapping there.
    Either,
    /// The next item of the list at the path, its dash included.
    Item,
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The way to the mapping whose key it is, or to the value.
    pub path: Vec<Part>,
    /// What may stand there.
    pub role: Role,
    /// The mapping, or the value; nothing where nothing is written yet.
    pub node: Option<NodeIndex>,
    /// What stands there and would be replaced; empty where nothing does. Quotes are left out.
    pub word: Span,
    /// Whether a colon follows the key already.
    pub has_colon: bool,
    /// The column (from 0, in bytes) in which a key here begins; nothing in brackets.
    pub column: Option<usize>,
}

/// A mapping or list in lines on the way to a place.
struct Frame {
    node: NodeIndex,
    column: usize,
    is_list: bool,
    /// How much of the path leads to it.
    depth: usize,
}

impl Outline<'_> {
    /// The place at a byte offset. Nothing in comments, in indentation, and on a dash.
    pub fn spot(&self, offset: u32) -> Option<Spot> {
        if self.comment_at(offset).is_some() {
            return None;
        }
        Search { outline: self, offset, line: self.line_start(offset), frames: Vec::new(), path: Vec::new() }.run()
    }

    pub(in crate::editor) fn line_start(&self, offset: u32) -> u32 {
        let before = self.text.get(..self.text.floor_char_boundary(offset as usize)).unwrap_or_default();
        u32::try_from(before.rfind(['\n', '\r']).map_or(0, |at| at + 1)).unwrap_or(u32::MAX)
    }

    fn line_text(&self, start: u32) -> &str {
        let rest = self.text.get(start as usize..).unwrap_or_default();
        rest.get(..rest.find(['\n', '\r']).unwrap_or(rest.len())).unwrap_or_default()
    }
}

struct Search<'o, 't> {
    outline: &'o Outline<'t>,
    offset: u32,
    /// Where the offset's line begins.
    line: u32,
    frames: Vec<Frame>,
    path: Vec<Part>,
}

/// The last part of a collection that begins on the offset's line or above it.
struct Last {
    key: Option<Span>,
    start: u32,
    value: NodeIndex,
    part: Part,
}

impl Search<'_, '_> {
    fn run(mut self) -> Option<Spot> {
        let mut node = self.outline.root();
        loop {
            let (column, is_list) = match &self.outline.node(node).shape {
                Shape::Mapping(Collection { column: Some(column), .. }) => (*column, false),
                Shape::Sequence(Collection { column: Some(column), .. }) => (*column, true),
                _ if self.frames.is_empty() => return self.of_root(node),
                _ => return self.by_column(),
            };
            self.frames.push(Frame { node, column, is_list, depth: self.path.len() });
            let Some(last) = self.last(node) else { return self.by_column() };
            let on_line = self.outline.line_start(last.start) == self.line;
            if on_line && let Some(key) = last.key {
                // Behind a quoted key its quote.
                let quote = u32::from(self.outline.slice(Span { start: key.end, end: key.end + 1 }) != ":");
                if self.offset < key.start {
                    return None;
                }
                if self.offset <= key.end + quote.min(1) && !self.behind_colon(key) {
                    return Some(self.spot(Role::Key, Some(node), key, true, Some(column)));
                }
            }
            if on_line && last.key.is_none() && self.offset <= last.start {
                return None;
            }
            self.path.push(last.part);
            if self.is_block(last.value) {
                node = last.value;
                continue;
            }
            let value = self.outline.node(last.value).span;
            let beside = self.outline.line_start(value.start) == self.outline.line_start(last.start);
            let inside = value.start <= self.offset && self.offset <= value.end && !value.is_empty();
            if on_line || inside {
                // A value on its key's line is no mapping to be; one behind a dash or below its key may become one.
                let either = last.key.is_none() || !beside;
                return self.value(last.value, either, on_line);
            }
            return self.by_column();
        }
    }

    fn behind_colon(&self, key: Span) -> bool {
        self.outline.slice(Span { start: key.end, end: self.offset.max(key.end) }).contains(':')
    }

    fn is_block(&self, node: NodeIndex) -> bool {
        match &self.outline.node(node).shape {
            Shape::Mapping(mapping) => mapping.column.is_some(),
            Shape::Sequence(list) => list.column.is_some(),
            _ => false,
        }
    }

    fn spot(&self, role: Role, node: Option<NodeIndex>, word: Span, has_colon: bool, column: Option<usize>) -> Spot {
        Spot { path: self.path.clone(), role, node, word, has_colon, column }
    }

    /// A file in which nothing has a place yet, or that is one text or one pair of brackets.
    fn of_root(self, node: NodeIndex) -> Option<Spot> {
        match &self.outline.node(node).shape {
            Shape::Mapping(_) | Shape::Sequence(_) => self.in_brackets(node),
            _ => {
                let word = self.word_on_line();
                let column = (word.start - self.line) as usize;
                (column == 0).then(|| self.spot(Role::Key, None, word, false, Some(0)))
            }
        }
    }

    fn last(&self, node: NodeIndex) -> Option<Last> {
        let on_or_above = |start: u32| self.outline.line_start(start) <= self.line;
        match &self.outline.node(node).shape {
            Shape::Mapping(mapping) => {
                let count = mapping.parts.partition_point(|entry| on_or_above(entry.key.start));
                let entry = mapping.parts.get(count.checked_sub(1)?)?;
                let part = Part::Key(self.outline.slice(entry.key).to_owned());
                Some(Last { key: Some(entry.key), start: entry.key.start, value: entry.value, part })
            }
            Shape::Sequence(list) => {
                let count = list.parts.partition_point(|item| on_or_above(item.start));
                let index = count.checked_sub(1)?;
                let item = list.parts.get(index)?;
                Some(Last { key: None, start: item.start, value: item.value, part: Part::Item(index) })
            }
            _ => None,
        }
    }

    /// At a value that is a scalar, brackets or not written yet.
    fn value(self, node: NodeIndex, either: bool, on_line: bool) -> Option<Spot> {
        let value = self.outline.node(node);
        let at = Span { start: self.offset, end: self.offset };
        match &value.shape {
            Shape::Mapping(_) | Shape::Sequence(_) => {
                let inside = value.span.start < self.offset && (self.offset < value.span.end || !self.is_closed(node));
                if inside { self.in_brackets(node) } else { None }
            }
            Shape::Nothing => {
                let role = if either { Role::Either } else { Role::Value };
                let column = either.then_some((self.offset - self.line) as usize);
                Some(self.spot(role, Some(node), at, false, column))
            }
            Shape::Scalar(style) => {
                if on_line && self.offset < value.span.start {
                    return Some(self.spot(Role::Value, Some(node), at, false, None));
                }
                if self.offset > value.span.end {
                    return None;
                }
                let role = if either && *style == Style::Plain { Role::Either } else { Role::Value };
                let column = value.span.start - self.outline.line_start(value.span.start);
                let word = self.inner(node);
                Some(self.spot(role, Some(node), word, false, Some(column as usize)))
            }
        }
    }

    /// A scalar's span without its quotes.
    fn inner(&self, node: NodeIndex) -> Span {
        let Span { start, end } = self.outline.node(node).span;
        let inner = self.outline.scalar(node).unwrap_or_default();
        match self.outline.node(node).shape {
            Shape::Scalar(Style::Single | Style::Double) => {
                Span::new(start as usize + 1, start as usize + 1 + inner.len())
            }
            _ => Span { start, end },
        }
    }

    fn is_closed(&self, node: NodeIndex) -> bool {
        let written = self.outline.slice(self.outline.node(node).span);
        let bracket = match written.chars().next() {
            Some('{') => '}',
            Some('[') => ']',
            _ => return false,
        };
        written.len() > 1 && written.ends_with(bracket)
    }

    /// The word around the offset on its line, without a dash or a key before it.
    fn word_on_line(&self) -> Span {
        let line = self.outline.line_text(self.line);
        let start = self.line as usize + (line.len() - line.trim_start().len());
        let end = self.line as usize + line.trim_end().len();
        match start <= self.offset as usize && self.offset as usize <= end {
            true => Span::new(start, end.max(start)),
            false => Span { start: self.offset, end: self.offset },
        }
    }

    /// On a line that is blank, or on which a key has been begun: whose it is, its column says.
    fn by_column(mut self) -> Option<Spot> {
        let word = self.word_on_line();
        let column = (word.start - self.line) as usize;
        if let Some(spot) = self.deeper(column, word) {
            return Some(spot);
        }
        while self.frames.len() > 1 {
            let (Some(last), Some(above)) = (self.frames.last(), self.frames.get(self.frames.len() - 2)) else { break };
            let between = above.is_list && !last.is_list && above.column < column;
            let own_column = last.is_list && !above.is_list && last.column == above.column && last.column == column;
            if (last.column <= column && !own_column) || between {
                break;
            }
            self.frames.pop();
        }
        let frame = self.frames.last()?;
        self.path.truncate(frame.depth);
        let (node, column) = (Some(frame.node), Some(frame.column));
        let role = if frame.is_list { Role::Item } else { Role::Key };
        Some(self.spot(role, node, word, false, column))
    }

    /// Deeper than everything before it: what the last key or dash waits for, or more of its text.
    fn deeper(&self, column: usize, word: Span) -> Option<Spot> {
        let frame = self.frames.last()?;
        let last = self.last(frame.node)?;
        if column <= frame.column {
            return None;
        }
        let value = self.outline.node(last.value);
        let role = match value.shape {
            Shape::Nothing => Role::Either,
            Shape::Scalar(Style::Block) => Role::Value,
            _ => return None,
        };
        Some(self.spot(role, Some(last.value), word, false, Some(column)))
    }

    fn in_brackets(mut self, node: NodeIndex) -> Option<Spot> {
        let at = Span { start: self.offset, end: self.offset };
        match &self.outline.node(node).shape {
            Shape::Mapping(mapping) => {
                let entry = mapping.parts.iter().find(|entry| self.offset <= entry.region.end);
                let Some(entry) = entry.filter(|entry| entry.region.start <= self.offset) else {
                    return Some(self.spot(Role::Key, Some(node), at, false, None));
                };
                if !self.behind_colon(entry.key) || !entry.has_colon {
                    let inside = entry.key.touches(self.offset);
                    return Some(self.spot(
                        Role::Key,
                        Some(node),
                        if inside { entry.key } else { at },
                        entry.has_colon,
                        None,
                    ));
                }
                self.path.push(Part::Key(self.outline.slice(entry.key).to_owned()));
                self.part_in_brackets(entry.value)
            }
            Shape::Sequence(list) => {
                let index = list.parts.iter().position(|item| self.offset <= item.region.end);
                let place = index.unwrap_or(list.parts.len());
                self.path.push(Part::Item(place));
                match list.parts.get(place).filter(|item| item.region.start <= self.offset) {
                    Some(item) => self.part_in_brackets(item.value),
                    None => Some(self.spot(Role::Value, None, at, false, None)),
                }
            }
            _ => None,
        }
    }

    fn part_in_brackets(self, value: NodeIndex) -> Option<Spot> {
        let node = self.outline.node(value);
        let at = Span { start: self.offset, end: self.offset };
        match node.shape {
            Shape::Mapping(_) | Shape::Sequence(_) => {
                // A pair such as `comment: /go` has no brackets of its own: it begins with its key.
                let is_pair = !self.outline.slice(node.span).starts_with(['{', '[']);
                let begun = node.span.start < self.offset || (is_pair && node.span.start == self.offset);
                let inside = begun && (self.offset < node.span.end || !self.is_closed(value));
                if inside { self.in_brackets(value) } else { None }
            }
            _ => {
                let word = self.inner(value);
                let word = if word.touches(self.offset) { word } else { at };
                Some(self.spot(Role::Value, Some(value), word, false, None))
            }
        }
    }
}
