//! What people and the world do while a case is played: decisions, answers, pushes, events.

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::{Duration, StepId};

/// An event that is given to the API.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestEvent {
    /// How long after the start (0s).
    #[serde(default)]
    pub after: Option<Duration>,
    /// Its name.
    pub name: Spanned<String>,
    /// What comes with it.
    #[serde(default)]
    pub payload: Option<Spanned<Value>>,
}

/// What a person decides.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestDecision {
    /// How long after the start (as soon as the step asks).
    #[serde(default)]
    pub after: Option<Duration>,
    /// Who.
    pub by: Spanned<String>,
    /// On which step. Inside of a `foreach`: of every item.
    pub step: Spanned<StepId>,
    /// Only of this item of the `foreach` around the step, from 0.
    #[serde(default)]
    pub item: Option<u32>,
    /// What.
    pub decision: Spanned<TestWord>,
    /// With which note.
    #[serde(default)]
    pub note: Option<String>,
    /// That the word does not count: `true`, or why.
    #[serde(default)]
    pub refused: Option<Spanned<ExpectedRefusal>>,
}

/// A word about an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestWord {
    /// Yes.
    Approve,
    /// No.
    Reject,
    /// Takes back what was said before.
    Withdraw,
}

/// What a person answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAnswer {
    /// How long after the start (as soon as the form asks).
    #[serde(default)]
    pub after: Option<Duration>,
    /// Who.
    pub by: Spanned<String>,
    /// Which form. Inside of a `foreach`: of every item.
    pub step: Spanned<StepId>,
    /// Only of this item of the `foreach` around the step, from 0.
    #[serde(default)]
    pub item: Option<u32>,
    /// The answers.
    pub values: IndexMap<Spanned<String>, Spanned<Value>>,
    /// That the answers do not count: `true`, or why.
    #[serde(default)]
    pub refused: Option<Spanned<ExpectedRefusal>>,
}

/// That a word does not count, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedRefusal {
    /// For whatever reason; `false`: it counts.
    Whether(bool),
    /// For this reason.
    Because(RefusalReason),
}

/// Why a word does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// A program said it.
    Bot,
    /// The author of the change said it.
    Author,
    /// Somebody who wrote a commit of the change said it.
    Contributor,
    /// The person is in none of the groups.
    NotListed,
    /// The person lacks the permission that the command needs.
    NotAllowed,
    /// The step does not wait for it, or the execution has ended.
    NotWaiting,
    /// It needs a note.
    NoteRequired,
    /// There was nothing to withdraw.
    NothingToWithdraw,
    /// The answers do not fit the form.
    WrongAnswers,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Bot,
        Self::Author,
        Self::Contributor,
        Self::NotListed,
        Self::NotAllowed,
        Self::NotWaiting,
        Self::NoteRequired,
        Self::NothingToWithdraw,
        Self::WrongAnswers,
    ];

    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Author => "author",
            Self::Contributor => "contributor",
            Self::NotListed => "not_listed",
            Self::NotAllowed => "not_allowed",
            Self::NotWaiting => "not_waiting",
            Self::NoteRequired => "note_required",
            Self::NothingToWithdraw => "nothing_to_withdraw",
            Self::WrongAnswers => "wrong_answers",
        }
    }
}

/// A push to the pull request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestPush {
    /// How long after the start.
    pub after: Duration,
    /// The new head.
    #[serde(default)]
    pub head_sha: Option<String>,
    /// Whether the new head has the files of the one before (false).
    #[serde(default)]
    pub same_tree: bool,
}

/// Somebody cancels the execution.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCancel {
    /// How long after the start.
    pub after: Duration,
    /// Who.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for ExpectedRefusal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = ExpectedRefusal;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, `false` or a reason")
            }

            fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Self::Value, E> {
                Ok(ExpectedRefusal::Whether(truth))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let reason = RefusalReason::ALL.into_iter().find(|reason| reason.as_str() == text);
                reason.map(ExpectedRefusal::Because).ok_or_else(|| E::custom(format!("`{text}` is no reason")))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl Serialize for ExpectedRefusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whether(truth) => serializer.serialize_bool(*truth),
            Self::Because(reason) => serializer.serialize_str(reason.as_str()),
        }
    }
}

impl JsonSchema for ExpectedRefusal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ExpectedRefusal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        let reasons = RefusalReason::ALL.map(|reason| Value::from(reason.as_str()));
        let values: Vec<Value> = [Value::Bool(true), Value::Bool(false)].into_iter().chain(reasons).collect();
        json_schema!({"enum": values, "description": "`true`, or why the word does not count."})
    }
}
