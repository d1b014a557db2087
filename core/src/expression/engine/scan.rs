//! Reads over the tokens of a text before minijinja parses it. What its parser answers vaguely or not at all is found
//! here with its place: tags that do not pair, brackets, numbers. And its recursion is bounded here, which it is not
//! over prefix operators, `else`, `elif` and long chains.

use std::ops::Range;

use minijinja::machinery::{Token, Tokenizer};

use super::catalogue::nearest;
use super::{range_of, syntax};
use crate::expression::{ExpressionError, MAX_NESTING};

/// Operators in one expression without regard to brackets. Far above [`crate::expression::MAX_DEPTH`], which is
/// exact; this one only keeps the tree so flat that it can be dropped.
const MAX_OPERATORS: usize = 1000;
/// Digits of a number that is not too large.
const MAX_DIGITS: usize = 15;
const UNAVAILABLE: &[&str] = &[
    "autoescape",
    "block",
    "break",
    "call",
    "continue",
    "do",
    "endset",
    "extends",
    "filter",
    "from",
    "import",
    "include",
    "macro",
];
const KNOWN: &[&str] = &["if", "for", "set", "with", "raw", "else", "elif", "endif", "endfor", "endwith"];

/// Whether [`scan`] can refuse a text only for what minijinja's parser refuses too: there are no tags, not enough brackets,
/// prefixes and `else` for any depth, and no number that is long or has an exponent.
pub(super) fn is_harmless(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_OPERATORS {
        return false;
    }
    let (mut nests, mut digits, mut in_name) = (0, 0, false);
    for (place, byte) in bytes.iter().enumerate() {
        let rest = &bytes[place..];
        match byte {
            b'{' if rest.starts_with(b"{%") => return false,
            b'{' | b'[' | b'(' | b'-' => nests += 1,
            b'n' if rest.starts_with(b"not") => nests += 1,
            // An exponent, or another base.
            b'e' | b'E' | b'x' | b'X' | b'o' | b'O' | b'b' | b'B' if digits > 0 => return false,
            b'e' if rest.starts_with(b"else") => nests += 1,
            _ => {}
        }
        let is_of_number = byte.is_ascii_digit() && !in_name || digits > 0 && matches!(byte, b'_' | b'.');
        digits = if is_of_number { digits + 1 } else { 0 };
        in_name = !is_of_number && (byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii());
        if digits > MAX_DIGITS {
            return false;
        }
    }
    nests < MAX_NESTING
}

/// Reads over a text.
///
/// # Errors
/// The first thing that minijinja's parser should not see. Otherwise what to say if that parser runs into the end of
/// the text, because something is still open there.
pub(super) fn scan(text: &str) -> Result<Option<ExpressionError>, ExpressionError> {
    let mut scan = Scan { text, tags: Vec::new(), levels: Vec::new(), opened: None, at_word: false };
    let mut tokenizer = Tokenizer::new(text, "", false, syntax());
    let mut end = 0;
    loop {
        match tokenizer.next_token() {
            Ok(Some((token, span))) => {
                let range = range_of(text, span);
                end = range.end;
                scan.token(&token, range)?;
            }
            Ok(None) => return Ok(scan.unclosed()),
            Err(error) => return Err(fault(text, end, error.detail().unwrap_or_default())),
        }
    }
}

/// Where a text has markup, `{{ … }}`, `{% … %}` and `{# … #}` one by one, whether it can be read or not: what cannot is markup
/// from there to the end of the text.
pub(super) fn markup(text: &str) -> Vec<Range<usize>> {
    let mut tokenizer = Tokenizer::new(text, "", false, syntax());
    let mut found = Vec::new();
    let mut end = 0;
    // Comments are no token, and neither are the tags around what is raw.
    let until = |found: &mut Vec<Range<usize>>, from: usize, to: usize| {
        if text.get(from..to).is_some_and(|gap| !gap.trim().is_empty()) {
            found.push(from..to);
        }
    };
    while let Ok(Some((token, span))) = tokenizer.next_token() {
        let range = range_of(text, span);
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => {
                until(&mut found, end, range.start);
                end = if matches!(token, Token::TemplateData(_)) { range.end } else { range.start };
            }
            Token::VariableEnd | Token::BlockEnd => {
                found.push(end..range.end);
                end = range.end;
            }
            _ => {}
        }
    }
    until(&mut found, end, text.len());
    found
}

struct Scan<'a> {
    text: &'a str,
    tags: Vec<Tag<'a>>,
    /// The expression, and each bracket that is open in it.
    levels: Vec<Level>,
    /// The `{{` or `{%` that is open.
    opened: Option<Range<usize>>,
    at_word: bool,
}

struct Tag<'a> {
    word: &'a str,
    range: Range<usize>,
    /// One, and one for each `elif`.
    depth: usize,
    has_else: bool,
}

#[derive(Default)]
struct Level {
    closer: &'static str,
    prefixes: usize,
    elses: usize,
    operators: usize,
}

impl<'a> Scan<'a> {
    fn token(&mut self, token: &Token<'a>, range: Range<usize>) -> Result<(), ExpressionError> {
        let at_word = std::mem::take(&mut self.at_word);
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart | Token::BlockStart => {
                self.at_word = matches!(token, Token::BlockStart);
                self.opened = Some(range.clone());
                self.levels = vec![Level::default()];
            }
            Token::VariableEnd | Token::BlockEnd => {
                self.opened = None;
                self.levels.clear();
            }
            Token::Ident(word) if at_word => self.tag(word, &range)?,
            Token::Int128(_) => return Err(ExpressionError::new("this number is too large", range)),
            Token::Float(number) if !number.is_finite() => {
                return Err(ExpressionError::new("this number is too large", range));
            }
            Token::ParenOpen => self.open(")"),
            Token::BracketOpen => self.open("]"),
            Token::BraceOpen => self.open("}"),
            Token::ParenClose | Token::BracketClose | Token::BraceClose => self.close(&range)?,
            other => self.operator(other),
        }
        self.bounded(range)
    }

    fn operator(&mut self, token: &Token<'_>) {
        let Some(level) = self.levels.last_mut() else { return };
        match token {
            Token::Comma | Token::Colon => *level = Level { closer: level.closer, ..Level::default() },
            Token::Ident("not") | Token::Minus => {
                level.prefixes += 1;
                level.operators += 1;
            }
            Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Float(_) => level.prefixes = 0,
            Token::Ident(word) => {
                level.prefixes = 0;
                level.elses += usize::from(*word == "else");
                level.operators += usize::from(matches!(*word, "and" | "or" | "in" | "is" | "if" | "else"));
            }
            _ => {
                level.prefixes = 0;
                level.operators += 1;
            }
        }
    }

    fn open(&mut self, closer: &'static str) {
        if let Some(level) = self.levels.last_mut() {
            level.operators += 1;
        }
        self.levels.push(Level { closer, ..Level::default() });
    }

    fn close(&mut self, range: &Range<usize>) -> Result<(), ExpressionError> {
        let found = self.text.get(range.clone()).unwrap_or_default();
        let wanted = self.levels.last().map_or("", |level| level.closer);
        if wanted == found {
            self.levels.pop();
            if let Some(level) = self.levels.last_mut() {
                level.prefixes = 0;
            }
            return Ok(());
        }
        let message = match wanted {
            "" if found == "}" => "the expression should end with `}}` or go on with an operator".to_owned(),
            "" => return Err(ExpressionError::new(format!("`{found}` closes no bracket"), range.clone())),
            ")" => "a `)` is missing after the part in parentheses".to_owned(),
            _ => format!("a `{wanted}` is missing before this"),
        };
        Err(ExpressionError::new(message, range.clone()).with_help("is a bracket open that was never closed?"))
    }

    fn bounded(&self, range: Range<usize>) -> Result<(), ExpressionError> {
        let tags: usize = self.tags.iter().map(|tag| tag.depth).sum();
        let brackets: usize = self.levels.iter().map(|level| 1 + level.prefixes + level.elses).sum();
        let operators: usize = self.levels.iter().map(|level| level.operators).sum();
        if tags + brackets > MAX_NESTING || operators > MAX_OPERATORS {
            return Err(too_deep(range));
        }
        Ok(())
    }

    fn tag(&mut self, word: &'a str, range: &Range<usize>) -> Result<(), ExpressionError> {
        let last = self.tags.last_mut();
        let last = last.map(|tag| (tag.word, tag));
        match (word, last) {
            ("if" | "for" | "with", _) => {
                self.tags.push(Tag { word, range: range.clone(), depth: 1, has_else: false });
            }
            ("set", _) => {}
            ("elif", Some(("if", tag))) if !tag.has_else => tag.depth += 1,
            ("else", Some(("if" | "for", tag))) if !tag.has_else => tag.has_else = true,
            ("endif", Some(("if", _))) | ("endfor", Some(("for", _))) | ("endwith", Some(("with", _))) => {
                self.tags.pop();
            }
            _ => return Err(stray(word, range.clone())),
        }
        Ok(())
    }

    fn unclosed(self) -> Option<ExpressionError> {
        if let Some(range) = self.opened {
            let (opener, closer) = if self.text[range.clone()].starts_with("{%") { ("{%", "%}") } else { ("{{", "}}") };
            return Some(ExpressionError::new(format!("this `{opener}` is not closed with `{closer}`"), range));
        }
        let tag = self.tags.into_iter().next_back()?;
        let message = format!("this `{}` is not closed with `{{% end{} %}}`", tag.word, tag.word);
        Some(ExpressionError::new(message, tag.range))
    }
}

pub(super) fn too_deep(range: Range<usize>) -> ExpressionError {
    ExpressionError::new("this expression is nested too deeply", range)
        .with_help("compute a part of it in a `set` step and refer to that")
}

fn stray(word: &str, range: Range<usize>) -> ExpressionError {
    let available = "available are `if`, `for`, `set`, `with` and `raw`".to_owned();
    if matches!(word, "else" | "elif" | "endif" | "endfor" | "endwith" | "endraw") {
        let message = format!("`{word}` stands alone: there is no open tag that it belongs to");
        return ExpressionError::new(message, range);
    }
    if UNAVAILABLE.contains(&word) {
        let message = format!("the tag `{word}` is not available in processes");
        return ExpressionError::new(message, range).with_help(available);
    }
    let near = nearest(word, KNOWN.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    ExpressionError::new(format!("there is no tag `{word}`"), range).with_help(near.unwrap_or(available))
}

/// Says what the tokenizer stumbled over: the first thing after the last token.
fn fault(text: &str, end: usize, detail: &str) -> ExpressionError {
    let rest = text.get(end..).unwrap_or_default();
    let start = end + (rest.len() - rest.trim_start().len());
    let first = text[start..].chars().next();
    let to_end = start..text.len();
    let character = start..start + first.map_or(0, char::len_utf8);
    if detail.contains("comment") {
        let start = rest.find("{#").map_or(start, |found| end + found);
        return ExpressionError::new("this comment `{#` is not closed with `#}`", start..text.len())
            .with_help("to print the characters themselves, write {{ '{#' }}");
    }
    match first {
        _ if detail.contains("raw block") => {
            ExpressionError::new("this `{% raw %}` is not closed with `{% endraw %}`", to_end)
        }
        Some('"' | '\'') if detail.contains("end of string") => {
            ExpressionError::new("this quoted text has no closing quote", to_end)
        }
        Some('"' | '\'') => ExpressionError::new("this quoted text contains an escape that is not known", character)
            .with_help(r#"known are \n, \t, \r, \", \', \\ and \u0041"#),
        Some(digit) if digit.is_ascii_digit() => {
            let in_number = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let length = text[start..].find(|c| !in_number(c)).unwrap_or(to_end.len());
            ExpressionError::new("this is not a number that can be read", start..start + length)
        }
        Some(first) => {
            let words = [("&&", "and"), ("!", "not")];
            let rest = text.get(start..).unwrap_or_default();
            let meant = words.into_iter().find(|(sign, _)| rest.starts_with(sign));
            match meant {
                Some((sign, word)) => {
                    ExpressionError::new(format!("`{sign}` has no meaning here"), start..start + sign.len())
                        .with_help(format!("write `{word}`"))
                }
                None => ExpressionError::new(format!("the character `{first}` has no meaning here"), character),
            }
        }
        None => ExpressionError::new("the expression is not complete", to_end),
    }
}
