//! How a repository and an installation are called. Names come from payloads and settings and end in URLs and in
//! paths of mirrors, so what could climb out of either is refused here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `owner/name`, as GitHub spells it. Comparing is exact; GitHub itself ignores case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName {
    owner: String,
    name: String,
}

/// A text that is not `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a repository; expected owner/name of letters, digits, `-`, `_` and `.`")]
pub struct RepositoryNameError(String);

impl RepositoryName {
    /// Joins an owner and a name.
    ///
    /// # Errors
    /// When either is empty, longer than 100 characters, `.` or `..`, or has other characters than GitHub allows.
    pub fn new(owner: impl Into<String>, name: impl Into<String>) -> Result<Self, RepositoryNameError> {
        let (owner, name) = (owner.into(), name.into());
        if is_part(&owner) && is_part(&name) {
            Ok(Self { owner, name })
        } else {
            Err(RepositoryNameError(format!("{owner}/{name}")))
        }
    }

    /// The account that owns it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name without the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_part(part: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    (1..=100).contains(&part.len()) && part != "." && part != ".." && part.chars().all(allowed)
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.owner, self.name)
    }
}

impl FromStr for RepositoryName {
    type Err = RepositoryNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((owner, name)) => Self::new(owner, name),
            None => Err(RepositoryNameError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = RepositoryNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.to_string()
    }
}

/// One account's installation of the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstallationId(pub u64);

impl fmt::Display for InstallationId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_climb_out_of_a_path_are_refused() {
        for text in ["octo/hello", "octo-org/.github", "a/b.c_d-e", "o/..."] {
            assert_eq!(text.parse::<RepositoryName>().map(|name| name.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "octo", "/", "octo/", "/hello", "octo/..", "../hello", "a/b/c", "a/b?c", "a/b c", "a/ü", "./x"]
        {
            assert!(text.parse::<RepositoryName>().is_err(), "{text}");
        }
        assert!(RepositoryName::new("a", "b".repeat(101)).is_err());
    }
}
