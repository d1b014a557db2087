//! Brackets and quotes, also over several lines. What is never closed ends where a line stands that cannot belong to it.

use super::scan::{MAX_DEPTH, Scan};
use super::{Collection, Entry, Item, Node, Shape, Style};
use crate::source::Span;

/// The quoted text at `at`, and where it ends.
pub(super) fn quoted(scan: &Scan<'_>, at: usize, column: usize) -> (Node, usize) {
    let limit = limit(scan, at, column);
    let end = end_of_quotes(scan.text.get(at..limit).unwrap_or_default()).map_or(limit, |length| at + length);
    let end = scan.text.get(at..end).map_or(end, |text| at + text.trim_end_matches(['\n', '\r']).len());
    let style = if scan.rest(at).starts_with('"') { Style::Double } else { Style::Single };
    (Node { span: Span::new(at, end), shape: Shape::Scalar(style) }, end)
}

/// How far a value that begins at `at` can reach at most: to the next line that is no deeper than its key.
fn limit(scan: &Scan<'_>, at: usize, column: usize) -> usize {
    let mut line = scan.next_line(at);
    while line < scan.end {
        let text = scan.text.get(line..scan.line_end(line)).unwrap_or_default();
        let content = text.trim_start_matches([' ', '\t']);
        let indent = text.len() - content.len();
        // What closes brackets or quotes may stand in its key's own column, alone.
        let closes = content.trim_end().trim_end_matches([']', '}', '"', '\'', ',']).is_empty();
        if !content.is_empty() && indent <= column && !closes {
            return line;
        }
        line = scan.next_line(line);
    }
    scan.end
}

/// The length of a quoted text with its quotes; nothing where it is not closed.
fn end_of_quotes(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote == '"' => {
                characters.next();
            }
            '\'' if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
            }
            _ if character == quote => return Some(at + quote.len_utf8()),
            _ => {}
        }
    }
    None
}

/// The list or mapping in brackets at `at`, and where it ends.
pub(super) fn brackets(scan: &mut Scan<'_>, at: usize, column: usize) -> (Node, usize) {
    let limit = limit(scan, at, column);
    let mut reader = Reader { scan, at, limit };
    let mut node = reader.collection(0);
    // What is never closed ends with its last line, not with the break behind it.
    let end = at + scan.text.get(at..node.span.end as usize).unwrap_or_default().trim_end_matches(['\n', '\r']).len();
    node.span = Span::new(at, end);
    (node, end)
}

struct Reader<'s, 't> {
    scan: &'s mut Scan<'t>,
    at: usize,
    limit: usize,
}

impl Reader<'_, '_> {
    fn rest(&self) -> &str {
        self.scan.text.get(self.at..self.limit).unwrap_or_default()
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes over white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let before = self.scan.text.get(..self.at + blank).unwrap_or_default();
            self.at += blank;
            if self.next() != Some('#') || !before.ends_with([' ', '\t', '\n', '\r']) {
                return;
            }
            self.scan.comment(self.at);
            self.at = self.scan.line_end(self.at).min(self.limit);
        }
    }

    fn collection(&mut self, depth: usize) -> Node {
        let start = self.at;
        let is_mapping = self.next() == Some('{');
        let close = if is_mapping { '}' } else { ']' };
        self.at += 1;
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        loop {
            let from = self.at;
            self.skip();
            match self.next() {
                None => break,
                Some(',') => {
                    self.empty_part(from, is_mapping, &mut entries, &mut items);
                    self.at += 1;
                    continue;
                }
                Some(bracket @ ('}' | ']')) => {
                    if bracket == close {
                        self.at += 1;
                        break;
                    }
                    // The bracket of somebody around this one: it was not closed here.
                    if depth > 0 {
                        break;
                    }
                    self.at += 1;
                    continue;
                }
                Some(_) if is_mapping => {
                    let entry = self.entry(from, depth);
                    entries.push(entry);
                }
                Some(_) => {
                    let item = self.item(from, depth);
                    items.push(item);
                }
            }
            self.skip();
            if self.next() == Some(',') {
                self.at += 1;
            }
        }
        let shape = if is_mapping {
            Shape::Mapping(Collection { parts: entries, column: None })
        } else {
            Shape::Sequence(Collection { parts: items, column: None })
        };
        Node { span: Span::new(start, self.at), shape }
    }

    /// Nothing between two commas: somebody is about to write there.
    fn empty_part(&mut self, from: usize, is_mapping: bool, entries: &mut Vec<Entry>, items: &mut Vec<Item>) {
        let region = Span::new(from, self.at);
        let value = self.scan.nothing(self.at);
        if is_mapping {
            entries.push(Entry { key: Span::new(self.at, self.at), has_colon: false, value, region });
        } else {
            items.push(Item { start: region.end, value, region });
        }
    }

    fn entry(&mut self, from: usize, depth: usize) -> Entry {
        let key = match self.next() {
            Some('"' | '\'') => {
                let outer = self.quoted();
                Span::new(outer.start as usize + 1, (outer.end as usize).saturating_sub(1))
            }
            // A list or a mapping as a key is a mistake: it is read and forgotten.
            Some('{' | '[') if depth < MAX_DEPTH => {
                let start = self.at;
                self.collection(depth + 1);
                Span::new(start, self.at)
            }
            _ => self.plain(true),
        };
        self.skip();
        let has_colon = self.next() == Some(':');
        let value = if has_colon {
            self.at += 1;
            self.value(depth)
        } else {
            self.scan.nothing(self.at)
        };
        Entry { key, has_colon, value, region: self.region(from) }
    }

    fn item(&mut self, from: usize, depth: usize) -> Item {
        let start = u32::try_from(self.at).unwrap_or(u32::MAX);
        let value = self.pair(from, depth).unwrap_or_else(|| self.value(depth));
        Item { start, value, region: self.region(from) }
    }

    /// A mapping of one key without brackets of its own: `[manual, comment: /go]`.
    fn pair(&mut self, from: usize, depth: usize) -> Option<usize> {
        let start = self.at;
        if matches!(self.next()?, '{' | '[' | '"' | '\'' | ',') {
            return None;
        }
        let key = self.plain(true);
        if self.next() != Some(':') {
            self.at = start;
            return None;
        }
        self.at += 1;
        let value = self.value(depth);
        let entry = Entry { key, has_colon: true, value, region: self.region(from) };
        let end = self.scan.nodes[value].span.end.max(key.end + 1);
        let mapping = Shape::Mapping(Collection { parts: vec![entry], column: None });
        Some(self.scan.push(Span::new(start, end as usize), mapping))
    }

    /// Up to the comma or bracket that comes next.
    fn region(&mut self, from: usize) -> Span {
        self.skip();
        Span::new(from, self.at)
    }

    fn value(&mut self, depth: usize) -> usize {
        self.skip();
        match self.next() {
            None | Some(',' | '}' | ']') => self.scan.nothing(self.at),
            Some('{' | '[') if depth < MAX_DEPTH => {
                let node = self.collection(depth + 1);
                self.scan.push(node.span, node.shape)
            }
            Some(quote @ ('"' | '\'')) => {
                let span = self.quoted();
                let style = if quote == '"' { Style::Double } else { Style::Single };
                self.scan.push(span, Shape::Scalar(style))
            }
            Some(_) => {
                let span = self.plain(false);
                self.scan.push(span, Shape::Scalar(Style::Plain))
            }
        }
    }

    fn quoted(&mut self) -> Span {
        let start = self.at;
        // Quotes that are never closed end with their line: the brackets around them go on.
        let length = end_of_quotes(self.rest());
        self.at = length.map_or_else(|| self.scan.line_end(start).min(self.limit), |length| start + length);
        Span::new(start, self.at)
    }

    /// A text without quotes, up to a comma, a bracket, or (of a key) a colon.
    fn plain(&mut self, is_key: bool) -> Span {
        let start = self.at;
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut length = 0;
        while let Some(byte) = bytes.get(length) {
            let next = bytes.get(length + 1);
            let ends = match byte {
                b',' | b'{' | b'}' | b'[' | b']' | b'\n' | b'\r' => true,
                b':' if is_key => next.is_none_or(|next| b" \t\n\r,{}[]".contains(next)),
                b'#' => length > 0 && matches!(bytes[length - 1], b' ' | b'\t'),
                _ => false,
            };
            if ends {
                break;
            }
            length += 1;
        }
        let kept = rest.get(..length).unwrap_or_default().trim_end().len();
        // At least one character, so that reading goes on.
        self.at = start + length.max(rest.chars().next().map_or(1, char::len_utf8));
        Span::new(start, start + kept)
    }
}
