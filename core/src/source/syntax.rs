//! What a syntax error means for the person who wrote the file: the parser's kind of error, seen in its line.
//! The parser reports where it could not go on; the mistake is often earlier, and that is where the fault points.

use granit_parser::ErrorKind;

use super::fault::{Fault, FaultKind};
use super::file::Span;

/// Longest key that is read without `?`, in characters (YAML 1.2.2, 7.4.2).
const LONGEST_KEY: usize = 1_024;

/// The fault for an error at byte `offset`. `bracket`: the innermost `[` or `{` that is open there.
pub(super) fn describe(kind: &ErrorKind, text: &str, offset: usize, bracket: Option<Span>) -> Fault {
    let span = character_at(text, offset);
    if let Some(bracket) = bracket.filter(|bracket| is_never_closed(kind, text, offset, *bracket)) {
        let open = text.get(bracket.range()).and_then(|text| text.chars().next()).unwrap_or('[');
        return fault(bracket, unclosed(open)).related(span, "it must be closed before this");
    }
    let before = text.get(..span.start as usize).unwrap_or_default();
    let quote = match kind {
        ErrorKind::InvalidQuotedScalarIndent => open_quote(before),
        ErrorKind::InvalidTrailingSingleQuotedScalar => earlier_open_quote(before, '\''),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => earlier_open_quote(before, '"'),
        _ => None,
    };
    if let Some(quote) = quote {
        let fault = fault(quote, by_kind(&ErrorKind::UnclosedQuotedScalar));
        return if span.is_empty() {
            fault
        } else {
            fault.related(span, "this line reads as a part of the quoted text")
        };
    }
    if let Some(dash) = dash_without_blank(text, span.start as usize).filter(|_| may_be_an_item(kind)) {
        return fault(dash, words("a blank is missing after the dash", "write `- ` before the first key of the item"));
    }
    if is_about_tabs(kind)
        && let Some(tab) = tab_of_indentation(text, offset)
    {
        return fault(tab, by_kind(kind));
    }
    let line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
    let at_end = text.get(span.start as usize..).unwrap_or_default().trim().is_empty();
    let words = match kind {
        ErrorKind::InvalidQuotedScalarIndent if at_end => by_kind(&ErrorKind::UnclosedQuotedScalar),
        ErrorKind::MappingValueNotAllowed if line.len() > LONGEST_KEY => {
            words("this key is too long", "keys have at most 1,024 characters; put a text that holds `: ` in quotes")
        }
        ErrorKind::MappingValueNotAllowed if !line.contains(": ") => words(
            "a key cannot stand here: the line above already has a value",
            "align this key with the keys above, or give the key above no value of its own",
        ),
        kind => by_kind(kind),
    };
    fault(span, words)
}

fn is_about_tabs(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

/// The first tab before the text of a line, from the line of an error on: the parser names the place where the value began
/// that it took the line for a part of.
fn tab_of_indentation(text: &str, offset: usize) -> Option<Span> {
    let mut start = text.get(..offset)?.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    for line in text.get(start..)?.split_inclusive(['\n', '\r']) {
        let indentation = line.len() - line.trim_start().len();
        let tab = line.get(..indentation)?.find('\t').filter(|_| !line.trim().is_empty());
        if let Some(tab) = tab {
            return Some(Span::new(start + tab, start + tab + 1));
        }
        start += line.len();
    }
    None
}

/// Errors that a list item brings about which is read as a key: `-id: one`.
fn may_be_an_item(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::MappingValueNotAllowed
            | ErrorKind::ExpectedBlockSequenceEntry
            | ErrorKind::ExpectedBlockMappingKey
            | ErrorKind::SimpleKeyExpected
    )
}

/// The dash right before a key, in the line of an error or in the last written one above it.
fn dash_without_blank(text: &str, offset: usize) -> Option<Span> {
    let mut start = text.get(..offset)?.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    for above in [false, true] {
        if above {
            let before = text.get(..start)?.trim_end();
            start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        }
        let line = text.get(start..)?.lines().next()?;
        let item = line.trim_start();
        let key = item.strip_prefix('-').filter(|_| item.contains(':')).and_then(|key| key.split(": ").next());
        let is_key = |key: &str| key.trim_end_matches(':').chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if key.is_some_and(|key| key.starts_with(|c: char| c.is_ascii_alphabetic()) && is_key(key)) {
            let dash = start + line.len() - item.len();
            return Some(Span::new(dash, dash + 1));
        }
    }
    None
}

/// Where text follows a closing quote: the quote of an earlier line that was never closed, so that this one closed it.
fn earlier_open_quote(before: &str, quote: char) -> Option<Span> {
    let mut end = before.len();
    let mut is_first = true;
    loop {
        let start = before.get(..end)?.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let line = before.get(start..end)?;
        let is_odd = line.matches(quote).count() % 2 == 1;
        match (is_first, is_odd) {
            // The quote was opened in this very line.
            (true, false) => return None,
            (false, true) => {
                let place = start + line.rfind(quote)?;
                return Some(Span::new(place, place + 1));
            }
            _ => {}
        }
        is_first = false;
        end = start.checked_sub(1)?;
    }
}

/// The quote that the last written line before the error leaves open.
fn open_quote(before: &str) -> Option<Span> {
    let ended = before.rfind(['\n', '\r']).map_or(before, |end| &before[..end]).trim_end();
    let start = ended.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let line = ended.get(start..)?;
    let opened = ['"', '\''].into_iter().filter(|quote| line.matches(*quote).count() % 2 == 1);
    let place = opened.filter_map(|quote| line.rfind(quote)).next()?;
    Some(Span::new(start + place, start + place + 1))
}

/// An open bracket is the mistake where a later line reads like something outside of it.
fn is_never_closed(kind: &ErrorKind, text: &str, offset: usize, bracket: Span) -> bool {
    let between = text.get(bracket.start as usize..offset).unwrap_or_default();
    let reads_like_a_block = matches!(
        kind,
        ErrorKind::MappingValueNotAllowed
            | ErrorKind::InvalidColonPlacement
            | ErrorKind::ExpectedFlowMappingSeparator
            | ErrorKind::ExpectedFlowSequenceSeparator
            | ErrorKind::SimpleKeyExpected
            | ErrorKind::InvalidSimpleKey
            | ErrorKind::InvalidIndentation
            | ErrorKind::InvalidFlowScalarIndent
            | ErrorKind::BlockEntryInFlowCollection
            | ErrorKind::BlockSequenceEntryNotAllowed
            | ErrorKind::InvalidBlockEntryWhitespace
    );
    reads_like_a_block && between.contains(['\n', '\r'])
}

/// The character at an offset; nothing at a line's end.
fn character_at(text: &str, offset: usize) -> Span {
    let mut start = offset.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let character = text.get(start..).and_then(|rest| rest.chars().next());
    let length = character.filter(|character| !character.is_whitespace()).map_or(0, char::len_utf8);
    Span::new(start, start + length)
}

fn fault(span: Span, words: Words) -> Fault {
    Fault { help: words.help, ..Fault::new(FaultKind::Syntax, span, words.message) }
}

fn unclosed(open: char) -> Words {
    words(&format!("`{open}` is never closed"), &format!("add the matching `{}`", closing(open)))
}

struct Words {
    message: String,
    help: Option<String>,
}

fn words(message: &str, help: &str) -> Words {
    Words { message: message.to_owned(), help: (!help.is_empty()).then(|| help.to_owned()) }
}

/// By the kind of error alone.
fn by_kind(kind: &ErrorKind) -> Words {
    match kind {
        kind if is_about_tabs(kind) => words("a tab is used for indentation", "indent with spaces"),
        ErrorKind::InvalidQuotedScalarIndent => words(
            "a quoted text goes on in this line without indentation",
            "close the quote in the line above, or indent what belongs to it",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => words(
            "a second `: ` in one line is not allowed here",
            "put a text that holds `: ` in quotes, or begin a new line",
        ),
        ErrorKind::UnclosedFlowCollection { open } => unclosed(*open),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            words(&format!("`{open}` is closed with `{close}`"), &format!("close it with `{}`", closing(*open)))
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            words("this bracket closes nothing", "remove it, or put the text in quotes")
        }
        ErrorKind::UnclosedQuotedScalar => words("this quote is never closed", "add the closing quote"),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => words(
            "text follows a quoted value",
            "put the whole value in one pair of quotes (in single quotes, write a quote twice)",
        ),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate
        | ErrorKind::InvalidUnicodeEscape => {
            words("this escape is unknown in double quotes", "write `\\\\` for a backslash, or use single quotes")
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => words(
            "a key with a colon is expected here",
            "check the indentation of this line and of the one above, and that each key ends with `: `",
        ),
        ErrorKind::ExpectedDocumentStart => words(
            "this does not belong to what stands above",
            "check its indentation; a text that begins with a special character needs quotes",
        ),
        ErrorKind::ExpectedBlockSequenceEntry => {
            words("a list item is expected here", "begin it with `- ` under the item above")
        }
        ErrorKind::ExpectedFlowMappingSeparator => {
            words("`,` or `}` is expected here", "put texts with special characters in quotes")
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            words("`,` or `]` is expected here", "put texts with special characters in quotes")
        }
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            words("a list item is not allowed here", "begin the list on a line of its own")
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidBlockScalarIndent | ErrorKind::InvalidFlowScalarIndent => {
            words("the indentation does not fit", "align this line with the ones that it belongs to")
        }
        ErrorKind::UnexpectedCharacter { character: '\0' } => {
            words("the file holds a NUL character", "save it as UTF-8 text")
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => words(
            &format!("the control character U+{:04X} is not allowed", u32::from(*character)),
            "remove it, or write it as an escape in double quotes",
        ),
        ErrorKind::UnexpectedCharacter { character } => {
            words(&format!("a value cannot begin with `{character}`"), "put the value in quotes")
        }
        ErrorKind::MissingAnchorOrAliasName => {
            words("a name is missing after `&` or `*`", "put a text that begins with one of them in quotes")
        }
        other => words(&other.to_string(), "put texts with special characters in quotes"),
    }
}

fn closing(open: char) -> char {
    match open {
        '[' => ']',
        '(' => ')',
        _ => '}',
    }
}
