//! Expressions around an offset by their words alone, for texts that cannot be parsed yet: `{{ steps.dr` is what there
//! is to go by while somebody types.

use super::cursor::Cursor;
use crate::definition::repository::File;
use crate::source::Span;

/// What may stand at an offset inside of `{{ … }}` or `{% … %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expects {
    /// A name; the chain before it, empty for a root.
    Name(Vec<String>),
    /// A filter, after `|`.
    Filter,
    /// A test, after `is`.
    Test,
    /// The word of a tag, after `{%`.
    Tag,
    /// An operator, after a value.
    Operator,
    /// Nothing that could be known: inside of a text.
    Text,
}

/// The inside of an expression at an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// What may stand there.
    pub expects: Expects,
    /// The word around the offset; empty where none is begun.
    pub word: Span,
    /// The chain that is compared with what stands there.
    pub compared: Option<Vec<String>>,
    /// The quote in which a text may be written there.
    pub quote: char,
}

/// A loop of a text around an offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop {
    /// The name of its item.
    pub name: String,
    /// The chain of its list; nothing where it is none.
    pub list: Option<Vec<String>>,
}

/// Most loops inside of each other that are followed.
const MAX_LOOPS: usize = 16;

/// The loops of a text that are open at an offset, the outermost first.
pub fn loops(text: &str, region: Span, offset: u32) -> Vec<Loop> {
    let mut open: Vec<Loop> = Vec::new();
    let before = text.get(region.start as usize..offset as usize).unwrap_or_default();
    for tag in before.split("{%").skip(1).filter_map(|rest| rest.split_once("%}")).map(|(tag, _)| tag) {
        let tokens = tokens(tag.trim_matches(['-', '+']));
        match tokens.as_slice() {
            [Token::Word("for", _), Token::Word(name, _), Token::Word("in", _), list @ ..] => {
                let end = list
                    .iter()
                    .position(|token| matches!(token, Token::Sign("|") | Token::Word("if" | "recursive", _)));
                let list = chain_before(&list[..end.unwrap_or(list.len())]);
                open.push(Loop { name: (*name).to_owned(), list });
            }
            [Token::Word("for", _), Token::Word(name, _), ..] => {
                open.push(Loop { name: (*name).to_owned(), list: None });
            }
            [Token::Word("endfor", _)] => drop(open.pop()),
            _ => {}
        }
    }
    open.truncate(MAX_LOOPS);
    open
}

/// A chain that is read, and at which of its names an offset lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The names from the root up to the one at the offset. What is no name is empty.
    pub names: Vec<String>,
    /// Which name the offset lies at: always the last.
    pub segment: usize,
    /// The name at the offset.
    pub span: Span,
}

/// One word, text or sign.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str, usize),
    Text(&'t str, usize, bool),
    Number,
    Sign(&'t str),
}

/// What an expression in a region of a text holds at an offset; nothing outside of one.
pub fn inside(text: &str, region: Span, offset: u32) -> Option<Inside> {
    let start = region.start as usize;
    let before = text.get(start..offset as usize)?;
    let print = before.rfind("{{");
    let tag = before.rfind("{%");
    let opened = print.max(tag)?;
    let is_tag = tag == Some(opened);
    let inner = before.get(opened + 2..)?;
    if inner.contains(if is_tag { "%}" } else { "}}" }) {
        return None;
    }
    let tokens = tokens(inner.strip_prefix(['-', '+']).unwrap_or(inner));
    let shift = start + opened + 2 + (inner.len() - inner.strip_prefix(['-', '+']).unwrap_or(inner).len());
    // The other one than around the whole, if that is in quotes.
    let line = before.get(..opened)?.rsplit('\n').next().unwrap_or_default();
    let around = line.rfind(['"', '\'']).and_then(|at| line.get(at..)?.chars().next());
    let around = around.or_else(|| text.get(..start)?.chars().next_back());
    let quote = if around == Some('\'') { '"' } else { '\'' };
    let end_of_word = |from: usize| {
        let rest = text.get(from..region.end as usize).unwrap_or_default();
        from + rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
    };
    if let Some((Token::Text(content, at, false), rest)) = tokens.split_last() {
        // A quoted key of a chain: `steps["dr`.
        let chain =
            matches!(rest.last(), Some(Token::Sign("["))).then(|| chain_before(&rest[..rest.len() - 1])).flatten();
        let word = Span::new(shift + at, end_of_word(shift + at + content.len()));
        let is_chain = |chain: &Vec<String>| chain.first().is_some_and(|root| !KEYWORDS.contains(&root.as_str()));
        let expects = chain.filter(is_chain).map_or(Expects::Text, Expects::Name);
        return Some(Inside { expects, word, compared: compared(rest), quote });
    }
    let (typed, rest) = match tokens.split_last() {
        Some((Token::Word(word, at), rest)) if at + word.len() + shift == offset as usize => (Some(*at), rest),
        _ => (None, tokens.as_slice()),
    };
    let word = match typed {
        Some(at) => Span::new(shift + at, end_of_word(offset as usize)),
        None => Span::new(offset as usize, end_of_word(offset as usize)),
    };
    Some(Inside { expects: expects(rest, is_tag), word, compared: compared(rest), quote })
}

/// The chain that is compared with what follows these tokens.
fn compared(before: &[Token<'_>]) -> Option<Vec<String>> {
    let chain = match before {
        [chain @ .., Token::Sign("==" | "!=")] => chain,
        [.., Token::Sign("[" | ",")] => {
            let open = before.iter().rposition(|token| matches!(token, Token::Sign("[")))?;
            match before.get(..open)? {
                [chain @ .., Token::Word("not", _), Token::Word("in", _)] | [chain @ .., Token::Word("in", _)] => chain,
                _ => return None,
            }
        }
        _ => return None,
    };
    chain_before(chain).filter(|chain| chain.len() > 1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What may follow these tokens.
fn expects(before: &[Token<'_>], is_tag: bool) -> Expects {
    match before {
        [] if is_tag => Expects::Tag,
        [] => Expects::Name(Vec::new()),
        [chain @ .., Token::Sign(".")] => chain_before(chain).map_or(Expects::Text, Expects::Name),
        [.., Token::Sign("|")] => Expects::Filter,
        [.., Token::Word("is", _)] => Expects::Test,
        [.., Token::Word("is", _), Token::Word("not", _)] => Expects::Test,
        [.., Token::Word(word, _)] if KEYWORDS.contains(word) => Expects::Name(Vec::new()),
        [Token::Word(tag, _)] if is_tag && TAGS.contains(tag) => Expects::Name(Vec::new()),
        [.., Token::Word(..) | Token::Text(..) | Token::Number | Token::Sign(")" | "]" | "}")] => Expects::Operator,
        [.., Token::Sign(_)] => Expects::Name(Vec::new()),
    }
}

/// Words after which a value comes.
const KEYWORDS: &[&str] = &["and", "or", "not", "in", "if", "else"];
/// The tags of texts.
pub(super) const TAGS: &[&str] = &["if", "for", "set", "with", "elif"];

/// The chain that ends with the last token; nothing where it is none.
fn chain_before(tokens: &[Token<'_>]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = tokens;
    loop {
        match rest {
            [before @ .., Token::Sign("["), key, Token::Sign("]")] => {
                names.push(match key {
                    Token::Text(key, _, true) => (*key).to_owned(),
                    _ => String::new(),
                });
                rest = before;
            }
            [before @ .., Token::Word(word, _)] => {
                names.push((*word).to_owned());
                match before {
                    [before @ .., Token::Sign(".")] => rest = before,
                    _ => break,
                }
            }
            _ => return None,
        }
    }
    names.reverse();
    Some(names)
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match first {
            c if c.is_whitespace() || c == '\\' => first.len_utf8(),
            c if c.is_ascii_digit() => {
                found.push(Token::Number);
                rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())
            }
            c if is_word(c) => {
                let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                found.push(Token::Word(rest.get(..length).unwrap_or_default(), at));
                length
            }
            '"' | '\'' => {
                let inner = rest.get(1..).unwrap_or_default();
                // In a YAML text in double quotes the quotes of an expression are escaped.
                let close = inner.find(first);
                let content = inner.get(..close.unwrap_or(inner.len())).unwrap_or_default();
                found.push(Token::Text(content.trim_end_matches('\\'), at + 1, close.is_some()));
                1 + content.len() + usize::from(close.is_some())
            }
            _ => {
                let pair = rest.get(..2).filter(|pair| matches!(*pair, "==" | "!=" | "<=" | ">=" | "//" | "**"));
                let sign = pair.unwrap_or_else(|| rest.get(..first.len_utf8()).unwrap_or_default());
                found.push(Token::Sign(sign));
                sign.len()
            }
        };
        at += length.max(1);
    }
    found
}

/// The chain at an offset of a file, up to the name that the offset lies at.
pub fn reference_at(file: &File, offset: u32) -> Option<Read> {
    read_at(&Cursor::new(file, offset))
}

/// The chain at a cursor, up to the name that it stands at.
pub fn read_at(cursor: &Cursor<'_>) -> Option<Read> {
    let inside = cursor.inside.as_ref()?;
    let Expects::Name(before) = &inside.expects else { return None };
    let word = cursor.outline.slice(inside.word);
    if word.is_empty() || (before.is_empty() && KEYWORDS.contains(&word)) {
        return None;
    }
    let mut names = before.clone();
    names.push(word.to_owned());
    Some(Read { segment: names.len() - 1, names, span: inside.word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_there() {
        let at = |text: &str| {
            let offset = text.find('^').unwrap();
            let text = text.replacen('^', "", 1);
            let found = inside(&text, Span::new(0, text.len()), u32::try_from(offset).unwrap());
            found.map_or("nothing".to_owned(), |one| {
                format!("{:?} `{}`", one.expects, text.get(one.word.range()).unwrap())
            })
        };
        for (text, expected) in [
            ("a ^", "nothing"),
            ("{{ ^", "Name([]) ``"),
            ("{{ st^", "Name([]) `st`"),
            ("{{ st^eps }}", "Name([]) `steps`"),
            ("{{ steps.^ }}", "Name([\"steps\"]) ``"),
            ("{{ steps.dr^", "Name([\"steps\"]) `dr`"),
            ("{{ steps.draft.output.no^tes | upper }}", "Name([\"steps\", \"draft\", \"output\"]) `notes`"),
            ("{{ steps[\"dr^", "Name([\"steps\"]) `dr`"),
            ("{{ steps[\"draft\"].^", "Name([\"steps\", \"draft\"]) ``"),
            ("{{ items[0].^", "Name([\"items\", \"\"]) ``"),
            ("{{ a and inputs.^", "Name([\"inputs\"]) ``"),
            ("{{ a == ^", "Name([]) ``"),
            ("{{ not ^", "Name([]) ``"),
            ("{{ a | de^", "Filter `de`"),
            ("{{ a | default(inputs.^) }}", "Name([\"inputs\"]) ``"),
            ("{{ a is ^", "Test ``"),
            ("{{ a is not def^", "Test `def`"),
            ("{{ a ^", "Operator ``"),
            ("{{ 'in a te^", "Text `te`"),
            ("{{ a }} b ^", "nothing"),
            ("{% ^", "Tag ``"),
            ("{% if ^", "Name([]) ``"),
            ("{% for x in steps.^", "Name([\"steps\"]) ``"),
            ("{{ a }} {{ b.^", "Name([\"b\"]) ``"),
        ] {
            let expected = if text == "{{ 'in a te^" { "Text `in a te`" } else { expected };
            assert_eq!(at(text), expected, "{text}");
        }
    }
}
