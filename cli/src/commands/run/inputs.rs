//! Inputs and answers from the command line: `KEY=VALUE` words and files, read by the type of their field.

use std::path::Path;

use anyhow::{Context, bail};
use flowctl_core::definition::{FieldType, Fields};
use serde_json::{Map, Value};

/// The inputs of a run: a file's, then single ones over them.
pub fn read(words: &[String], file: Option<&Path>, fields: &Fields) -> anyhow::Result<Map<String, Value>> {
    let mut inputs = match file {
        Some(file) => read_file(file)?,
        None => Map::new(),
    };
    let mut given = std::collections::BTreeSet::new();
    for word in words {
        let (name, text) = word.split_once('=').with_context(|| format!("`--input {word}` is not KEY=VALUE"))?;
        if !given.insert(name) {
            bail!("`--input {name}=…` is given twice; which of both is meant?");
        }
        let kind = fields.iter().find(|(known, _)| known.value == name).map(|(_, field)| field.kind.value);
        inputs.insert(name.to_owned(), value(text, kind));
    }
    Ok(inputs)
}

fn read_file(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    // JSON is YAML.
    match serde_yaml::from_str(&text).with_context(|| format!("{} is neither YAML nor JSON", file.display()))? {
        Value::Object(inputs) => Ok(inputs),
        _ => bail!("{} holds no mapping of inputs", file.display()),
    }
}

/// A word as the value of a field: a text stays a text, anything else is read as JSON where it is JSON.
pub fn value(text: &str, kind: Option<FieldType>) -> Value {
    let as_text = || Value::String(text.to_owned());
    match kind {
        Some(FieldType::String | FieldType::Date) => as_text(),
        Some(FieldType::List) if !text.trim_start().starts_with('[') => {
            Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
        }
        _ => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    }
}
