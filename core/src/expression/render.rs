//! Evaluates whole JSON values whose texts are templates, and keeps the places of secrets open for the performer.
//! A secret is a part of the result by construction, never a mark in a text, so no data can pass for one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Context, EvaluationError, Filled, MAX_RENDERED, Template};

/// What stands in a result in place of a secret.
pub const MASK: &str = "***";

/// The result of [`evaluate_json`].
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The value, with [`MASK`] in place of every secret.
    pub value: Value,
    /// The texts of `value` that contain secrets, in the order of the value.
    pub secret_texts: Vec<SecretText>,
}

/// A text with secrets in it, to be put together by whoever performs the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretText {
    /// Where it stands in the value: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What it consists of.
    pub parts: Vec<SecretPart>,
}

/// A part of a text with secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPart {
    /// Text as it is.
    Literal(String),
    /// The value of the secret of that name.
    Secret(String),
}

/// Evaluates a nested value in which every text (not the keys) is a template. A text that is exactly one `{{ … }}`
/// is replaced by the value, whatever its type.
///
/// # Errors
/// The first text that cannot be parsed or evaluated, with its JSON pointer and the range inside of it; a result
/// of more than [`MAX_RENDERED`] bytes in all.
pub fn evaluate_json(value: &Value, context: &Context) -> Result<Rendered, EvaluationError> {
    evaluate_json_with(value, context, Filled::AsIs)
}

/// As [`evaluate_json`], for texts that are Markdown where `filled` says so.
///
/// # Errors
/// As [`evaluate_json`].
pub fn evaluate_json_with(value: &Value, context: &Context, filled: Filled) -> Result<Rendered, EvaluationError> {
    let mut rendering = Rendering { context, filled, pointer: String::new(), secret_texts: Vec::new(), size: 0 };
    let value =
        rendering.value(value).map_err(|error| EvaluationError { pointer: rendering.pointer.clone(), ..error })?;
    Ok(Rendered { value, secret_texts: rendering.secret_texts })
}

struct Rendering<'a> {
    context: &'a Context,
    filled: Filled,
    pointer: String,
    secret_texts: Vec<SecretText>,
    size: usize,
}

impl Rendering<'_> {
    fn value(&mut self, value: &Value) -> Result<Value, EvaluationError> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                let mut result = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    result.push(self.inside(&index.to_string(), item)?);
                }
                Ok(Value::Array(result))
            }
            Value::Object(entries) => {
                let mut result = Map::new();
                for (key, item) in entries {
                    result.insert(key.clone(), self.inside(key, item)?);
                }
                Ok(Value::Object(result))
            }
            other => Ok(other.clone()),
        }
    }

    /// Descends; after an error the pointer stays where it was.
    fn inside(&mut self, key: &str, value: &Value) -> Result<Value, EvaluationError> {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        let result = self.value(value)?;
        self.pointer.truncate(length);
        Ok(result)
    }

    fn text(&mut self, text: &str) -> Result<Value, EvaluationError> {
        let template = Template::parse(text)?;
        let (value, parts) = template.run(self.context, self.filled)?;
        self.size += match &value {
            Value::String(text) => text.len(),
            other => other.to_string().len(),
        };
        if self.size > MAX_RENDERED {
            let message = format!("all texts together are larger than {} MiB", MAX_RENDERED / (1024 * 1024));
            return Err(EvaluationError { message, range: None, pointer: String::new() });
        }
        if parts.iter().any(|part| matches!(part, SecretPart::Secret(_))) {
            self.secret_texts.push(SecretText { pointer: self.pointer.clone(), parts });
        }
        Ok(value)
    }
}
