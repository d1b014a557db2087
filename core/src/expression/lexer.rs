//! Cuts the text of a template into lexemes with byte ranges. The only module that knows minijinja: it uses the
//! tokenizer alone, because its parser has no positions in its errors and no bound on prefix operators.

use std::ops::Range;

use minijinja::machinery::{Token as Raw, Tokenizer};
use minijinja::syntax::SyntaxConfig;

use super::ExpressionError;

/// One lexeme of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text outside of any markup.
    Text(String),
    /// `{{`
    PrintStart,
    /// `}}`
    PrintEnd,
    /// `{%`
    TagStart,
    /// `%}`
    TagEnd,
    /// A name or a word of the language.
    Name(String),
    /// A quoted text, with its escapes resolved.
    Quoted(String),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// An operator or a bracket.
    Symbol(&'static str),
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) range: Range<usize>,
}

/// What could be read, and the fault that ended the reading, if any.
pub(super) struct Lexed {
    pub(super) lexemes: Vec<Lexeme>,
    pub(super) fault: Option<ExpressionError>,
}

/// Cuts `text` into lexemes. Ranges are byte offsets on character boundaries of `text`.
pub(super) fn lex(text: &str) -> Lexed {
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    let Ok(syntax) = syntax.build() else {
        return Lexed { lexemes: Vec::new(), fault: Some(ExpressionError::new("this cannot be read", 0..text.len())) };
    };
    let mut tokenizer = Tokenizer::new(text, "", false, syntax);
    let mut lexemes: Vec<Lexeme> = Vec::new();
    loop {
        let end = lexemes.last().map_or(0, |lexeme| lexeme.range.end);
        match tokenizer.next_token() {
            Ok(None) => {
                return Lexed { lexemes, fault: None };
            }
            Ok(Some((raw, span))) => {
                let start = text.floor_char_boundary(span.start_offset as usize);
                let stop = text.floor_char_boundary(span.end_offset as usize).max(start);
                match convert(raw) {
                    Some(token) => lexemes.push(Lexeme { token, range: start..stop }),
                    None => {
                        let fault = ExpressionError::new("this number is too large", start..stop);
                        return Lexed { lexemes, fault: Some(fault) };
                    }
                }
            }
            Err(error) => {
                let fault = fault(text, end, error.detail().unwrap_or_default());
                return Lexed { lexemes, fault: Some(fault) };
            }
        }
    }
}

fn convert(raw: Raw<'_>) -> Option<Token> {
    Some(match raw {
        Raw::TemplateData(text) => Token::Text(text.to_owned()),
        Raw::VariableStart => Token::PrintStart,
        Raw::VariableEnd => Token::PrintEnd,
        Raw::BlockStart => Token::TagStart,
        Raw::BlockEnd => Token::TagEnd,
        Raw::Ident(name) => Token::Name(name.to_owned()),
        Raw::Str(text) => Token::Quoted(text.to_owned()),
        Raw::String(text) => Token::Quoted(text.into_string()),
        Raw::Int(number) => Token::Integer(number),
        Raw::Int128(_) => return None,
        Raw::Float(number) if number.is_finite() => Token::Float(number),
        Raw::Float(_) => return None,
        Raw::Plus => Token::Symbol("+"),
        Raw::Minus => Token::Symbol("-"),
        Raw::Mul => Token::Symbol("*"),
        Raw::Div => Token::Symbol("/"),
        Raw::FloorDiv => Token::Symbol("//"),
        Raw::Pow => Token::Symbol("**"),
        Raw::Mod => Token::Symbol("%"),
        Raw::Dot => Token::Symbol("."),
        Raw::Comma => Token::Symbol(","),
        Raw::Colon => Token::Symbol(":"),
        Raw::Tilde => Token::Symbol("~"),
        Raw::Assign => Token::Symbol("="),
        Raw::Pipe => Token::Symbol("|"),
        Raw::Eq => Token::Symbol("=="),
        Raw::Ne => Token::Symbol("!="),
        Raw::Gt => Token::Symbol(">"),
        Raw::Gte => Token::Symbol(">="),
        Raw::Lt => Token::Symbol("<"),
        Raw::Lte => Token::Symbol("<="),
        Raw::BracketOpen => Token::Symbol("["),
        Raw::BracketClose => Token::Symbol("]"),
        Raw::ParenOpen => Token::Symbol("("),
        Raw::ParenClose => Token::Symbol(")"),
        Raw::BraceOpen => Token::Symbol("{"),
        Raw::BraceClose => Token::Symbol("}"),
    })
}

/// Says in our words what the tokenizer stumbled over. Its errors carry no offset; the fault is the first thing
/// after the last lexeme.
fn fault(text: &str, end: usize, detail: &str) -> ExpressionError {
    let rest = text.get(end..).unwrap_or_default();
    let start = end + (rest.len() - rest.trim_start().len());
    let first = text.get(start..).and_then(|rest| rest.chars().next());
    let to_end = start.min(text.len())..text.len();
    let character = start..start + first.map_or(0, char::len_utf8);
    if detail.contains("comment") {
        let start = rest.find("{#").map_or(start, |found| end + found);
        return ExpressionError::new("this comment `{#` is not closed with `#}`", start..text.len())
            .with_help("to print the characters themselves, write {{ '{#' }}");
    }
    if detail.contains("raw block") {
        return ExpressionError::new("this `{% raw %}` is not closed with `{% endraw %}`", to_end);
    }
    match first {
        Some('"' | '\'') if detail.contains("end of string") => {
            ExpressionError::new("this quoted text has no closing quote", to_end)
        }
        Some('"' | '\'') => ExpressionError::new("this quoted text contains an escape that is not known", character)
            .with_help(r#"known are \n, \t, \r, \", \', \\ and \u0041"#),
        Some(digit) if digit.is_ascii_digit() => {
            let length = text[start..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
                .unwrap_or(text.len() - start);
            ExpressionError::new("this is not a number that can be read", start..start + length)
        }
        Some(first) => ExpressionError::new(format!("the character `{first}` has no meaning here"), character),
        None => ExpressionError::new("the expression is not complete", to_end),
    }
}
