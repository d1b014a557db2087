//! Templates that were written without quotes: how to recognise one and how to read on behind it.
//! Only the look of a template matters here; its inside belongs to `expression`.

use super::file::Span;

/// Whether a text holds the start of a template or of a template's statement.
pub(super) fn occurs_in(text: &str) -> bool {
    text.contains('{') && (text.contains("{{") || text.contains("{%"))
}

/// Whether a flow mapping's text is `{{ … }}`.
pub(super) fn is_braced(text: &str) -> bool {
    text.len() >= 4 && text.starts_with("{{") && text.ends_with("}}")
}

/// How to quote what was written.
pub(super) fn quoting_advice(text: &str) -> String {
    if text.contains('\n') || text.chars().count() > 60 {
        return "put the whole value in double quotes".to_owned();
    }
    if text.contains(['"', '\\']) {
        return format!("write '{}'", text.replace('\'', "''"));
    }
    format!("write \"{text}\"")
}

/// Where a syntax error has an unquoted template for its cause: the span of the value that needs quotes.
/// `offset` is where the parser gave up; the template lies on that line or, when it was left open, on an earlier one.
pub(super) fn find_unquoted(text: &str, offset: usize) -> Option<Span> {
    let mut end_of_search = floor(text, offset);
    for _ in 0..3 {
        let before = text.get(..end_of_search)?;
        let line_start = before.rfind(['\n', '\r']).map_or(0, |index| index + 1);
        let line_end = text.get(end_of_search..)?.find(['\n', '\r']).map_or(text.len(), |index| end_of_search + index);
        if let Some(span) = find_in_line(text, line_start, line_end) {
            return Some(span);
        }
        end_of_search = line_start.checked_sub(1)?;
    }
    None
}

fn find_in_line(text: &str, line_start: usize, line_end: usize) -> Option<Span> {
    let line = text.get(line_start..line_end)?;
    let mut from = 0;
    while let Some(found) = line.get(from..)?.find('{') {
        let start = from + found;
        let rest = line.get(start..)?;
        from = start + 1;
        let close = match rest {
            _ if rest.starts_with("{{") => "}}",
            _ if rest.starts_with("{%") => "%}",
            _ => continue,
        };
        let Some(closing) = rest.rfind(close) else { continue };
        let Some(place) = place_of(line.get(..start)?) else { continue };
        let end = match place {
            Place::Block => start + end_of_block_value(rest, closing + close.len()),
            Place::Flow => start + rest.find(close)? + close.len(),
        };
        return Some(Span::new(line_start + start, line_start + end));
    }
    None
}

enum Place {
    /// The value runs to the end of the line.
    Block,
    /// Inside `[…]` or `{…}`.
    Flow,
}

/// What kind of value begins after `prefix` (the line before the template); none when none begins there.
fn place_of(prefix: &str) -> Option<Place> {
    let trimmed = prefix.trim_end();
    if trimmed.contains(['[', '{']) {
        return trimmed.ends_with(['[', '{', ',', ':']).then_some(Place::Flow);
    }
    let begins_value = trimmed.is_empty()
        || (trimmed.ends_with([':', '-', '?']) && prefix.len() > trimmed.len()) && !trimmed.contains(['"', '\'', '#']);
    begins_value.then_some(Place::Block)
}

/// The length of the value without a comment behind it and without spaces at its end.
fn end_of_block_value(rest: &str, template_end: usize) -> usize {
    let tail = rest.get(template_end..).unwrap_or_default();
    let tail = tail.split_once(" #").map_or(tail, |(value, _)| value);
    template_end + tail.trim_end().len()
}

/// The text with the span's bytes replaced by as many letters, so that every other offset stays.
pub(super) fn blank_out(text: &str, span: Span) -> String {
    let mut blanked = String::with_capacity(text.len());
    blanked.push_str(text.get(..span.start as usize).unwrap_or_default());
    blanked.extend(std::iter::repeat_n('x', span.len()));
    blanked.push_str(text.get(span.end as usize..).unwrap_or_default());
    blanked
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
