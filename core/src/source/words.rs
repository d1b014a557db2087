//! Words for people: what a value is, what a syntax error means, what somebody may have meant.

use granit_parser::ErrorKind;

use super::node::Node;
use super::scalar::Resolved;

/// What a syntax error means, and what to do.
pub(super) struct Words {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

fn words(message: &str, help: &str) -> Words {
    Words { message: message.to_owned(), help: (!help.is_empty()).then(|| help.to_owned()) }
}

pub(super) fn describe_syntax_error(kind: &ErrorKind) -> Words {
    match kind {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => words("a tab is used for indentation", "indent with spaces"),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => words(
            "a second `: ` in one line is not allowed here",
            "put a text that holds `: ` in quotes, or begin a new line",
        ),
        ErrorKind::UnclosedFlowCollection { open } => {
            words(&format!("`{open}` is never closed"), &format!("add the matching `{}`", closing(*open)))
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => words(
            &format!("`{open}` is closed with `{close}`"),
            &format!("close it with `{}`", closing(*open)),
        ),
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
        ErrorKind::ExpectedBlockSequenceEntry => {
            words("a list item is expected here", "begin it with `- ` under the item above")
        }
        ErrorKind::ExpectedFlowMappingSeparator => words("`,` or `}` is expected here", "put texts with special characters in quotes"),
        ErrorKind::ExpectedFlowSequenceSeparator => words("`,` or `]` is expected here", "put texts with special characters in quotes"),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
            words("a list item is not allowed here", "begin the list on a line of its own")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => {
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

/// Longest text that a message repeats, in characters.
const QUOTED_LENGTH: usize = 40;

/// A text in backquotes, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(QUOTED_LENGTH).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// What a value is: "a list", "the number 3", "the text `abc`".
pub(super) fn describe(node: Node<'_>) -> String {
    match node.resolved() {
        Some(Resolved::Null) => "nothing".to_owned(),
        Some(Resolved::Boolean(value)) => value.to_string(),
        Some(Resolved::Integer(number) | Resolved::Float(number)) => format!("the number {number}"),
        Some(Resolved::Text(text)) if text.is_empty() => "an empty text".to_owned(),
        Some(Resolved::Text(text)) => format!("the text {}", quoted(text)),
        None if node.items().is_some() => "a list".to_owned(),
        None => "a mapping".to_owned(),
    }
}

/// `a`, `b` or `c`; long lists are cut.
pub(super) fn alternatives<S: AsRef<str>>(words: &[S], conjunction: &str) -> String {
    const SHOWN: usize = 12;
    let mut shown: Vec<&str> = words.iter().map(AsRef::as_ref).take(SHOWN).collect();
    if words.len() > SHOWN {
        return format!("{} …", shown.join(", "));
    }
    match shown.pop() {
        None => String::new(),
        Some(last) if shown.is_empty() => last.to_owned(),
        Some(last) => format!("{} {conjunction} {last}", shown.join(", ")),
    }
}

/// Which of the known words somebody may have meant; none when nothing is near.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written_low = written.to_lowercase().replace('-', "_");
    // Comparing costs the product of both lengths; no word of ours is that long.
    if written.len() > 200 {
        return None;
    }
    let allowed = match written_low.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    let distance = |word: &str| strsim::osa_distance(&written_low, &word.to_lowercase().replace('-', "_"));
    let mut best: Option<(usize, &str)> = None;
    for word in known.into_iter().filter(|word| word.len() <= 200) {
        let near = distance(word);
        let same_letters = near < word.chars().count().max(1);
        if near <= allowed && same_letters && best.is_none_or(|(distance, _)| near < distance) {
            best = Some((near, word));
        }
    }
    best.map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word() {
        let known = ["approvers", "timeout", "on_timeout", "id", "when"];
        for (written, expected) in [
            ("approver", Some("approvers")),
            ("tiemout", Some("timeout")),
            ("on-timeout", Some("on_timeout")),
            ("Id", Some("id")),
            ("wen", Some("when")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(written, known), expected, "{written}");
        }
    }

    #[test]
    fn lists_of_words() {
        assert_eq!(alternatives::<&str>(&[], "or"), "");
        assert_eq!(alternatives(&["a"], "or"), "a");
        assert_eq!(alternatives(&["a", "b", "c"], "or"), "a, b or c");
    }
}
