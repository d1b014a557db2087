//! What an approval needs, with every name resolved: a tree whose leaves are groups of people.

use serde::{Deserialize, Serialize};

use super::codeowners::Owned;
use crate::definition::{Approvers, CodeownersMode, Role};
use crate::expression::EvaluationError;

/// A leaf's place in the tree: leaves counted from the left, from 0.
pub type LeafIndex = u32;

/// What an approval needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// `count` people of a group.
    People {
        /// The group.
        group: Group,
        /// How many of it.
        count: u32,
    },
    /// `count` of these.
    Any {
        /// The parts.
        of: Vec<Requirement>,
        /// How many of them.
        count: u32,
    },
    /// Each of these.
    All {
        /// The parts.
        of: Vec<Requirement>,
    },
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// These logins.
    Users(Vec<String>),
    /// A team of the organisation, by slug.
    Team(String),
    /// People with at least this permission.
    Role(Role),
    /// Owners of the changed paths.
    Codeowners {
        /// Of any of them, or of each.
        mode: CodeownersMode,
        /// Who owns what is changed, once that was looked up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owned: Option<Box<Owned>>,
    },
}

/// Why approvers could not be resolved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequirementError {
    /// A template in it failed.
    #[error(transparent)]
    Expression(#[from] EvaluationError),
    /// A template gave something that is no name.
    #[error("`approvers` names {found}, which is no login or team")]
    NotAName {
        /// What it gave.
        found: String,
    },
    /// More people are asked for than there can be.
    #[error("`approvers` needs {count} people of {available}: nobody could ever satisfy it")]
    Unsatisfiable {
        /// How many are needed.
        count: u32,
        /// How many there are.
        available: usize,
    },
}

impl Requirement {
    /// Resolves what an author wrote. `text` evaluates one template to its text; a list of users may come from one
    /// template that gives names separated by commas or spaces.
    ///
    /// # Errors
    /// Where a template fails, gives no name, or the result cannot be satisfied.
    pub fn resolve(
        approvers: &Approvers,
        text: &mut dyn FnMut(&str) -> Result<String, EvaluationError>,
    ) -> Result<Self, RequirementError> {
        let requirement = match approvers {
            Approvers::Users { users, count } => {
                let mut logins: Vec<String> = Vec::new();
                for user in users {
                    for login in names(&text(user)?)? {
                        if !logins.iter().any(|known| known.eq_ignore_ascii_case(&login)) {
                            logins.push(login);
                        }
                    }
                }
                if (logins.len() as u64) < u64::from(*count) {
                    return Err(RequirementError::Unsatisfiable { count: *count, available: logins.len() });
                }
                Self::People { group: Group::Users(logins), count: *count }
            }
            Approvers::Team { team, count } => {
                let team = names(&text(team)?)?.into_iter().next().unwrap_or_default();
                Self::People { group: Group::Team(team), count: *count }
            }
            Approvers::Role { role, count } => Self::People { group: Group::Role(*role), count: *count },
            Approvers::Codeowners { codeowners, count } => {
                Self::People { group: Group::Codeowners { mode: *codeowners, owned: None }, count: *count }
            }
            Approvers::Any { any, count } => {
                let of = any.iter().map(|part| Self::resolve(part, text)).collect::<Result<_, _>>()?;
                Self::Any { of, count: *count }
            }
            Approvers::All { all } => {
                Self::All { of: all.iter().map(|part| Self::resolve(part, text)).collect::<Result<_, _>>()? }
            }
        };
        Ok(requirement)
    }

    /// The groups at the leaves, in the order of their indices.
    pub fn leaves(&self) -> Vec<&Group> {
        match self {
            Self::People { group, .. } => vec![group],
            Self::Any { of, .. } | Self::All { of } => of.iter().flat_map(Self::leaves).collect(),
        }
    }

    /// Whether code owners are asked.
    pub fn asks_codeowners(&self) -> bool {
        self.leaves().iter().any(|group| matches!(group, Group::Codeowners { .. }))
    }

    /// The same with who owns what is changed; its leaves keep their places.
    #[must_use]
    pub fn with_owned(&self, now: &Owned) -> Self {
        let parts = |of: &[Self]| of.iter().map(|part| part.with_owned(now)).collect();
        match self {
            Self::People { group: Group::Codeowners { mode, .. }, count } => {
                let group = Group::Codeowners { mode: *mode, owned: Some(Box::new(now.clone())) };
                Self::People { group, count: *count }
            }
            Self::People { .. } => self.clone(),
            Self::Any { of, count } => Self::Any { of: parts(of), count: *count },
            Self::All { of } => Self::All { of: parts(of) },
        }
    }
}

/// The names in a text: separated by commas or white space, an `@` before a login allowed.
fn names(text: &str) -> Result<Vec<String>, RequirementError> {
    let names: Vec<String> = text
        .split([',', ' ', '\n'])
        .map(|name| name.trim().trim_start_matches('@'))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let sound = |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '[' | ']'));
    if names.is_empty() || !names.iter().all(sound) {
        return Err(RequirementError::NotAName { found: format!("{text:?}") });
    }
    Ok(names)
}
