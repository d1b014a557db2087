//! Names that definitions are known by: of steps and of processes.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, written_as_text};

/// The longest name, as long as a DNS label (RFC 1035, 2.3.4), so that names fit wherever names go.
const MAX_LENGTH: usize = 63;

/// A step's id: `[a-z][a-z0-9_]*`, at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(String);

/// A process's name: `[a-z][a-z0-9-]*`, at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// Stands for a name that could not be read; no text gives it.
    pub const fn unread() -> Self {
        Self(String::new())
    }

    /// Whether it stands for a name that could not be read.
    pub fn is_unread(&self) -> bool {
        self.0.is_empty()
    }
}

macro_rules! name {
    ($name:ident, $what:literal, $joiner:literal) => {
        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                check(text, $what, $joiner)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(StepId, "a step's id", '_');
name!(Slug, "a process's name", '-');
written_as_text!(
    StepId,
    "a step's id",
    "^[a-z][a-z0-9_]{0,62}$",
    "A step's id: lower-case letters, digits and _, at most 63.",
    "draft",
    "ask_leads"
);
written_as_text!(
    Slug,
    "a name",
    "^[a-z][a-z0-9-]{0,62}$",
    "A process's name: lower-case letters, digits and -, at most 63.",
    "release",
    "production-access"
);

fn check(text: &str, what: &str, joiner: char) -> Result<(), ValueError> {
    let Some(first) = text.chars().next() else {
        return Err(ValueError::whole(format!("{what} is empty"), text));
    };
    ValueError::refuse_template(what, text)?;
    if text.len() > MAX_LENGTH {
        return Err(ValueError::whole(format!("{what} is longer than {MAX_LENGTH} characters"), text));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joiner;
    let wrong = text.char_indices().find(|(at, c)| if *at == 0 { !c.is_ascii_lowercase() } else { !allowed(*c) });
    let Some((at, c)) = wrong else { return Ok(()) };
    let message = if at == 0 && allowed(first) {
        format!("{what} begins with a lower-case letter, not with `{c}`")
    } else {
        format!("{what} may not contain `{}`", c.escape_debug())
    };
    let repaired = repaired(text, joiner);
    let error = ValueError::new(message, at..at + c.len_utf8());
    Err(match repaired {
        Some(repaired) => error.help(format!("write `{repaired}`")),
        None => error.help(format!("use lower-case letters, digits and `{joiner}`")),
    })
}

/// The nearest name that is allowed.
fn repaired(text: &str, joiner: char) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let name = words.join(&joiner.to_string());
    name.starts_with(|c: char| c.is_ascii_lowercase()).then_some(name)
}
