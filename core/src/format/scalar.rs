//! How a scalar is written: quotes only where they are needed, lines of a block under their new indentation.

use crate::source::{Resolved, ScalarStyle, resolve_plain};

/// Words that other readers of YAML take for booleans; in quotes they are text for everybody.
const AMBIGUOUS: &[&str] = &["y", "n", "yes", "no", "on", "off"];

/// Whether a text means the same without quotes, for us and for other readers, in brackets and outside.
pub(super) fn is_plain(value: &str) -> bool {
    let first = value.chars().next();
    let begins = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | '+' | '(' | ')');
    begins
        && value.chars().all(sound)
        && !value.ends_with(' ')
        && !value.contains("  ")
        && !AMBIGUOUS.iter().any(|word| value.eq_ignore_ascii_case(word))
        && matches!(resolve_plain(value), Resolved::Text(_))
}

/// A key as it is written.
pub(super) fn key(written: &str, style: ScalarStyle, value: &str) -> String {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    if quoted && is_plain(value) && !value.contains(' ') { value.to_owned() } else { written.to_owned() }
}

/// A scalar of one or several lines; those after the first stand under `indent`.
pub(super) fn flow_scalar(written: &str, style: ScalarStyle, value: &str, indent: usize) -> String {
    let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    if quoted && is_plain(value) && !written.contains('\n') {
        return value.to_owned();
    }
    let mut lines = written.split('\n');
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        // White space around a line break folds away (YAML 1.2.2, 6.5), but for what a backslash keeps.
        let line = line.trim_start_matches([' ', '\t']);
        text.push('\n');
        if !line.is_empty() {
            text.push_str(&" ".repeat(indent));
            text.push_str(line);
        }
    }
    text
}

/// A block scalar: its header, its lines under a new indentation, and where it ends in the text.
pub(super) struct Block<'t> {
    pub(super) header: &'t str,
    pub(super) lines: Vec<String>,
    /// Whether empty lines after it belong to it.
    pub(super) keeps: bool,
}

/// Reads a block scalar whose header begins at `header`. `parent` is the column of what it belongs to, `indent` the one
/// that this gets.
pub(super) fn block(text: &str, header: usize, parent: usize, indent: usize) -> Option<Block<'_>> {
    let rest = text.get(header..)?;
    let line_end = rest.find('\n').unwrap_or(rest.len());
    let header = rest[..line_end].trim_end();
    let indicators: &str = header.split([' ', '\t', '#']).next()?;
    let digit = indicators.chars().find_map(|c| c.to_digit(10)).map(|digit| digit as usize);
    let keeps = indicators.contains('+');
    let body = rest.get(line_end + 1..).unwrap_or_default();
    let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_blank = |line: &str| line.trim_matches(' ').is_empty();
    let lines = || body.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line));
    let old = match digit {
        Some(digit) => parent + digit,
        None => {
            lines().find(|line| !is_blank(line)).map(spaces).filter(|spaces| *spaces > parent).unwrap_or(parent + 1)
        }
    };
    let new = indent + digit.unwrap_or(2);
    let mut kept: Vec<String> = Vec::new();
    for line in lines().take_while(|line| is_blank(line) || spaces(line) >= old) {
        kept.push(if line.len() > old { format!("{}{}", " ".repeat(new), &line[old..]) } else { String::new() });
    }
    while !keeps && kept.last().is_some_and(String::is_empty) {
        kept.pop();
    }
    Some(Block { header, lines: kept, keeps })
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn quotes_go_only_where_everybody_reads_the_same_without_them() {
        for value in ["main", "a b", "a/b.yaml", "/release", "Who is it (really)", "v1.2-rc", "_x"] {
            assert!(is_plain(value), "{value}");
        }
        for value in [
            "",
            " a",
            "a ",
            "a  b",
            "true",
            "null",
            "yes",
            "On",
            "1",
            "1.5",
            "09:00",
            "2026-01-01",
            "a: b",
            "a #b",
            "{{ x }}",
            "*a",
            "&a",
            "!a",
            "a,b",
            "[a]",
            "it's",
            "é",
            "- a",
            "~",
            "0x1f",
            ".5",
            "@a",
        ] {
            assert!(!is_plain(value), "{value}");
        }
    }
}
