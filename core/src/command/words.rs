//! Cuts the rest of a command's line into words, with quotes. Ranges count from the start of the comment.

use std::ops::Range;

use super::CommandError;

/// A word; in `name="a b"` the quotes are resolved.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) range: Range<usize>,
    /// Where `=` stands in `text`, if an unquoted name stands before it.
    pub(super) equals: Option<usize>,
    pub(super) quoted: bool,
}

/// The words of a line, and the note after ` -- `.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) words: Vec<Word>,
    /// The note and the dashes with it.
    pub(super) note: Option<(String, Range<usize>)>,
}

/// A fault without its line.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) range: Range<usize>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), help: None, range }
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What separates a note: two hyphens, or the dash that telephones make of them.
const DASHES: [&str; 3] = ["--", "—", "–"];

/// Cuts `body[range]` into words.
pub(super) fn split(body: &str, range: Range<usize>) -> Result<Words, Fault> {
    let mut words = Vec::new();
    let mut at = range.start;
    loop {
        let rest = &body[at..range.end];
        let Some(begin) = rest.find(|c: char| !c.is_whitespace()) else {
            return Ok(Words { words, note: None });
        };
        at += begin;
        let raw = body[at..range.end].split(char::is_whitespace).next().unwrap_or_default();
        if DASHES.contains(&raw) {
            let note = body[at + raw.len()..range.end].trim().to_owned();
            return Ok(Words { words, note: Some((note, at..range.end)) });
        }
        let word = word(body, at..range.end)?;
        at = word.range.end;
        words.push(word);
    }
}

/// Reads one word at the start of the range. Quotes count at its start and after the first `=`.
fn word(body: &str, range: Range<usize>) -> Result<Word, Fault> {
    let mut text = String::new();
    let (mut equals, mut quoted) = (None, false);
    let mut at = range.start;
    while let Some(next) = body[at..range.end].chars().next().filter(|next| !next.is_whitespace()) {
        let opens = at == range.start || equals.is_some_and(|equals| equals + 1 == text.len());
        match closing(next).filter(|_| opens && !quoted) {
            Some(close) => {
                at = quotation(body, at..range.end, close, &mut text)?;
                quoted = true;
                if body[at..range.end].chars().next().is_some_and(|next| !next.is_whitespace()) {
                    let end = body[at..range.end].find(char::is_whitespace).map_or(range.end, |end| at + end);
                    return Err(Fault::new("a space is missing after the closing quote", at..end));
                }
            }
            None => {
                if next == '=' && equals.is_none() && !quoted && !text.is_empty() {
                    equals = Some(text.len());
                }
                text.push(next);
                at += next.len_utf8();
            }
        }
    }
    Ok(Word { text, range: range.start..at, equals, quoted })
}

fn closing(open: char) -> Option<char> {
    match open {
        '"' => Some('"'),
        '\'' => Some('\''),
        '“' => Some('”'),
        _ => None,
    }
}

/// Reads a quoted text from its opening quote on and returns where it ends. Between double quotes, a backslash
/// takes the quote or backslash after it as it is.
fn quotation(body: &str, range: Range<usize>, close: char, text: &mut String) -> Result<usize, Fault> {
    let mut characters = body[range.clone()].char_indices().skip(1).peekable();
    while let Some((offset, character)) = characters.next() {
        match character {
            _ if character == close => return Ok(range.start + offset + character.len_utf8()),
            '\\' if close == '"' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            _ => text.push(character),
        }
    }
    Err(Fault::new("this quote is not closed", range).with_help(format!("write {close} at its end, on the same line")))
}

/// Reads words as `name=value` pairs with unique names.
pub(super) fn pairs(words: &[Word]) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in words {
        let Some(equals) = word.equals else {
            let shown: String = word.text.chars().take(40).collect();
            return Err(Fault::new(format!("`{shown}` is not written as `name=value`"), word.range.clone())
                .with_help("a value with spaces needs quotes: `name=\"two words\"`"));
        };
        let (name, value) = (&word.text[..equals], &word.text[equals + 1..]);
        let key_range = word.range.start..word.range.start + equals;
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
            return Err(Fault::new("this is not a name", key_range)
                .with_help("a name consists of letters, digits, `_`, `-` and `.`"));
        }
        if pairs.iter().any(|(known, _)| known == name) {
            return Err(Fault::new(format!("`{name}` is given twice"), key_range));
        }
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Reads what follows a slash word as `name=value` pairs, with the quotes of our own commands. For the comment
/// triggers of processes.
///
/// # Errors
/// The first word that is no pair, a name that is given twice, an open quote. The range counts from the start of
/// `rest`, the line is 1.
pub fn parse_arguments(rest: &str) -> Result<Vec<(String, String)>, CommandError> {
    let read = split(rest, 0..rest.len()).and_then(|words| match words.note {
        Some((_, range)) => Err(Fault::new("a note after `--` is not possible here", range)),
        None => pairs(&words.words),
    });
    read.map_err(|fault| CommandError { message: fault.message, help: fault.help, range: fault.range, line: 1 })
}
