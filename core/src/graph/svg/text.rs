//! Texts in a picture: how wide they are at most, and how they are written.

/// Width of a character of the fixed-width font, at 11 px; the widest of the usual ones has 0.62 em.
const FIXED: f64 = 6.9;

/// A text as XML has it. What XML cannot hold at all (XML 1.0, 2.2) becomes U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// How wide a line of the fixed-width font is, in pixels.
pub(super) fn fixed_width(text: &str) -> f64 {
    text.chars().map(|character| if character.is_ascii() { FIXED } else { FIXED.max(wide(character) * 11.0) }).sum()
}

/// How wide a name is at most, at 13 px and bold, in pixels.
pub(super) fn name_width(text: &str) -> f64 {
    text.chars().map(|character| em(character) * 13.0).sum()
}

fn em(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | 'I' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.98,
        'A'..='Z' | '&' | '#' => 0.76,
        character if character.is_ascii() => 0.62,
        character => wide(character),
    }
}

/// The width of a character of any other script, in em.
fn wide(character: char) -> f64 {
    match character {
        '…' => 1.0,
        '\u{80}'..='\u{24f}' | '→' => 0.8,
        _ => 1.1,
    }
}
