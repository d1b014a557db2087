//! A pattern for branches and paths, as GitHub's workflow filters have them: `*` stays within a part, `**` crosses
//! them, `?` makes the character before it optional, `[a-z]` is a choice, and `!` in front excludes.
//! Source: "Filter pattern cheat sheet" of GitHub's documentation on workflow syntax.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use regex::Regex;

use super::{ValueError, written_as_text};

/// One pattern.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    excludes: bool,
    /// Built when something is first matched: most patterns are only read.
    regex: OnceLock<Option<Regex>>,
}

impl Glob {
    /// Whether the pattern, without its `!`, matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        let regex = self.regex.get_or_init(|| Regex::new(&translated(self.pattern())).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    fn pattern(&self) -> &str {
        self.text.strip_prefix('!').unwrap_or(&self.text)
    }

    /// Whether it excludes what it matches.
    pub fn excludes(&self) -> bool {
        self.excludes
    }
}

/// Whether a list of patterns takes a text: the last pattern that matches decides.
pub fn any_matches<'glob>(patterns: impl IntoIterator<Item = &'glob Glob>, text: &str) -> bool {
    patterns.into_iter().fold(false, |taken, pattern| if pattern.matches(text) { !pattern.excludes } else { taken })
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl FromStr for Glob {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (excludes, pattern) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        if pattern.is_empty() {
            return Err(ValueError::whole("the pattern is empty", text));
        }
        regex_syntax::parse(&translated(pattern)).map_err(|_| {
            ValueError::whole(format!("`{text}` is no pattern"), text)
                .help("`*` and `**` stand for any text, `?` makes a character optional, `[a-z]` is a choice")
        })?;
        Ok(Self { text: text.to_owned(), excludes, regex: OnceLock::new() })
    }
}

/// The pattern as a regular expression.
fn translated(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '*' if rest.starts_with("**/") => {
                regex.push_str("(?:.*/)?");
                used = 3;
            }
            '*' if rest.starts_with("**") => {
                regex.push_str(".*");
                used = 2;
            }
            '*' => regex.push_str("[^/]*"),
            '?' | '+' => regex.push(c),
            '[' => {
                match rest.find(']').filter(|end| rest[1..*end].chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
                {
                    Some(end) => {
                        regex.push_str(&rest[..=end]);
                        used = end + 1;
                    }
                    // Kept as it is: an unclosed choice is refused.
                    None => regex.push('['),
                }
            }
            '\\' => {
                let escaped = rest[1..].chars().next();
                regex.push_str(&regex::escape(&escaped.map(String::from).unwrap_or_default()));
                used += escaped.map_or(0, char::len_utf8);
            }
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
        rest = &rest[used..];
    }
    regex.push('$');
    regex
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

written_as_text!(
    Glob,
    "a pattern",
    "^!?.+$",
    "A pattern: * within a part, ** across them, ! to exclude.",
    "main",
    "releases/**",
    "docs/**"
);
