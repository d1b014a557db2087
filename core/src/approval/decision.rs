//! One person's word: who, what, when, from where, on which commit, with which note.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::LeafIndex;
use super::codeowners::Owner;

/// A person as GitHub knows them. People are the same where their numeric id is the same: a login can be renamed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The login at the time.
    pub login: String,
    /// GitHub's numeric id; 0 for people of tenant `local`, who are then told apart by login.
    #[serde(default)]
    pub id: u64,
}

/// Whether a login is a program's: GitHub marks those of its Apps so, and nobody else can have such a one.
pub fn is_program(login: &str) -> bool {
    login.trim().to_ascii_lowercase().ends_with("[bot]")
}

impl Person {
    /// Whether both are one person.
    pub fn is(&self, other: &Self) -> bool {
        if self.id != 0 && other.id != 0 {
            return self.id == other.id;
        }
        self.login.eq_ignore_ascii_case(&other.login)
    }
}

/// What somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Takes back what was said before.
    Withdraw,
    /// Goes on without the approval that is missing: for those whom the repository allows it, with a reason.
    Override,
}

/// The way a word came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A command in a comment.
    Comment,
    /// A review of a pull request.
    Review,
    /// A button of a check run.
    Button,
    /// The API.
    Api,
    /// The command line.
    Cli,
    /// A web page or a signed link.
    Web,
    /// A test or a deadline.
    Engine,
}

/// Where a word came from. `id` makes it unique: the same word counts once however often it is delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The way.
    pub kind: SourceKind,
    /// What tells this word from others of its kind: a comment's id with the command's position, a review's id …
    pub id: String,
    /// A link to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One recorded decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub person: Person,
    /// What.
    pub decision: DecisionKind,
    /// When it was said.
    pub at: Timestamp,
    /// With which note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// From where.
    pub source: Source,
    /// On which commit, where the execution has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// About which call of a tool, where a step asked whether it may make one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<AboutCall>,
    /// The leaves of the requirement that the person counts for, as facts stood when the word was weighed.
    pub counts_for: Vec<LeafIndex>,
    /// The owners of the changed paths that the person is, or is a member of, as facts stood then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_of: Vec<Owner>,
    /// In whose place the person also speaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_place_of: Vec<InPlaceOf>,
}

/// The question that a word about a call of a tool answers: a step asks about one call after another, also about the same
/// one again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AboutCall {
    /// The attempt that asked.
    pub attempt: u32,
    /// The digest of the call as it was shown: 64 hexadecimal digits.
    pub digest: String,
}

/// Somebody who gave their word to the person who speaks, and what that word counts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InPlaceOf {
    /// Who.
    pub person: Person,
    /// The leaves that they count for.
    pub counts_for: Vec<LeafIndex>,
    /// The owners of the changed paths that they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_of: Vec<Owner>,
}
