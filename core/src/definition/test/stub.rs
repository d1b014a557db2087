//! What a step gives instead of being performed.

use std::fmt;

use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::definition::retry::ErrorClass;
use crate::source::Spanned;
use crate::value::Duration;

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

impl Stub {
    /// Every result in it.
    pub fn results(&self) -> &[StubResult] {
        match self {
            Self::Every(result) => std::slice::from_ref(result),
            Self::Attempts(results) => results,
        }
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

fn stub_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
    let result = generator.subschema_for::<StubResult>();
    json_schema!({"anyOf": [result, {"type": "array", "minItems": 1, "items": result}]})
}
