//! `api_call`: one HTTP call.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Text;
use crate::source::Spanned;

/// The fields of `api_call`. At most one of `body` and `body_text`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiCall {
    /// The method (GET).
    #[serde(default)]
    pub method: Method,
    /// The address, `http` or `https`.
    pub url: Text,
    /// Parameters of the query.
    #[serde(default)]
    pub query: IndexMap<Spanned<String>, Spanned<Value>>,
    /// Headers.
    #[serde(default)]
    pub headers: IndexMap<Spanned<String>, Text>,
    /// A JSON body.
    #[serde(default)]
    pub body: Option<Spanned<Value>>,
    /// A text body.
    #[serde(default)]
    pub body_text: Option<Text>,
    /// What a good answer is.
    #[serde(default)]
    pub expect: Option<Expect>,
    /// An integration of `flow.yaml` that gives the base of the address and its headers.
    #[serde(default)]
    pub integration: Option<Spanned<String>>,
}

/// HTTP methods.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    #[default]
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
    /// HEAD
    Head,
}

/// What a good answer is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Numbers or classes such as `2xx` (the default).
    #[serde(default)]
    #[schemars(schema_with = "status_schema")]
    pub status: Option<Vec<Spanned<Value>>>,
    /// The shape of the answer's body: a JSON Schema, or a path below `.flow/schemas/`.
    #[serde(default)]
    #[schemars(schema_with = "crate::definition::schema::schema_or_path")]
    pub schema: Option<Spanned<Value>>,
}

fn status_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": ["array", "null"],
        "minItems": 1,
        "items": {"type": ["integer", "string"], "description": "A number from 100 to 599, or a class such as `2xx`.", "minimum": 100, "maximum": 599, "pattern": "^[1-5]xx$"}
    })
}
