//! Who may act: `approvers` of an approval, `assignees` of a form, `to` of an escalation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;
use crate::source::Spanned;

/// A tree of groups, each with how many of its people are needed. Names may be templates; they are resolved when the
/// step starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ApproversForm", into = "ApproversForm")]
#[schemars(with = "ApproversForm")]
pub enum Approvers {
    /// Named people.
    Users {
        /// GitHub logins.
        users: Vec<Text>,
        /// How many of them.
        count: u32,
    },
    /// Members of a team of the repository's organisation.
    Team {
        /// The team's slug.
        team: Text,
        /// How many of them.
        count: u32,
    },
    /// People with at least this permission on the repository.
    Role {
        /// The lowest permission that counts.
        role: Role,
        /// How many of them.
        count: u32,
    },
    /// Owners of the changed paths by CODEOWNERS.
    Codeowners {
        /// One owner of any path, or one of each.
        codeowners: CodeownersMode,
        /// How many of them.
        count: u32,
    },
    /// As many of these groups as `count` says.
    Any {
        /// The groups.
        any: Vec<Spanned<Approvers>>,
        /// How many groups must be satisfied.
        count: u32,
    },
    /// Each of these groups.
    All {
        /// The groups.
        all: Vec<Spanned<Approvers>>,
    },
}

/// A permission on a repository, from the lowest that can be asked for to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May push.
    Write,
    /// May manage the repository without its dangerous settings.
    Maintain,
    /// May do everything.
    Admin,
}

/// How owners of several paths are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CodeownersMode {
    /// The owners of any changed path.
    Union,
    /// An owner of each changed path.
    EachPath,
}

/// How approvers are written: exactly one of the keys, and `count` (1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Approvers", extend("minProperties" = 1, "examples" = [{"team": "leads"}]))]
struct ApproversForm {
    /// GitHub logins; `count` of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    users: Option<Vec<Text>>,
    /// The slug of a team of the organisation; `count` of its members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<Text>,
    /// People with at least this permission on the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// Owners of the changed paths: of any (`union`) or one of each (`each_path`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codeowners: Option<CodeownersMode>,
    /// As many of these groups as `count` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    any: Option<Vec<Spanned<Approvers>>>,
    /// Each of these groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    all: Option<Vec<Spanned<Approvers>>>,
    /// How many people (or groups, for `any`) are needed (1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    count: Option<u32>,
}

impl TryFrom<ApproversForm> for Approvers {
    type Error = String;

    fn try_from(form: ApproversForm) -> Result<Self, Self::Error> {
        let ApproversForm { users, team, role, codeowners, any, all, count } = form;
        let given = count;
        let count = count.unwrap_or(1);
        match (users, team, role, codeowners, any, all) {
            (Some(users), None, None, None, None, None) => Ok(Self::Users { users, count }),
            (None, Some(team), None, None, None, None) => Ok(Self::Team { team, count }),
            (None, None, Some(role), None, None, None) => Ok(Self::Role { role, count }),
            (None, None, None, Some(codeowners), None, None) => Ok(Self::Codeowners { codeowners, count }),
            (None, None, None, None, Some(any), None) => Ok(Self::Any { any, count }),
            (None, None, None, None, None, Some(_)) if given.is_some() => {
                Err("`all` needs every group; `count` belongs to the groups inside it".to_owned())
            }
            (None, None, None, None, None, Some(all)) => Ok(Self::All { all }),
            _ => Err("write exactly one of `users`, `team`, `role`, `codeowners`, `any`, `all`".to_owned()),
        }
    }
}

impl From<Approvers> for ApproversForm {
    fn from(approvers: Approvers) -> Self {
        let mut form =
            Self { users: None, team: None, role: None, codeowners: None, any: None, all: None, count: None };
        match approvers {
            Approvers::Users { users, count } => (form.users, form.count) = (Some(users), Some(count)),
            Approvers::Team { team, count } => (form.team, form.count) = (Some(team), Some(count)),
            Approvers::Role { role, count } => (form.role, form.count) = (Some(role), Some(count)),
            Approvers::Codeowners { codeowners, count } => {
                (form.codeowners, form.count) = (Some(codeowners), Some(count));
            }
            Approvers::Any { any, count } => (form.any, form.count) = (Some(any), Some(count)),
            Approvers::All { all } => form.all = Some(all),
        }
        form
    }
}
