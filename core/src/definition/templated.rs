//! A value that an author may write out or compute: `timeout: 24h` or `timeout: "{{ inputs.patience }}"`.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use crate::value::{ValueError, read_text};

/// Either a literal `T`, checked when the file is read, or a template whose result is parsed as `T` when the step starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Templated<T> {
    /// Written out.
    Literal(T),
    /// Computed: the template's text.
    Template(String),
}

impl<T: Clone> Templated<T> {
    /// The literal, or nothing where the value is computed.
    pub fn literal(&self) -> Option<T> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Template(_) => None,
        }
    }
}

impl<'de, T: FromStr<Err = ValueError>> Deserialize<'de> for Templated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, "a value in words or a template", |text| {
            if text.contains("{{") { Ok(Self::Template(text.to_owned())) } else { text.parse().map(Self::Literal) }
        })
    }
}

impl<T: JsonSchema> JsonSchema for Templated<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Templated{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        if let Some(pattern) = schema.get("pattern").and_then(|p| p.as_str()) {
            let either = format!("(?:{pattern})|\\{{\\{{");
            schema.insert("pattern".to_owned(), either.into());
        }
        schema
    }
}
