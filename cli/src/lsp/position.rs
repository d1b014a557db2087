//! Places as editors count them: lines from 0, and characters in the units that both sides agreed on.

use flowctl_core::source::{SourceFile, Span};
use tower_lsp_server::ls_types::{Position, PositionEncodingKind, Range};

/// In what a place on a line is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units: what every editor understands.
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The first of the client's that we know; without any, UTF-16.
    pub fn agreed(offered: &[PositionEncodingKind]) -> Self {
        let known = |kind: &PositionEncodingKind| match kind.as_str() {
            "utf-8" => Some(Self::Utf8),
            "utf-16" => Some(Self::Utf16),
            "utf-32" => Some(Self::Utf32),
            _ => None,
        };
        offered.iter().find_map(known).unwrap_or(Self::Utf16)
    }

    /// Its name in the protocol.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, character: char) -> u32 {
        match self {
            Self::Utf8 => u32::try_from(character.len_utf8()).unwrap_or(1),
            Self::Utf16 => u32::try_from(character.len_utf16()).unwrap_or(1),
            Self::Utf32 => 1,
        }
    }

    /// The byte of a place. Beyond its line is the line's end, inside of a character its start, beyond the file its end.
    pub fn offset(self, source: &SourceFile, position: Position) -> u32 {
        let line = source.line_span(position.line.saturating_add(1));
        let mut units = 0;
        for (at, character) in source.slice(line).char_indices() {
            units += self.width(character);
            if units > position.character {
                return line.start + u32::try_from(at).unwrap_or(0);
            }
        }
        line.end
    }

    /// The bytes of a range.
    pub fn span(self, source: &SourceFile, range: Range) -> Span {
        let (start, end) = (self.offset(source, range.start), self.offset(source, range.end));
        Span { start: start.min(end), end: end.max(start) }
    }

    /// The place of a byte.
    pub fn position(self, source: &SourceFile, offset: u32) -> Position {
        let place = source.position(offset);
        let line = source.line_span(place.line);
        let before = source.slice(Span { start: line.start, end: place.offset.max(line.start) });
        let character = before.chars().map(|character| self.width(character)).sum();
        Position { line: place.line.saturating_sub(1), character }
    }

    /// The range of a span.
    pub fn range(self, source: &SourceFile, span: Span) -> Range {
        Range { start: self.position(source, span.start), end: self.position(source, span.end.max(span.start)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_counts_in_its_own_units() {
        let source = SourceFile::new("a.yaml", "a: é😀x\r\nb\r\n");
        let at = |line, character| Position { line, character };
        for (encoding, x) in [(Encoding::Utf8, 9), (Encoding::Utf16, 6), (Encoding::Utf32, 5)] {
            assert_eq!(encoding.position(&source, 9), at(0, x), "{encoding:?}");
            assert_eq!(encoding.offset(&source, at(0, x)), 9, "{encoding:?}");
            assert_eq!(encoding.offset(&source, at(0, 99)), 10, "the line's end");
            assert_eq!(encoding.offset(&source, at(1, 0)), 12);
            assert_eq!(encoding.offset(&source, at(9, 9)), 15, "the file's end");
        }
        assert_eq!(Encoding::Utf16.offset(&source, at(0, 5)), 5, "inside of the pair is its start");
    }

    #[test]
    fn the_client_s_first_choice_that_is_known_is_taken() {
        let offered =
            |kinds: &[&'static str]| kinds.iter().map(|kind| PositionEncodingKind::from(*kind)).collect::<Vec<_>>();
        assert_eq!(Encoding::agreed(&[]), Encoding::Utf16);
        assert_eq!(Encoding::agreed(&offered(&["utf-7", "utf-8", "utf-16"])), Encoding::Utf8);
        assert_eq!(Encoding::agreed(&offered(&["utf-32"])), Encoding::Utf32);
    }
}
