//! Inputs and answers from the command line: `KEY=VALUE` words and files, read by the type of their field.

use std::path::Path;

use flowctl_core::definition::{FieldType, Fields};
use serde_json::{Map, Value};

use crate::words::{mapping, pairs};

/// The inputs of a run: a file's, then single ones over them.
pub fn read(words: &[String], file: Option<&Path>, fields: &Fields) -> anyhow::Result<Map<String, Value>> {
    let mut inputs = file.map(mapping).transpose()?.unwrap_or_default();
    for (name, text) in pairs("--input", "KEY=VALUE", words)? {
        let kind = fields.iter().find(|(known, _)| known.value == name).map(|(_, field)| field.kind.value);
        let value = value(&text, kind);
        inputs.insert(name, value);
    }
    Ok(inputs)
}

/// A word as the value of a field: a text stays a text, anything else is read as JSON where it is JSON.
fn value(text: &str, kind: Option<FieldType>) -> Value {
    let as_text = || Value::String(text.to_owned());
    match kind {
        Some(FieldType::String | FieldType::Date) => as_text(),
        Some(FieldType::List) if !text.trim_start().starts_with('[') => {
            Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
        }
        _ => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    }
}
