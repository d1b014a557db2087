//! A test of a process: `.flow/tests/NAME.yaml`. Types only; how a case is played is `simulation`'s.

mod expectation;
mod stub;
mod trigger;
mod word;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Spanned;
use crate::value::{Slug, StepId};

pub use expectation::{ExpectedStatus, ExpectedStep, ExpectedStepStatus, TestExpectation};
pub use stub::{Stub, StubResult};
pub use trigger::{TestPullRequest, TestTrigger, TriggerKey};
pub use word::{ExpectedRefusal, RefusalReason, TestAnswer, TestCancel, TestDecision, TestEvent, TestPush, TestWord};

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
    pub users: IndexMap<Spanned<String>, Spanned<TestPermission>>,
    /// Members by team.
    #[serde(default)]
    pub teams: IndexMap<Spanned<String>, Vec<Spanned<String>>>,
}

/// GitHub's permissions on a repository, from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestPermission {
    /// None at all.
    None,
    /// May read.
    Read,
    /// May sort issues.
    Triage,
    /// May push.
    Write,
    /// May also change some settings.
    Maintain,
    /// May do everything.
    Admin,
}

/// One case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What it shows.
    pub name: Spanned<String>,
    /// When it starts: a moment, RFC 3339 (2026-01-05T09:00:00Z, a Monday).
    #[serde(default)]
    pub at: Option<Spanned<String>>,
    /// What started the execution: a trigger's key, or a mapping; what is left out is filled in (by hand, where the
    /// process may be started so; otherwise its first trigger).
    #[serde(default)]
    pub trigger: Option<Spanned<TestTrigger>>,
    /// The inputs.
    #[serde(default)]
    pub inputs: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Results of steps, instead of performing them.
    #[serde(default)]
    pub stubs: IndexMap<Spanned<StepId>, Spanned<Stub>>,
    /// What people decide.
    #[serde(default)]
    pub decisions: Vec<Spanned<TestDecision>>,
    /// What people answer.
    #[serde(default)]
    pub answers: Vec<Spanned<TestAnswer>>,
    /// What happens in the sub-process that a step starts, where the step has no stub.
    #[serde(default)]
    pub children: IndexMap<Spanned<StepId>, TestChild>,
    /// Events that are given to the API.
    #[serde(default)]
    pub events: Vec<Spanned<TestEvent>>,
    /// New commits on the pull request.
    #[serde(default)]
    pub pushes: Vec<Spanned<TestPush>>,
    /// That somebody cancels the execution.
    #[serde(default)]
    pub cancel: Option<Spanned<TestCancel>>,
    /// What must have happened.
    pub expect: TestExpectation,
}

/// What happens in a sub-process.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestChild {
    /// Results of its steps.
    #[serde(default)]
    pub stubs: IndexMap<Spanned<StepId>, Spanned<Stub>>,
    /// What people decide.
    #[serde(default)]
    pub decisions: Vec<Spanned<TestDecision>>,
    /// What people answer.
    #[serde(default)]
    pub answers: Vec<Spanned<TestAnswer>>,
    /// The same for the sub-processes that it starts.
    #[serde(default)]
    pub children: IndexMap<Spanned<StepId>, TestChild>,
}
