//! A GitHub login.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::{ValueError, written_as_text};

/// The longest login, by GitHub's sign-up form.
const MAX_LENGTH: usize = 39;

/// A login: letters, digits and single hyphens; upper and lower case are the same. Enterprise-managed users may have
/// one `_` before the short code of their enterprise.
#[derive(Debug, Clone)]
pub struct Login(String);

impl Login {
    /// The login as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Login {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Login {}

impl Hash for Login {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl FromStr for Login {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(bare) = text.strip_prefix('@') {
            return Err(ValueError::new("a login is written without `@`", 0..1).help(format!("write `{bare}`")));
        }
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if let Some((at, c)) = text.char_indices().find(|(_, c)| !sound(*c)) {
            let message = format!("a login may not contain `{}`", c.escape_debug());
            return Err(ValueError::new(message, at..at + c.len_utf8()));
        }
        if text.is_empty() || text.len() > MAX_LENGTH || text.starts_with('-') || text.ends_with('-') {
            return Err(ValueError::whole(format!("`{text}` is no login"), text));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

written_as_text!(Login, "a login", "^[A-Za-z0-9_][A-Za-z0-9_-]{0,38}$", "A GitHub login.", "octocat");
