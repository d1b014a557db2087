//! A test of a process: `.flow/tests/NAME.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::{Duration, Slug, StepId};

/// The tests of one process.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessTest {
    /// The process.
    pub process: Spanned<Slug>,
    /// Who there is.
    #[serde(default)]
    pub people: TestPeople,
    /// The cases.
    #[schemars(length(min = 1))]
    pub cases: Vec<Spanned<TestCase>>,
}

/// Who there is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestPeople {
    /// Permission on the repository by login.
    #[serde(default)]
    pub users: IndexMap<Spanned<String>, String>,
    /// Members by team.
    #[serde(default)]
    pub teams: IndexMap<Spanned<String>, Vec<Spanned<String>>>,
}

/// One case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What it shows.
    pub name: Spanned<String>,
    /// What started the execution.
    #[serde(default)]
    pub trigger: Option<Value>,
    /// The inputs.
    #[serde(default)]
    pub inputs: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Results of steps.
    #[serde(default)]
    pub stubs: IndexMap<Spanned<StepId>, Stub>,
    /// What people decide.
    #[serde(default)]
    pub decisions: Vec<TestDecision>,
    /// What people answer.
    #[serde(default)]
    pub answers: Vec<TestAnswer>,
    /// What must have happened.
    pub expect: TestExpectation,
}

/// A step's result: an output or an error.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stub {
    /// The output.
    #[serde(default)]
    pub output: Option<Value>,
    /// The error's message.
    #[serde(default)]
    pub error: Option<String>,
}

/// What a person decides.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestDecision {
    /// How long after the start.
    #[serde(default)]
    pub after: Option<Duration>,
    /// Who.
    pub by: Spanned<String>,
    /// On which step.
    pub step: Spanned<StepId>,
    /// approve, reject or withdraw.
    pub decision: Spanned<String>,
    /// With which note.
    #[serde(default)]
    pub note: Option<String>,
}

/// What a person answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAnswer {
    /// How long after the start.
    #[serde(default)]
    pub after: Option<Duration>,
    /// Who.
    pub by: Spanned<String>,
    /// Which form.
    pub step: Spanned<StepId>,
    /// The answers.
    pub values: IndexMap<Spanned<String>, Spanned<Value>>,
}

/// What must have happened; what is not written is not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestExpectation {
    /// How the execution ended.
    #[serde(default)]
    pub status: Option<Spanned<String>>,
    /// The steps that ran, in order.
    #[serde(default)]
    pub path: Option<Vec<Spanned<StepId>>>,
    /// The steps that were skipped.
    #[serde(default)]
    pub skipped: Option<Vec<Spanned<StepId>>>,
    /// Single steps.
    #[serde(default)]
    pub steps: IndexMap<Spanned<StepId>, ExpectedStep>,
    /// The execution's outputs.
    #[serde(default)]
    pub outputs: Option<Value>,
}

/// What must have become of a step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedStep {
    /// Its status.
    #[serde(default)]
    pub status: Option<Spanned<String>>,
    /// Its output.
    #[serde(default)]
    pub output: Option<Value>,
}
