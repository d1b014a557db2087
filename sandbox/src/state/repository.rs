//! A repository's own facts; its commits lie in the bare git repository of the same id.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Id, Permission};

/// A label that can be put on issues.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Label {
    /// Its number.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Repository {
    /// Its number, also the name of its bare repository.
    pub id: Id,
    /// The account it belongs to.
    pub owner: Id,
    /// Its name without the owner.
    pub name: String,
    /// One line about it.
    pub description: Option<String>,
    /// The branch that counts.
    pub default_branch: String,
    /// Whether only those with access see it.
    pub private: bool,
    /// People with their own grant.
    pub collaborators: BTreeMap<Id, Permission>,
    /// Teams with a grant.
    pub teams: BTreeMap<Id, Permission>,
    /// Labels by lower-case name.
    pub labels: BTreeMap<String, Label>,
    /// Branches and tags as last seen, by full reference name.
    pub references: BTreeMap<String, String>,
    /// The number of the next issue or pull request.
    pub next_number: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When something was last pushed.
    pub pushed_at: Timestamp,
}

impl Repository {
    /// The commit that a branch points at, as last seen.
    pub fn branch(&self, name: &str) -> Option<&str> {
        self.references.get(&format!("refs/heads/{name}")).map(String::as_str)
    }

    /// Branch names with their commits.
    pub fn branches(&self) -> impl Iterator<Item = (&str, &str)> {
        self.references.iter().filter_map(|(name, sha)| Some((name.strip_prefix("refs/heads/")?, sha.as_str())))
    }
}
