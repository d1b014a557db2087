//! The lines of a text, one after the other, into a tree by their indentation. Brackets and quotes are `flow`'s.

use super::flow;
use super::{Collection, Entry, Item, Node, NodeIndex, Outline, Shape, Style};
use crate::source::Span;

/// Deepest nesting that is followed, as `source` follows it.
pub(super) const MAX_DEPTH: usize = 128;

/// A mapping or list in lines that is open.
struct Frame {
    column: usize,
    node: NodeIndex,
    is_list: bool,
}

pub(super) struct Scan<'t> {
    pub(super) text: &'t str,
    pub(super) end: usize,
    pub(super) nodes: Vec<Node>,
    comments: Vec<Span>,
    frames: Vec<Frame>,
    /// The value that the next deeper line may fill.
    pending: Option<NodeIndex>,
}

pub(super) fn scan(text: &str, range: Span) -> Outline<'_> {
    let range = range.range();
    let end = range.end.min(text.len());
    let mut scan = Scan { text, end, nodes: Vec::new(), comments: Vec::new(), frames: Vec::new(), pending: Some(0) };
    scan.nothing(range.start);
    let mut at = range.start.min(end);
    if text.get(at..end).is_some_and(|rest| rest.starts_with('\u{feff}')) {
        at += '\u{feff}'.len_utf8();
    }
    while at < end {
        at = scan.line(at);
    }
    Outline { text, nodes: scan.nodes, comments: scan.comments }
}

impl<'t> Scan<'t> {
    pub(super) fn rest(&self, at: usize) -> &'t str {
        self.text.get(at..self.end).unwrap_or_default()
    }

    pub(super) fn line_end(&self, at: usize) -> usize {
        at + self.rest(at).find(['\n', '\r']).unwrap_or(self.end - at)
    }

    /// Where the line after `at` begins.
    pub(super) fn next_line(&self, at: usize) -> usize {
        let end = self.line_end(at);
        let rest = self.rest(end);
        end + if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) }
    }

    pub(super) fn nothing(&mut self, at: usize) -> NodeIndex {
        self.push(Span::new(at, at), Shape::Nothing)
    }

    pub(super) fn push(&mut self, span: Span, shape: Shape) -> NodeIndex {
        self.nodes.push(Node { span, shape });
        self.nodes.len() - 1
    }

    /// Notes a comment that begins at `at` and ends with the line.
    pub(super) fn comment(&mut self, at: usize) {
        let end = self.line_end(at);
        self.comments.push(Span::new(at, end));
    }

    /// Reads the line at `at` and all that belongs to it; gives where the next one begins.
    fn line(&mut self, at: usize) -> usize {
        let line = self.text.get(at..self.line_end(at)).unwrap_or_default();
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let content = line.get(indent..).unwrap_or_default();
        if content.is_empty() {
            return self.next_line(at);
        }
        if content.starts_with('#') {
            self.comment(at + indent);
            return self.next_line(at);
        }
        if indent == 0 && (content.trim_end() == "---" || content.trim_end() == "..." || content.starts_with('%')) {
            return self.next_line(at);
        }
        self.content(at, at + indent)
    }

    /// Dashes, a key, a value.
    fn content(&mut self, line: usize, mut at: usize) -> usize {
        loop {
            let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
            let is_dash = rest == "-" || rest.starts_with("- ") || rest.starts_with("-\t");
            if !is_dash {
                break;
            }
            self.dash(at - line, at);
            let after = rest.get(1..).unwrap_or_default();
            at += 1 + (after.len() - after.trim_start_matches([' ', '\t']).len());
        }
        let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
        if rest.is_empty() {
            return self.next_line(at);
        }
        if rest.starts_with('#') {
            self.comment(at);
            return self.next_line(at);
        }
        match key(rest) {
            Some((key, after_colon)) => {
                let key = Span::new(at + key.start, at + key.end);
                self.key(at - line, at, key);
                self.value(at + after_colon, at - line)
            }
            None => self.text_line(at, at - line),
        }
    }

    /// An item of the list whose dashes stand in this column.
    fn dash(&mut self, column: usize, at: usize) {
        while let Some(frame) = self.frames.last() {
            let goes_on = if frame.is_list {
                frame.column <= column
            } else {
                // A list may stand in its key's own column.
                frame.column < column || (frame.column == column && self.awaits_value(frame.node))
            };
            if goes_on {
                break;
            }
            self.frames.pop();
        }
        let value = self.nothing(at + 1);
        let start = u32::try_from(at).unwrap_or(u32::MAX);
        let item = Item { start, value, region: Span::default() };
        match self.frames.last() {
            Some(frame) if frame.is_list && frame.column == column => {
                let node = frame.node;
                self.add(node, |shape| {
                    if let Shape::Sequence(list) = shape {
                        list.parts.push(item);
                    }
                });
            }
            _ => {
                let shape = Shape::Sequence(Collection { parts: vec![item], column: Some(column) });
                self.open(column, at, shape, true);
            }
        }
        self.pending = Some(value);
    }

    fn key(&mut self, column: usize, at: usize, key: Span) {
        while self.frames.last().is_some_and(|frame| frame.column > column || (frame.is_list && frame.column == column))
        {
            self.frames.pop();
        }
        let value = self.nothing(key.end as usize + 1);
        let entry = Entry { key, has_colon: true, value, region: Span::default() };
        match self.frames.last() {
            Some(frame) if !frame.is_list && frame.column == column => {
                let node = frame.node;
                self.add(node, |shape| {
                    if let Shape::Mapping(mapping) = shape {
                        mapping.parts.push(entry);
                    }
                });
            }
            _ => {
                let shape = Shape::Mapping(Collection { parts: vec![entry], column: Some(column) });
                self.open(column, at, shape, false);
            }
        }
        self.pending = Some(value);
    }

    fn add(&mut self, node: NodeIndex, change: impl FnOnce(&mut Shape)) {
        if let Some(node) = self.nodes.get_mut(node) {
            change(&mut node.shape);
        }
    }

    /// Whether the last key of a mapping has no value yet.
    fn awaits_value(&self, mapping: NodeIndex) -> bool {
        let Some(Shape::Mapping(mapping)) = self.nodes.get(mapping).map(|node| &node.shape) else { return false };
        let last = mapping.parts.last().and_then(|entry| self.nodes.get(entry.value));
        last.is_some_and(|value| matches!(value.shape, Shape::Nothing))
    }

    /// A mapping or list begins: it is what the key or dash before it waits for, or it stands alone (a mistake) and
    /// takes the place of what was there.
    fn open(&mut self, column: usize, at: usize, shape: Shape, is_list: bool) {
        let is_free = |node: &NodeIndex| matches!(self.nodes[*node].shape, Shape::Nothing);
        let node = match self.pending.filter(is_free) {
            Some(node) if self.frames.len() < MAX_DEPTH => node,
            _ => self.nothing(at),
        };
        if let Some(place) = self.nodes.get_mut(node) {
            *place = Node { span: Span::new(at, at), shape };
        }
        self.frames.push(Frame { column, node, is_list });
    }

    /// What follows a colon or a dash on its line.
    fn value(&mut self, from: usize, column: usize) -> usize {
        let line = self.text.get(from..self.line_end(from)).unwrap_or_default();
        let mut at = from + (line.len() - line.trim_start_matches([' ', '\t']).len());
        at = self.after_properties(at);
        let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
        if rest.is_empty() {
            return self.next_line(at);
        }
        if rest.starts_with('#') {
            self.comment(at);
            return self.next_line(at);
        }
        self.scalar_or_brackets(at, column)
    }

    /// Behind an anchor or a tag.
    fn after_properties(&self, mut at: usize) -> usize {
        loop {
            let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
            if !rest.starts_with(['&', '!']) {
                return at;
            }
            let word = rest.find([' ', '\t']).unwrap_or(rest.len());
            let after = rest.get(word..).unwrap_or_default();
            at += word + (after.len() - after.trim_start_matches([' ', '\t']).len());
        }
    }

    /// A line without a key: an item's value, a line more of the text above, or a key that is being typed.
    fn text_line(&mut self, at: usize, column: usize) -> usize {
        let is_free = |node: &NodeIndex| matches!(self.nodes[*node].shape, Shape::Nothing);
        let waits = self.pending.filter(is_free).is_some();
        let deeper = self.frames.last().is_none_or(|frame| frame.column < column);
        if waits && deeper {
            let column = self.frames.last().map_or(0, |frame| frame.column);
            let at = self.after_properties(at);
            return self.scalar_or_brackets(at, column);
        }
        let above = self.pending.filter(|_| deeper);
        if let Some(Node { span, shape: Shape::Scalar(Style::Plain) }) = above.and_then(|node| self.nodes.get_mut(node))
        {
            let line = self.text.get(at..).unwrap_or_default();
            let line = line.get(..line.find(['\n', '\r']).unwrap_or(line.len())).unwrap_or_default();
            let kept = line.split(" #").next().unwrap_or_default().trim_end().len();
            span.end = u32::try_from(at + kept).unwrap_or(u32::MAX).min(u32::try_from(self.end).unwrap_or(u32::MAX));
        }
        if let Some(comment) = comment_in(self.text.get(at..self.line_end(at)).unwrap_or_default()) {
            self.comment(at + comment);
        }
        self.next_line(at)
    }

    /// Fills what waits with the value at `at`; `column` is its key's or dash's. Gives where the next line begins.
    fn scalar_or_brackets(&mut self, at: usize, column: usize) -> usize {
        let rest = self.text.get(at..self.line_end(at)).unwrap_or_default();
        let (node, end) = match rest.chars().next() {
            Some('|' | '>') if is_block_header(rest) => return self.block(at, column),
            Some('"' | '\'') => flow::quoted(self, at, column),
            Some('{' | '[') if !rest.starts_with("{{") && !rest.starts_with("{%") => flow::brackets(self, at, column),
            _ => {
                let kept = comment_in(rest).map_or(rest, |comment| rest.get(..comment).unwrap_or_default());
                let span = Span::new(at, at + kept.trim_end().len());
                (Node { span, shape: Shape::Scalar(Style::Plain) }, at + kept.len())
            }
        };
        if let Some(place) = self.pending.and_then(|pending| self.nodes.get_mut(pending)) {
            *place = node;
        }
        let tail = self.text.get(end..self.line_end(end)).unwrap_or_default();
        if let Some(comment) = tail.find('#') {
            self.comment(end + comment);
        }
        self.next_line(end)
    }

    /// A text after `|` or `>`: all lines that are deeper than its key.
    fn block(&mut self, at: usize, column: usize) -> usize {
        let header = self.text.get(at..self.line_end(at)).unwrap_or_default();
        if let Some(comment) = comment_in(header) {
            self.comment(at + comment);
        }
        let start = self.next_line(at);
        let (mut line, mut end) = (start, start);
        while line < self.end {
            let text = self.text.get(line..self.line_end(line)).unwrap_or_default();
            let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
            let is_blank = indent == text.len();
            // A list's dash may stand in its key's own column; the root's text may stand in the first.
            if !is_blank && indent <= column {
                break;
            }
            line = self.next_line(line);
            if !is_blank {
                end = line;
            }
        }
        let end = self.text.get(..end).map_or(end, |before| before.trim_end_matches(['\n', '\r']).len()).max(start);
        if let Some(place) = self.pending.and_then(|pending| self.nodes.get_mut(pending)) {
            *place = Node { span: Span::new(start.min(self.end), end), shape: Shape::Scalar(Style::Block) };
        }
        line
    }
}

/// `|`, `>`, `|-`, `>2+` and so on.
fn is_block_header(rest: &str) -> bool {
    let header = comment_in(rest).map_or(rest, |comment| rest.get(..comment).unwrap_or_default());
    let tail = header.get(1..).unwrap_or_default().trim_end();
    tail.len() <= 2 && tail.chars().all(|c| c == '-' || c == '+' || c.is_ascii_digit())
}

/// Where a comment begins in a line without quotes.
pub(super) fn comment_in(line: &str) -> Option<usize> {
    if line.starts_with('#') {
        return Some(0);
    }
    line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']))
}

/// The key at the start of a line, without quotes, and where its value begins.
fn key(line: &str) -> Option<(std::ops::Range<usize>, usize)> {
    let ends_key = |rest: &str| rest == ":" || rest.starts_with(": ") || rest.starts_with(":\t");
    let first = line.chars().next()?;
    if let '"' | '\'' = first {
        let close = 1 + line.get(1..)?.find(first)?;
        let after = line.get(close + 1..)?;
        let spaces = after.len() - after.trim_start().len();
        return ends_key(after.trim_start()).then_some((1..close, close + 2 + spaces));
    }
    if matches!(first, '{' | '[' | '|' | '>' | '&' | '*' | '!' | '%' | '@' | '`' | '?') {
        return None;
    }
    let comment = comment_in(line).unwrap_or(line.len());
    let colon = line.match_indices(':').map(|(at, _)| at).find(|at| ends_key(line.get(*at..).unwrap_or_default()))?;
    (colon < comment).then(|| (0..line.get(..colon).unwrap_or_default().trim_end().len(), colon + 1))
}
