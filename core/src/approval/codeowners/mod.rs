//! CODEOWNERS as GitHub reads it: which owners a path has. Text in, owners out; where the file stands, and who is behind an
//! owner, is asked elsewhere.
//! Source: <https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners>

mod owned;
mod pattern;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use owned::{Owned, OwnedPaths};
use pattern::Pattern;

/// Where GitHub looks for the file, in this order; the first one that is there counts.
pub const PLACES: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];
/// From this size on GitHub does not load the file: 3 MB.
pub const TOO_LARGE: usize = 3 * 1024 * 1024;

/// Somebody who owns paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// An account, by login.
    User(String),
    /// A team of an organisation.
    Team {
        /// The organisation's login.
        organisation: String,
        /// The team's slug.
        team: String,
    },
    /// Whoever has this e-mail address.
    Email(String),
}

/// A text that names no owner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither @user, @organisation/team nor an e-mail address")]
pub struct OwnerError(String);

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let refused = || OwnerError(text.chars().take(80).collect());
        if let Some(name) = text.strip_prefix('@') {
            return match name.split_once('/') {
                Some((organisation, team)) if is_login(organisation) && is_slug(team) => {
                    Ok(Self::Team { organisation: organisation.to_owned(), team: team.to_owned() })
                }
                None if is_login(name) => Ok(Self::User(name.to_owned())),
                _ => Err(refused()),
            };
        }
        let is_sound = |part: &str| !part.is_empty() && !part.contains(['@', '/', '<', '>', '"', ',', ';']);
        match text.split_once('@') {
            Some((local, host)) if is_sound(local) && is_sound(host) && host.contains('.') => {
                Ok(Self::Email(text.to_owned()))
            }
            _ => Err(refused()),
        }
    }
}

/// Letters, digits, hyphens; accounts of an enterprise's own also have an underscore.
fn is_login(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_slug(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=255).contains(&text.len()) && text.chars().all(allowed)
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(login) => write!(out, "@{login}"),
            Self::Team { organisation, team } => write!(out, "@{organisation}/{team}"),
            Self::Email(address) => out.write_str(address),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = OwnerError;

    fn try_from(text: String) -> Result<Self, OwnerError> {
        text.parse()
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

impl Owner {
    /// Whether both name the same: GitHub tells neither logins, slugs nor addresses apart by case.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(one), Self::User(other)) | (Self::Email(one), Self::Email(other)) => {
                one.eq_ignore_ascii_case(other)
            }
            (Self::Team { organisation, team }, Self::Team { organisation: of, team: other }) => {
                organisation.eq_ignore_ascii_case(of) && team.eq_ignore_ascii_case(other)
            }
            _ => false,
        }
    }
}

/// A file that was read.
#[derive(Debug, Clone, Default)]
pub struct CodeOwners {
    rules: Vec<Rule>,
    faults: Vec<Fault>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: Pattern,
    owners: Vec<Owner>,
}

/// A line that GitHub skips, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl CodeOwners {
    /// Reads a file. Lines that cannot be read are skipped, as GitHub does; [`Self::faults`] has them. Of a file that is
    /// too large nothing counts.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        if text.len() >= TOO_LARGE {
            read.faults
                .push(Fault { line: 1, message: "the file has 3 MB or more: GitHub does not load it".to_owned() });
            return read;
        }
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            match rule(line) {
                Ok(rule) => read.rules.extend(rule),
                Err(message) => read.faults.push(Fault { line: index + 1, message }),
            }
        }
        read
    }

    /// The lines that do not count.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Who owns a path, by the last pattern that matches it; nobody where none does, or where that line names nobody.
    /// The path is one of git's: from the root, with `/`, case-sensitive.
    pub fn owners_of(&self, path: &str) -> &[Owner] {
        let last = self.rules.iter().rev().find(|rule| rule.pattern.matches(path));
        last.map_or(&[], |rule| &rule.owners)
    }
}

/// The rule of a line; nothing where it is empty or a comment.
fn rule(line: &str) -> Result<Option<Rule>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (pattern, rest) = line.split_at(end_of_pattern(line));
    let pattern = Pattern::read(pattern)?;
    let mut owners: Vec<Owner> = Vec::new();
    for word in rest.split_whitespace().take_while(|word| !word.starts_with('#')) {
        // A comment may follow an owner without a space.
        let (name, comment) = word.split_once('#').map_or((word, None), |(name, rest)| (name, Some(rest)));
        let owner: Owner = name.parse().map_err(|error: OwnerError| error.to_string())?;
        if !owners.iter().any(|known| known.is(&owner)) {
            owners.push(owner);
        }
        if comment.is_some() {
            break;
        }
    }
    Ok(Some(Rule { pattern, owners }))
}

/// A pattern ends at the first white space that no backslash stands before.
fn end_of_pattern(line: &str) -> usize {
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character.is_whitespace() => return at,
            _ => {}
        }
    }
    line.len()
}
