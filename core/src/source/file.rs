//! A file's path, text and line index: from byte offsets to what people read (lines and columns).
//! Clamps what lies outside; never panics, never touches a disk.

use std::sync::Arc;

use serde::Serialize;

/// Byte offsets into a file's text; `end` is exclusive. Both lie on character boundaries when a parser made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// A span from two byte offsets; an end before its start gives an empty span at the start.
    pub fn new(start: usize, end: usize) -> Self {
        let start = clamp_offset(start);
        Self { start, end: clamp_offset(end).max(start) }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether it covers no byte.
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether the byte offset lies inside (its end counts as inside, so that a cursor after a word finds the word).
    pub fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }

    /// Whether `other` lies inside.
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// As a range of `usize`, for slicing.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end.max(self.start) as usize
    }
}

fn clamp_offset(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A place as people count: line and column from 1, columns in characters, a byte-order mark being no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset, from 0 (here a byte-order mark counts, it is in the file).
    pub offset: u32,
}

/// Two places; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Range {
    /// First character.
    pub start: Position,
    /// The place after the last character.
    pub end: Position,
}

/// A file's path (relative to its repository, with `/`), its text, and where its lines begin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: Arc<str>,
    text: Arc<str>,
    lines: Arc<[u32]>,
}

impl SourceFile {
    /// Indexes the text's lines.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { path: path.into(), lines: line_starts(&text).into(), text }
    }

    /// Path relative to the repository.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same, shared.
    pub(crate) fn shared_path(&self) -> Arc<str> {
        Arc::clone(&self.path)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text, to share.
    pub fn shared_text(&self) -> &Arc<str> {
        &self.text
    }

    /// Line and column of a byte offset. An offset beyond the text is its end; one inside a character is its start.
    pub fn position(&self, offset: u32) -> Position {
        let offset = self.floor(offset);
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start as usize..offset as usize).unwrap_or_default();
        let before = if start == 0 { before.strip_prefix('\u{feff}').unwrap_or(before) } else { before };
        Position { line: clamp_offset(line), column: clamp_offset(before.chars().count()).saturating_add(1), offset }
    }

    /// Lines and columns of a span.
    pub fn range(&self, span: Span) -> Range {
        Range { start: self.position(span.start), end: self.position(span.end.max(span.start)) }
    }

    /// The text of a span; what lies outside the file is left out.
    pub fn slice(&self, span: Span) -> &str {
        let start = self.floor(span.start) as usize;
        let end = self.floor(span.end.max(span.start)) as usize;
        self.text.get(start..end).unwrap_or_default()
    }

    /// How many lines the file has (a final line break opens one more, as editors count).
    pub fn line_count(&self) -> u32 {
        clamp_offset(self.lines.len())
    }

    /// The span of a line (from 1), without its line break; beyond the file an empty span at its end.
    pub fn line_span(&self, line: u32) -> Span {
        let index = (line.max(1) - 1) as usize;
        let Some(start) = self.lines.get(index).copied() else {
            return Span::new(self.text.len(), self.text.len());
        };
        let end = self.lines.get(index + 1).map_or(self.text.len(), |next| *next as usize);
        let line = self.text.get(start as usize..end).unwrap_or_default();
        let kept = line.trim_end_matches(['\n', '\r']).len();
        Span::new(start as usize, start as usize + kept)
    }

    /// The byte offset of a line and column (both from 1, columns in characters); clamps to the line and the file.
    pub fn offset(&self, line: u32, column: u32) -> u32 {
        let span = self.line_span(line);
        let text = self.slice(span);
        let text_start = if span.start == 0 && text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let rest = text.get(text_start..).unwrap_or_default();
        let inside = rest.char_indices().nth((column.max(1) - 1) as usize).map_or(rest.len(), |(index, _)| index);
        span.start + clamp_offset(text_start + inside)
    }

    fn floor(&self, offset: u32) -> u32 {
        let mut offset = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        clamp_offset(offset)
    }
}

/// Line breaks are `\n`, `\r\n` and a lone `\r` (YAML 1.2.2, 5.4).
fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let of_two = |index: usize| bytes[index] == b'\r' && bytes.get(index + 1) == Some(&b'\n');
    let breaks = memchr::memchr2_iter(b'\n', b'\r', bytes).filter(|index| !of_two(*index));
    std::iter::once(0).chain(breaks.map(|index| clamp_offset(index + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_no_byte_order_mark() {
        let file = SourceFile::new("a.yaml", "\u{feff}é: ü\r\nb: 1\rc\n");
        let at = |offset| {
            let position = file.position(offset);
            (position.line, position.column, position.offset)
        };
        assert_eq!(at(0), (1, 1, 0));
        assert_eq!(at(3), (1, 1, 3));
        assert_eq!(at(4), (1, 1, 3), "inside a character is its start");
        assert_eq!(at(5), (1, 2, 5));
        assert_eq!(at(11), (2, 1, 11));
        assert_eq!(at(16), (3, 1, 16));
        assert_eq!(at(18), (4, 1, 18));
        assert_eq!(at(9_999), (4, 1, 18));
        assert_eq!(file.offset(1, 2), 5);
        assert_eq!(file.offset(2, 4), 14);
        assert_eq!(file.offset(2, 99), 15);
        assert_eq!(file.offset(99, 1), 18);
        assert_eq!(file.slice(file.line_span(2)), "b: 1");
        assert_eq!(file.slice(Span { start: 16, end: 999 }), "c\n");
        assert_eq!(file.slice(Span { start: 999, end: 3 }), "");
    }

    #[test]
    fn an_empty_file_has_one_line() {
        let file = SourceFile::new("a.yaml", "");
        assert_eq!(file.line_count(), 1);
        assert_eq!(file.range(Span::default()).end.column, 1);
    }
}
