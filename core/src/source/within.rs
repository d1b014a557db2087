//! From a place in a decoded scalar to its place in the file: folded lines, escapes, block indentation.
//! A map is only trusted when it rebuilds the very value that the parser gave; otherwise the whole scalar is the answer.

use std::ops::Range;

use super::arena::{Document, NodeId};
use super::file::Span;
use super::scalar::ScalarStyle;

/// A stretch of the value and where it comes from.
#[derive(Debug, Clone, Copy)]
struct Piece {
    value: usize,
    value_length: usize,
    source: usize,
    source_length: usize,
}

impl Piece {
    /// Byte for byte the same in both.
    fn is_verbatim(self) -> bool {
        self.value_length == self.source_length
    }
}

/// Maps byte ranges of one scalar's value to spans of the file. Make one when several ranges of a scalar are asked for.
#[derive(Debug, Clone)]
pub struct ScalarMap {
    whole: Span,
    pieces: Vec<Piece>,
}

impl ScalarMap {
    /// The span of a byte range of the decoded value. Ranges beyond the value are clamped; a range inside an escape
    /// or a folded line break is widened to all of it.
    pub fn span(&self, range: Range<usize>) -> Span {
        if self.pieces.is_empty() {
            return self.whole;
        }
        let start = self.start_of(range.start);
        let end = if range.end > range.start { self.end_of(range.end) } else { start };
        Span::new(start, end.max(start))
    }

    /// The byte of the decoded value that stands at a byte of the file; nothing outside of the scalar, and where the way
    /// back is not known.
    pub fn offset(&self, at: usize) -> Option<usize> {
        let index = self.pieces.partition_point(|piece| piece.source + piece.source_length < at);
        let piece = self.pieces.get(index)?;
        let inside = at.checked_sub(piece.source)?;
        Some(piece.value + if piece.is_verbatim() { inside } else { inside.min(piece.value_length) })
    }

    fn start_of(&self, offset: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.value + piece.value_length <= offset);
        match self.pieces.get(index) {
            Some(piece) if piece.is_verbatim() => piece.source + offset.saturating_sub(piece.value),
            Some(piece) => piece.source,
            None => self.pieces.last().map_or(self.whole.end as usize, |piece| piece.source + piece.source_length),
        }
    }

    fn end_of(&self, offset: usize) -> usize {
        let index = self.pieces.partition_point(|piece| piece.value + piece.value_length < offset);
        match self.pieces.get(index) {
            Some(piece) if piece.is_verbatim() => piece.source + offset.saturating_sub(piece.value),
            Some(piece) => piece.source + piece.source_length,
            None => self.pieces.last().map_or(self.whole.end as usize, |piece| piece.source + piece.source_length),
        }
    }
}

impl Document {
    /// Where a byte range of a scalar's *decoded* value lies in the file. Takes time in the length of a scalar that is
    /// folded or escaped; for many ranges of one scalar make a [`ScalarMap`].
    pub fn span_within(&self, scalar: NodeId, range: Range<usize>) -> Span {
        self.scalar_map(scalar).span(range)
    }

    /// The map of one scalar. Of anything else: every range is the node's whole span.
    pub fn scalar_map(&self, id: NodeId) -> ScalarMap {
        let node = self.node(id);
        let whole = node.span();
        let Some(scalar) = node.as_scalar() else { return ScalarMap { whole, pieces: Vec::new() } };
        let source = self.text.get(whole.range()).unwrap_or_default();
        let start = whole.start as usize;
        let pieces = if source == scalar.value {
            let length = source.len();
            Some(vec![Piece { value: 0, value_length: length, source: start, source_length: length }])
        } else {
            match scalar.style {
                ScalarStyle::Literal | ScalarStyle::Folded => align_block(&self.text, whole, scalar.value),
                style => decode_flow(source, start, style, scalar.value),
            }
        };
        ScalarMap { whole, pieces: pieces.filter(|_| !scalar.value.is_empty()).unwrap_or_default() }
    }
}

/// Collects pieces and checks each against the value.
struct Collector<'a> {
    value: &'a str,
    at: usize,
    pieces: Vec<Piece>,
}

impl<'a> Collector<'a> {
    fn new(value: &'a str) -> Self {
        Self { value, at: 0, pieces: Vec::new() }
    }

    fn rest(&self) -> &'a str {
        self.value.get(self.at..).unwrap_or_default()
    }

    /// The value goes on with `text`, which stands for `source_length` bytes at `source`.
    fn take(&mut self, text: &str, source: usize, source_length: usize) -> Option<()> {
        if text.is_empty() {
            return Some(());
        }
        if !self.rest().starts_with(text) {
            return None;
        }
        let value_length = text.len();
        self.pieces.push(Piece { value: self.at, value_length, source, source_length });
        self.at += value_length;
        Some(())
    }

    fn finish(self) -> Option<Vec<Piece>> {
        (self.at == self.value.len()).then_some(self.pieces)
    }
}

/// The length of the line break at the start of `text`, 0 when there is none.
fn line_break(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with(['\n', '\r'])) }
}

/// Reads a plain or quoted scalar again (YAML 1.2.2, 7.3), remembering where each part of the value comes from.
fn decode_flow(source: &str, start: usize, style: ScalarStyle, value: &str) -> Option<Vec<Piece>> {
    let mut collector = Collector::new(value);
    let mut at = 0;
    while at < source.len() {
        let rest = source.get(at..)?;
        let special = match style {
            ScalarStyle::DoubleQuoted => rest.find(['\\', '\n', '\r']),
            ScalarStyle::SingleQuoted => rest.find(['\'', '\n', '\r']),
            _ => rest.find(['\n', '\r']),
        };
        let Some(special) = special else {
            collector.take(rest, start + at, rest.len())?;
            break;
        };
        let before = rest.get(..special)?;
        let tail = rest.get(special..)?;
        if line_break(tail) > 0 {
            let kept = before.trim_end_matches([' ', '\t']);
            collector.take(kept, start + at, kept.len())?;
            let (text, length) = fold(rest.get(kept.len()..)?);
            collector.take(&text, start + at + kept.len(), length)?;
            at += kept.len() + length;
            continue;
        }
        collector.take(before, start + at, before.len())?;
        at += special;
        let length = match style {
            ScalarStyle::SingleQuoted => {
                collector.take("'", start + at, 2)?;
                2
            }
            _ => take_escape(&mut collector, tail, start + at)?,
        };
        at += length;
    }
    collector.finish()
}

/// What a run of white space with line breaks becomes, and how long it is.
fn fold(text: &str) -> (String, usize) {
    let mut breaks = 0;
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        let width = line_break(rest);
        if width > 0 {
            breaks += 1;
            length += width;
        } else if rest.starts_with([' ', '\t']) {
            length += 1;
        } else {
            break;
        }
    }
    let folded = if breaks == 1 { " ".to_owned() } else { "\n".repeat(breaks - usize::from(breaks > 0)) };
    (folded, length)
}

/// One escape of a double-quoted scalar (YAML 1.2.2, 5.7); gives its length in the source.
fn take_escape(collector: &mut Collector<'_>, text: &str, source: usize) -> Option<usize> {
    let after = text.get(1..)?;
    let width = line_break(after);
    if width > 0 {
        // An escaped line break joins the lines; the white space that begins the next one goes, empty lines stay.
        let rest = after.get(width..)?;
        let indentation = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        return take_joined(collector, rest.get(indentation..)?, 1 + width + indentation, source);
    }
    let escape = after.chars().next()?;
    let digits = match escape {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            let length = 1 + escape.len_utf8();
            collector.take(simple_escape(escape)?, source, length)?;
            return Some(length);
        }
    };
    let mut length = 2 + digits;
    let mut code = u32::from_str_radix(text.get(2..length)?, 16).ok()?;
    if (0xD800..0xDC00).contains(&code) {
        let low = text.get(length..)?.strip_prefix("\\u")?.get(..4)?;
        let low = u32::from_str_radix(low, 16).ok()?.checked_sub(0xDC00)?;
        code = 0x10000 + ((code - 0xD800) << 10) + low;
        length += 6;
    }
    let character = char::from_u32(code)?;
    collector.take(character.encode_utf8(&mut [0; 4]), source, length)?;
    Some(length)
}

/// After an escaped line break: further empty lines are line breaks of the value.
fn take_joined(collector: &mut Collector<'_>, rest: &str, consumed: usize, source: usize) -> Option<usize> {
    if line_break(rest) == 0 {
        return Some(consumed);
    }
    let (_, length) = fold(rest);
    let breaks = rest.get(..length)?.replace("\r\n", "\n").matches(['\n', '\r']).count();
    collector.take(&"\n".repeat(breaks), source + consumed, length)?;
    Some(consumed + length)
}

fn simple_escape(escape: char) -> Option<&'static str> {
    Some(match escape {
        '0' => "\0",
        'a' => "\u{7}",
        'b' => "\u{8}",
        't' | '\t' => "\t",
        'n' => "\n",
        'v' => "\u{b}",
        'f' => "\u{c}",
        'r' => "\r",
        'e' => "\u{1b}",
        ' ' => " ",
        '"' => "\"",
        '/' => "/",
        '\\' => "\\",
        'N' => "\u{85}",
        '_' => "\u{a0}",
        'L' => "\u{2028}",
        'P' => "\u{2029}",
        _ => return None,
    })
}

/// Finds each line of a block scalar in its value. Between lines the value has line breaks, or the space that folding
/// puts there; the lines themselves are in it unchanged but for the indentation.
fn align_block(text: &str, whole: Span, value: &str) -> Option<Vec<Piece>> {
    let first = first_line(text, whole.start as usize);
    let indentation = indentation_of_block(text.get(first..)?, value)?;
    let mut collector = Collector::new(value);
    let mut line = first;
    let mut separator = first;
    let mut is_first = true;
    // Once only line breaks are left, what follows in the file belongs to others.
    while line < text.len() && !collector.rest().bytes().all(|byte| byte == b'\n') {
        let rest = text.get(line..)?;
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let content = rest.get(..length)?;
        let stripped = indentation.min(content.len() - content.trim_start_matches(' ').len());
        let content = content.get(stripped..)?;
        let next = line + length + line_break(rest.get(length..)?);
        if !content.is_empty() {
            let start = line + stripped;
            take_separator(&mut collector, separator, start, is_first)?;
            collector.take(content, start, content.len())?;
            separator = start + content.len();
            is_first = false;
        }
        line = next;
    }
    let breaks = collector.rest();
    collector.take(breaks, separator, line.saturating_sub(separator))?;
    collector.finish()
}

fn take_separator(collector: &mut Collector<'_>, from: usize, to: usize, is_first: bool) -> Option<()> {
    let rest = collector.rest();
    let breaks = rest.len() - rest.trim_start_matches('\n').len();
    let length = if breaks == 0 && !is_first { 1 } else { breaks };
    collector.take(rest.get(..length)?, from, to - from)
}

/// Where the line after the block's header begins. The span starts at the first line that is not empty.
fn first_line(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    let mut first = before.rfind(['\n', '\r']).map_or(0, |index| index + 1);
    loop {
        let previous = text.get(..first).unwrap_or_default();
        let previous =
            previous.strip_suffix("\r\n").or_else(|| previous.strip_suffix(['\n', '\r'])).unwrap_or(previous);
        let line = previous.rfind(['\n', '\r']).map_or(0, |index| index + 1);
        if line >= first || !previous.get(line..).unwrap_or_default().trim_matches([' ', '\t']).is_empty() {
            return first;
        }
        first = line;
    }
}

/// How many spaces the block's lines lose: those of its first line that is not empty, less those that the value keeps.
fn indentation_of_block(source: &str, value: &str) -> Option<usize> {
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_written = |line: &&str| !line.trim_matches(' ').is_empty();
    let in_source = source.split(['\n', '\r']).find(is_written)?;
    let in_value = value.split('\n').find(is_written)?;
    spaces(in_source).checked_sub(spaces(in_value))
}
