//! People, who is asked, and what they said.

use flowctl_core::approval::{Decision, Group, Missing, Person, Requirement};
use flowctl_core::definition::{CodeownersMode, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Person)]
pub struct PersonView {
    /// The login at the time.
    pub login: String,
    /// GitHub's numeric id; 0 where there is no GitHub.
    pub id: u64,
}

impl PersonView {
    pub(in crate::api) fn of(person: &Person) -> Self {
        Self { login: person.login.clone(), id: person.id }
    }
}

/// Who is asked, in the words of a definition: one of `users`, `team`, `role`, `codeowners`, `any`, `all`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Approvers, no_recursion)]
pub struct ApproversView {
    /// These logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<String>>,
    /// A team of the organisation, by slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// People with at least this permission: `write`, `maintain`, `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Owners of the changed paths: `union`, `each_path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codeowners: Option<String>,
    /// `count` of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<ApproversView>>,
    /// Each of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<ApproversView>>,
    /// How many of them are needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl ApproversView {
    pub(super) fn of(requirement: &Requirement) -> Self {
        match requirement {
            Requirement::People { group, count } => Self { count: Some(*count), ..Self::of_group(group) },
            Requirement::Any { of, count } => {
                Self { any: Some(of.iter().map(Self::of).collect()), count: Some(*count), ..Self::default() }
            }
            Requirement::All { of } => Self { all: Some(of.iter().map(Self::of).collect()), ..Self::default() },
        }
    }

    fn of_group(group: &Group) -> Self {
        match group {
            Group::Users(users) => Self { users: Some(users.clone()), ..Self::default() },
            Group::Team(team) => Self { team: Some(team.clone()), ..Self::default() },
            Group::Role(role) => {
                let role = match role {
                    Role::Write => "write",
                    Role::Maintain => "maintain",
                    Role::Admin => "admin",
                };
                Self { role: Some(role.to_owned()), ..Self::default() }
            }
            Group::Codeowners { mode, .. } => {
                let mode = match mode {
                    CodeownersMode::Union => "union",
                    CodeownersMode::EachPath => "each_path",
                };
                Self { codeowners: Some(mode.to_owned()), ..Self::default() }
            }
        }
    }
}

/// A group that still lacks people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Missing)]
pub struct MissingView {
    /// The group.
    pub group: ApproversView,
    /// How many it needs.
    pub needed: u32,
    /// How many it has.
    pub have: u32,
}

impl MissingView {
    pub(super) fn of(missing: &Missing) -> Self {
        Self { group: ApproversView::of_group(&missing.group), needed: missing.needed, have: missing.have }
    }
}

/// Where a word came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceView {
    /// The way: `comment`, `review`, `button`, `api`, `cli`, `web`, `engine`.
    pub kind: String,
    /// What tells this word from others of its kind.
    pub id: String,
    /// A link to it.
    pub url: Option<String>,
}

/// One person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Decision)]
pub struct DecisionView {
    /// Who.
    pub person: PersonView,
    /// What: `approve`, `reject`, `withdraw`, `override`.
    pub decision: String,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// With which note.
    pub note: Option<String>,
    /// From where.
    pub source: SourceView,
    /// On which commit.
    pub commit: Option<String>,
    /// In whose place the person spoke as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_place_of: Vec<PersonView>,
}

impl DecisionView {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            person: PersonView::of(&decision.person),
            decision: name(&decision.decision),
            at: decision.at,
            note: decision.note.clone(),
            source: SourceView {
                kind: name(&decision.source.kind),
                id: decision.source.id.clone(),
                url: decision.source.url.clone(),
            },
            commit: decision.commit.clone(),
            in_place_of: decision.in_place_of.iter().map(|other| PersonView::of(&other.person)).collect(),
        }
    }
}

/// The name that a value without fields is serialized as.
pub(super) fn name<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
