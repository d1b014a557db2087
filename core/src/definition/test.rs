//! A test of a process: `.flow/tests/NAME.yaml`. Types only; how a case is played is `simulation`'s.

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::retry::ErrorClass;
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

/// What started an execution. A text is a trigger's key and nothing else.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(schema_with = "trigger_schema")]
pub struct TestTrigger {
    /// The trigger's key: `manual`, `pull_request`, `comment` …
    #[serde(rename = "type")]
    pub kind: Option<Spanned<TriggerKey>>,
    /// Who caused it.
    pub actor: Option<Spanned<String>>,
    /// What came with it; laid over what is filled in.
    pub payload: Option<Spanned<Value>>,
    /// The pull request.
    pub pull_request: Option<Spanned<TestPullRequest>>,
}

/// The keys of triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the triggers' own names")]
pub enum TriggerKey {
    Manual,
    PullRequest,
    Push,
    Comment,
    Schedule,
    Webhook,
    Event,
    RepositoryDispatch,
    Process,
    Deployment,
    MergeGroup,
}

impl TriggerKey {
    /// The key that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::PullRequest => "pull_request",
            Self::Push => "push",
            Self::Comment => "comment",
            Self::Schedule => "schedule",
            Self::Webhook => "webhook",
            Self::Event => "event",
            Self::RepositoryDispatch => "repository_dispatch",
            Self::Process => "process",
            Self::Deployment => "deployment",
            Self::MergeGroup => "merge_group",
        }
    }
}

/// The keys of a trigger that is a mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TestTriggerKeys")]
struct TriggerKeys {
    /// The trigger's key (`pull_request` where a pull request is given).
    #[serde(rename = "type", default)]
    kind: Option<Spanned<TriggerKey>>,
    /// Who caused it (the pull request's author, or octocat).
    #[serde(default)]
    actor: Option<Spanned<String>>,
    /// What came with it; laid over what is filled in.
    #[serde(default)]
    payload: Option<Spanned<Value>>,
    /// The pull request.
    #[serde(default)]
    pull_request: Option<Spanned<TestPullRequest>>,
}

/// A pull request; what is left out is filled in.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestPullRequest {
    /// Its number (1).
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub number: Option<u64>,
    /// Its title.
    #[serde(default)]
    pub title: Option<String>,
    /// Who opened it (the actor).
    #[serde(default)]
    pub author: Option<Spanned<String>>,
    /// Who else wrote one of its commits.
    #[serde(default)]
    pub contributors: Vec<Spanned<String>>,
    /// The commit at its head.
    #[serde(default)]
    pub head_sha: Option<String>,
    /// Its branch.
    #[serde(default)]
    pub head: Option<String>,
    /// The branch that it is to be merged into (main).
    #[serde(default)]
    pub base: Option<String>,
    /// Its labels (those that the trigger asks for).
    #[serde(default)]
    pub labels: Option<Vec<String>>,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
}

/// A step's results instead of performing it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(schema_with = "stub_schema")]
pub enum Stub {
    /// Of every attempt.
    Every(Box<StubResult>),
    /// One an attempt; the last one also of all further attempts.
    Attempts(Vec<StubResult>),
}

/// The result of an attempt.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StubResult {
    /// What the step gives.
    #[serde(default)]
    pub output: Option<Spanned<Value>>,
    /// The message of the error that the attempt ends in.
    #[serde(default)]
    pub error: Option<Spanned<String>>,
    /// The error's class (server_error, which is retried where the step retries).
    #[serde(default)]
    pub class: Option<Spanned<ErrorClass>>,
    /// How long the other side asks to be left alone.
    #[serde(default)]
    pub retry_after: Option<Duration>,
    /// How long the attempt takes (0s); more than the step's `timeout` is a timeout.
    #[serde(default)]
    pub takes: Option<Duration>,
    /// In the body of a `foreach`: the results item by item; the last one also of all further items.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub items: Option<Vec<Stub>>,
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

/// What must have happened; what is not written is not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestExpectation {
    /// How the execution ended; `waiting` where nothing more happens by itself.
    #[serde(default)]
    pub status: Option<Spanned<ExpectedStatus>>,
    /// A part of the execution's error.
    #[serde(default)]
    pub error: Option<Spanned<String>>,
    /// How long it took.
    #[serde(default)]
    pub took: Option<Spanned<Duration>>,
    /// The steps that completed or failed, in the order in which they did.
    #[serde(default)]
    pub path: Option<Spanned<Vec<Spanned<StepId>>>>,
    /// The steps that were skipped, in any order.
    #[serde(default)]
    pub skipped: Option<Spanned<Vec<Spanned<StepId>>>>,
    /// Single steps.
    #[serde(default)]
    pub steps: IndexMap<Spanned<StepId>, ExpectedStep>,
    /// The execution's outputs, all of them.
    #[serde(default)]
    pub outputs: Option<Spanned<Value>>,
    /// A part of the execution's outputs: mappings may hold more keys.
    #[serde(default)]
    pub outputs_contain: Option<Spanned<Value>>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedStatus {
    /// Well.
    Completed,
    /// Badly.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It waits, and nothing more happens by itself.
    Waiting,
}

impl ExpectedStatus {
    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
        }
    }
}

/// What must have become of a step.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedStep {
    /// Its status.
    #[serde(default)]
    pub status: Option<Spanned<ExpectedStepStatus>>,
    /// Its output, all of it.
    #[serde(default)]
    pub output: Option<Spanned<Value>>,
    /// A part of its output: mappings may hold more keys.
    #[serde(default)]
    pub output_contains: Option<Spanned<Value>>,
    /// A part of its error.
    #[serde(default)]
    pub error: Option<Spanned<String>>,
    /// How many attempts it took.
    #[serde(default)]
    pub attempts: Option<Spanned<u32>>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedStepStatus {
    /// It was never due.
    Pending,
    /// It waits.
    Waiting,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was not due.
    Skipped,
    /// It was interrupted.
    Cancelled,
}

impl ExpectedStepStatus {
    /// The name that an author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Stub {
    /// Every result in it.
    pub fn results(&self) -> &[StubResult] {
        match self {
            Self::Every(result) => std::slice::from_ref(result),
            Self::Attempts(results) => results,
        }
    }
}

impl<'de> Deserialize<'de> for TestTrigger {
    /// A text is the trigger's key; told apart by the node's kind, so that errors inside stay precise.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = TestTrigger;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a trigger's key or a mapping")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let key = TriggerKey::deserialize(de::value::StrDeserializer::<E>::new(text))?;
                Ok(TestTrigger { kind: Some(Spanned::without_place(key)), ..TestTrigger::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let TriggerKeys { kind, actor, payload, pull_request } =
                    TriggerKeys::deserialize(MapAccessDeserializer::new(map))?;
                Ok(TestTrigger { kind, actor, payload, pull_request })
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl<'de> Deserialize<'de> for Stub {
    /// A mapping is one result, a list one an attempt.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Stub;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a result, or a list with one for each attempt")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                StubResult::deserialize(MapAccessDeserializer::new(map)).map(|result| Stub::Every(Box::new(result)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(Stub::Attempts)
            }
        }
        deserializer.deserialize_any(Form)
    }
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

fn trigger_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
    let (key, keys) = (generator.subschema_for::<TriggerKey>(), generator.subschema_for::<TriggerKeys>());
    json_schema!({"anyOf": [key, keys]})
}

fn stub_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
    let result = generator.subschema_for::<StubResult>();
    json_schema!({"anyOf": [result, {"type": "array", "minItems": 1, "items": result}]})
}
