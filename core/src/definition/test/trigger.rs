//! What starts the process of a case, and the pull request that it is about.

use std::fmt;

use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::source::Spanned;

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

fn trigger_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
    let (key, keys) = (generator.subschema_for::<TriggerKey>(), generator.subschema_for::<TriggerKeys>());
    json_schema!({"anyOf": [key, keys]})
}
